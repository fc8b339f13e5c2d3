#!/usr/bin/env bash
# scripts/limits-matrix from end to end, on a few cells: what it prints, and where it writes.
set -euo pipefail
source tests/scripts/cases.sh

library=$(readlink -f "$1")
probes=$(dirname "$(readlink -f "$2")")
readonly library probes

if readelf -d "$library" | grep -qE 'NEEDED.*lib(a|t|ub)san'; then
  echo "SKIPPED: scripts/limits-matrix: a sanitizer's library needs terabytes of addresses"
  exit 0
fi

document="${TEST_TMPDIR:?}/document.md"
printf 'before\n<!-- limits-matrix:begin -->\nold\n<!-- limits-matrix:end -->\nafter\n' >"$document"
status=0
output=$(PRAIRIE_NO_INSTALL=1 "$root/scripts/limits-matrix" --quick --only startup,starved,moving,full \
  --prairie "$library" --probes "$probes" --markdown "$document" 2>"$TEST_TMPDIR/stderr") || status=$?
if grep -q "missing packages: " "$TEST_TMPDIR/stderr"; then
  echo "SKIPPED: scripts/limits-matrix: $(grep "missing packages: " "$TEST_TMPDIR/stderr")"
  exit 0
fi
expect_equal "status" 0 "$status"
expect_equal "four tables with a goal each" 4 "$(grep -c '^| \*\*goal\*\*' <<<"$output")"
expect_equal "Prairie in each" 4 "$(grep -c '^| prairie ' <<<"$output")"
expect_equal "glibc in each" 4 "$(grep -c '^| glibc ' <<<"$output")"
expect_match "the last line counts" '[0-9]+ of 19 figures of Prairie fall short' "$(tail -n 1 <<<"$output")"
expect_match "glibc's two calls of brk are counted" '\| 2/2 \|[ +]+0/[+]0 \|' "$(grep '^| glibc ' <<<"$output" | head -n 1 | tr -s ' ')"
expect_match "progress on stderr" 'limits-matrix: starved: prairie: 1100: ' "$(cat "$TEST_TMPDIR/stderr")"
expect_equal "the document has the tables" "before
<!-- limits-matrix:begin -->
$output
<!-- limits-matrix:end -->
after" "$(cat "$document")"

finish
