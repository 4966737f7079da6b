"""Who may not join is refused, and both ends say why."""
import lab
lab.enter()

import os

import harness
from node import wait_for


class Strangers(harness.MeshTest):
    def refused_on_both_ends(self, inside, stranger, reason):
        for node, other, by_peer in ((inside, stranger, False), (stranger, inside, True)):
            wait_for(f"{node.name} tells the refusal", lambda: [
                e for e in node.events("admission_refused", other)
                if e["reason"] == reason and e["by_peer"] == by_peer], 15)
            wait_for("it is counted", lambda: node.metrics().sum("p2p_connection_errors_total", error_type="admission"), 5)
            self.assertIn(reason, node.log())
        self.assertNotEqual(stranger.state_of(inside), "connected")
        self.assertEqual(inside.events("session_established", stranger), [])

    def test_a_key_that_is_not_on_the_list(self):
        a, b = self.mesh("a", "b")
        stranger = self.node("c")
        stranger.knows(a)
        stranger.start()
        self.refused_on_both_ends(a, stranger, "not_allowlisted")
        self.assertIsNone(a.peer(stranger), "a stranger leaves no entry behind")
        self.assertEqual(a.events("session_ended", b), [])

    def test_a_key_on_the_deny_list(self):
        a, b = self.node("a"), self.node("b")
        a.knows(b)
        b.knows(a)
        a.config["mesh"] = {"deny": [b.id]}
        a.start()
        b.start()
        self.refused_on_both_ends(a, b, "denied")

    def secret(self, node, secret):
        path = node.folder / "mesh.secret"
        path.touch(mode=0o600)
        path.write_bytes(secret)
        node.config["mesh"] = {"admission": "secret", "secret_files": [str(path)]}

    def test_another_secret(self):
        right, wrong = os.urandom(32), os.urandom(32)
        a, b, stranger = self.node("a"), self.node("b"), self.node("c")
        for node, secret in ((a, right), (b, right), (stranger, wrong)):
            self.secret(node, secret)
        b.knows(a)  # a learns of b by its visit
        stranger.knows(a)
        for node in self.nodes:
            node.start()
        self.connected(a, b)
        self.refused_on_both_ends(a, stranger, "wrong_secret")

    def test_another_mesh(self):
        secret = os.urandom(32)
        a, stranger = self.node("a"), self.node("b")
        for node in self.nodes:
            self.secret(node, secret)
        stranger.config["mesh"]["name"] = "elsewhere"
        stranger.knows(a)
        for node in self.nodes:
            node.start()
        self.refused_on_both_ends(a, stranger, "wrong_mesh")


if __name__ == "__main__":
    harness.main()
