"""How good is the net? Plants the bugs of bugs.py one at a time and lets the swarm look for each.

    python3 tests/sim/planted/plant.py [--seeds 1000] [--only TEXT]... [--jobs 2] [--folder build/planted]

Works on a copy of the sources. Prints a line for each bug: the first seed that found it and the rule that did, or MISSED.
Takes about half a minute a bug. The exit status is 1 when more than two of thirty were missed.
"""
import argparse
import pathlib
import subprocess
import sys
import time

from bugs import BUGS, Bug

ROOT = pathlib.Path(__file__).resolve().parents[3]
MAY_MISS = 2
MISTAKES_EXIT = 2


def run(*command: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(command, text=True, capture_output=True, check=False, **options)


def must(*command: str) -> None:
    done = run(*command)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def copy_sources(folder: pathlib.Path) -> None:
    """Only what changed is written, so that a second run compiles little."""
    for part in ("CMakeLists.txt", "daemon", "proto", "tests", "config"):
        source, target = ROOT / part, folder / part
        files = [source] if source.is_file() else [f for f in source.rglob("*") if f.is_file()]
        for file in files:
            to = target / file.relative_to(source) if source.is_dir() else target
            # Unused variables and the like are part of being broken.
            bytes_ = file.read_bytes().replace(b" -Werror", b"") if file.name == "CMakeLists.txt" else file.read_bytes()
            if not to.exists() or to.read_bytes() != bytes_:
                to.parent.mkdir(parents=True, exist_ok=True)
                to.write_bytes(bytes_)


def first_failure(swarm: pathlib.Path, seeds: int, jobs: int) -> str | None:
    """What the swarm says of the first seed that fails; none when all are clean. A program that dies has found it too."""
    done = run(str(swarm), "--seeds", str(seeds), "--jobs", str(jobs), "--stop-at-first")
    if done.returncode == 0:
        return None
    if done.returncode == MISTAKES_EXIT:
        sys.exit(f"sim_swarm: {done.stderr}")
    said = [line for line in done.stdout.splitlines() if line.startswith("seed ")]
    return said[0] if said else f"ended with {done.returncode}: {done.stderr.strip()[-200:]}"


def plant(bug: Bug, folder: pathlib.Path, build: pathlib.Path, seeds: int, jobs: int) -> str | None:
    file = folder / "daemon" / bug.file
    text = file.read_text()
    if text.count(bug.right) != 1:
        sys.exit(f"“{bug.name}”: its line stands {text.count(bug.right)} times in daemon/{bug.file}")
    file.write_text(text.replace(bug.right, bug.wrong))
    try:
        must("cmake", "--build", str(build), "--target", "sim_swarm")
        return first_failure(build / "tests/sim/sim_swarm", seeds, jobs)
    finally:
        file.write_text(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--only", action="append", default=[], help="bugs whose name has one of these texts")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build/planted")
    arguments = parser.parse_args()
    folder, build = arguments.folder.resolve() / "source", arguments.folder.resolve() / "build"
    copy_sources(folder)
    must("cmake", "-S", str(folder), "-B", str(build), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
         "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O2 -g1", "-DPEERWATCH_TESTS=ON")
    must("cmake", "--build", str(build), "--target", "sim_swarm")
    sound = first_failure(build / "tests/sim/sim_swarm", arguments.seeds, arguments.jobs)
    if sound:
        sys.exit(f"the swarm complains about sound code: {sound}")
    missed = []
    chosen = [bug for bug in BUGS if not arguments.only or any(text in bug.name for text in arguments.only)]
    for bug in chosen:
        began = time.monotonic()
        found = plant(bug, folder, build, arguments.seeds, arguments.jobs)
        if not found:
            missed.append(bug)
        print(f"{'found ' if found else 'MISSED'}  {bug.name}  ({time.monotonic() - began:.0f} s)  {found or ''}", flush=True)
    print(f"{len(chosen) - len(missed)} of {len(chosen)} found within {arguments.seeds} seeds")
    return 1 if len(missed) > MAY_MISS else 0


if __name__ == "__main__":
    sys.exit(main())
