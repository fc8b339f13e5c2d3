// What the programs of this folder share. Each makes one mistake; before it, the program prints the
// addresses that the report must name, one "name 0x..." a line, and run_misuse.py compares. C and
// C++, nothing here allocates.
#ifndef TESTS_MISUSE_MISUSE_H_
#define TESTS_MISUSE_MISUSE_H_

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Prints "name 0x..." on stdout, without a buffer that an abort would lose.
static inline void Show(const char* name, const volatile void* pointer) {
  char line[80];
  int length = snprintf(line, sizeof(line), "%s 0x%lx\n", name, (unsigned long)(uintptr_t)pointer);
  if (write(STDOUT_FILENO, line, (size_t)length) != length) _exit(3);
}

// Prints one word on stdout.
static inline void Say(const char* word) {
  if (write(STDOUT_FILENO, word, strlen(word)) < 0 || write(STDOUT_FILENO, "\n", 1) < 0) _exit(3);
}

// A number as a pointer, and a pointer moved by some bytes, that no compiler sees through.
static inline void* Address(uintptr_t number) {
  void* volatile hidden = (void*)number;
  return hidden;
}
static inline void* Moved(void* pointer, intptr_t bytes) {
  return Address((uintptr_t)pointer + (uintptr_t)bytes);
}

// malloc that ends the program with status 2 when it fails: then the case did not take place.
static inline void* Get(size_t size) {
  void* pointer = malloc(size);
  if (pointer == NULL) _exit(2);
  return pointer;
}

// After on_error=report: does the heap still work? Blocks keep their contents and do not overlap.
static inline void CheckHeapStillWorks(void) {
  enum { kBlocks = 4000 };
  static unsigned char* blocks[kBlocks];
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < kBlocks; ++i) {
      blocks[i] = (unsigned char*)Get((size_t)(16 + i % 700));
      memset(blocks[i], i & 255, (size_t)(16 + i % 700));
    }
    for (int i = 0; i < kBlocks; ++i) {
      for (int j = 0; j < 16 + i % 700; ++j) {
        if (blocks[i][j] != (i & 255)) _exit(4);
      }
      free(blocks[i]);
    }
  }
  Say("works");
}

#endif  // TESTS_MISUSE_MISUSE_H_
