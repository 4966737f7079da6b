"""Nothing in the project depends on the machine that it was written on, nor on where that machine takes its packages."""
import re

from tree import Problem, Tree

PATHS = re.compile(r"(?<![\w.~$}-])/(?:work|root|home|Users|mnt|srv)/[\w.]")
URL = re.compile(r"\b(?:https?|wss?|ssh|git|ftp)://(?:[^/\s@\"'<>]*@)?(\[[^\]]*\]|[A-Za-z0-9._${}-]+)")
# Where a package manager is told to look.
INDEX = re.compile(r"(?i)\b(?:index-url|extra-index-url|find-links|_authToken|registry\s*=)|\"resolved\"\s*:")
# Hosts that a URL may name: documentation that we cite, names reserved for examples (RFC 2606), this host.
HOSTS = re.compile(
    r"^(localhost|127(\.\d+){3}|0\.0\.0\.0|10(\.\d+){3}|192\.0\.2\.\d+|198\.51\.100\.\d+|203\.0\.113\.\d+|\[.*\]|"
    r"([\w-]+\.)*example(\.(com|org|net))?|[\w-]+\.test|[\w-]+|datatracker\.ietf\.org|www\.rfc-editor\.org|prometheus\.io|"
    r"openmetrics\.io|www\.freedesktop\.org|docs\.debian\.org|www\.w3\.org|.*[${}].*)$")
THIS = "tests/lint/"


def check(tree: Tree) -> list[Problem]:
    problems = []
    for path, text in tree.items():
        if path.startswith(THIS):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            found = PATHS.search(line)
            if found:
                problems.append(Problem(path, number, f"an absolute path of some machine: {found[0]}…"))
            if INDEX.search(line):
                problems.append(Problem(path, number, "names a package index"))
            for host in URL.findall(line):
                if not HOSTS.match(host):
                    problems.append(Problem(path, number, f"names the host {host} (allowed ones: tests/lint/machine.py)"))
    return problems
