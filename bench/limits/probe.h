// What the probes share: output that allocates nothing, blocks that are kept in a list through
// themselves, threads, and places in a process where everybody waits for everybody.
//
// A probe exits with 0 when it got through, and prints its figures as `name value` lines on stdout;
// with 1, and one line on stderr, when something went wrong that no limit explains.

#ifndef BENCH_LIMITS_PROBE_H_
#define BENCH_LIMITS_PROBE_H_

#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace probe {

inline constexpr size_t kMiB = size_t{1} << 20;

// printf's buffer would itself be allocated: this one is on the stack.
inline void Print(const char* name, uint64_t value) {
  char line[128];
  const int length =
      std::snprintf(line, sizeof line, "%s %llu\n", name, static_cast<unsigned long long>(value));
  if (write(STDOUT_FILENO, line, static_cast<size_t>(length)) != length) _exit(3);
}

[[noreturn]] inline void Fail(const char* what, int error) {
  char line[256];
  const int length = std::snprintf(line, sizeof line, "%s: error %d\n", what, error);
  if (write(STDERR_FILENO, line, static_cast<size_t>(length)) != length) _exit(3);
  _exit(1);
}

// Blocks of one heap, linked through their first word; their second word holds their size, and each
// byte after that the low byte of it, so that Free can tell when somebody else wrote there.
// Blocks over `kCheckedWhole` are checked at both ends only: more would touch memory for nothing.
class BlockList {
 public:
  static constexpr size_t kCheckedWhole = size_t{64} << 10;

  // At least 16 bytes. False, with the list unchanged, when malloc returns NULL.
  bool Add(size_t size) {
    auto* const block = static_cast<Block*>(std::malloc(size));
    if (block == nullptr) {
      if (errno != ENOMEM) Fail("malloc returned NULL without ENOMEM", errno);
      return false;
    }
    block->next = first_;
    block->size = size;
    auto* const bytes = reinterpret_cast<unsigned char*>(block);
    if (size <= kCheckedWhole) {
      std::memset(bytes + sizeof(Block), static_cast<int>(Mark(size)), size - sizeof(Block));
    } else {
      bytes[size - 1] = Mark(size);
    }
    first_ = block;
    payload_ += size;
    return true;
  }

  // Frees the newest block.
  void FreeFirst() {
    Block* const block = first_;
    const size_t size = block->size;
    const auto* const bytes = reinterpret_cast<const unsigned char*>(block);
    const size_t from = size <= kCheckedWhole ? sizeof(Block) : size - 1;
    for (size_t i = from; i < size; i++) {
      if (bytes[i] != Mark(size)) Fail("a block was overwritten", 0);
    }
    first_ = block->next;
    payload_ -= size;
    std::free(block);
  }

  void FreeAll() {
    while (first_ != nullptr) FreeFirst();
  }

  size_t payload() const { return payload_; }

 private:
  struct Block {
    Block* next;
    size_t size;
  };

  static unsigned char Mark(size_t size) { return static_cast<unsigned char>(size * 31 + 7); }

  Block* first_ = nullptr;
  size_t payload_ = 0;
};

// The largest block, in bytes, that malloc has now; to within 64 KiB.
inline size_t LargestBlock(size_t limit) {
  size_t works = 0;
  size_t fails = limit + kMiB;
  while (fails - works > (size_t{64} << 10)) {
    const size_t middle = works + (fails - works) / 2;
    auto* const block = static_cast<volatile char*>(std::malloc(middle));
    if (block != nullptr) {
      block[0] = 1;
      block[middle - 1] = 1;
      std::free(const_cast<char*>(block));
      works = middle;
    } else {
      fails = middle;
    }
  }
  return works;
}

// 0, or the error of pthread_create.
inline int StartThread(pthread_t* thread, size_t stack_bytes, void* (*body)(void*),
                       void* argument) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  int error = pthread_attr_setstacksize(&attributes, stack_bytes);
  if (error == 0) error = pthread_create(thread, &attributes, body, argument);
  pthread_attr_destroy(&attributes);
  return error;
}

// The positive number in argument `index`.
inline size_t Argument(int argc, char** argv, int index) {
  if (index >= argc) Fail("an argument is missing", index);
  char* end = nullptr;
  const unsigned long long value = std::strtoull(argv[index], &end, 10);
  if (value == 0 || *end != '\0') Fail("not a positive number: an argument", index);
  return value;
}

}  // namespace probe

#endif  // BENCH_LIMITS_PROBE_H_
