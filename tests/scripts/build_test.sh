#!/usr/bin/env bash
# scripts/build fills dist/ with all that it names, and leaves the old one when the build fails.
# Runs in a copy of the commands and headers; stand-ins for bazel and dpkg-query "build" one file for each target.
set -euo pipefail
source tests/scripts/cases.sh

readonly tree="${TEST_TMPDIR:?}/tree"

mkdir -p "$tree/allocator" "$tree/runtime" "$TEST_TMPDIR/bin"
cp -rL "$root/scripts" "$tree/scripts"
cp -rL "$root/allocator/include" "$tree/allocator/include"
cp -rL "$root/runtime/include" "$tree/runtime/include"
touch "$tree/WORKSPACE"

cat >"$TEST_TMPDIR/bin/bazel" <<EOF
#!/bin/sh
if [ -e "$TEST_TMPDIR/broken" ]; then echo "no such luck" >&2; exit 1; fi
for argument; do
  case \$1,\$argument in
    build,//*)
      path=$TEST_TMPDIR/built/\$(echo "\$argument" | sed 's|^//||; s|:|/|')
      mkdir -p "\${path%/*}"
      echo "\$argument" >"\$path"
      ;;
    info,bazel-bin) echo "$TEST_TMPDIR/built" ;;
  esac
done
EOF
cat >"$TEST_TMPDIR/bin/dpkg-query" <<'EOF'
#!/bin/sh
shift 2
for name; do echo "$name installed"; done
EOF
chmod +x "$TEST_TMPDIR"/bin/*
export PATH="$TEST_TMPDIR/bin:$PATH"

# build NAME WANTED_STATUS WANTED_FILES ARGUMENTS...: what is in dist/ afterwards, but the headers.
build() {
  local name=$1 wanted=$2 files=$3
  shift 3
  rm -rf "$TEST_TMPDIR/built"
  expect_equal "$name: status" "$wanted" "$(status_of "$tree/scripts/build" "$@")"
  expect_equal "$name: files" "$files" "$(
    cd "$tree/dist" && find bin lib -type f | sort | tr '\n' ' '
  )"
}

headers() { (cd "$1" && find . -type f | sort | tr '\n' ' '); }

readonly everything="bin/prairie-map bin/prairie-run lib/libprairie.a lib/libprairie.so lib/libprairie_mapped.a "

build "a build" 0 "$everything"
expect_equal "prairie-map is what was built" "//runtime/command:prairie-map" "$(cat "$tree/dist/bin/prairie-map")"
expect_equal "all headers are there" \
  "$( (headers "$root/allocator/include/prairie" && headers "$root/runtime/include/prairie") | tr ' ' '\n' | sort | tr '\n' ' ')" \
  "$(headers "$tree/dist/include/prairie" | tr ' ' '\n' | sort | tr '\n' ' ')"
touch "$TEST_TMPDIR/broken"
build "a build that fails leaves the old dist" 1 "$everything"
rm "$TEST_TMPDIR/broken"
build "32 bits have no mapped files" 0 "bin/prairie-run lib/libprairie.a lib/libprairie.so " --config=i386
expect_equal "nor their headers" 1 "$(status_of test -e "$tree/dist/include/prairie/mapping.hpp")"

finish
