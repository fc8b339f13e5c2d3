// libprairie.so must not pull libstdc++ into C programs (2 MB of address space and 40 mappings'
// worth of start-up), so the two functions that operator new needs are looked up: weakly at load
// time, and, if the runtime came later by dlopen, in the runtime itself.
#include "allocator/api/bad_alloc.h"

#include <dlfcn.h>

#include <initializer_list>

#include "allocator/base/report.h"

extern "C" {
// std::get_new_handler(), in libstdc++ and libc++abi.
void (*_ZSt15get_new_handlerv())() __attribute__((weak));
// std::__throw_bad_alloc(), in libstdc++.
void _ZSt17__throw_bad_allocv() __attribute__((weak));
}

namespace prairie {

void* FindInCxxRuntime(const char* symbol) {
  // NOLOAD: only if somebody has loaded it already. The handle is not closed, so that what is
  // found stays.
  for (const char* library : {"libstdc++.so.6", "libc++.so.1"}) {
    void* const handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
    if (handle == nullptr) continue;
    if (void* const found = dlsym(handle, symbol)) return found;
  }
  return nullptr;
}

NewHandler CurrentNewHandler() {
  if (&_ZSt15get_new_handlerv != nullptr) return _ZSt15get_new_handlerv();
  void* const found = FindInCxxRuntime("_ZSt15get_new_handlerv");
  return found == nullptr ? nullptr : reinterpret_cast<NewHandler (*)()>(found)();
}

void ThrowBadAlloc() {
  if (&_ZSt17__throw_bad_allocv != nullptr) _ZSt17__throw_bad_allocv();
  void* found = FindInCxxRuntime("_ZSt17__throw_bad_allocv");
  // libc++'s name for it.
  if (found == nullptr) found = FindInCxxRuntime("_ZNSt3__117__throw_bad_allocEv");
  if (found != nullptr) reinterpret_cast<void (*)()>(found)();
  Report()
      .Text("prairie: operator new: out of memory, and no C++ runtime to throw std::bad_alloc")
      .EmitAndAbort();
}

}  // namespace prairie
