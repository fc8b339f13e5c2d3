// The part of the C++ runtime in libprairie.a. Whoever uses operator new links the runtime anyway,
// so it is referred to plainly: a weak reference would not bring its members into a static program.
#include <new>

#include "allocator/api/bad_alloc.h"

extern "C" {
int __gxx_personality_v0(...);
void* __cxa_begin_catch(void*);
void __cxa_end_catch();
}

namespace prairie {
namespace {

using Function = void (*)();

// nothrow_new.cc catches, with weak references.
[[gnu::used]] const Function kForCatch[] = {
    reinterpret_cast<Function>(&__gxx_personality_v0),
    reinterpret_cast<Function>(&__cxa_begin_catch),
    reinterpret_cast<Function>(&__cxa_end_catch),
};

}  // namespace

NewHandler CurrentNewHandler(const void*) { return std::get_new_handler(); }

void ThrowBadAlloc(const void*) { throw std::bad_alloc(); }

// There is nothing that is not linked.
void* FindInCxxRuntime(const char*, const void*) { return nullptr; }

}  // namespace prairie
