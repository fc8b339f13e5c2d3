#!/usr/bin/env bash
# prairie-map: what it prints of files that it is to evict, prefault and lock, and what it says of wrong arguments.
# Most functions are called by `check`, which shellcheck does not see.
# shellcheck disable=SC2317
set -euo pipefail

readonly command=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

failed=0
# check NAME COMMAND...: runs COMMAND; it must succeed.
check() {
  local name=$1
  shift
  if "$@"; then
    echo "PASS: $name"
  else
    echo "FAIL: $name: $*"
    failed=1
  fi
}
# status EXPECTED ARGUMENTS...: runs prairie-map; keeps what it prints.
status() {
  local expected=$1 got=0
  shift
  "$command" "$@" >"$work/out" 2>"$work/err" || got=$?
  [[ $got == "$expected" ]]
}
prints() { grep -qE -- "$1" "$work/out"; }
one_error_line() { [[ $(wc -l <"$work/err") == 1 && ! -s "$work/out" ]] && grep -qE "^prairie-map: error: $1" "$work/err"; }

head -c 1000000 /dev/zero >"$work/file"
check "size, pages, bar" status 0 "$work/file"
check "size" prints '^size +1000000 bytes \(976\.6 KiB\), 245 pages of 4\.0 KiB$'
check "in memory" prints '^in memory +245 pages \(980\.0 KiB\), 100\.0%$'
check "bar" prints '\[#{64}\]$'
check "dirty" prints '^dirty +([0-9]+ pages|unknown)'

if [[ $(stat -f -c %T "$work") == tmpfs ]]; then
  echo "SKIPPED: evict: the test's directory is in memory only"
else
  check "evict" status 0 --evict "$work/file"
  check "evicted" prints '^in memory +0 pages'
  check "bar of nothing" prints '\[ {64}\]$'
  check "nothing dirty" prints '^dirty +(0 pages|unknown)'
  check "prefault" status 0 --prefault "$work/file"
  check "prefaulted" prints ', 100\.0%$'
fi

: >"$work/empty"
check "empty file" status 0 --evict --prefault --lock --svg "$work/empty.svg" --help
check "help" prints '^Usage: prairie-map'
check "empty file" status 0 --prefault --svg "$work/empty.svg" "$work/empty"
check "empty" prints '^size +0 bytes'

check "svg" status 0 --svg "$work/out.svg" "$work/file"
check "svg is XML" python3 -c 'import sys, xml.dom.minidom as x; d = x.parse(sys.argv[1]); sys.exit(len(d.getElementsByTagName("rect")) != 245)' "$work/out.svg"
check "svg that cannot be written" status 1 --svg "$work/none/out.svg" "$work/file"

"$command" --lock "$work/file" >"$work/out" 2>"$work/err" &
locker=$!
for _ in $(seq 100); do
  grep -q '^locked' "$work/out" && break
  sleep 0.05
done
if grep -q '^locked' "$work/out"; then
  locked=$(awk '$1 == "VmLck:" { print $2 }' "/proc/$locker/status")
  if ldd "$command" | grep -qE 'lib(a|t)san'; then
    echo "SKIPPED: locked pages: a sanitizer's mlock does nothing"
  else
    check "locked pages" test "$locked" -ge 976
  fi
  kill -TERM "$locker"
  check "ends at SIGTERM" wait "$locker"
else
  echo "SKIPPED: lock: $(cat "$work/err")"
fi

check "missing file" status 1 "$work/missing"
check "missing file is named" one_error_line ".*/missing: No such file or directory$"
check "directory" status 1 "$work"
check "directory is named" one_error_line ".*: not a regular file"
check "no FILE" status 2
check "one line" one_error_line "no FILE"
check "two files" status 2 a b
check "one line" one_error_line "only one FILE"
check "unknown option" status 2 --wrong
check "one line" one_error_line "unknown option '--wrong'"
check "--svg without a file" status 2 "$work/file" --svg
check "one line" one_error_line "--svg needs"
check "empty FILE" status 2 ""
exit "$failed"
