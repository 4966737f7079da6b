#!/usr/bin/env python3
"""Runs a scenario on real kernels: run_scenario.py [--engine kernel|userspace] FILE…

Prints one JSON object a file (docs/scenarios.md) and exits with the worst status: 0 as expected, 1 not, 2 the file is at
fault, 77 skipped. Logs of daemons go to standard error when something is not as expected. Programs are looked for where
PEERWATCH_PROGRAMS and PEERWATCH_LAB_WIRE say.
"""
import lab
lab.enter("nft", "conntrack", "turnserver", "turnutils_natdiscovery")

import argparse
import json
import sys

from lab import engines, load, runner

WORSE = (0, lab.SKIPPED, 1, 2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=engines.ENGINES, default=engines.KERNEL)
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    worst = 0
    for file in arguments.files:
        try:
            answer = runner.run(load.load(file), arguments.engine)
        except load.Bad as error:
            print(f"error: {error}", file=sys.stderr)
            worst = 2
            continue
        for name, log in answer.pop("logs", {}).items():
            print(f"---- {name}\n{log}", file=sys.stderr)
        print(json.dumps(answer), flush=True)
        status = lab.SKIPPED if answer["skipped"] else 0 if answer["passed"] else 1
        worst = max(worst, status, key=WORSE.index)
    return worst


if __name__ == "__main__":
    sys.exit(main())
