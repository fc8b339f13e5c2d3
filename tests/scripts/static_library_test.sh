#!/usr/bin/env bash
# libprairie.a as users get it: it links into any program, C or C++, static or not, and is its malloc.
set -euo pipefail
source tests/scripts/cases.sh

archive=$PWD/$1
width=("${@:2}") # -m32 for a 32-bit archive
readonly archive width
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

# Nothing else in it throws or catches std::bad_alloc, or knows of new-handlers.
cat >out_of_memory.cc <<'EOF'
#include <cstdint>
#include <cstdio>
#include <new>

namespace {

constexpr std::size_t kTooMuch = SIZE_MAX / 4 * 3;
int calls = 0;

struct FromHandler {};

void CountAndGiveUp() {
  if (++calls == 3) std::set_new_handler(nullptr);
}

void Throw() { throw FromHandler(); }

template <typename Exception, typename Request>
bool Throws(Request request) {
  try {
    request();
  } catch (const Exception&) {
    return true;
  }
  return false;
}

int Failures() {
  void* volatile block;
  const auto plain = [&] { block = ::operator new(kTooMuch); };
  const auto array = [&] { block = ::operator new[](kTooMuch); };
  const auto aligned = [&] { block = ::operator new(kTooMuch, std::align_val_t{64}); };
  const auto nothrow = [&] { return ::operator new(kTooMuch, std::nothrow) == nullptr; };
  if (!Throws<std::bad_alloc>(plain) || !Throws<std::bad_alloc>(array)) return 1;
  if (!Throws<std::bad_alloc>(aligned)) return 2;
  if (!nothrow()) return 3;
  std::set_new_handler(CountAndGiveUp);
  if (!Throws<std::bad_alloc>(plain) || calls != 3) return 4;
  calls = 0;
  std::set_new_handler(CountAndGiveUp);
  if (!nothrow() || calls != 3) return 5;
  std::set_new_handler(Throw);
  if (!Throws<FromHandler>(plain)) return 6;
  if (!nothrow()) return 7;
  return 0;
}

}  // namespace

int main() {
  std::printf("%d\n", Failures());
}
EOF
printf '#include <stdlib.h>\nint main(void) { char* p = calloc(3, 5); free(p); return p == NULL; }\n' >program.c

# links NAME WANTED COMPILER FLAGS...: builds a program with the archive; it runs, and Prairie is its malloc.
links() {
  local name=$1 wanted=$2 output status=0
  shift 2
  if ! output=$("$@" "${width[@]}" -o program "$archive" 2>&1); then
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
for flags in "" -no-pie -static -static-pie "-static-libstdc++ -static-libgcc"; do
  # shellcheck disable=SC2086
  links "out of memory in a C++ program linked with '$flags'" 0 g++ -std=c++20 -O1 $flags out_of_memory.cc
done
expect_equal "libprairie.a is one object for C and one for C++" 2 "$(ar t "$archive" | wc -l)"

finish
