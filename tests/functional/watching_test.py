"""A real Prometheus scrapes three real daemons while one is killed: panels and alerts are answered, and the right alerts fire."""
import lab
lab.enter("prometheus", "prometheus-alertmanager")

import json
import sys
import time

import certificate
import harness
from node import wait_for
from prometheus import ROOT, SHORTER, Prometheus

sys.path.insert(0, str(ROOT / "tests/lint"))
import promql

CALM = 12.0      # seconds of scrapes before anything happens
AFTERWARDS = 18.0  # seconds from the kill, in which no other alert may come up
# From the kill: a path is declared lost within 5 s, and a scrape and two evaluations (recording, alert) follow.
NOTICED = 9.0
# The longest `for` of the alerts that have to come, shortened.
WAITS = 5 * 60 / SHORTER
VARIABLES = {"$job": "peerwatch", "$instance": ".*", "$peer": ".*", "$__rate_interval": "6s", "$__range": "30s"}

# Why there is nothing to show in this mesh: three nodes on one network, of which one is bootstrap and relay.
EMPTY_PANELS = {
    "peerwatch-nat: Lifetime of mappings, A": "no NAT is in front of these nodes",
    "peerwatch-nat: Success against the past, A": "the one peer that attempts lead to is gone, which tells nothing of NATs",
    "peerwatch-nat: Success against the past, B": "a week has to go by",
    "peerwatch-performance: Failover, A": "there is one path only between these nodes",
    "peerwatch-performance: Failover, B": "there is one path only between these nodes",
    "peerwatch-performance: Round trips by peer, B": "an hour has to go by",
}
# Of attempts at a direct path to the dead peer, which in some runs have not begun, or not ended, by then.
SOMETIMES_EMPTY = {f"peerwatch-nat: {panel}" for panel in (
    "Results by pair of NATs, A", "Success by pair of NATs, A", "Time of rounds, A", "Time of rounds, B", "Time by phase, A")}
EMPTY_SERIES = {
    "job:nat_results:success_ratio6h": "as the panel",
    "job:nat_results:success_ratio7d": "as the panel",
    "job_peer:p2p_rtt_milliseconds:p95_1d": "as the panel",
}


def dashboards() -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted((ROOT / "grafana/dashboards").glob("*.json"))]


def filled_in(query: str) -> str:
    for name, value in sorted(VARIABLES.items(), reverse=True):
        query = query.replace(name, value)
    return query


class Watching(harness.MeshTest):
    def setUp(self):
        super().setUp()
        self.a, self.b, self.c = (self.node(name) for name in "abc")
        server = {"id": self.a.id, "name": "server", "addresses": [self.a.address]}
        self.a.config["node"]["roles"] = ["peer", "bootstrap", "relay"]
        pem, key = certificate.make(self.folder)
        self.a.config["relay_server"] = {"websocket_listen": f"{self.a.host.address}:443", "tls_certificate": str(pem), "tls_key": str(key)}
        for node in self.nodes:
            node.knows(*(other for other in self.nodes if other is not node))
            if node is not self.a:
                node.config |= {"bootstrap": [server], "relay": [server]}
        for node in self.nodes:
            node.start()
        self.connected(*self.nodes)
        self.prometheus = Prometheus(self.folder, [node.address for node in self.nodes])
        self.addCleanup(self.prometheus.stop)

    def test_one_peer_is_killed(self):
        wait_for("all are scraped", lambda: len(self.prometheus.now("up == 1")) == 3, 10)
        # A session that ends, and one that begins.
        for command in ("disconnect", "connect"):
            self.assertEqual(self.a.post(f"/api/v1/peers/{self.b.id}/{command}").status, 200)
        self.connected(self.a, self.b)
        answer = self.a.post(f"/api/v1/peers/{self.b.id}/bandwidth", {"bytes": 1_000_000, "duration_ms": 500})
        self.assertEqual(answer.status, 200, answer.body)
        time.sleep(CALM)
        self.assertEqual(self.prometheus.firing(), set(), "nothing is wrong yet")

        self.c.kill()
        self.expected_dead.add(self.c)
        killed = time.monotonic()
        wanted = {("PeerDown", self.c.short_id), ("DaemonNotScraped", self.c.short_id, self.c.address), ("TooFewPeers",)}
        wait_for(f"{wanted} fire", lambda: self.prometheus.firing() >= wanted, NOTICED + WAITS)
        print(f"all fire {time.monotonic() - killed:.1f} s after the kill, of which {WAITS:.0f} s are waited for")
        wait_for("the daemon that is not scraped explains its peer", lambda: self.prometheus.inhibited() == {
            "PeerDown": True, "DaemonNotScraped": False, "TooFewPeers": False}, 10)
        while time.monotonic() < killed + AFTERWARDS:
            self.assertEqual(self.prometheus.firing(), wanted, "these, and no other")
            time.sleep(0.5)

        self.every_panel_is_answered()
        self.every_alert_is_evaluated()

    def answered(self, query: str) -> bool:
        """With a figure, at any moment: a quantile of nothing is no figure."""
        return any(value != "NaN" for series in self.prometheus.since_start(query) for _, value in series["values"])

    def every_panel_is_answered(self):
        silent = {f"{dashboard['uid']}: {panel['title']}, {target['refId']}": target["expr"] for dashboard in dashboards()
                  for panel in dashboard["panels"] for target in panel.get("targets", []) if not self.answered(filled_in(target["expr"]))}
        self.assertEqual(set(silent) - SOMETIMES_EMPTY, set(EMPTY_PANELS), json.dumps(silent, indent=1))

    def every_alert_is_evaluated(self):
        silent = set()
        for rule in self.prometheus.rules():
            self.assertEqual((rule["name"], rule["health"], rule.get("lastError", "")), (rule["name"], "ok", ""))
            for alert in rule.get("alerts", []):
                self.assertNotIn("error expanding template", str(alert["annotations"]))
            for one in promql.read(rule["query"]).selected:
                matchers = ", ".join(f'{label}{sign}"{value}"' for label, sign, value in one.matchers)
                if not self.answered(f"{one.name}{{{matchers}}}"):
                    silent.add(one.name)
        self.assertEqual(silent, set(EMPTY_SERIES))


if __name__ == "__main__":
    harness.main()
