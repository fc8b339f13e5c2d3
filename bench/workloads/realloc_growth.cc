// realloc_growth: vectors and strings that grow.
//
// Stands for programs that build their data by appending. One round grows, and frees, four kinds of
// things: one buffer to 8 MiB by an eighth each time; 64 arrays in turn, by doubling, from 16 bytes
// to 32 KiB; 2000 strings by 16 bytes at a time to at most 512 bytes, interleaved, which are then
// shrunk to fit; and a vector of 100000 strings of C++. What realloc must keep is checked.

#include <cstring>
#include <string>
#include <vector>

#include "bench/workloads/workload.h"

namespace {

using workload::Random;
using workload::Totals;

constexpr size_t kBuffer = size_t{8} << 20;
constexpr unsigned kArrays = 64;
constexpr size_t kArrayBytes = size_t{32} << 10;
constexpr unsigned kStrings = 2000;
constexpr unsigned kVector = 100000;

// Bytes of which the first `filled` are all `mark`.
struct Growing {
  unsigned char* bytes = nullptr;
  size_t filled = 0;
  unsigned char mark = 0;

  void GrowTo(size_t size, Totals* totals) {
    bytes = static_cast<unsigned char*>(workload::Reallocate(bytes, size));
    if (size > filled) std::memset(bytes + filled, mark, size - filled);
    filled = size;
    totals->operations++;
  }
  void Free(Totals* totals) {
    if (bytes[0] != mark || bytes[filled / 2] != mark || bytes[filled - 1] != mark) {
      workload::Fail("realloc_growth: bytes were lost");
    }
    totals->checksum += filled * (mark + 1u);
    std::free(bytes);
    bytes = nullptr;
    filled = 0;
  }
};

void GrowBuffer(Random* random, Totals* totals) {
  Growing buffer = {.mark = static_cast<unsigned char>(random->Next())};
  for (size_t size = 64 + random->Below(64); size < kBuffer; size += size / 8) {
    buffer.GrowTo(size, totals);
  }
  buffer.Free(totals);
}

void GrowArrays(Random* random, Totals* totals) {
  Growing arrays[kArrays];
  for (Growing& array : arrays) array.mark = static_cast<unsigned char>(random->Next());
  for (size_t size = 16; size <= kArrayBytes; size *= 2) {
    for (Growing& array : arrays) array.GrowTo(size, totals);
  }
  for (Growing& array : arrays) array.Free(totals);
}

void GrowStrings(Random* random, Totals* totals) {
  Growing strings[kStrings];
  for (Growing& string : strings) string.mark = static_cast<unsigned char>(random->Next());
  for (size_t size = 16; size <= 512; size += 16) {
    for (Growing& string : strings) {
      if (random->Below(16) != 0) string.GrowTo(string.filled + 16, totals);
    }
  }
  for (Growing& string : strings) {
    if (string.filled > 32) string.GrowTo(string.filled - random->Below(32), totals);
  }
  for (Growing& string : strings) {
    if (string.filled > 0) string.Free(totals);
  }
}

void GrowVector(Random* random, Totals* totals) {
  std::vector<std::string> vector;
  for (unsigned i = 0; i < kVector; i++) {
    vector.emplace_back(random->Below(64), static_cast<char>('a' + i % 26));
  }
  for (const std::string& string : vector) totals->checksum += string.size();
  totals->operations += kVector;
}

Totals Run(const workload::Arguments& arguments) {
  return workload::OnThreads(arguments.threads, [&](unsigned index) {
    Totals totals;
    for (workload::Rounds rounds(arguments, index, arguments.threads); rounds.Next();) {
      Random random = rounds.MakeRandom();
      GrowBuffer(&random, &totals);
      GrowArrays(&random, &totals);
      GrowStrings(&random, &totals);
      GrowVector(&random, &totals);
    }
    return totals;
  });
}

}  // namespace

int main(int argc, char** argv) {
  return workload::Main(argc, argv,
                        {.about = "Vectors and strings that grow.", .threads = 1, .work = 80}, Run);
}
