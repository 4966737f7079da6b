"""Real daemons where a kernel lets no UDP through: they reach their server by WebSocket, and each other through it."""
import lab
lab.enter("nft", "conntrack", "openssl")

import contextlib
import time
import unittest

from lab import sketch
from lab.meeting import Meeting
from lab.runner import Daemon
from lab.space import run
from node import wait_for

NO_UDP = {"nat": {}, "firewall": {"udp_blocked": True}}
HARD = {"nat": {"mapping": "address-and-port-dependent", "filtering": "address-and-port-dependent", "ports": "random"}}


class ByWebSocket(unittest.TestCase):
    def meet(self, *homes: dict) -> None:
        cleanup = contextlib.ExitStack()
        self.addCleanup(cleanup.close)
        self.meeting = Meeting(cleanup, sketch.behind(list(homes)), websocket=True)
        self.server, self.a, self.b = self.meeting.daemons
        self.addCleanup(lambda: self.assertEqual(self.meeting.problems(), []))
        self.meeting.start()

    def relay(self, here: Daemon) -> dict:
        return here.get("/api/v1/relays").json()["relays"][0]

    def test_one_end_without_udp(self):
        self.meet(NO_UDP, HARD)
        wait_for("a session through the relay", lambda: self.meeting.paths() == ("relay_websocket", "relay_quic"), 5)
        up = self.a.events("session_established", self.b)[-1]
        self.assertEqual(up["path"], "relay_websocket")
        self.assertEqual(self.a.post(f"/api/v1/peers/{self.b.id}/ping", {"size": 1000}).status, 200)

        relay = self.relay(self.a)
        self.assertEqual((relay["transport"], relay["up"], relay["observed"]), ("websocket", True, None))
        metrics = self.a.metrics()
        self.assertEqual(metrics.value("p2p_relay_up", relay="server", transport="websocket"), 1)
        self.assertEqual(metrics.value("p2p_relay_up", relay="server", transport="quic"), 0)
        self.assertGreater(metrics.value("p2p_relay_rtt_seconds", relay="server", transport="websocket"), 0)
        metrics = self.server.metrics()
        self.assertEqual(metrics.value("p2p_relay_clients", transport="websocket"), 1)
        self.assertEqual(metrics.value("p2p_relay_clients", transport="quic"), 1)
        month = metrics.value("peerwatch_tls_certificate_expiry_timestamp_seconds") - time.time()
        self.assertAlmostEqual(month / 86400, 30, delta=1)

        # UDP is let out: the pipe is left, and the session does not notice.
        with self.meeting.net.routers["r0"].inside():
            run("nft", "flush", "chain", "inet", "guard", "forward")
        wait_for("the relay is reached over UDP", lambda: self.relay(self.a)["transport"] == "quic", 60)
        self.assertEqual(self.a.events("session_ended", self.b), [])
        self.assertEqual([e for e in self.a.events("service_down") if e["was_up"]], [])
        self.assertEqual(self.server.metrics().value("p2p_relay_clients", transport="websocket"), 0)
        self.assertEqual(self.a.post(f"/api/v1/peers/{self.b.id}/ping", {"size": 1000}).status, 200)

    def test_both_ends_without_udp_and_a_relay_that_restarts(self):
        self.meet(NO_UDP, NO_UDP)
        both = ("relay_websocket", "relay_websocket")
        wait_for("a session through the relay", lambda: self.meeting.paths() == both, 5)
        rate = self.a.post(f"/api/v1/peers/{self.b.id}/bandwidth", {"bytes": 2_000_000, "duration_ms": 3000}).json()
        self.assertGreater(rate["outbound"]["bytes"], 100_000)
        self.server.kill()
        self.server.start()
        wait_for("a session through the relay again", lambda: self.meeting.paths() == both and all(
            p["health"] == "proved" for p in self.a.peer(self.b)["paths"] if p["in_use"]), 60)


if __name__ == "__main__":
    lab.main()
