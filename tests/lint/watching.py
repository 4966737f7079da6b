"""Dashboards, alerts, rules and runbooks use what is served, and use it as its type allows: docs/metrics.md says what that is.

What nothing uses has to stand in the last section of docs/metrics.md, and what stands there is used nowhere.
"""
import json
import re
import typing

import promql
from tree import Problem, Tree

PAGE = "docs/metrics.md"
UNUSED = "## For ad-hoc use"
ROW = re.compile(r"^\| `(\w+)`(?: S)? \| (counter|gauge|histogram) \|([^|]*)\|")
NAME = re.compile(r"(?<![:\w])(?:p2p|peerwatch|nat|bootstrap|stun|connection|process)_[a-z0-9_]+\b")
# Of Prometheus itself, with their labels.
FOREIGN = {"up": set(), "ALERTS": {"alertname", "alertstate", "severity"}, "scrape_duration_seconds": set(),
           "scrape_samples_scraped": set()}
TARGET = {"job", "instance"}
OF_COUNTERS = {"rate", "increase", "irate", "resets"}
OF_GAUGES = {"delta", "deriv", "changes", "avg_over_time", "min_over_time", "max_over_time", "last_over_time", "present_over_time"}
# Counted since the start of the daemon, on purpose: so many pairs, at most, can have no direct path.
RAW_COUNTERS = {("EverythingRelayed", "nat_results_total")}


class Family(typing.NamedTuple):
    type: str
    labels: set[str]


class Place(typing.NamedTuple):
    path: str
    line: int
    owner: str       # the alert, record or panel
    expression: str
    heatmap: bool = False


def families(page: str) -> dict[str, Family]:
    found = {}
    for line in page.splitlines():
        row = ROW.match(line)
        if row:
            found[row[1]] = Family(row[2], {label.strip() for label in row[3].split(",") if label.strip()})
    return found


def line_of(text: str, part: str) -> int:
    return text[:max(text.find(part), 0)].count("\n") + 1


# ---- where expressions stand
def places(tree: Tree) -> list[Place]:
    import yaml  # Debian's python3-yaml; asked for where it is used, so that other lints run without
    found = []
    for path, text in tree.items():
        if path.startswith("alerts/") and path.endswith(".yml"):
            for group in (yaml.safe_load(text) or {}).get("groups", []):
                for rule in group["rules"]:
                    owner = rule.get("alert") or rule["record"]
                    found.append(Place(path, line_of(text, owner), owner, rule["expr"]))
        elif path.startswith("grafana/") and path.endswith(".json"):
            dashboard = json.loads(text)
            for panel in dashboard.get("panels", []):
                for target in panel.get("targets", []):
                    found.append(Place(path, line_of(text, json.dumps(panel["title"], ensure_ascii=False)), panel["title"],
                                       target["expr"], panel["type"] == "heatmap"))
            for variable in dashboard.get("templating", {}).get("list", []):
                query = re.match(r"label_values\((.*), *(\w+)\)$", str(variable.get("definition", "")))
                if query:
                    found.append(Place(path, line_of(text, query[0]), variable["name"], f"max by ({query[2]}) ({query[1]})"))
        elif path.startswith("docs/runbooks/"):
            for code in re.findall(r"```promql\n(.*?)```", text, re.S):
                found.append(Place(path, line_of(text, code), "a query", code))
    return found


# ---- what is wrong with one
class Judge:
    def __init__(self, tree: Tree):
        self.page = tree.get(PAGE, "")
        self.words = set(re.findall(r"\w+", self.page))
        self.families = families(self.page)
        self.places = places(tree)
        self.records = {place.owner: promql.read(place.expression) for place in self.places if ":" in place.owner}
        self.used: set[str] = set()

    def base(self, name: str) -> tuple[str, str]:
        """The family and the suffix by which a histogram's series are named."""
        for suffix in ("_bucket", "_sum", "_count"):
            family = name.removesuffix(suffix)
            if name != family and self.families.get(family, Family("", set())).type == "histogram":
                return family, suffix
        return name, ""

    def labels(self, name: str) -> set[str] | None:
        """None: no such series."""
        if name in FOREIGN:
            return FOREIGN[name] | TARGET
        if name in self.records:
            record = self.records[name]
            left = {label for call in record.calls for label in call.by or []}
            return left or set().union(*(self.labels(one.name) or set() for one in record.selected))
        family, suffix = self.base(name)
        if family not in self.families:
            return None
        return self.families[family].labels | TARGET | ({"le"} if suffix == "_bucket" else set())

    def faults(self, place: Place) -> list[str]:
        try:
            expression = promql.read(place.expression)
        except promql.NotUnderstood as error:
            return [f"PromQL that is not understood: {error}"]
        found = [fault for one in expression.selected for fault in self.of_selected(one, place)]
        known = set().union(*(self.labels(one.name) or set() for one in expression.selected))
        found += [f"joins on {label}, which none of its series has" for label in expression.joined if label not in known]
        for call in expression.calls:
            inside = set().union(*(self.labels(one.name) or set() for one in call.selected))
            found += [f"{call.function} by {label}, which none of its series has" for label in call.by or [] if label not in inside]
            if call.function == "histogram_quantile":
                found += [f"histogram_quantile of {one.name}, which has no buckets" for one in call.selected
                          if not one.name.endswith("_bucket")]
        return found

    def of_selected(self, one: promql.Selected, place: Place) -> list[str]:
        labels = self.labels(one.name)
        if labels is None:
            return [f"{one.name} is not served ({PAGE})"]
        found = []
        for label, _, value in one.matchers:
            if label not in labels:
                found.append(f"{one.name} has no label {label}")
            elif self.base(one.name)[0] in self.families and label not in TARGET and "$" not in value:
                found += [f"{one.name}: {word!r} is no value of {label} that {PAGE} names"
                          for word in re.findall(r"\w+", value) if word not in self.words]
        family, suffix = self.base(one.name)
        if family not in self.families:
            return found
        self.used.add(family)
        return found + self.by_type(one, family, suffix, place)

    def by_type(self, one: promql.Selected, family: str, suffix: str, place: Place) -> list[str]:
        kind, function = self.families[family].type, one.function
        if kind == "histogram" and not suffix:
            return [f"{family} is a histogram: it has _bucket, _sum and _count"]
        if kind == "gauge":
            wrong = one.ranged and function not in OF_GAUGES or function in OF_COUNTERS
            return [f"{function} of {one.name}, which is a gauge"] if wrong else []
        if (place.owner, family) in RAW_COUNTERS:
            return []
        found = []
        if function not in OF_COUNTERS or not one.ranged:
            found.append(f"{one.name} is a counter: rate() or increase() of it means something")
        if suffix == "_bucket":
            functions = [call.function for call in one.within]
            if "histogram_quantile" not in functions and not place.heatmap:
                found.append(f"{one.name} outside histogram_quantile")
            before = one.within[:functions.index("histogram_quantile")] if "histogram_quantile" in functions else one.within
            if any(call.by is not None and "le" not in call.by for call in before):
                found.append(f"{one.name} is summed up without le")
        return found


def unused(page: str) -> set[str]:
    return set(NAME.findall(page.partition(UNUSED)[2]))


def check(tree: Tree) -> list[Problem]:
    judge = Judge(tree)
    problems = [Problem(place.path, place.line, f"{place.owner}: {fault}") for place in judge.places for fault in judge.faults(place)]
    for path, text in tree.items():
        if path.startswith("docs/runbooks/"):
            for number, line in enumerate(text.splitlines(), 1):
                problems += [Problem(path, number, f"{name} is not served ({PAGE})") for name in NAME.findall(line)
                             if judge.labels(name) is None and judge.base(name)[0] not in judge.families]
    marked = unused(judge.page)
    problems += [Problem(PAGE, line_of(judge.page, UNUSED), f"{name} is used nowhere: use it, or name it here")
                 for name in sorted(set(judge.families) - judge.used - marked)]
    problems += [Problem(PAGE, line_of(judge.page, UNUSED), f"{name} stands here, and is used")
                 for name in sorted(marked & judge.used)]
    problems += [Problem(PAGE, line_of(judge.page, UNUSED), f"{name} stands here, and is not served")
                 for name in sorted(marked - set(judge.families))]
    return problems
