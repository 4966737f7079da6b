"""A reload is all or nothing."""
import lab
lab.enter()

import signal

import harness
from node import wait_for


class Reload(harness.MeshTest):
    def hang_up(self, node):
        node.write_config()
        node.signal(signal.SIGHUP)

    def success_of(self, node):
        return node.metrics().value("peerwatch_config_last_reload_successful")

    def test_a_removed_peer_loses_its_session(self):
        a, b, c = self.mesh("a", "b", "c")
        a.config["peer"] = [p for p in a.config["peer"] if p["id"] != b.id]
        self.hang_up(a)
        ended = wait_for("the session with b ended", lambda: a.events("session_ended", b), 5)
        self.assertEqual(ended[-1]["reason"], "peer_removed")
        wait_for("b is gone from the list", lambda: a.peer(b) is None or a.peer(b)["state"] != "connected", 5)
        wait_for("b saw it end", lambda: [e for e in b.events("session_ended", a) if e["reason"] == "peer_request"], 5)
        wait_for("b is refused when it dials again", lambda: [
            e for e in b.events("admission_refused", a) if e["reason"] == "not_allowlisted" and e["by_peer"]], 10)
        self.assertEqual(a.state_of(c), "connected")
        self.assertEqual(a.events("session_ended", c), [], "the other session was not touched")

    def test_an_added_peer_is_dialled(self):
        a, b = self.node("a"), self.node("b")
        b.knows(a)
        a.start()
        b.start()
        wait_for("b is refused", lambda: b.events("admission_refused", a), 10)
        a.knows(b)
        self.hang_up(a)
        self.connected(a, b)

    def test_a_bad_file_changes_nothing(self):
        a, b = self.mesh("a", "b")
        in_force = a.get("/api/v1/config").json()
        self.assertIn(self.success_of(a), (None, 1))
        a.config["mesh"] = {"max_sesions": 5}
        a.config["peer"] = []
        self.hang_up(a)
        wait_for("the metric says so", lambda: self.success_of(a) == 0, 5)
        self.assertEqual(a.get("/api/v1/config").json(), in_force)
        self.assertEqual(a.state_of(b), "connected")
        reloaded = a.events("config_reloaded")[-1]
        self.assertFalse(reloaded["success"])
        self.assertIn("max_sesions", reloaded["detail"])

        answer = a.post("/-/reload")
        self.assertEqual(answer.status, 422)
        self.assertRegex(answer.json()["errors"][0], r"peerwatch\.toml:\d+:\d+: .*max_sesions.*max_sessions")

        a.config["mesh"] = {}
        a.knows(b)
        self.hang_up(a)
        wait_for("good again", lambda: self.success_of(a) == 1, 5)
        self.assertEqual(a.events("session_ended", b), [], "one session through all of it")

    def test_keys_that_need_a_restart_are_named(self):
        (a,) = self.mesh("a")
        a.config["network"]["listen"] = [f"{a.host.address}:9999"]
        a.write_config()
        answer = a.post("/-/reload")
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.json()["needs_restart"], ["network.listen"])


if __name__ == "__main__":
    harness.main()
