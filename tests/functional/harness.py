"""The base of every functional test: a laboratory, nodes in it, and what is true at the end of each test."""
import pathlib
import sys
import tempfile
import unittest

import lab
from node import SANITIZED, Node, wait_for

CONNECT_TIMEOUT = 30.0 if SANITIZED else 10.0


class MeshTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="peerwatch-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.lab = lab.Lab()
        self.addCleanup(self.lab.close)
        self.nodes: list[Node] = []
        self.expected_dead: set[Node] = set()
        self.addCleanup(self.finish)

    def node(self, name: str) -> Node:
        self.nodes.append(Node(self.lab.host(name), self.folder))
        return self.nodes[-1]

    def mesh(self, *names: str) -> list[Node]:
        """Started nodes that all know each other and are connected."""
        nodes = [self.node(name) for name in names]
        for node in nodes:
            node.knows(*(other for other in nodes if other is not node))
        for node in nodes:
            node.start()
        self.connected(*nodes)
        return nodes

    def connected(self, *nodes: Node) -> None:
        for node in nodes:
            for other in nodes:
                if other is not node:
                    wait_for(f"{node.name} is connected to {other.name}", lambda: node.state_of(other) == "connected",
                             CONNECT_TIMEOUT)

    def finish(self):
        """Every node that a test did not end itself lives, ends well on SIGTERM, and never said anything terrible."""
        failed = not self._outcome.success
        problems = []
        for node in self.nodes:
            if node.process is None or node in self.expected_dead:
                continue
            if not node.alive:
                problems.append(f"{node.name} ended by itself with {node.process.returncode}")
            else:
                try:
                    status = node.stop()
                    if status != 0:
                        problems.append(f"{node.name} ended with {status} on SIGTERM")
                except Exception as error:
                    node.kill()
                    problems.append(f"{node.name} did not end on SIGTERM: {error}")
        for node in self.nodes:
            problems += node.problems_in_log()
        if failed or problems:
            for node in self.nodes:
                print(f"---- {node.name} ({node.short_id}), last lines of its log\n{node.log()[-6000:]}", file=sys.stderr)
        self.assertEqual(problems, [])


def main() -> None:
    lab.main()
