"""How good is the net? Plants the bugs of bugs.py one at a time and lets the swarm look for each.

    python3 tests/sim/planted/plant.py [--seeds 1000] [--only TEXT]... [--jobs 2] [--folder build/planted]

Works on a copy of the sources, in which ccache finds again what was compiled elsewhere. Prints a line for each bug: the
first seed that found it and the rule that did, or MISSED. A seed counts only if sound code is clean up to it. Takes about
half a minute a bug. The exit status is 1 when more than two of thirty were missed.
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import time

from bugs import BUGS, Bug

ROOT = pathlib.Path(__file__).resolve().parents[3]
MAY_MISS = 2
MISTAKES_EXIT = 2
# Unused variables and the like are part of being broken, and warnings are errors here.
FORGIVEN = "".join(f'#pragma GCC diagnostic ignored "{warning}"\n' for warning in ("-Wunused", "-Wunused-parameter"))


def run(*command: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(command, text=True, capture_output=True, check=False, **options)


def must(*command: str, **options) -> None:
    done = run(*command, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def copy_sources(folder: pathlib.Path) -> None:
    """Only what changed is written, so that a second run compiles little."""
    for part in ("CMakeLists.txt", "CMakePresets.json", "daemon", "proto", "tests", "config"):
        source, target = ROOT / part, folder / part
        files = [source] if source.is_file() else [f for f in source.rglob("*") if f.is_file()]
        for file in files:
            to = target / file.relative_to(source) if source.is_dir() else target
            if not to.exists() or to.read_bytes() != file.read_bytes():
                to.parent.mkdir(parents=True, exist_ok=True)
                to.write_bytes(file.read_bytes())


def build_swarm(folder: pathlib.Path) -> pathlib.Path:
    must("cmake", "--build", "--preset", "release", "--target", "sim_swarm", cwd=folder)
    return folder / "build/release/tests/sim/sim_swarm"


def first_failure(swarm: pathlib.Path, first: int, seeds: int, jobs: int) -> tuple[int, str] | None:
    """The first seed that fails, and what the swarm says of it; none when all are clean. A seed that dies counts, too."""
    done = run(str(swarm), "--first-seed", str(first), "--seeds", str(seeds), "--jobs", str(jobs), "--stop-at-first")
    if done.returncode == 0:
        return None
    said = re.search(r"^seed (\d+): .*", done.stdout, re.MULTILINE)
    if done.returncode == MISTAKES_EXIT or not said:
        sys.exit(f"sim_swarm ended with {done.returncode}: {done.stderr}")
    return int(said[1]), said[0]


class SoundCode:
    """What the swarm says of the code as it is, as far as anybody had to ask."""

    def __init__(self, swarm: pathlib.Path, jobs: int) -> None:
        self.swarm, self.jobs, self.clean = swarm, jobs, 0

    def must_be_clean(self, seed: int) -> None:
        if seed <= self.clean:
            return
        if wrong := first_failure(self.swarm, self.clean + 1, seed - self.clean, self.jobs):
            sys.exit(f"the swarm complains about sound code: {wrong[1]}")
        self.clean = seed


def plant(bug: Bug, folder: pathlib.Path, seeds: int, jobs: int) -> tuple[int, str] | None:
    file = folder / "daemon" / bug.file
    text = file.read_text()
    if text.count(bug.right) != 1:
        sys.exit(f"“{bug.name}”: its line stands {text.count(bug.right)} times in daemon/{bug.file}")
    file.write_text(FORGIVEN + text.replace(bug.right, bug.wrong))
    try:
        return first_failure(build_swarm(folder), 1, seeds, jobs)
    finally:
        file.write_text(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--only", action="append", default=[], help="bugs whose name has one of these texts")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build/planted")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    copy_sources(folder)
    must("cmake", "--preset", "release", "-DPEERWATCH_TESTS=ON", cwd=folder)
    sound = SoundCode(shutil.copy2(build_swarm(folder), folder / "sound_swarm"), arguments.jobs)
    missed = []
    chosen = [bug for bug in BUGS if not arguments.only or any(text in bug.name for text in arguments.only)]
    for bug in chosen:
        began = time.monotonic()
        found = plant(bug, folder, arguments.seeds, arguments.jobs)
        if found:
            sound.must_be_clean(found[0])
        else:
            missed.append(bug)
        verdict = f"found   {bug.name}" if found else f"MISSED  {bug.name}"
        print(f"{verdict}  ({time.monotonic() - began:.0f} s)  {found[1] if found else ''}", flush=True)
    print(f"{len(chosen) - len(missed)} of {len(chosen)} found within {arguments.seeds} seeds")
    return 1 if len(missed) > MAY_MISS else 0


if __name__ == "__main__":
    sys.exit(main())
