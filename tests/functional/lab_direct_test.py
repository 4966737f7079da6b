"""Real daemons behind kernel NATs, who know a server and each other's ids, meet at it and go on without it."""
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
PORT_RESTRICTED = {"mapping": "endpoint-independent", "filtering": "address-and-port-dependent"}


class Direct(unittest.TestCase):
    def meet(self, *nats: dict) -> None:
        folder = tempfile.TemporaryDirectory(prefix="peerwatch-test-")
        self.addCleanup(folder.cleanup)
        self.net = Internet(sketch.behind([{"nat": nat} for nat in nats]), "kernel")
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
        for daemon in self.daemons:
            daemon.start()

    def finish(self):
        for daemon in self.daemons:
            if daemon.alive:
                self.assertEqual(daemon.stop(), 0)
            self.assertEqual(daemon.problems_in_log(), [])

    def direct(self) -> bool:
        return all((here.peer(there) or {}).get("path") == "direct_v4"
                   for here, there in ((self.a, self.b), (self.b, self.a)))

    def punched(self) -> None:
        wait_for("a direct path", self.direct, 20)
        for here, there in ((self.a, self.b), (self.b, self.a)):
            self.assertEqual(here.events("session_established", there)[-1]["path"], "relay_quic")
            ended = here.events("traversal_ended", there)[-1]
            self.assertEqual((ended["result"], ended["method"], ended["failure"]), ("success", "punch", "none"))
            metrics = here.metrics()
            self.assertEqual(metrics.value("nat_results_total", result="success", method="punch", failure="none"), 1)
            self.assertEqual(metrics.value("nat_attempts_total", trigger="initial"), 1)
        told = {c["kind"]: c["address"] for c in self.a.get("/api/v1/nat").json()["candidates"]}
        self.assertEqual(told["host"], f"{sketch.inner(0)}:9470")
        self.assertEqual(told["server_reflexive"].split(":")[0], sketch.outer(0))
        self.assertEqual(self.a.post(f"/api/v1/peers/{self.b.id}/ping", {"size": 1000}).status, 200)

    def test_two_port_restricted_nats_are_punched_through(self):
        self.meet(PORT_RESTRICTED, PORT_RESTRICTED)
        self.punched()
        # Without the server the session goes on.
        self.server.stop()
        self.assertTrue(self.direct())
        self.assertEqual(self.a.post(f"/api/v1/peers/{self.b.id}/ping", {"size": 1000}).status, 200)


if __name__ == "__main__":
    lab.main()
