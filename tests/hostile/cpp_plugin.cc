// libcpp_plugin.so: C++ with exceptions, for c_host. Returns the step that failed, or 0.
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <vector>

namespace {

volatile size_t impossible = SIZE_MAX / 16 * 15;
int calls = 0;

void SetHandlerThatThrows() {
  calls = 0;
  std::set_new_handler([] {
    if (++calls == 3) throw std::bad_alloc();
  });
}

int Throwing() {
  std::vector<std::string> texts(1000, std::string(100, 'x'));
  if (texts[999].size() != 100) return 1;
  try {
    ::operator delete(::operator new(impossible));
    return 2;
  } catch (const std::bad_alloc&) {
  }
  SetHandlerThatThrows();
  try {
    ::operator delete(::operator new(impossible));
    return 3;
  } catch (const std::bad_alloc&) {
  }
  if (calls != 3) return 4;
  std::set_new_handler(nullptr);
  return 0;
}

int Nothrow() {
  if (::operator new(impossible, std::nothrow) != nullptr) return 5;
  SetHandlerThatThrows();
  if (::operator new(impossible, std::nothrow) != nullptr) return 6;
  if (calls != 3) return 7;
  std::set_new_handler(nullptr);
  return 0;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int RunPlugin(const char* what) {
  return strcmp(what, "throwing") == 0 ? Throwing() : Nothrow();
}
