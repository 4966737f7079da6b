#!/usr/bin/env bash
# Installs everything that peerwatch needs to be built (and, with --tests, to be tested) on Debian 12 or 13.
# Idempotent: what is there already is left alone, and nothing is fetched when nothing is missing.
#
#   deploy/setup.sh            build dependencies
#   deploy/setup.sh --tests    also what tests/run.sh needs (clang, sanitizers, namespaces, lint)
#   deploy/setup.sh --bench    also the programs that tests/bench compares us with
set -euo pipefail

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: error: %s\n' "$*" >&2; exit 1; }

# The table of packages. Why each is here: docs/dependencies.md.
build_packages=(
  g++ cmake ninja-build pkg-config ccache git ca-certificates
  libboost1.81-dev prometheus-cpp-dev nlohmann-json3-dev libtomlplusplus-dev libcli11-dev libexpected-dev
  libspdlog-dev libprotobuf-dev protobuf-compiler libgnutls28-dev libssl-dev zlib1g-dev libsystemd-dev libminiupnpc-dev curl
)
backports_packages=(libngtcp2-dev libngtcp2-crypto-gnutls-dev)
test_packages=(clang-16 llvm-16 libclang-rt-16-dev python3 iproute2 util-linux systemd prometheus prometheus-alertmanager python3-yaml
  nftables conntrack coturn miniupnpd-nftables)
backports_test_packages=(catch2)
bench_packages=(prometheus-smokeping-prober)

with_tests=0 with_bench=0
for argument in "$@"; do
  case "$argument" in
    --tests) with_tests=1 ;;
    --bench) with_bench=1 ;;
    -h|--help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) die "unknown option $argument (try --help)" ;;
  esac
done

[ -r /etc/os-release ] || die "/etc/os-release is missing: this script knows Debian 12 and 13 only"
# shellcheck disable=SC1091
. /etc/os-release
[ "${ID:-}" = debian ] || die "this is ${PRETTY_NAME:-an unknown system}: this script knows Debian 12 and 13 only"

packages=("${build_packages[@]}")
from_backports=("${backports_packages[@]}")
if [ "$with_tests" = 1 ]; then
  packages+=("${test_packages[@]}")
  from_backports+=("${backports_test_packages[@]}")
fi
if [ "$with_bench" = 1 ]; then packages+=("${bench_packages[@]}"); fi

backports=""
case "${VERSION_ID:-}" in
  12) backports="${VERSION_CODENAME}-backports" ;;
  13) packages+=("${from_backports[@]}"); from_backports=() ;;
  *) die "Debian ${VERSION_ID:-unknown} is not supported: this script knows 12 and 13" ;;
esac

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
# bookworm's own ngtcp2 (0.12) and Catch2 (2.13) are too old: an installed one counts only when it is new enough.
new_enough() {
  local minimum
  case "$1" in
    libngtcp2*) minimum=1.11 ;;
    catch2) minimum=3 ;;
    *) return 0 ;;
  esac
  dpkg --compare-versions "$(dpkg-query -W -f '${Version}' "$1")" ge "$minimum"
}

missing=() missing_backports=()
for package in "${packages[@]}"; do installed "$package" && new_enough "$package" || missing+=("$package"); done
for package in "${from_backports[@]}"; do installed "$package" && new_enough "$package" || missing_backports+=("$package"); done
if [ "${#missing[@]}" = 0 ] && [ "${#missing_backports[@]}" = 0 ]; then
  say "all packages are installed"
  exit 0
fi

root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || die "packages are missing (${missing[*]} ${missing_backports[*]}): run this as root, or install sudo"
  root=(sudo)
fi

# ---- undone at the end, however this ends
quiet_policy=/usr/sbin/policy-rc.d
quiet_mark="# peerwatch setup: no service starts while packages are installed"
quiet=0
log=$(mktemp)
undo() {
  local status=$?
  trap - EXIT INT TERM HUP
  rm -f "$log"
  if [ "$quiet" = 1 ]; then "${root[@]}" rm -f "$quiet_policy"; fi
  exit "$status"
}
trap undo EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Test and benchmark packages bring services (Prometheus, Alertmanager, the smokeping prober, coturn, nftables) that nobody
# asked this machine to run.
# Debian starts a service at installation unless policy-rc.d says no: ours says so for as long as this runs, and only
# where the administrator has none of his own. One that an earlier, killed run left behind carries our mark: it is ours.
keep_services_off() {
  if [ -e "$quiet_policy" ] && ! grep -qxF "$quiet_mark" "$quiet_policy"; then return; fi
  quiet=1
  printf '#!/bin/sh\n%s\nexit 101\n' "$quiet_mark" | "${root[@]}" tee "$quiet_policy" >/dev/null
  "${root[@]}" chmod 755 "$quiet_policy"
}

# Nor at the next boot: what this run brought is installed, not enabled. A service that was there before is left alone.
disable_services_of() {
  command -v systemctl >/dev/null || return 0
  local package unit
  for package in "$@"; do
    while read -r unit; do
      say "installed, but not enabled: $unit"
      "${root[@]}" systemctl disable "$unit" >/dev/null 2>&1 || say "warning: could not disable $unit"
    done < <(dpkg -L "$package" | sed -n 's|^\(/usr\)\{0,1\}/lib/systemd/system/\([^/@]*\.service\)$|\2|p' | sort -u)
  done
}

# The suite comes from wherever this machine takes Debian itself, in whatever form its sources are written.
add_backports() {
  local targets uri
  # shellcheck disable=SC2016  # apt-get expands these
  targets=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages')
  if grep -q "^$backports " <<<"$targets"; then return; fi
  uri=$(awk -v suite="$VERSION_CODENAME" '$1 == suite { print $2; exit }' <<<"$targets")
  [ -n "$uri" ] || die "no apt source for $VERSION_CODENAME is configured, so $backports can't be added"
  say "adding the suite $backports in /etc/apt/sources.list.d/$backports.sources"
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' "$uri" "$backports" |
    "${root[@]}" tee "/etc/apt/sources.list.d/$backports.sources" >/dev/null
}

apt_get() { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 -qq "$@"; }
install_packages() {
  apt_get install -y --no-install-recommends "$@" >"$log" 2>&1 || { cat "$log" >&2; die "apt-get could not install them"; }
}

if [ "${#missing_backports[@]}" != 0 ] && [ -n "$backports" ]; then add_backports; fi
say "refreshing the package lists"
apt_get update
keep_services_off
if [ "${#missing[@]}" != 0 ]; then
  say "installing ${missing[*]}"
  install_packages "${missing[@]}"
fi
if [ "${#missing_backports[@]}" != 0 ]; then
  say "installing ${missing_backports[*]} from $backports"
  install_packages -t "$backports" "${missing_backports[@]}"
fi
services=()
for package in "${missing[@]}"; do
  case "$package" in prometheus | prometheus-alertmanager | prometheus-smokeping-prober | coturn | nftables | miniupnpd-nftables) services+=("$package") ;; esac
done
disable_services_of "${services[@]}"
say "done"
