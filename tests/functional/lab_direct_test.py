"""Real daemons behind kernel NATs, who know a server and each other's ids, meet at it and go on without it."""
import lab
lab.enter("nft", "conntrack")

import contextlib
import unittest

from lab import sketch
from lab.meeting import Meeting
from node import wait_for

PORT_RESTRICTED = {"mapping": "endpoint-independent", "filtering": "address-and-port-dependent"}


class Direct(unittest.TestCase):
    def test_two_port_restricted_nats_are_punched_through(self):
        cleanup = contextlib.ExitStack()
        self.addCleanup(cleanup.close)
        meeting = Meeting(cleanup, sketch.behind([{"nat": PORT_RESTRICTED}] * 2))
        a, b = meeting.a, meeting.b
        meeting.start()
        wait_for("a direct path", lambda: meeting.are("direct_v4"), 20)
        for here, there in meeting.pair:
            self.assertEqual(here.events("session_established", there)[-1]["path"], "relay_quic")
            ended = here.events("traversal_ended", there)[-1]
            self.assertEqual((ended["result"], ended["method"], ended["failure"]), ("success", "punch", "none"))
            metrics = here.metrics()
            self.assertEqual(metrics.value("nat_results_total", result="success", method="punch", failure="none"), 1)
            self.assertEqual(metrics.value("nat_attempts_total", trigger="initial"), 1)
        told = {c["kind"]: c["address"] for c in a.get("/api/v1/nat").json()["candidates"]}
        self.assertEqual(told["host"], f"{sketch.inner(0)}:9470")
        self.assertEqual(told["server_reflexive"].split(":")[0], sketch.outer(0))
        self.assertEqual(a.post(f"/api/v1/peers/{b.id}/ping", {"size": 1000}).status, 200)

        # Without the server the session goes on.
        self.assertEqual(meeting.server.stop(), 0)
        self.assertTrue(meeting.are("direct_v4"))
        self.assertEqual(a.post(f"/api/v1/peers/{b.id}/ping", {"size": 1000}).status, 200)
        self.assertEqual(meeting.problems(), [])


if __name__ == "__main__":
    lab.main()
