"""Daemons behind kernel NATs find out what these do with nothing but their bootstrap, a daemon with two addresses; and coturn's
clients come by it to the same answers."""
import lab
lab.enter("nft", "conntrack", "turnutils_natdiscovery", "turnutils_stunclient")

import contextlib
import pathlib
import subprocess
import tempfile
import unittest

from lab import coturn, sketch
from lab.internet import Internet
from lab.scenario import MAPPINGS
from node import PORT, Node, wait_for

KINDS = [{"mapping": MAPPINGS[0], "filtering": MAPPINGS[0]},
         {"mapping": MAPPINGS[0], "filtering": MAPPINGS[1]},
         {"mapping": MAPPINGS[0], "filtering": MAPPINGS[2]},
         {"mapping": MAPPINGS[2], "filtering": MAPPINGS[2], "ports": "random"}]
OTHER_PORT = PORT + 1


class Bootstrap(unittest.TestCase):
    def setUp(self):
        cleanup = contextlib.ExitStack()
        self.addCleanup(cleanup.close)
        self.folder = pathlib.Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="peerwatch-test-")))
        self.net = Internet(sketch.behind([{"nat": nat} for nat in KINDS]), "kernel")
        cleanup.callback(self.net.close)
        self.server = self.node("public", sketch.PUBLIC)
        self.server.config["node"]["roles"] = ["bootstrap"]
        self.server.config["network"]["listen"] = [f"{sketch.PUBLIC}:{PORT}"]
        self.server.config["bootstrap_server"] = {"admission": "open", "stun_alternate": [f"{sketch.OTHER}:{OTHER_PORT}"]}
        self.server.start()
        self.nodes = [self.node(f"h{n}", sketch.inner(n)) for n in range(len(KINDS))]
        for node in self.nodes:
            node.config["bootstrap"] = [{"id": self.server.id, "name": "bootstrap-1", "addresses": [f"{sketch.PUBLIC}:{PORT}"]}]
            node.start()

    def node(self, name: str, address: str) -> Node:
        host = self.net.hosts[name]
        host.address = address
        node = Node(host, self.folder)
        node.config["network"]["listen"] = [f"0.0.0.0:{PORT}"]
        node.config["http"] = {"listen": [], "control_socket": node.socket}
        node.api = node.socket
        return node

    def measured(self, node: Node) -> dict:
        def behaviour():
            family = node.get("/api/v1/nat").json()["families"][0]
            return family["state"] == "measured" and family["behaviour"]
        return wait_for(f"{node.name} has measured", behaviour, 30)

    def test_each_is_found_as_declared(self):
        for node, nat in zip(self.nodes, KINDS):
            with self.subTest(**nat):
                found = self.measured(node)
                self.assertEqual({key: found[key].replace("_", "-") for key in ("mapping", "filtering")},
                                 {key: nat[key] for key in ("mapping", "filtering")})
                self.assertIn(f"STUN servers: bootstraps {sketch.PUBLIC}:{PORT}", node.command("netcheck").stdout)
        asked = [coturn.Discovery(node.host, sketch.inner(n), sketch.PUBLIC, "-m", "-f", "-p", str(PORT))
                 for n, node in enumerate(self.nodes)]
        for discovery, nat in zip(asked, KINDS):
            with self.subTest(coturn=True, **nat):
                self.assertEqual(discovery.verdict(), {"nat": "translated", "mapping": nat["mapping"], "filtering": nat["filtering"]})
        # What it asks next wants RESPONSE-PORT or PADDING, is refused (420), and it waits for more for ever.
        plain = self.nodes[0].host.spawn(["timeout", "5", "turnutils_stunclient", "-p", str(PORT), sketch.PUBLIC],
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)
        said = plain.communicate()[0]
        self.assertIn(f"UDP reflexive addr: {sketch.outer(0)}:", said)
        for node in (*self.nodes, self.server):
            self.assertEqual(node.stop(), 0)
            self.assertEqual(node.problems_in_log(), [])


if __name__ == "__main__":
    lab.main()
