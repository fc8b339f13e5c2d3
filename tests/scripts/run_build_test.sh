#!/usr/bin/env bash
# scripts/run builds when the library is missing or older than a source, and otherwise starts neither Bazel nor dpkg.
# Runs in a copy of the commands beside made-up sources; stand-ins for bazel and dpkg-query write down that they ran.
set -euo pipefail
source tests/scripts/cases.sh

library=$(readlink -f "$1")
readonly library
readonly tree="${TEST_TMPDIR:?}/tree"
readonly calls="$TEST_TMPDIR/calls"

if readelf -d "$library" | grep -qE 'NEEDED.*lib(a|t|ub)san'; then
  echo "SKIPPED: scripts/run: a sanitizer's library cannot be preloaded without its runtime"
  exit 0
fi

mkdir -p "$tree/allocator/base" "$tree/third_party" "$TEST_TMPDIR/bin" "$TEST_TMPDIR/built/allocator"
cp -rL "$root/scripts" "$tree/scripts"
touch "$tree/WORKSPACE" "$tree/BUILD.bazel" "$tree/.bazelrc" "$tree/allocator/base/a.cc"
cp "$library" "$TEST_TMPDIR/built/allocator/libprairie.so"

cat >"$TEST_TMPDIR/bin/bazel" <<EOF
#!/bin/sh
echo "bazel \$1" >>"$calls"
case \$1 in
  info) echo "$TEST_TMPDIR/built" ;;
  build) if [ -e "$TEST_TMPDIR/broken" ]; then echo "no such luck" >&2; exit 1; fi ;;
esac
EOF
cat >"$TEST_TMPDIR/bin/dpkg-query" <<EOF
#!/bin/sh
echo "dpkg-query" >>"$calls"
shift 2
for name; do echo "\$name installed"; done
EOF
chmod +x "$TEST_TMPDIR"/bin/*
export PATH="$TEST_TMPDIR/bin:$PATH"

# run NAME WANTED_STATUS WANTED_CALLS: runs `true`, and checks the status and what was called for it.
run() {
  local status
  : >"$calls"
  status=$(status_of "$tree/scripts/run" true)
  expect_equal "$1" "$2: $3" "$status: $(tr '\n' ',' <"$calls")"
}

readonly a_build="dpkg-query,bazel build,bazel info,"

run "the first start builds" 0 "$a_build"
run "the second start builds nothing" 0 ""
touch "$tree/allocator/base/a.cc"
run "a changed source, builds" 0 "$a_build"
run "and only once" 0 ""
touch "$tree/allocator/base/b.cc"
run "a new source, builds" 0 "$a_build"
rm "$tree/allocator/base/b.cc"
run "a source less, builds" 0 "$a_build"
touch "$tree/.bazelrc"
run "changed flags, builds" 0 "$a_build"
touch "$tree/scripts/run" "$tree/README.md"
run "a change elsewhere, builds nothing" 0 ""
rm "$tree/.cache/run/libprairie.so"
run "no library, builds" 0 "$a_build"

touch "$TEST_TMPDIR/broken" "$tree/allocator/base/a.cc"
run "a build that fails, status 125" 125 "dpkg-query,bazel build,"
run "and is tried again" 125 "dpkg-query,bazel build,"
expect_match "and shows why" "no such luck" "$("$tree/scripts/run" true 2>&1 || true)"
rm "$TEST_TMPDIR/broken"
run "repaired, builds" 0 "$a_build"
expect_equal "a build prints nothing on stdout" "out" "$(
  touch "$tree/allocator/base/a.cc"
  "$tree/scripts/run" echo out 2>/dev/null
)"

: >"$calls"
PRAIRIE_LIBRARY=$library "$tree/scripts/run" true
expect_equal "PRAIRIE_LIBRARY, builds nothing" "" "$(cat "$calls")"

finish
