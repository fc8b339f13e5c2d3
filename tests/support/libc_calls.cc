// See libc_calls.h. Replaces malloc by functions that count and hand over to glibc's, which it also
// exports under names of its own.
#include "tests/support/libc_calls.h"

#include "tests/support/sanitizers.h"

namespace prairie {
namespace {

thread_local size_t allocations = 0;

}  // namespace

bool CanCountLibcAllocations() { return !kAddressSanitizer && !kThreadSanitizer; }

size_t LibcAllocations() { return allocations; }

}  // namespace prairie

#if !PRAIRIE_TESTS_ADDRESS_SANITIZER && !PRAIRIE_TESTS_THREAD_SANITIZER
extern "C" {

void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* pointer, size_t size);
void __libc_free(void* pointer);

void* malloc(size_t size) {
  ++prairie::allocations;
  return __libc_malloc(size);
}

void* calloc(size_t count, size_t size) {
  ++prairie::allocations;
  return __libc_calloc(count, size);
}

void* realloc(void* pointer, size_t size) {
  ++prairie::allocations;
  return __libc_realloc(pointer, size);
}

void free(void* pointer) { __libc_free(pointer); }

}  // extern "C"
#endif
