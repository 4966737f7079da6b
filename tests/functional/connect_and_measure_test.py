"""Three real daemons find each other, measure each other, and tell the same story by metrics, API and command."""
import lab
lab.enter()

import math
import subprocess

import harness
from node import SANITIZED, wait_for


class ConnectAndMeasure(harness.MeshTest):
    def setUp(self):
        super().setUp()
        self.a, self.b, self.c = self.mesh("a", "b", "c")

    def measured(self, node, other):
        peer = node.peer(other)
        return peer if peer["rtt_ms"] is not None and peer["loss"]["forward"]["expected"] >= 3 \
            and peer["loss"]["return"]["expected"] >= 3 else None

    def test_every_pair_measures_rtt_and_no_loss(self):
        for node in self.nodes:
            for other in (n for n in self.nodes if n is not node):
                peer = wait_for(f"{node.name} measured {other.name}", lambda: self.measured(node, other), 15)
                self.assertGreater(peer["rtt_ms"], 0)
                self.assertLess(peer["rtt_ms"], 500 if SANITIZED else 50, "between two processes of one machine")
                self.assertEqual(peer["loss"]["forward"]["lost"], 0)
                self.assertEqual(peer["loss"]["return"]["lost"], 0)
                self.assertEqual(peer["path"], "direct_v4")
                self.assertEqual([p["remote"] for p in peer["paths"] if p["in_use"]], [other.address])
                self.assertEqual([p["health"] for p in peer["paths"]], ["proved"])

    def test_each_pair_has_one_session_dialled_by_one_side(self):
        for one, two in ((self.a, self.b), (self.a, self.c), (self.b, self.c)):
            wait_for("exactly one end dialled", lambda: one.peer(two)["dialled"] != two.peer(one)["dialled"], 5)
        for node in self.nodes:
            self.assertEqual(node.metrics().value("p2p_connections_active", state="connected"), 2)

    def test_metrics_and_api_agree(self):
        wait_for("measured", lambda: self.measured(self.a, self.b), 15)
        metrics, status = self.a.metrics(), self.a.status()
        self.assertEqual(status["id"], self.a.id)
        self.assertEqual(status["name"], "a")
        self.assertTrue(status["ready"])
        self.assertEqual(metrics.value("p2p_peers_configured"), 2)
        for state, count in status["peers"]["by_state"].items():
            self.assertEqual(metrics.value("p2p_connections_active", state=state), count, state)
        for path, count in status["peers"]["by_path"].items():
            self.assertEqual(metrics.value("p2p_peers_by_path", path=path), count, path)
        self.assertEqual(metrics.value("peerwatch_node_info", peer_id=self.a.short_id), 1)
        for other in (self.b, self.c):
            label = {"peer_id": other.short_id}
            self.assertEqual(metrics.value("p2p_peer_connected", **label), 1)
            self.assertEqual(metrics.value("p2p_peer_path", path="direct_v4", **label), 1)
            self.assertEqual(metrics.value("p2p_peer_info", **label), 1)
            self.assertEqual(metrics.value("p2p_probe_loss_ratio", direction="forward", **label), 0)
            self.assertGreater(metrics.value("p2p_rtt_milliseconds_count", **label), 0)
            self.assertGreater(metrics.value("p2p_rtt_milliseconds_sum", **label), 0)
            # Counters only grow, and the API's picture is the later one.
            sent = metrics.value("p2p_bytes_transferred_total", direction="outbound", path="direct_v4", **label)
            self.assertGreater(sent, 0)
            self.assertGreaterEqual(self.a.peer(other)["traffic"]["direct_v4"]["outbound"]["bytes"], sent)

    def test_a_pings_count_in_the_histogram(self):
        before = self.a.metrics().value("p2p_rtt_milliseconds_count", peer_id=self.b.short_id)
        for _ in range(5):
            answer = self.a.post(f"/api/v1/peers/{self.b.id}/ping")
            self.assertEqual(answer.status, 200, answer.body)
            self.assertGreater(answer.json()["rtt_ms"], 0)
        wait_for("five more echoes", lambda: self.a.metrics().value(
            "p2p_rtt_milliseconds_count", peer_id=self.b.short_id) >= before + 5, 5)

    def test_bandwidth_is_measured_within_its_cap(self):
        answer = self.a.post(f"/api/v1/peers/{self.b.id}/bandwidth", {"bytes": 1_000_000, "duration_ms": 3000})
        self.assertEqual(answer.status, 200, answer.body)
        for direction in ("outbound", "inbound"):
            self.assertGreater(answer.json()[direction]["bytes_per_second"], 0)
            self.assertLessEqual(answer.json()[direction]["bytes"], 1_000_000)
            wait_for("the estimate is exported", lambda: self.a.metrics().value(
                "p2p_bandwidth_estimate_bytes_per_second", peer_id=self.b.short_id, direction=direction), 3)

    def test_metrics_pass_promtool(self):
        """Complaints are allowed about the names that the source documents fixed, and about no other."""
        kept_to_the_letter = ("p2p_rtt_milliseconds", "p2p_discovered_peers_total", "connection_latency_ms", "nat_duration_ms",
                              "connection_throughput_mbps", "p2p_buffered_messages_total")
        wait_for("measured", lambda: self.measured(self.a, self.b), 15)
        text = self.a.get("/metrics").body
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
        complaints = [line for line in (checked.stdout + checked.stderr).decode().splitlines()
                      if line and not line.startswith(kept_to_the_letter)]
        self.assertEqual(complaints, [])
        self.assertNotEqual(checked.returncode, 1, "it does not even parse")
        values = [value for _, _, value in self.a.metrics().series]
        self.assertFalse([v for v in values if math.isnan(v)], "a measurement that was not made is absent")

    def test_openmetrics_and_gzip_when_asked_for(self):
        answer = self.a.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
        self.assertTrue(answer.headers["content-type"].startswith("application/openmetrics-text"))
        self.assertTrue(answer.body.endswith(b"# EOF\n"))
        self.assertEqual(self.a.get("/metrics", **{"Accept-Encoding": "gzip"}).headers.get("content-encoding"), "gzip")


if __name__ == "__main__":
    harness.main()
