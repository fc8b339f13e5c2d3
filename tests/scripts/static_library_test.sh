#!/usr/bin/env bash
# libprairie.a as users get it: one file that links into any program, C or C++, static or not, and is its malloc.
set -euo pipefail
source tests/scripts/cases.sh

archive=$PWD/$1
readonly archive
cd "${TEST_TMPDIR:?}"

if LC_ALL=C nm "$archive" | grep -qE ' U __(a|t|ub)san_'; then
  echo "SKIPPED: libprairie.a: a sanitizer's build links only with that sanitizer"
  exit 0
fi

cat >program.cc <<'EOF'
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#include <vector>

int main() {
  std::map<std::string, std::vector<int>> map;
  for (int i = 0; i < 1000; ++i) map[std::to_string(i)].assign(i, i);
  std::thread([&] { map.erase(map.begin(), map.find("500")); }).join();
  free(aligned_alloc(4096, 8192));
  std::printf("%zu\n", map.size());
}
EOF
printf '#include <stdlib.h>\nint main(void) { char* p = calloc(3, 5); free(p); return p == NULL; }\n' >program.c

# links NAME WANTED COMPILER FLAGS...: builds a program with the archive; it runs, and Prairie is its malloc.
links() {
  local name=$1 wanted=$2 output status=0
  shift 2
  if ! output=$("$@" -o program "$archive" 2>&1); then
    fail "$name" "does not link: ${output//$'\n'/ }"
    return
  fi
  output=$(PRAIRIE_OPTIONS=stats=1 ./program 2>stderr) || status=$?
  if [[ $status == 0 && $output == "$wanted" ]] && grep -q '^prairie: ' stderr; then
    pass "$name"
  else
    fail "$name" "status $status, stdout '$output', stderr '$(head -n 3 stderr | tr '\n' ' ')'"
  fi
}

links "a C++ program with libprairie.a" 553 g++ -std=c++20 program.cc
links "a position-dependent C++ program" 553 g++ -std=c++20 -no-pie program.cc
links "a static C++ program" 553 g++ -std=c++20 -static program.cc
links "a static-pie C++ program" 553 g++ -std=c++20 -static-pie program.cc
links "a C program, without the C++ library" "" gcc program.c
links "a static C program" "" gcc -static program.c
expect_equal "libprairie.a is one archive of one object" 1 "$(ar t "$archive" | wc -l)"

finish
