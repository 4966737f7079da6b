#!/usr/bin/env python3
"""make.py: writes grafana/dashboards from the descriptions beside this file. A lint holds the two together."""
import json
import pathlib

import daemon
import kit
import nat
import overview
import peers
import performance

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "dashboards"
DASHBOARDS = [overview.DASHBOARD, performance.DASHBOARD, nat.DASHBOARD, peers.DASHBOARD, daemon.DASHBOARD]


def made() -> dict[str, str]:
    """The files, by name."""
    return {f"{one.name}.json": json.dumps(kit.render(one), indent=2, ensure_ascii=False) + "\n" for one in DASHBOARDS}


if __name__ == "__main__":
    for name, text in made().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
