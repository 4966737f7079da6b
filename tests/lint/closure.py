"""No object of the core was built with a header of Asio, prometheus-cpp, a JSON or a logging library in sight, directly
or through others: ninja knows every header that every object really read."""
import pathlib
import re
import subprocess

from rooms import CORE

FOREIGN = re.compile(r"/(boost|asio|prometheus|nlohmann|spdlog|toml\+\+|CLI)/|/toml\.hpp$")
OBJECT = re.compile(r"CMakeFiles/(?:pw_(\w+)|(sim)\w*)\.dir/")


def deps_of(build: pathlib.Path) -> str:
    return subprocess.run(["ninja", "-C", str(build), "-t", "deps"], capture_output=True, text=True, check=True).stdout


def parse(output: str) -> dict[str, list[str]]:
    """Object → headers, from `ninja -t deps`: 'object: #deps 3, deps mtime … (VALID)', then one indented line each."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in output.splitlines():
        if line.startswith("    "):
            current.append(line.strip())
        elif ": #deps " in line:
            current = found.setdefault(line.split(": #deps ")[0], [])
    return found


def problems_in(deps: dict[str, list[str]], rooms_with_sources: list[str]) -> list[str]:
    problems, seen = [], set()
    for name, headers in deps.items():
        part = OBJECT.search(name)
        if not part or (part[1] or part[2]) not in [*CORE, "sim"]:
            continue
        seen.add(part[1] or part[2])
        problems += [f"{name} depends on {header}" for header in headers if FOREIGN.search("/" + header)]
    problems += [f"no object of {room} in this build: nothing was proved" for room in rooms_with_sources if room not in seen]
    return problems


def check(root: pathlib.Path, build: pathlib.Path) -> list[str]:
    rooms = [room for room in CORE if list((root / "daemon" / room).glob("*.cpp"))]
    if any((root / "tests" / "sim").glob("*.cpp")):
        rooms.append("sim")
    # Objects of files that are gone stay in ninja's log.
    existing = {name: headers for name, headers in parse(deps_of(build)).items() if (build / name).exists()}
    return problems_in(existing, rooms)
