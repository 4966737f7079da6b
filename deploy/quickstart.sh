#!/usr/bin/env bash
# From a fresh Debian machine to a running mesh: installs what is missing, builds a release, starts three daemons on
# loopback, each with its own identity, configuration and ports, waits until every pair is connected and shows them.
#
#   deploy/quickstart.sh            runs until Ctrl-C, and leaves nothing behind but the build folder
#   deploy/quickstart.sh --check    verifies through HTTP that all is connected and measured; exit status 0 or 1
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'quickstart: %s\n' "$*"; }
die() { printf 'quickstart: error: %s\n' "$*" >&2; exit 1; }

check=0
for argument in "$@"; do
  case "$argument" in
    --check) check=1 ;;
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) die "unknown option $argument (try --help)" ;;
  esac
done

nodes=(a b c)
connect_timeout=30 # seconds; a pair on loopback takes well under one, a loaded machine some more
programs=build/release/daemon

# ---- set-up and build
deploy/setup.sh
say "building (some minutes the first time)"
# Tests need packages of their own (deploy/setup.sh --tests): a build folder that has them keeps them.
if [ -f build/release/CMakeCache.txt ]; then tests=(); else tests=(-DPEERWATCH_TESTS=OFF); fi
configured=$(cmake --preset release "${tests[@]}" 2>&1) || { printf '%s\n' "$configured" >&2; die "cmake failed"; }
cmake --build --preset release -j "$(nproc)" --target peerwatchd peerwatch

# ---- nothing stays behind
# A process of its own sees this one end, in whatever way (its end of a pipe closes), stops the daemons and removes the
# folder. Should it be gone as well, the daemons still end with this process: the kernel signals them (pdeathsig).
folder=$(mktemp -d "${TMPDIR:-/tmp}/peerwatch-quickstart.XXXXXX")
# shellcheck disable=SC2016  # expanded by the janitor
janitor='
  trap "" INT TERM HUP
  cat >/dev/null
  pids=$(cat "$1"/*.pid 2>/dev/null)
  for pid in $pids; do kill -TERM "$pid" 2>/dev/null; done
  for ((i = 0; i < 50; i++)); do
    alive=0
    for pid in $pids; do kill -0 "$pid" 2>/dev/null && alive=1; done
    [ "$alive" = 0 ] && break
    sleep 0.1
  done
  for pid in $pids; do kill -KILL "$pid" 2>/dev/null; done
  rm -rf "$1"'
exec {life}> >(exec setsid bash -c "$janitor" janitor "$folder")
janitor_pid=$!
leave() {
  local status=$?
  trap - EXIT INT TERM HUP
  exec {life}>&-
  wait "$janitor_pid" || true
  exit "$status"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# ---- ports: below the range that the kernel hands out by itself, and unused by anybody now
used_ports() { cat /proc/net/{udp,udp6,tcp,tcp6} 2>/dev/null | awk '{ n = split($2, part, ":"); print part[n] }' | sort -u; }
declare -A udp http
choose_ports() {
  local used port node
  used=$(used_ports)
  port=$((20000 + RANDOM % 10000))
  for node in "${nodes[@]}"; do
    while grep -qix "$(printf '%04X' "$port")" <<<"$used"; do port=$((port + 1)); done
    udp[$node]=$port http[$node]=$port
    port=$((port + 1))
  done
}

# ---- three nodes
declare -A id pid
write_configuration() {
  local node=$1 other
  {
    printf '[node]\nname = "node-%s"\nstate_dir = "%s"\n\n' "$node" "$folder/$node"
    printf '[network]\nlisten = ["127.0.0.1:%d"]\n\n' "${udp[$node]}"
    printf '[http]\nlisten = ["127.0.0.1:%d"]\ncontrol_socket = "%s"\n\n' "${http[$node]}" "$folder/$node.sock"
    printf '[probe]\nrtt_interval = "1s"  # the default is 5s: a demonstration wants figures soon\n'
    for other in "${nodes[@]}"; do
      [ "$other" = "$node" ] && continue
      printf '\n[[peer]]\nid = "%s"\nname = "node-%s"\naddresses = ["127.0.0.1:%d"]\n' "${id[$other]}" "$other" "${udp[$other]}"
    done
  } >"$folder/$node.toml"
}

start() {
  local node=$1
  setpriv --pdeathsig TERM "$programs/peerwatchd" --config "$folder/$node.toml" >"$folder/$node.log" 2>&1 {life}>&- &
  pid[$node]=$!
  echo "${pid[$node]}" >"$folder/$node.pid"
}

show_log_and_die() {
  sed 's/^/  /' "$folder/$1.log" | tail -n 20 >&2
  die "$2"
}

get() { curl --silent --show-error --fail --max-time 5 "http://127.0.0.1:${http[$1]}$2"; }

# The value of one series of a node, its name and labels given in full; nothing if it is not there.
metric() { get "$1" /metrics 2>/dev/null | awk -v series="$2" 'index($0, series " ") == 1 { print $2; exit }'; }
short_id() { printf '%s' "${id[$1]:0:10}"; }

choose_ports
for node in "${nodes[@]}"; do
  mkdir -m 700 "$folder/$node"
  id[$node]=$("$programs/peerwatchd" --identity --state-dir "$folder/$node") || die "no identity for node-$node"
done
for node in "${nodes[@]}"; do write_configuration "$node"; done
for node in "${nodes[@]}"; do
  start "$node"
  say "node-$node is ${id[$node]} on port ${udp[$node]}"
done

others=$((${#nodes[@]} - 1))
say "waiting until every pair is connected"
deadline=$((SECONDS + connect_timeout))
while :; do
  connected=0
  for node in "${nodes[@]}"; do
    kill -0 "${pid[$node]}" 2>/dev/null || show_log_and_die "$node" "node-$node ended"
    if [ "$(metric "$node" 'p2p_connections_active{state="connected"}')" = "$others" ]; then connected=$((connected + 1)); fi
  done
  [ "$connected" = "${#nodes[@]}" ] && break
  [ "$SECONDS" -lt "$deadline" ] || show_log_and_die a "only $connected of ${#nodes[@]} nodes have both sessions after ${connect_timeout} s"
  sleep 0.2
done
say "all ${#nodes[@]} nodes are connected to each other"

# ---- --check
failures=0
verdict() { # description, then a command that must succeed
  local description=$1
  shift
  if "$@" >/dev/null 2>&1; then say "ok: $description"; else say "FAILED: $description"; failures=$((failures + 1)); fi
}
positive() { awk -v value="$(metric "$1" "$2")" 'BEGIN { exit !(value > 0) }'; }
within() { # seconds, then a command that must come to succeed by then
  local until=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$until" ] || return 1
    sleep 0.2
  done
}
lists_as_connected() { get "$1" "/api/v1/peers/${id[$2]}" | grep '"state": *"connected"' >/dev/null; }

verify() {
  local node other
  for node in "${nodes[@]}"; do
    verdict "node-$node is healthy" get "$node" /-/healthy
    verdict "node-$node is ready" get "$node" /-/ready
    verdict "node-$node answers /api/v1/status with its id" grep "${id[$node]}" <(get "$node" /api/v1/status)
    for other in "${nodes[@]}"; do
      [ "$other" = "$node" ] && continue
      verdict "node-$node lists node-$other as connected" lists_as_connected "$node" "$other"
      verdict "node-$node exports node-$other as connected" \
        test "$(metric "$node" "p2p_peer_connected{peer_id=\"$(short_id "$other")\"}")" = 1
      verdict "node-$node measured the RTT to node-$other" \
        within 10 positive "$node" "p2p_rtt_milliseconds_count{peer_id=\"$(short_id "$other")\"}"
      verdict "node-$node counted probes to node-$other" \
        within 10 positive "$node" "p2p_probes_expected_total{peer_id=\"$(short_id "$other")\",direction=\"forward\"}"
    done
  done
}

if [ "$check" = 1 ]; then verify; else sleep 2; fi # so that the table below has figures

"$programs/peerwatch" status --url "http://127.0.0.1:${http[a]}"
if [ "$check" = 1 ]; then
  [ "$failures" = 0 ] || die "$failures check(s) failed"
  say "check passed"
  exit 0
fi

for node in "${nodes[@]}"; do
  printf '\nnode-%s  metrics  http://127.0.0.1:%d/metrics\n        API      http://127.0.0.1:%d/api/v1/peers\n' \
    "$node" "${http[$node]}" "${http[$node]}"
  printf '        command  %s/peerwatch status --socket %s\n' "$programs" "$folder/$node.sock"
done
printf '\n'
say "running until Ctrl-C"
while :; do
  sleep 1 & wait $!
  for node in "${nodes[@]}"; do
    kill -0 "${pid[$node]}" 2>/dev/null || show_log_and_die "$node" "node-$node ended"
  done
done
