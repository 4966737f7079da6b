"""Dashboards say what they show, are what their descriptions make, and lead to runbooks that are; runbooks use commands that are."""
import importlib.util
import json
import pathlib
import re
import sys

from tree import Problem, Tree

FOLDER, RUNBOOKS = "grafana/dashboards/", "docs/runbooks/"
API = "docs/http-api.md"
LEAST_SCHEMA = 39
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
OF_MACHINES = {"systemctl", "journalctl", "openssl"}


def check(tree: Tree) -> list[Problem]:
    problems, seen = [], {}
    for path, text in tree.items():
        if path.startswith(FOLDER):
            dashboard = json.loads(text)
            problems += [Problem(path, 1, fault) for fault in of_dashboard(dashboard, tree)]
            other = seen.setdefault(dashboard.get("uid"), path)
            if other != path:
                problems.append(Problem(path, 1, f"has the uid of {other}"))
        elif path.startswith(RUNBOOKS):
            problems += of_runbook(path, text, tree)
    return problems


def of_dashboard(dashboard: dict, tree: Tree) -> list[str]:
    found = []
    if not re.fullmatch(r"peerwatch-[a-z]+", dashboard.get("uid") or ""):
        found.append("has no stable uid")
    if dashboard.get("schemaVersion", 0) < LEAST_SCHEMA:
        found.append(f"has a schemaVersion below {LEAST_SCHEMA}")
    names = {variable["name"] for variable in dashboard["templating"]["list"]}
    found += [f"has no variable {name}" for name in ("datasource", "job", "instance") if name not in names]
    if not any(link["type"] == "dashboards" for link in dashboard["links"]):
        found.append("links to no other dashboard")
    titles: set[str] = set()
    for panel in dashboard["panels"]:
        if panel["type"] != "row":
            found += [f"{panel.get('title') or 'a panel'}: {fault}" for fault in of_panel(panel, names, tree)]
            if panel["title"] in titles:
                found.append(f"{panel['title']}: stands here twice")
            titles.add(panel["title"])
    return found


def of_panel(panel: dict, variables: set[str], tree: Tree) -> list[str]:
    found = [f"has no {key}" for key in ("title", "description") if not panel.get(key)]
    if not panel["fieldConfig"]["defaults"].get("unit"):
        found.append("has no unit")
    for target in panel["targets"]:
        if target["datasource"] != DATASOURCE:
            found.append("asks a fixed data source")
        unknown = set(re.findall(r"\$(\w+)", target["expr"])) - variables - {"__rate_interval", "__range"}
        found += [f"has no variable {name}" for name in sorted(unknown)]
        if re.search(r"\b(?:rate|irate)\([^()]*\[(?!\$__rate_interval\])", target["expr"]):
            found.append("a rate over something else than $__rate_interval")
    for link in panel["links"]:
        page = link["url"].replace("${runbooks}/", RUNBOOKS)
        if page not in tree:
            found.append(f"leads to {page}, which is not there")
    return found


def of_runbook(path: str, text: str, tree: Tree) -> list[Problem]:
    commands = set(re.findall(r"^peerwatch ([\w-]+)", tree.get(API, ""), re.M))
    routes = set(re.findall(r"`GET (/[^`]*)`", tree.get(API, "")))
    found = []
    if not path.endswith("README.md"):
        found += [Problem(path, 1, f"has no section “{title}”") for title in ("What it means", "What to look at", "What to do")
                  if f"## {title}\n" not in text]
        if f"({pathlib.PurePath(path).name})" not in tree.get(RUNBOOKS + "README.md", ""):
            found.append(Problem(path, 1, "is not in the list of runbooks"))
    for number, line in enumerate(text.splitlines(), 1):
        for target in re.findall(r"\]\(([\w./-]+\.md)\)", line):
            page = (pathlib.PurePosixPath(path).parent / target).as_posix()
            if re.sub(r"[^/]+/\.\./", "", page) not in tree:
                found.append(Problem(path, number, f"leads to {target}, which is not there"))
    for block in re.findall(r"```sh\n(.*?)```", text, re.S):
        for line in block.splitlines():
            number = text[:text.index(line)].count("\n") + 1
            program, *rest = line.split()
            if program == "peerwatch" and rest[0] not in commands:
                found.append(Problem(path, number, f"peerwatch has no command {rest[0]}"))
            elif program == "curl" and rest[0].removeprefix("http://127.0.0.1:9470") not in routes:
                found.append(Problem(path, number, f"the daemon has no route {rest[0]}"))
            elif program not in {"peerwatch", "curl"} | OF_MACHINES:
                found.append(Problem(path, number, f"{program} is no command that runbooks know"))
    return found


def made(root: pathlib.Path) -> dict[str, str]:
    """What the descriptions make, by path."""
    source = root / "grafana/source"
    sys.path.insert(0, str(source))
    try:
        spec = importlib.util.spec_from_file_location("make", source / "make.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return {FOLDER + name: text for name, text in module.made().items()}
    finally:
        sys.path.remove(str(source))


def differences(tree: Tree, wanted: dict[str, str]) -> list[Problem]:
    there = {path for path in tree if path.startswith(FOLDER)}
    return [Problem(path, 1, "is not what grafana/source/make.py writes") for path in sorted(there | set(wanted))
            if tree.get(path) != wanted.get(path)]
