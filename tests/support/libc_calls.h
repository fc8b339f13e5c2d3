// Counts this thread's calls of the C library's malloc: what the allocator must never make.
#ifndef PRAIRIE_TESTS_SUPPORT_LIBC_CALLS_H_
#define PRAIRIE_TESTS_SUPPORT_LIBC_CALLS_H_

#include <cstddef>

namespace prairie {

// Whether the calls can be counted here; not where a sanitizer has put its own malloc in place.
bool CanCountLibcAllocations();

// Calls of malloc, calloc and realloc by this thread so far, those of operator new included.
size_t LibcAllocations();

}  // namespace prairie

#endif  // PRAIRIE_TESTS_SUPPORT_LIBC_CALLS_H_
