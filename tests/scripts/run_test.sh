#!/usr/bin/env bash
# scripts/run PROGRAM: exit status, signals, streams, arguments and environment are the program's own.
set -euo pipefail
source tests/scripts/cases.sh

PRAIRIE_LIBRARY=$(readlink -f "$1")
export PRAIRIE_LIBRARY
readonly run="$root/scripts/run"
readonly scratch="${TEST_TMPDIR:?}"
ulimit -c 0

if readelf -d "$PRAIRIE_LIBRARY" | grep -qE 'NEEDED.*lib(a|t|ub)san'; then
  echo "SKIPPED: scripts/run: a sanitizer's library cannot be preloaded without its runtime"
  exit 0
fi

expect_equal "status 0" 0 "$(status_of "$run" true)"
expect_equal "status 1" 1 "$(status_of "$run" false)"
expect_equal "any status" 42 "$(status_of "$run" sh -c 'exit 42')"
expect_equal "status after --" 43 "$(status_of "$run" -- sh -c 'exit 43')"
expect_equal "abort" 134 "$(status_of "$run" sh -c 'kill -ABRT $$')"
expect_equal "killed" 137 "$(status_of "$run" sh -c 'kill -KILL $$')"

expect_equal "program not found" 127 "$(status_of "$run" no-such-program)"
expect_equal "program not found, by path" 127 "$(status_of "$run" ./no-such-program)"
expect_equal "the message for it" "prairie-run: no-such-program: command not found" \
  "$("$run" no-such-program 2>&1 || true)"
touch "$scratch/plain-file"
expect_equal "not executable" 126 "$(status_of "$run" "$scratch/plain-file")"
expect_equal "a directory" 126 "$(status_of "$run" "$scratch")"

expect_equal "stdin" "to the program" "$(echo "to the program" | "$run" cat)"
expect_equal "stdout only" "out" "$("$run" sh -c 'echo out; echo err >&2' 2>/dev/null)"
expect_equal "stderr only" "err" "$("$run" sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)"
expect_equal "arguments" "<a b><><--stats><*>" "$("$run" printf '<%s>' 'a b' '' --stats '*')"
expect_equal "a script without a first line" "from a script" "$(
  echo 'echo from a script' >"$scratch/script"
  chmod +x "$scratch/script"
  "$run" "$scratch/script"
)"
expect_equal "the working directory" "$scratch" "$(cd "$scratch" && "$run" pwd -P)"

# The pid that was started is the program's: a signal reaches it, and its own handler answers.
# The signal waits until the program says that its handler is there.
mkfifo "$scratch/ready"
# shellcheck disable=SC2016  # for the shell that is started
"$run" bash -c 'trap "exit 77" TERM; echo ready >"$0"; while :; do sleep 0.1; done' "$scratch/ready" &
pid=$!
read -r _ <"$scratch/ready"
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
expect_equal "a signal reaches the program" 77 "$status"

# What LD_PRELOAD and PRAIRIE_OPTIONS are, as the program sees them.
# shellcheck disable=SC2016  # for the shell that is started
show='echo "$LD_PRELOAD|${PRAIRIE_OPTIONS-unset}"'
# A cell of scripts/ulimit-suite preloads something everywhere.
inherited=${LD_PRELOAD:+:$LD_PRELOAD}
expect_equal "the library is preloaded" "$PRAIRIE_LIBRARY$inherited|unset" "$("$run" sh -c "$show")"
others=(/lib/*-linux-gnu/libm.so.6)
other=${others[0]}
expect_equal "before what was preloaded" "$PRAIRIE_LIBRARY:$other|unset" "$(LD_PRELOAD=$other "$run" sh -c "$show")"
expect_equal "--stats" "$PRAIRIE_LIBRARY$inherited|stats=1" "$("$run" --stats sh -c "$show" 2>/dev/null)"
expect_equal "--stats joins options" "$PRAIRIE_LIBRARY$inherited|on_error=report,stats=1" \
  "$(PRAIRIE_OPTIONS=on_error=report "$run" --stats sh -c "$show" 2>/dev/null)"
expect_match "--stats prints a summary" "prairie: " "$("$run" --stats /usr/bin/python3 -c '' 2>&1 >/dev/null)"
expect_equal "no summary without --stats" "" "$("$run" /usr/bin/python3 -c '' 2>&1)"
expect_match "the program's malloc is Prairie's" "libprairie.so" "$("$run" cat /proc/self/maps)"

# The same launcher, where scripts/build puts it.
mkdir -p "$scratch/dist/bin" "$scratch/dist/lib"
cp "$root/scripts/lib/prairie-run" "$scratch/dist/bin/"
cp "$PRAIRIE_LIBRARY" "$scratch/dist/lib/libprairie.so"
expect_equal "dist/bin/prairie-run finds its library" "$scratch/dist/lib/libprairie.so$inherited|unset" \
  "$("$scratch/dist/bin/prairie-run" sh -c "$show")"
expect_equal "dist/bin/prairie-run without a library" 125 "$(
  rm "$scratch/dist/lib/libprairie.so"
  status_of "$scratch/dist/bin/prairie-run" true
)"
mkdir "$scratch/a b"
cp "$PRAIRIE_LIBRARY" "$scratch/a b/libprairie.so"
expect_equal "a path that ld.so cannot preload" 125 "$(PRAIRIE_LIBRARY="$scratch/a b/libprairie.so" status_of "$run" true)"

demonstration=$("$run" 2>&1) && status=0 || status=$?
expect_equal "the demonstration succeeds" 0 "$status"
expect_match "the demonstration shows a report" "prairie: double free: free\(0x[0-9a-f]+\)" "$demonstration"

finish
