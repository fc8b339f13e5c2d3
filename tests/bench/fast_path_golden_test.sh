#!/usr/bin/env bash
# The instructions on the hit paths of the release build are those of bench/fast_path.golden.
# Arguments: fast_path_count, libprairie.so, the golden file, and what build this is.
set -euo pipefail
source tests/scripts/cases.sh

readonly count=$1 library=$2 golden=$3 build=$4
readonly name="hit paths as in bench/fast_path.golden"

if [[ $build != release ]]; then
  echo "SKIPPED: $name: the build is $build, not the release"
  finish
fi

counted=$("$count" "$library" 2>"$TEST_TMPDIR/errors") && status=0 || status=$?
if ((status == 3)); then
  echo "SKIPPED: $name: $(cat "$TEST_TMPDIR/errors")"
  finish
fi
expect_equal "the count ends well" "0 " "$status $(cat "$TEST_TMPDIR/errors")"
if difference=$(diff -u --label bench/fast_path.golden --label counted "$golden" <(printf '%s\n' "$counted")); then
  pass "$name"
else
  printf '%s\n' "$difference"
  fail "$name" "if this is meant: scripts/bench --fast-path-golden"
fi

# The counter's own answers.
expect_equal "without an argument, status" 2 "$("$count" 2>/dev/null && echo 0 || echo $?)"
expect_equal "no such library, status" 1 "$("$count" /no/such.so 2>/dev/null && echo 0 || echo $?)"

finish
