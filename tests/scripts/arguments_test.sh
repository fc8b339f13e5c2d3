#!/usr/bin/env bash
# Each command has --help, and answers a wrong argument with one line on stderr and status 2, before it does anything.
# Also: how missing packages are installed, with stand-ins for dpkg-query, apt-get and sudo.
# shellcheck disable=SC2016  # what stands in single quotes is for the stand-ins
set -euo pipefail
source tests/scripts/cases.sh

readonly bin="${TEST_TMPDIR:?}/bin"
mkdir -p "$bin"
# Nothing here may reach the real ones.
for name in bazel apt-get sudo; do
  printf '#!/bin/sh\necho "%s $*" >>"%s/calls"\nexit ${EXIT_STATUS:-0}\n' "$name" "$TEST_TMPDIR" >"$bin/$name"
done
chmod +x "$bin"/*
export PATH="$bin:$PATH"

# wrong ARGUMENT... of a command: status 2, nothing on stdout, one line on stderr that names the command.
wrong() {
  local name="wrong argument, $*" output status=0
  output=$("$root/$1" "${@:2}" 2>&1 >"$TEST_TMPDIR/stdout") || status=$?
  if [[ $status == 2 && ! -s $TEST_TMPDIR/stdout && $output == "$1: error: "* && $output != *$'\n'* ]]; then
    pass "$name"
  else
    fail "$name" "status $status, stderr '$output'"
  fi
}

for command in run test build lint ulimit-suite; do
  wrong "scripts/$command" --no-such-option
  wrong "scripts/$command" -x
  help=$("$root/scripts/$command" --help) && status=0 || status=$?
  expect_equal "scripts/$command --help, status" 0 "$status"
  expect_match "scripts/$command --help, text" "^Usage: scripts/$command" "$help"
  expect_equal "scripts/$command -h, the same" "$help" "$("$root/scripts/$command" -h)"
done
wrong scripts/run --
wrong scripts/run --stats=yes true
wrong scripts/test --config=no-such
wrong scripts/test --config=
wrong scripts/test one two
wrong scripts/test ''
wrong scripts/build --config=fast
wrong scripts/build //allocator:all
wrong scripts/lint allocator
wrong scripts/limits-matrix --no-such-option
wrong scripts/limits-matrix --only no-such-table
wrong scripts/limits-matrix --only=
wrong scripts/limits-matrix /no/such/library.so
wrong scripts/limits-matrix --prairie /no/such/library.so
wrong scripts/limits-matrix --probes "$TEST_TMPDIR"
wrong scripts/limits-matrix --markdown /no/such/document.md
wrong scripts/limits-matrix "$root/WORKSPACE" "$root/WORKSPACE"
wrong scripts/bench --no-such-option
wrong scripts/bench lua
wrong scripts/bench --only no-such-row
wrong scripts/bench --only=
wrong scripts/bench --rounds 0
wrong scripts/bench --rounds many
wrong scripts/bench --peer name
wrong scripts/bench --peer name=/no/such/library.so
wrong scripts/bench --peer "glibc=$root/WORKSPACE"
wrong scripts/bench --allocators no-such-allocator
wrong scripts/bench --allocators=
wrong scripts/bench --fast-path-golden --allocators glibc
help=$("$root/scripts/bench" --help) && status=0 || status=$?
expect_equal "scripts/bench --help, status" 0 "$status"
expect_match "scripts/bench --help, text" "^usage: scripts/bench" "$help"
help=$("$root/scripts/limits-matrix" --help) && status=0 || status=$?
expect_equal "scripts/limits-matrix --help, status" 0 "$status"
expect_match "scripts/limits-matrix --help, text" "^usage: scripts/limits-matrix" "$help"
expect_equal "wrong arguments start nothing" "" "$(cat "$TEST_TMPDIR/calls" 2>/dev/null || true)"

# install: what install_packages does when dpkg-query knows only the packages in $1; prints the calls.
install() {
  printf '#!/bin/sh\nfor p in %s; do echo "$p installed"; done\nexit 1\n' "$1" >"$bin/dpkg-query"
  chmod +x "$bin/dpkg-query"
  : >"$TEST_TMPDIR/calls"
  status=0
  # A shell of its own: common.sh names its constants as this test does.
  bash -c 'set -euo pipefail; source "$0"; install_packages "to test this" alpha beta-dev' \
    "$root/scripts/lib/common.sh" >"$TEST_TMPDIR/stdout" 2>"$TEST_TMPDIR/stderr" || status=$?
}

install "alpha beta-dev"
expect_equal "nothing missing, nothing is called" "0: " "$status: $(cat "$TEST_TMPDIR/calls")"
install "alpha beta"
expect_equal "one missing, status" 0 "$status"
expect_match "one missing, only that one is installed" "apt-get .*update.*apt-get .*install -y .* beta-dev$" \
  "$(tr '\n' ' ' <"$TEST_TMPDIR/calls" | sed 's/ $//')"
expect_equal "one missing, nothing else is installed" "" "$(grep -w alpha "$TEST_TMPDIR/calls" || true)"
expect_match "one missing, says what and why" "beta-dev \(to test this\)" "$(cat "$TEST_TMPDIR/stderr")"
expect_equal "one missing, stdout stays empty" "" "$(cat "$TEST_TMPDIR/stdout")"
EXIT_STATUS=100 install "alpha"
expect_equal "apt-get fails, status" 1 "$status"
expect_match "apt-get fails, says so" "could not install: beta-dev" "$(cat "$TEST_TMPDIR/stderr")"
PRAIRIE_NO_INSTALL=1 install "alpha"
expect_equal "PRAIRIE_NO_INSTALL, status, and nothing is called" "1: " "$status: $(cat "$TEST_TMPDIR/calls")"
expect_match "PRAIRIE_NO_INSTALL, names what is missing" "missing packages: beta-dev" "$(cat "$TEST_TMPDIR/stderr")"

finish
