"""Real daemons behind kernel NATs that nothing else leads through, who know a server and each other's ids, meet at it and talk through it."""
import lab
lab.enter("nft", "conntrack")

import pathlib
import tempfile
import unittest

from lab import sketch
from lab.internet import Internet
from lab.runner import Daemon
from node import wait_for

ROLES = ["bootstrap", "relay"]


class ThroughRelay(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="peerwatch-test-")
        self.addCleanup(folder.cleanup)
        nat = {"nat": {"mapping": "address-and-port-dependent", "filtering": "address-and-port-dependent", "ports": "random"}}
        self.net = Internet(sketch.behind([nat, nat]), "kernel")
        self.addCleanup(self.net.close)
        self.server, self.a, self.b = self.daemons = [
            Daemon(self.net.hosts[name], self.net.scenario.hosts[name], pathlib.Path(folder.name))
            for name in ("public", "h0", "h1")]
        self.addCleanup(self.finish)
        self.server.config["node"]["roles"] = ROLES
        self.server.config["peer"] = [{"id": n.id, "name": n.name} for n in (self.a, self.b)]
        for here, there in ((self.a, self.b), (self.b, self.a)):
            here.config["peer"] = [{"id": there.id, "name": there.name}]
            block = {"id": self.server.id, "name": "server", "addresses": [f"{sketch.PUBLIC}:9470"]}
            here.config["bootstrap"] = [block]
            here.config["relay"] = [block]

    def finish(self):
        for daemon in self.daemons:
            if daemon.alive:
                self.assertEqual(daemon.stop(), 0)
            self.assertEqual(daemon.problems_in_log(), [])

    def path(self, here: Daemon, there: Daemon) -> str:
        return (here.peer(there) or {}).get("path", "none")

    def relayed(self) -> bool:
        return self.path(self.a, self.b) == self.path(self.b, self.a) == "relay_quic"

    def test_it(self):
        self.server.start()
        self.a.start()
        self.b.start()
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

    def test_a_reload_brings_the_servers(self):
        blocks = {key: self.a.config.pop(key) for key in ("bootstrap", "relay")}
        for daemon in self.daemons:
            daemon.start()
        wait_for("b is there", lambda: self.server.get("/api/v1/bootstraps").json()["serving"]["entries"] == 1, 5)
        self.a.config |= blocks
        self.a.write_config()
        self.assertEqual(self.a.post("/-/reload").status, 200)
        wait_for("a session through the relay", self.relayed, 5)


if __name__ == "__main__":
    lab.main()
