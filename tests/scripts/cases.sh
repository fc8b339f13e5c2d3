# Shared by the shell tests here: cases that print `PASS: name` or `FAIL: name: why`, and the place of the source tree.
# shellcheck shell=bash

# The source tree that Bazel built from: what its WORKSPACE link points to.
if [[ -e WORKSPACE ]]; then
  root=$(dirname "$(readlink -f WORKSPACE)")
  # shellcheck disable=SC2034  # used by whoever sources this file
  readonly root
fi

failures=0

pass() { printf 'PASS: %s\n' "$1"; }

fail() {
  printf 'FAIL: %s: %s\n' "$1" "$2"
  failures=$((failures + 1))
}

# expect_equal NAME WANTED GOT
expect_equal() {
  if [[ $2 == "$3" ]]; then pass "$1"; else fail "$1" "expected '$2', got '$3'"; fi
}

# expect_match NAME REGEX GOT
expect_match() {
  if [[ $3 =~ $2 ]]; then pass "$1"; else fail "$1" "expected a match of '$2', got '$3'"; fi
}

# status_of COMMAND...: prints the exit status; the command's own output is dropped.
status_of() {
  local status=0
  "$@" >/dev/null 2>&1 || status=$?
  printf '%s' "$status"
}

finish() {
  ((failures == 0)) || exit 1
  exit 0
}
