// The C++ runtime's part in running out of memory. Two implementations: libprairie.so looks the
// runtime up (bad_alloc.cc), libprairie.a is linked with it (bad_alloc_linked.cc).
#ifndef PRAIRIE_ALLOCATOR_API_BAD_ALLOC_H_
#define PRAIRIE_ALLOCATOR_API_BAD_ALLOC_H_

namespace prairie {

// `caller`, below: where operator new was called from. A plugin may have a C++ runtime of its own
// inside, linked statically, that nobody else sees.

// What std::get_new_handler returns; null without a C++ runtime. It may throw when called.
using NewHandler = void (*)();
NewHandler CurrentNewHandler(const void* caller);

// The definition of `symbol` in the C++ runtime that some library of the process has brought, even
// by dlopen and out of sight of others. Null if there is none, or if the runtime is linked.
void* FindInCxxRuntime(const char* symbol, const void* caller);

// Throws std::bad_alloc. Reports and aborts if the process has no C++ runtime, which then nobody
// could catch.
[[noreturn]] void ThrowBadAlloc(const void* caller);

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_API_BAD_ALLOC_H_
