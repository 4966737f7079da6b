#!/usr/bin/env python3
"""Every alert fires on what it is for and on nothing less, also across a restart, without a series, and after a peer went.

promtool runs the rules, as they are in the repository, over the figures of alert_cases.py. What fires is read from the series
ALERTS, so texts may change freely. docs/testing.md tells what is played.
"""
import concurrent.futures
import json
import math
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    import yaml
except ImportError:
    yaml = None

from alert_cases import CASES, Case, Series

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = sorted(path for path in (ROOT / "alerts").glob("*.yml") if path.name != "alertmanager.yml")
SKIPPED = 77
UNITS = {"s": 1 / 60, "m": 1, "h": 60, "d": 1440}  # minutes


def minutes(duration: str) -> float:
    return float(duration[:-1]) * UNITS[duration[-1]]


def alerts() -> dict[str, dict]:
    """By name, each with its `file`."""
    return {rule["alert"]: rule | {"file": path} for path in RULES for group in yaml.safe_load(path.read_text())["groups"]
            for rule in group["rules"] if "alert" in rule}


def name_of(series: str) -> str:
    return series.split("{")[0]


class Play:
    """One run of a case: its series, and what must fire when."""

    def __init__(self, case: Case, name: str, series: dict[str, Series]):
        self.case, self.name, self.series, self.expected = case, name, series, []
        self.reset = None       # the step at which the daemons are restarted
        self.leaving = None     # the label whose series leave after the last step; "" for all of them

    def value(self, series: Series, step: int) -> str:
        value = series.at(step)
        if self.reset is not None and step == self.reset:
            return "stale"  # not scraped: it was down just then
        if series.counter and self.reset is not None and step > self.reset:
            value -= series.at(self.reset)
        return "stale" if math.isnan(value) else f"{value:g}"

    def values(self, key: str, series: Series) -> str:
        told = [self.value(series, step) for step in range(self.case.steps + 1)]
        if self.leaving is not None:
            told += ["stale" if self.leaving in key else told[-1]] * self.case.drain
        return " ".join(told)

    def expect(self, step: int, query: str, *samples: dict) -> "Play":
        self.expected.append({"expr": query, "eval_time": f"{step * self.case.minutes}m", "exp_samples": list(samples)})
        return self

    def silent(self, step: int) -> "Play":
        return self.expect(step, f'count(ALERTS{{alertname="{self.case.alert}", alertstate="firing"}})')

    def fires(self, step: int) -> "Play":
        """It alone, with its labels, and what has to fire beside it."""
        names = "|".join([self.case.alert, *self.case.beside])
        labels = ", ".join(self.case.labels)
        bearing = "{" + ", ".join(f'{label}="{value}"' for label, value in self.case.labels.items()) + "}"
        self.expect(step, f'count by ({labels}) (ALERTS{{alertname="{self.case.alert}", alertstate="firing"}})',
                    {"labels": bearing, "value": 1})
        return self.expect(step, f'count(ALERTS{{alertname!~"{names}", alertstate="firing"}})')

    def group(self) -> dict:
        return {"name": self.name, "interval": f"{self.case.minutes}m", "promql_expr_test": self.expected,
                "input_series": [{"series": key, "values": self.values(key, series)} for key, series in self.series.items()]}


def plays(case: Case, waits: float) -> list[Play]:
    last, every = case.steps, case.fires
    below = every | case.below
    fires = Play(case, "fires, until the peer or node is removed", every).fires(last)
    pending = f'ALERTS{{alertname="{case.alert}", alertstate="pending"}}[{last * case.minutes}m]'
    if waits >= case.minutes:
        fires.expect(last, f"sum(count_over_time({pending})) >= bool {waits // case.minutes:g}", {"labels": "{}", "value": 1})
    restarted, restarted_below = Play(case, "fires across a restart", every), Play(case, "just below, across a restart", below)
    restarted.reset = restarted_below.reset = case.reset
    fires.silent(last + case.drain)
    fires.leaving = 'peer_id="x"' if any('peer_id="x"' in key for key in every) else ""
    found = [fires, Play(case, "just below", below).silent(last), restarted.fires(last), restarted_below.silent(last)]
    for family in sorted({name_of(key) for key in every}):
        rest = {key: series for key, series in every.items() if name_of(key) != family}
        without = Play(case, f"without {family}", rest)
        if family in case.spare:
            without.expect(last, f'count(ALERTS{{alertname="{case.alert}", alertstate="firing"}})', {"labels": "{}", "value": 1})
        else:
            without.silent(last)
        found.append(without)
    return found


class Alerts(unittest.TestCase):
    def test_every_alert_has_a_case(self):
        self.assertEqual(set(alerts()), {case.alert for case in CASES})

    def test_each_case(self):
        with tempfile.TemporaryDirectory(prefix="peerwatch-test-") as name, \
                concurrent.futures.ThreadPoolExecutor(2) as at_once:
            folder, rules = pathlib.Path(name), alerts()
            for case, said in zip(CASES, at_once.map(lambda one: complaints(one, rules[one.alert], folder), CASES)):
                with self.subTest(case.alert, number=CASES.index(case)):
                    self.assertEqual(said, "")


def complaints(case: Case, rule: dict, folder: pathlib.Path) -> str:
    """Where the alert fires, all rules are loaded: no other may. The other runs need its own file only, and are quicker so."""
    first, *others = plays(case, minutes(rule["for"]))
    return told_by_promtool(case, RULES, [first], folder) + \
        told_by_promtool(case, [ROOT / "alerts/recording.yml", rule["file"]], others, folder)


def told_by_promtool(case: Case, rules: list[pathlib.Path], runs: list[Play], folder: pathlib.Path) -> str:
    with tempfile.NamedTemporaryFile("w", suffix=".yml", dir=folder) as file:
        json.dump({"rule_files": [str(path) for path in rules], "evaluation_interval": f"{case.minutes}m",
                   "tests": [run.group() for run in runs]}, file)  # JSON is YAML
        file.flush()
        done = subprocess.run(["promtool", "test", "rules", file.name], capture_output=True, text=True, check=False)
        return "" if done.returncode == 0 else done.stdout + done.stderr


class Files(unittest.TestCase):
    def test_promtool_accepts_the_rules(self):
        done = subprocess.run(["promtool", "check", "rules", *RULES], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_every_alert_says_what_it_owes(self):
        for name, rule in alerts().items():
            with self.subTest(name):
                self.assertIn(rule["labels"]["severity"], ("critical", "warning", "info"))
                self.assertEqual(set(rule["annotations"]), {"summary", "description", "runbook_url"})
                self.assertEqual(rule["annotations"]["runbook_url"], f"docs/runbooks/{name}.md")
                self.assertIn("for", rule)
                self.assertIn("keep_firing_for", rule)

    def test_alertmanager_accepts_the_example(self):
        if shutil.which("amtool") is None:
            self.skipTest("amtool is not installed (deploy/setup.sh --tests)")
        done = subprocess.run(["amtool", "check-config", ROOT / "alerts/alertmanager.yml"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_inhibition_names_alerts_that_are(self):
        told = yaml.safe_load((ROOT / "alerts/alertmanager.yml").read_text())
        for rule in told["inhibit_rules"]:
            for matcher in rule["source_matchers"] + rule["target_matchers"]:
                label, _, names = matcher.replace("=~", "=").partition("=")
                self.assertEqual(label.strip(), "alertname")
                self.assertLessEqual(set(names.strip().strip('"').split("|")), set(alerts()), matcher)


if __name__ == "__main__":
    for program, there in (("promtool", shutil.which("promtool")), ("python3-yaml", yaml)):
        if there is None:
            print(f"skipped: {program} is not installed (deploy/setup.sh --tests)", file=sys.stderr)
            sys.exit(SKIPPED)
    ended = unittest.main(exit=False).result
    sys.exit(1 if not ended.wasSuccessful() else SKIPPED if ended.skipped else 0)
