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
  libspdlog-dev libprotobuf-dev protobuf-compiler libgnutls28-dev zlib1g-dev libsystemd-dev curl
)
backports_packages=(libngtcp2-dev libngtcp2-crypto-gnutls-dev)
test_packages=(clang-16 llvm-16 libclang-rt-16-dev python3 iproute2 nftables systemd procps util-linux openssl prometheus)
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

add_backports() {
  apt-cache policy | grep -q "n=$backports\|a=$backports" && return 0
  # The suite comes from wherever this machine takes Debian itself.
  local uri="" signed=""
  local deb822
  for deb822 in /etc/apt/sources.list.d/*.sources; do
    [ -r "$deb822" ] || continue
    read -r uri signed < <(awk -v suite="$VERSION_CODENAME" '
      function emit() { if (hit && uri != "") { print uri, signed; found = 1; exit } }
      /^#/ { next }
      /^[[:space:]]*$/ { emit(); uri = ""; signed = ""; hit = 0; next }
      tolower($1) == "uris:" { uri = $2 }
      tolower($1) == "signed-by:" { signed = $2 }
      tolower($1) == "suites:" { for (i = 2; i <= NF; i++) if ($i == suite) hit = 1 }
      END { if (!found && hit && uri != "") print uri, signed }' "$deb822") || true
    [ -n "$uri" ] && break
  done
  if [ -z "$uri" ]; then
    uri=$(awk -v suite="$VERSION_CODENAME" '
      $1 == "deb" { for (i = 2; i < NF; i++) if ($(i + 1) == suite) { print $i; exit } }' \
      /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null) || true
  fi
  [ -n "$uri" ] || die "no apt source for $VERSION_CODENAME is configured, so $backports can't be added"
  signed=${signed:-/usr/share/keyrings/debian-archive-keyring.gpg}
  say "adding the suite $backports in /etc/apt/sources.list.d/$backports.sources"
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$uri" "$backports" "$signed" |
    "${root[@]}" tee "/etc/apt/sources.list.d/$backports.sources" >/dev/null
}

export DEBIAN_FRONTEND=noninteractive
apt_get() { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o Dpkg::Use-Pty=0 -qq "$@"; }

[ "${#missing_backports[@]}" = 0 ] || [ -z "$backports" ] || add_backports
say "refreshing the package lists"
apt_get update
if [ "${#missing[@]}" != 0 ]; then
  say "installing ${missing[*]}"

  apt_get install -y --no-install-recommends "${missing[@]}" >/dev/null
fi
if [ "${#missing_backports[@]}" != 0 ]; then
  say "installing ${missing_backports[*]} from $backports"
  apt_get install -y --no-install-recommends -t "$backports" "${missing_backports[@]}" >/dev/null
fi
say "done"
