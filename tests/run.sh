#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test in one run of ctest, whose summary comes last.
#
#   tests/run.sh           three builds: GCC release; clang with address and undefined-behaviour sanitizers (fuzz corpora
#                          replayed, fewer simulator seeds); clang with the thread sanitizer for http, io and app
#   tests/run.sh --quick   the release build and its quick tests only: the inner loop
#
# Further arguments go to ctest:  tests/run.sh --quick -R admission
set -euo pipefail
cd "$(dirname "$0")/.."

quick=0
arguments=()
for argument in "$@"; do
  case "$argument" in
    --quick) quick=1 ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) arguments+=("$argument") ;;
  esac
done

say() { printf 'tests: %s\n' "$*"; }
jobs=$(nproc)

# Seeds per scenario of the simulator, and swarms (a thousand, unless it must be quick). The sanitized build has a number of its own
# (CMakePresets.json).
seeds=300
seeds_quick=100

build() { # preset
  say "building $1"
  local configured
  configured=$(cmake --preset "$1" -DPEERWATCH_TESTS=ON 2>&1) || { printf '%s\n' "$configured" >&2; exit 1; }
  cmake --build --preset "$1" -j "$jobs"
}

# Paths of reports are looked up by this tool; without it they are bare addresses.
symbolizer=$(command -v llvm-symbolizer-16 || true)
export ASAN_OPTIONS="detect_leaks=1:abort_on_error=0:external_symbolizer_path=$symbolizer"
export UBSAN_OPTIONS="print_stacktrace=1:external_symbolizer_path=$symbolizer"
export TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1:external_symbolizer_path=$symbolizer"

deploy/setup.sh --tests
build release
if [ "$quick" = 1 ]; then
  export PEERWATCH_SIM_SEEDS=$seeds_quick PEERWATCH_SWARM_SEEDS=$seeds_quick
  exec ctest --test-dir build/release --label-exclude slow --output-on-failure -j "$jobs" --no-tests=error "${arguments[@]}"
fi
build asan
build tsan

# One run over the three builds.
export PEERWATCH_SIM_SEEDS=$seeds
mkdir -p build/all
printf 'subdirs("%s")\n' "$PWD/build/release" "$PWD/build/asan" "$PWD/build/tsan" >build/all/CTestTestfile.cmake
exec ctest --test-dir build/all --output-on-failure -j "$jobs" --no-tests=error "${arguments[@]}"
