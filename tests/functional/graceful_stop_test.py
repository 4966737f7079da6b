"""A daemon that is told to stop says goodbye: its peers see an end, not a time-out."""
import lab
lab.enter()

import time

import harness
from node import SANITIZED, wait_for


class GracefulStop(harness.MeshTest):
    def test_peers_see_disconnecting_and_no_error(self):
        a, b = self.mesh("a", "b")
        before = a.metrics()
        started = time.monotonic()
        self.assertEqual(b.stop(), 0)
        took = time.monotonic() - started
        self.expected_dead.add(b)
        self.assertLess(took, 10 if SANITIZED else 2.5, "the goodbye is bounded")

        ended = wait_for("a's session ended", lambda: a.events("session_ended", b), 3)
        self.assertEqual(ended[-1]["reason"], "peer_shutdown")
        states = [(e["from"], e["to"]) for e in a.events("state_changed", b)]
        self.assertIn(("connected", "disconnecting"), states)
        self.assertIn(("disconnecting", "disconnected"), states)
        self.assertNotIn(("connected", "failed"), states)
        self.assertEqual(a.events("path_health_changed", b), [], "its path was never suspected")
        after = wait_for("counted", lambda: (m := a.metrics()).value(
            "p2p_connection_duration_seconds_count", close_reason="peer_shutdown") and m, 3)
        self.assertEqual(after.sum("p2p_connection_errors_total", error_type="timeout"),
                         before.sum("p2p_connection_errors_total", error_type="timeout"))

    def test_the_control_socket_is_gone_and_a_new_daemon_takes_over(self):
        (a,) = self.mesh("a")
        self.assertEqual(a.stop(), 0)
        self.assertFalse((a.folder / "control.sock").exists())
        a.start()
        self.assertTrue(a.controllable())

    def test_a_second_signal_does_not_hang(self):
        (a,) = self.mesh("a")
        a.signal(15)
        a.signal(15)
        self.assertEqual(a.process.wait(10), 0)
        self.expected_dead.add(a)


if __name__ == "__main__":
    harness.main()
