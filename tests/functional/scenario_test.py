"""Every file of tests/scenarios is run by the simulator and by real daemons on real kernels, and all saw the same.

All at once, since they mostly wait; a table of what each engine saw comes last. An engine that can't express a file says why
and is left out of the comparison; where an engine is missing altogether, this counts as skipped.
"""
import json
import pathlib
import subprocess
import sys
import time
import unittest

import lab

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "scenarios"
RUN = pathlib.Path(__file__).resolve().parent / "run_scenario.py"
ENGINES = ("simulator", "kernel", "userspace")
LONGEST = 280          # seconds; the files say how long they take
APART = 1.0            # seconds between two starts: what is built must not disturb what is measured
# How far two engines' figures may lie apart.
RTT_SHARE, RTT_MS = 0.05, 2.0
LOSSES = 1.5           # times what the file itself gives each engine


def command(engine: str, file: pathlib.Path) -> list[str] | str:
    """Or why there is none."""
    if engine != "simulator":
        return [sys.executable, "-B", str(RUN), "--engine", engine, str(file)]
    program = lab.built("sim/sim_scenario")
    return [str(program), str(file)] if program else "this build has no sim_scenario"


class Seen:
    """What one engine saw of one file."""

    def __init__(self, engine: str, file: pathlib.Path):
        self.engine, self.file = engine, file
        started = command(engine, file)
        self.skipped = started if isinstance(started, str) else None
        self.process = None if self.skipped else subprocess.Popen(
            started, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=lab.die_with_parent)
        self.answer: dict = {}

    def finish(self, deadline: float) -> None:
        if self.process is None:
            return
        try:
            said, self.errors = self.process.communicate(timeout=max(0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            said, self.errors = self.process.communicate()
            self.errors += "\nit did not end in time"
        self.answer = json.loads(said) if said.strip() else {}
        if self.process.returncode == lab.SKIPPED:
            self.skipped = self.answer.get("skipped") or self.errors.strip()

    @property
    def passed(self) -> bool:
        return self.process is not None and self.process.returncode == 0 and self.answer.get("passed") is True

    def figures(self, number: int) -> str:
        if self.skipped:
            return "skipped"
        results = self.answer.get("results", [])
        if number >= len(results):
            return "nothing"
        seen = results[number]["seen"]
        if "nat" in seen:  # as in classical tables: mapping/filtering
            short = {"endpoint-independent": "EI", "address-dependent": "AD", "address-and-port-dependent": "APD"}
            text = seen["nat"] if "mapping" not in seen else f"{short[seen['mapping']]}/{short.get(seen.get('filtering'), '?')}"
        else:
            text = " ".join(f"{key} {value}" for key, value in seen.items())
        return ("" if results[number]["ok"] else "NOT OK ") + text


class Scenario(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = sorted(FOLDER.glob("*.toml"))
        cls.seen: dict[str, list[Seen]] = {file.stem: [] for file in cls.files}
        runs = []
        for file in sorted(cls.files, key=lambda file: -lab.load_scenario(file).end):  # the longest first
            for engine in ENGINES:
                runs.append(Seen(engine, file))
                cls.seen[file.stem].append(runs[-1])
                time.sleep(APART if engine != "simulator" else 0)
        deadline = time.monotonic() + LONGEST
        for run in runs:
            run.finish(deadline)
        cls.print_table()
        cls.compared = [run for run in runs if not run.skipped]

    @classmethod
    def print_table(cls) -> None:
        print(f"\n{'scenario':<20}{'':>3} " + "".join(f"{engine:<26}" for engine in ENGINES))
        for name, runs in cls.seen.items():
            for number in range(max(len(run.answer.get("results", [])) for run in runs)):
                print(f"{name if number == 0 else '':<20}{number:>3} " + "".join(f"{run.figures(number):<26}" for run in runs))
            for run in runs:
                if run.skipped:
                    print(f"{name}: {run.engine} skipped: {run.skipped}")

    def test_everything_is_seen_as_expected_on_every_engine(self):
        self.assertGreater(len(self.files), 0)
        for run in self.compared:
            with self.subTest(scenario=run.file.stem, engine=run.engine):
                failed = [r for r in run.answer.get("results", []) if not r["ok"]]
                self.assertTrue(run.passed, f"{failed} {run.answer.get('problems', '')} {run.answer.get('broken_rule', '')}\n"
                                            f"{run.errors[-3000:]}")

    def test_every_file_is_run_by_more_than_one_engine(self):
        missing = set(ENGINES) - {run.engine for run in self.compared}
        if missing:
            self.skipTest(f"not here, see the table: {', '.join(sorted(missing))}")
        for name, runs in self.seen.items():
            with self.subTest(scenario=name):
                self.assertGreaterEqual(sum(not run.skipped for run in runs), 2)

    def test_figures_of_the_engines_lie_close_together(self):
        for name, runs in self.seen.items():
            answers = [(run.engine, run.answer["results"]) for run in runs if run.answer.get("results")]
            for (one, first), (other, second) in zip(answers, answers[1:]):
                for number, (a, b) in enumerate(zip(first, second, strict=True)):
                    with self.subTest(scenario=name, expect=number, engines=(one, other)):
                        self.close(a["seen"], b["seen"], name, number)

    def close(self, a: dict, b: dict, name: str, number: int) -> None:
        self.assertEqual(a.keys(), b.keys())
        for key in a:
            if key == "rtt_ms":
                self.assertAlmostEqual(a[key], b[key], delta=RTT_SHARE * max(a[key], b[key]) + RTT_MS)
            elif key == "loss":
                expected = lab.load_scenario(FOLDER / f"{name}.toml").expectations[number]
                self.assertAlmostEqual(a[key], b[key], delta=LOSSES * expected.within)
            elif key != "at_s":  # when a back-off of random length ended is the same within the file's bounds only
                self.assertEqual(a[key], b[key])


if __name__ == "__main__":
    lab.main()
