#!/usr/bin/env bash
# libprairie_mapped.a as users get it: it links into C and C++ programs, with libprairie.a, in any order, and without.
set -euo pipefail
source tests/scripts/cases.sh

mapped=$PWD/$1
allocator=$PWD/$2
readonly mapped allocator
cd "${TEST_TMPDIR:?}"

if LC_ALL=C nm "$mapped" | grep -qE ' U __(a|t|ub)san_'; then
  echo "SKIPPED: libprairie_mapped.a: a sanitizer's build links only with that sanitizer"
  exit 0
fi

mkdir -p include/prairie
cp "$root"/allocator/include/prairie/*.h* "$root"/runtime/include/prairie/*.h* include/prairie

cat >program.cc <<'EOF'
#include <unistd.h>

#include <cstdio>
#include <string>

#include "prairie/mapped_file.hpp"
#include "prairie/prairie.h"

#pragma weak prairie_base_of

int main(int, char** values) {
  prairie::Mapping file = *prairie::Mapping::map(values[1]);
  if (file.prefault().wait()) return 1;
  std::string line(6, ' ');
  if (file.copy_from(0, std::as_writable_bytes(std::span(line)))) return 2;
  const bool in_arena = prairie_base_of != nullptr && prairie_base_of(file.data() + 3) == file.data();
  if (truncate(values[1], 0) != 0) return 3;
  const bool told = file.copy_from(0, std::as_writable_bytes(std::span(line))) == prairie::MapError::kTruncated;
  std::printf("%s %s %s\n", line.c_str(), told ? "truncated" : "whole", in_arena ? "arena" : "elsewhere");
}
EOF
cat >program.c <<'EOF'
#include <stdio.h>

#include "prairie/mapped_file.h"

int main(int count, char** values) {
  prairie_mapping* file;
  char line[7] = "";
  if (count != 2 || prairie_map_open(values[1], PRAIRIE_MAP_READ, 0, -1, &file) != 0) return 1;
  if (prairie_map_copy_from(file, 0, line, 6) != 0) return 2;
  if (prairie_map_copy_from(file, 1, line, 6) != PRAIRIE_MAP_OUT_OF_RANGE) return 3;
  puts(line);
  return prairie_map_close(file);
}
EOF

# links NAME WANTED COMPILER FLAGS...: builds a program; it runs, and prints WANTED.
links() {
  local name=$1 wanted=$2 output status=0
  shift 2
  if ! output=$("$@" -Iinclude -o program 2>&1); then
    fail "$name" "does not link: ${output//$'\n'/ }"
    return
  fi
  printf 'a file' >data
  output=$(./program data 2>stderr) || status=$?
  expect_equal "$name" "0 $wanted" "$status $output$(head -n 3 stderr)"
}

readonly cxx=(g++ -std=c++20 -Wall -Wextra -Werror program.cc)
arena=arena
# Under a limit of addresses nothing is reserved, and mappings lie where the kernel likes.
[[ $(ulimit -v) == unlimited ]] || arena=elsewhere
links "a C++ program without the allocator" "a file truncated elsewhere" "${cxx[@]}" "$mapped"
links "a C++ program, mapped files first" "a file truncated $arena" "${cxx[@]}" "$mapped" "$allocator"
links "a C++ program, the allocator first" "a file truncated $arena" "${cxx[@]}" "$allocator" "$mapped"
links "a static C++ program" "a file truncated $arena" "${cxx[@]}" -static "$mapped" "$allocator"
links "a C program without the allocator" "a file" gcc program.c "$mapped" -lstdc++
links "a C program with the allocator" "a file" gcc program.c "$mapped" "$allocator" -lstdc++
# Each header alone, but that for Asio, which may not be there.
for header in include/prairie/*.hpp; do
  [[ $header != */prefault_asio.hpp ]] || continue
  echo "#include \"prairie/${header##*/}\"" >header.cc
  expect_equal "${header##*/} alone" 0 "$(status_of g++ -std=c++20 -Wall -Wextra -Werror -Iinclude -fsyntax-only header.cc)"
done

finish
