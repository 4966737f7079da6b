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
    def build(self, **mapper: bool) -> None:
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
        self.node.start()

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

    def test_upnp_where_the_router_speaks_nothing_else(self):
        self.build(upnp=True)
        self.mapped_by("upnp")


if __name__ == "__main__":
    lab.main()
