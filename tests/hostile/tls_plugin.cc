// libtls_plugin.so: thread-local storage of both kinds, big and with destructors, for dlopen_loop.
#include <string>
#include <vector>

namespace {

thread_local char big[20000];
thread_local std::vector<std::string> texts;

}  // namespace

extern "C" __attribute__((visibility("default"))) size_t UseThreadLocals(size_t number) {
  big[number] = 1;
  texts.emplace_back(number, 'x');
  return texts.back().size() + (big[number] == 1 ? 0 : 1);
}
