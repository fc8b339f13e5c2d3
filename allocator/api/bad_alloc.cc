// The part of the C++ runtime in libprairie.so, which must not pull libstdc++ into C programs (2 MB
// of address space and 40 mappings' worth of start-up): the two functions that operator new needs
// are looked up, weakly at load time, and, if the runtime came later by dlopen, in the runtime
// itself, or in the plugin that calls. libprairie.a has bad_alloc_linked.cc instead.
#include "allocator/api/bad_alloc.h"

#include <dlfcn.h>

#include <atomic>

#include "allocator/base/report.h"

extern "C" {
// std::get_new_handler(), in libstdc++ and libc++abi.
void (*_ZSt15get_new_handlerv())() __attribute__((weak));
// std::__throw_bad_alloc(), in libstdc++.
void _ZSt17__throw_bad_allocv() __attribute__((weak));
}

namespace prairie {
namespace {

// A C++ runtime, once it has been seen. One reference to it is kept for ever, so that what is found
// in it stays. Thread safety: any thread.
class Runtime {
 public:
  explicit constexpr Runtime(const char* library) : library_(library) {}

  void* Find(const char* symbol) {
    void* const handle = Handle();
    return handle == nullptr ? nullptr : dlsym(handle, symbol);
  }

 private:
  void* Handle() {
    void* handle = handle_.load(std::memory_order_acquire);
    if (handle != nullptr) return handle;
    // NOLOAD: only if somebody has loaded it already. If not, it may still come.
    void* const opened = dlopen(library_, RTLD_LAZY | RTLD_NOLOAD);
    if (opened == nullptr) return nullptr;
    if (handle_.compare_exchange_strong(handle, opened, std::memory_order_acq_rel)) return opened;
    dlclose(opened);  // Another thread was faster.
    return handle;
  }

  const char* const library_;
  std::atomic<void*> handle_{nullptr};
};

constinit Runtime runtimes[] = {Runtime("libstdc++.so.6"), Runtime("libc++.so.1")};

void* FindInLibraryOf(const void* caller, const char* symbol) {
  Dl_info library;
  if (dladdr(caller, &library) == 0 || library.dli_fname == nullptr) return nullptr;
  void* const handle = dlopen(library.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  if (handle == nullptr) return nullptr;
  void* found = dlsym(handle, symbol);
  dlclose(handle);  // It stays: the caller is in it.
  // It may be linked with this library, and have our operator new from here: no runtime's.
  Dl_info own, theirs;
  if (found != nullptr && dladdr(found, &theirs) != 0 &&
      dladdr(reinterpret_cast<void*>(&ThrowBadAlloc), &own) != 0 &&
      theirs.dli_fbase == own.dli_fbase) {
    found = nullptr;
  }
  return found;
}

}  // namespace

void* FindInCxxRuntime(const char* symbol, const void* caller) {
  for (Runtime& runtime : runtimes) {
    if (void* const found = runtime.Find(symbol)) return found;
  }
  return FindInLibraryOf(caller, symbol);
}

NewHandler CurrentNewHandler(const void* caller) {
  if (&_ZSt15get_new_handlerv != nullptr) return _ZSt15get_new_handlerv();
  void* const found = FindInCxxRuntime("_ZSt15get_new_handlerv", caller);
  return found == nullptr ? nullptr : reinterpret_cast<NewHandler (*)()>(found)();
}

void ThrowBadAlloc(const void* caller) {
  if (&_ZSt17__throw_bad_allocv != nullptr) _ZSt17__throw_bad_allocv();
  void* found = FindInCxxRuntime("_ZSt17__throw_bad_allocv", caller);
  // libc++'s name for it.
  if (found == nullptr) found = FindInCxxRuntime("_ZNSt3__117__throw_bad_allocEv", caller);
  if (found != nullptr) reinterpret_cast<void (*)()>(found)();
  Report()
      .Text("prairie: operator new: out of memory, and no C++ runtime to throw std::bad_alloc")
      .EmitAndAbort();
}

}  // namespace prairie
