"""A real Prometheus and a real Alertmanager in the laboratory, with the rules of this project."""
import json
import pathlib
import re
import subprocess
import time
import urllib.parse

import lab
import scrape
from node import wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Rules wait for minutes, a test can't: what they wait for, and how often they are evaluated, is divided by this.
SHORTER = 60
EVERY = 1  # seconds between two scrapes, and two evaluations
PROMETHEUS, ALERTMANAGER = ("127.0.0.1", 9090), ("127.0.0.1", 9093)  # of this namespace: nobody else is there
MILLISECONDS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
START_TIMEOUT = 15.0


def shortened(rules: str) -> str:
    return re.sub(r"(\b(?:for|keep_firing_for|interval): )(\d+)([smhd])\b",
                  lambda found: f"{found[1]}{int(found[2]) * MILLISECONDS[found[3]] // SHORTER}ms", rules)


def alerting_rules() -> list[pathlib.Path]:
    return sorted(path for path in (ROOT / "alerts").glob("*.yml") if path.name != "alertmanager.yml")


class Prometheus:
    def __init__(self, folder: pathlib.Path, targets: list[str]):
        self.folder = folder / "prometheus"
        self.folder.mkdir()
        for path in alerting_rules():
            (self.folder / path.name).write_text(shortened(path.read_text()))
        # JSON is YAML.
        (self.folder / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": f"{EVERY}s", "evaluation_interval": f"{EVERY}s"},
            "rule_files": [path.name for path in alerting_rules()],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["{}:{}".format(*ALERTMANAGER)]}]}]},
            "scrape_configs": [{"job_name": "peerwatch", "static_configs": [{"targets": targets}]}]}))
        self.log = open(self.folder / "log", "wb")
        self.processes = [self.start("prometheus-alertmanager", f"--config.file={ROOT / 'alerts/alertmanager.yml'}",
                                     f"--storage.path={self.folder / 'alertmanager'}", "--cluster.listen-address=",
                                     "--web.listen-address={}:{}".format(*ALERTMANAGER)),
                          self.start("prometheus", f"--config.file={self.folder / 'prometheus.yml'}",
                                     f"--storage.tsdb.path={self.folder / 'data'}",
                                     "--web.listen-address={}:{}".format(*PROMETHEUS))]
        self.started = time.time()
        for where in (ALERTMANAGER, PROMETHEUS):
            wait_for(f"{where} is ready", lambda: self.ready(where), START_TIMEOUT)

    def start(self, *command: str) -> subprocess.Popen:
        return subprocess.Popen(command, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, preexec_fn=lab.die_with_parent)

    def ready(self, where: tuple[str, int]) -> bool:
        ended = [process.args[0] for process in self.processes if process.poll() is not None]
        if ended:
            raise AssertionError(f"{ended[0]} ended: {(self.folder / 'log').read_text()[-2000:]}")
        try:
            return scrape.request(where, "GET", "/-/ready").status == 200
        except OSError:
            return False

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(10)
        self.log.close()

    def ask(self, path: str, **parameters: object):
        answer = scrape.request(PROMETHEUS, "GET", f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=20)
        told = answer.json()
        if told["status"] != "success":
            raise AssertionError(f"{parameters}: {told['error']}")
        return told["data"]

    def now(self, query: str) -> list[dict]:
        return self.ask("query", query=query)["result"]

    def since_start(self, query: str) -> list[dict]:
        """Whatever it gave at any moment of the test."""
        return self.ask("query_range", query=query, start=self.started, end=time.time(), step=EVERY)["result"]

    def firing(self) -> set[tuple[str, ...]]:
        """Name, and what it is about."""
        return {(alert["labels"]["alertname"], *(alert["labels"][label] for label in ("peer_id", "instance") if alert["labels"].get(label)))
                for alert in self.ask("alerts")["alerts"] if alert["state"] == "firing"}

    def rules(self) -> list[dict]:
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]

    def inhibited(self) -> dict[str, bool]:
        """The alerts that Alertmanager has, and whether another explains them."""
        told = scrape.request(ALERTMANAGER, "GET", "/api/v2/alerts").json()
        return {alert["labels"]["alertname"]: bool(alert["status"]["inhibitedBy"]) for alert in told}
