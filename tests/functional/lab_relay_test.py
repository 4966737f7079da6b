"""Real daemons behind kernel NATs that nothing else leads through, who know a server and each other's ids, meet at it and talk through it."""
import lab
lab.enter("nft", "conntrack")

import contextlib
import unittest

from lab import sketch
from lab.meeting import Meeting
from node import wait_for

HARD = {"mapping": "address-and-port-dependent", "filtering": "address-and-port-dependent", "ports": "random"}


class ThroughRelay(unittest.TestCase):
    def setUp(self):
        cleanup = contextlib.ExitStack()
        self.addCleanup(cleanup.close)
        self.meeting = Meeting(cleanup, sketch.behind([{"nat": HARD}] * 2))
        self.server, self.a, self.b = self.meeting.daemons

    def relayed(self) -> bool:
        return self.meeting.are("relay_quic")

    def test_it(self):
        self.meeting.start()
        wait_for("a session through the relay", self.relayed, 5)
        up = self.a.events("session_established", self.b)[-1]
        self.assertEqual(up["path"], "relay_quic")
        path = self.a.peer(self.b)["paths"][0]
        self.assertEqual((path["remote"], path["relay"]), (None, self.server.id))
        self.assertEqual(self.a.post(f"/api/v1/peers/{self.b.id}/ping", {"size": 1000}).status, 200)

        here = self.a.get("/api/v1/bootstraps").json()["bootstraps"][0]
        self.assertTrue(here["up"])
        self.assertEqual(here["observed"].split(":")[0], sketch.outer(0))
        self.assertEqual(here["requests"]["register"]["success_ratio"], 1)
        self.assertTrue(self.a.get("/api/v1/relays").json()["relays"][0]["home"])
        served = self.server.get("/api/v1/relays").json()["serving"]
        self.assertEqual((served["clients"], served["dropped"]["rate"]), (2, 0))
        self.assertGreater(served["forwarded_packets"], 10)
        self.assertIn("1 of 1 servers up", self.a.command("status").stdout)

        metrics = self.a.metrics()
        self.assertEqual(metrics.value("bootstrap_up", bootstrap="server"), 1)
        self.assertEqual(metrics.value("p2p_relay_up", relay="server", transport="quic"), 1)
        self.assertGreater(metrics.value("bootstrap_requests_total", bootstrap="server", request="register", result="success"), 0)
        self.assertGreater(metrics.value("p2p_peers_by_path", path="relay_quic"), 0)
        metrics = self.server.metrics()
        self.assertEqual(metrics.value("bootstrap_registry_entries"), 2)
        self.assertGreater(metrics.value("p2p_relay_forwarded_bytes_total"), 10_000)

        # The server goes away at once and comes back: sessions last, or are back soon.
        self.server.kill()
        self.server.start()
        wait_for("both are there again, and meet", lambda: self.server.get("/api/v1/relays").json()["serving"]["channels"], 30)
        wait_for("a session through the relay again", lambda: self.relayed() and all(
            p["health"] == "proved" for p in self.a.peer(self.b)["paths"] if p["in_use"]), 60)
        self.server.stop()
        wait_for("the server is told to be down", lambda: self.a.metrics().value("p2p_relay_up", relay="server", transport="quic") == 0, 10)
        self.assertEqual(self.meeting.problems(), [])

    def test_a_reload_brings_the_servers(self):
        for key in self.meeting.servers:
            del self.a.config[key]
        self.meeting.start()
        wait_for("b is there", lambda: self.server.get("/api/v1/bootstraps").json()["serving"]["entries"] == 1, 5)
        self.a.config |= self.meeting.servers
        self.a.write_config()
        self.assertEqual(self.a.post("/-/reload").status, 200)
        wait_for("a session through the relay", self.relayed, 5)
        self.assertEqual(self.meeting.problems(), [])


if __name__ == "__main__":
    lab.main()
