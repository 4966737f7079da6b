"""A daemon behind a kernel NAT maps its port at the router's miniupnpd: strangers get in, until the daemon stops."""
import lab
lab.enter("nft", "conntrack", "miniupnpd")

import contextlib
import pathlib
import tempfile
import time
import unittest

from lab import plain, sketch
from lab.internet import Internet
from node import PORT, Node, wait_for


class PortMapping(unittest.TestCase):
    def build(self, bootstrap: bool = False, **mapper: bool) -> None:
        cleanup = contextlib.ExitStack()
        self.addCleanup(cleanup.close)
        folder = pathlib.Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="peerwatch-test-")))
        self.net = Internet(sketch.behind([{"nat": {}, "port_mapper": mapper}]), "kernel")
        cleanup.callback(self.net.close)
        self.sockets = plain.Sockets()
        cleanup.callback(self.sockets.close)
        host = self.net.hosts["h0"]
        host.address = sketch.inner(0)
        self.node = Node(host, folder)
        self.node.config["network"]["listen"] = [f"0.0.0.0:{PORT}"]
        self.node.config["http"] = {"listen": [], "control_socket": self.node.socket}
        self.node.config["nat"] = {"port_mapping": True}
        self.node.api = self.node.socket
        if bootstrap:
            self.with_a_bootstrap(folder)
        self.node.start()

    def with_a_bootstrap(self, folder: pathlib.Path) -> None:
        host = self.net.hosts["public"]
        host.address = sketch.PUBLIC
        self.server = Node(host, folder)
        self.server.config["node"]["roles"] = ["bootstrap"]
        self.server.config["http"] = {"listen": [], "control_socket": self.server.socket}
        self.server.config["bootstrap_server"] = {"admission": "open", "stun_alternate": [f"{sketch.OTHER}:{PORT + 1}"]}
        self.server.api = self.server.socket
        self.server.start()
        self.node.config["bootstrap"] = [{"id": self.server.id, "name": "bootstrap-1", "addresses": [self.server.address]}]

    def mapping(self) -> dict:
        return self.node.get("/api/v1/nat").json()["port_mapping"]

    def knocks(self) -> float:
        return self.node.metrics().sum("peerwatch_packets_rejected_total", reason="unknown_protocol")

    def mapped_by(self, protocol: str) -> None:
        mapped = wait_for(f"mapped by {protocol}", lambda: self.mapping()["mapped"], 30)
        self.assertEqual((mapped["protocol"], mapped["external"], mapped["verified"]),
                         (protocol, f"{sketch.outer(0)}:{PORT}", False))
        self.assertEqual(self.node.metrics().sum("nat_port_mappings", protocol=protocol, state="unverified"), 1)
        self.assertIn(f"port mapping  {sketch.outer(0)}:{PORT} by {protocol}", self.node.command("netcheck").stdout)
        before = self.knocks()
        self.sockets.at(self.net.hosts["public"], sketch.PUBLIC).sendto(b"\x14knock", (sketch.outer(0), PORT))
        wait_for("a stranger's packet arrives", lambda: self.knocks() > before, 3)

        self.assertEqual(self.node.stop(), 0)
        self.assertEqual(self.node.problems_in_log(), [])
        mine = self.sockets.at(self.net.hosts["h0"], sketch.inner(0), PORT)
        deadline = time.monotonic() + 3
        while plain.reaches(self.sockets.at(self.net.hosts["public"], sketch.OTHER), (sketch.outer(0), PORT), mine):
            self.assertLess(time.monotonic(), deadline, "still mapped")

    def test_pcp(self):
        self.build(nat_pmp=True, pcp=True)
        self.mapped_by("pcp")

    def verified_by(self, protocol: str) -> None:
        wait_for(f"reached from outside, mapped by {protocol}",
                 lambda: (self.mapping()["mapped"] or {"verified": False})["verified"], 60)
        mapped = self.mapping()["mapped"]
        self.assertEqual((mapped["protocol"], mapped["external"], mapped["doubt"]), (protocol, f"{sketch.outer(0)}:{PORT}", None))
        self.assertEqual(self.node.metrics().sum("nat_port_mappings", protocol=protocol, state="mapped"), 1)
        self.assertIn(f"{sketch.outer(0)}:{PORT} by {protocol}; reached from outside", self.node.command("netcheck").stdout)
        kinds = [c["kind"] for c in self.node.get("/api/v1/nat").json()["candidates"]]
        self.assertIn("port_mapped", kinds)
        for node in (self.node, self.server):
            self.assertEqual(node.stop(), 0)
            self.assertEqual(node.problems_in_log(), [])

    def test_a_bootstrap_s_packet_comes_through_it_by_pcp(self):
        self.build(bootstrap=True, nat_pmp=True, pcp=True)
        self.verified_by("pcp")

    def test_a_bootstrap_s_packet_comes_through_it_by_upnp(self):
        self.build(bootstrap=True, upnp=True)
        self.verified_by("upnp")

    def test_upnp_where_the_router_speaks_nothing_else(self):
        self.build(upnp=True)
        self.mapped_by("upnp")


if __name__ == "__main__":
    lab.main()
