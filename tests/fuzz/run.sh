#!/usr/bin/env bash
# Searches for inputs that break a fuzz target.
#
#   tests/fuzz/run.sh TARGET [SECONDS]    control, datagram, config, http_query, frame or stun; 1200 s unless told
#
# What reached new code is added to the target's corpus, made small; an input that breaks it stays in build/fuzz and goes,
# with the fix, into the corpus under a name that says what it was.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${1:?name a target: control, datagram, config, http_query, frame or stun}
seconds=${2:-1200}
corpus=tests/fuzz/corpus/$target

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz -j "$(nproc)" --target "fuzz_$target"
found=build/fuzz/found-$target
mkdir -p "$found"
"build/fuzz/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 \
  -artifact_prefix="build/fuzz/$target-" "$found" "$corpus"
"build/fuzz/tests/fuzz/fuzz_$target" -merge=1 "$corpus" "$found"
