#!/usr/bin/env python3
"""lint.py CHECK [BUILD]: one check over the whole project; 0 when it is clean, 1 with one line per problem."""
import pathlib
import sys

import closure
import core_calls
import dashboards
import files
import machine
import planted
import rooms
import scripts
import tree
import watching

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHECKS = {"rooms": rooms, "core_calls": core_calls, "files": files, "machine": machine, "planted": planted, "scripts": scripts,
          "dashboards": dashboards, "watching": watching}


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["closure"] and len(arguments) == 2:
        problems = closure.check(ROOT, pathlib.Path(arguments[1]))
    elif len(arguments) == 1 and arguments[0] in CHECKS:
        project = tree.read(ROOT)
        problems = [str(problem) for problem in CHECKS[arguments[0]].check(project)]
        if arguments[0] == "dashboards":
            problems += [str(problem) for problem in dashboards.differences(project, dashboards.made(ROOT))]
        if arguments[0] == "files":
            for line in files.long_files(project):
                print(f"note: {line}: ask why (one idea a file)")
    else:
        print(f"usage: lint.py {'|'.join(CHECKS)} | lint.py closure BUILD", file=sys.stderr)
        return 2
    for problem in problems:
        print(problem)
    print(f"{arguments[0]}: {len(problems)} problem(s)")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
