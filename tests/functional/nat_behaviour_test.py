"""A daemon behind kernel NATs finds out, with coturn's help, what they do, and the command for people says it."""
import lab
lab.enter("nft", "conntrack", "turnserver")

import contextlib
import json
import pathlib
import tempfile
import unittest

from lab import coturn, sketch
from lab.internet import Internet
from lab.scenario import MAPPINGS
from node import Node, wait_for

KINDS = [{"mapping": MAPPINGS[0], "filtering": MAPPINGS[0]},
         {"mapping": MAPPINGS[0], "filtering": MAPPINGS[2]},
         {"mapping": MAPPINGS[2], "filtering": MAPPINGS[2], "ports": "random"}]
BLOCKED = {"nat": {}, "firewall": {"udp_blocked": True}}


def words(name: str) -> str:
    return name.replace("-", "_")


class Behaviour(unittest.TestCase):
    def setUp(self):
        cleanup = contextlib.ExitStack()
        self.addCleanup(cleanup.close)
        folder = pathlib.Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="peerwatch-test-")))
        self.net = Internet(sketch.behind([*({"nat": nat} for nat in KINDS), BLOCKED]), "kernel")
        cleanup.callback(self.net.close)
        cleanup.callback(coturn.Server(self.net.hosts["public"], [sketch.PUBLIC, sketch.OTHER]).close)
        self.nodes = []
        for n in range(len(KINDS) + 1):
            host = self.net.hosts[f"h{n}"]
            host.address = sketch.inner(n)
            node = Node(host, folder)
            node.config["network"]["listen"] = ["0.0.0.0:9470"]
            node.config["http"] = {"listen": [], "control_socket": node.socket}
            node.config["nat"] = {"stun_servers": [f"{sketch.PUBLIC}:{coturn.PORT}"]}
            node.api = node.socket
            node.start()
            self.nodes.append(node)

    def measured(self, node: Node) -> dict:
        def behaviour():
            family = node.get("/api/v1/nat").json()["families"][0]
            return family["state"] == "measured" and family["behaviour"]
        return wait_for(f"{node.name} has measured", behaviour, 30)

    def test_each_is_found_as_declared_and_told_to_people_and_prometheus(self):
        for node, nat in zip(self.nodes, KINDS):
            with self.subTest(**nat):
                found = self.measured(node)
                self.assertEqual((found["udp"], found["mapping"], found["filtering"]),
                                 (True, words(nat["mapping"]), words(nat["filtering"])))
                self.assertEqual(node.metrics().sum("nat_local_type_info", family="ipv4", mapping=words(nat["mapping"]),
                                                    filtering=words(nat["filtering"])), 1)
                self.assertEqual(node.events("nat_measured")[-1]["mapping"], words(nat["mapping"]))
                said = node.command("netcheck")
                print(said.stdout)
                self.assertEqual(said.returncode, 0, said.stderr)
                self.assertIn(words(nat["mapping"]), said.stdout)
                self.assertEqual(json.loads(node.command("netcheck", "--json").stdout)["servers"],
                                 [f"{sketch.PUBLIC}:{coturn.PORT}"])

        blocked = self.nodes[-1]
        self.assertIs(self.measured(blocked)["udp"], False)
        said = blocked.command("netcheck")
        print(said.stdout)
        self.assertEqual(said.returncode, 1)
        self.assertIn("blocked", said.stdout)
        self.assertEqual(blocked.metrics().sum("nat_local_type_info"), 0)
        for node in self.nodes:
            self.assertEqual(node.stop(), 0)
            self.assertEqual(node.problems_in_log(), [])


if __name__ == "__main__":
    lab.main()
