# What the commands in scripts/ share: messages, the source tree's place, installing packages, calling Bazel.
# Sourced; expects `set -euo pipefail`. Everything that it prints goes to stderr.
# shellcheck shell=bash

# shellcheck source=scripts/lib/packages.sh
source "${BASH_SOURCE[0]%/*}/packages.sh"

readonly command_name="scripts/${0##*/}"
root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd -P)
readonly root

# The configurations of .bazelrc that a user may choose.
readonly known_configs="debug asan tsan ubsan clang ci i386"

say() { printf '%s: %s\n' "$command_name" "$*" >&2; }

# Reports an error and exits with status $1.
die() {
  local status=$1
  shift
  say "error: $*"
  exit "$status"
}

# A wrong argument: one line, status 2.
usage_error() { die 2 "$* (--help explains)"; }

# Accepts NAME of --config=NAME, or exits.
check_config() {
  [[ " $known_configs " == *" $1 "* ]] || usage_error "unknown configuration '$1', expected one of: $known_configs"
}

# Prints those of the packages $@ that are not installed.
missing_packages() {
  local installed name
  # dpkg-query fails when a package is unknown, and still answers for the others.
  installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true)
  for name in "$@"; do
    grep -qxF "$name installed" <<<"$installed" || printf '%s\n' "$name"
  done
}

# install_packages WHY PACKAGE...: installs those packages that are missing, saying what and why.
install_packages() {
  local why=$1 missing log
  local -a as_root=() apt
  shift
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    [[ -z ${PRAIRIE_NO_INSTALL:-} ]] || return 0
    die 1 "this is not Debian: install the equivalents of '$*' ($why), then set PRAIRIE_NO_INSTALL=1"
  fi
  missing=$(missing_packages "$@" | sort -u | tr '\n' ' ')
  missing=${missing% }
  [[ -n $missing ]] || return 0
  [[ -z ${PRAIRIE_NO_INSTALL:-} ]] || die 1 "missing packages: $missing ($why), and PRAIRIE_NO_INSTALL is set"
  if ((EUID != 0)); then
    command -v sudo >/dev/null || die 1 "missing packages: $missing ($why); as root: apt-get install $missing"
    as_root=(sudo)
  fi
  say "installing with apt${as_root:+ (sudo)}: $missing ($why)"
  # RUNLEVEL=1 keeps a package's start script from starting a service.
  apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    apt-get -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
  log=$(mktemp)
  "${apt[@]}" update </dev/null >"$log" 2>&1 || say "apt-get update failed; trying with the package lists at hand"
  # shellcheck disable=SC2086  # a list of words
  if ! "${apt[@]}" install -y --no-install-recommends $missing </dev/null >>"$log" 2>&1; then
    tail -n 15 "$log" >&2
    rm -f "$log"
    die 1 "apt-get could not install: $missing"
  fi
  rm -f "$log"
}

# bazel_quietly COMMAND ARGS...: Bazel in the source tree, everything on stderr, and only what matters.
bazel_quietly() {
  local command=$1
  # shellcheck disable=SC2054  # one option with commas in it
  local -a quiet=(--ui_event_filters=-info,-debug --show_result=0 --noshow_loading_progress)
  shift
  [[ -t 2 ]] || quiet+=(--noshow_progress)
  (cd "$root" && bazel "$command" "${quiet[@]}" "$@") >&2
}

# bazel_bin CONFIG_OPTIONS...: the directory of what was built with these options.
bazel_bin() { (cd "$root" && bazel info "$@" bazel-bin 2>/dev/null); }
