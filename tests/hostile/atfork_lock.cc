// libatfork_lock.so: a library that takes a lock of its own for the time of a fork, as stdio and
// name services do. Preloaded behind libprairie.so, so that it is initialized before an ordinary
// library.
#include <pthread.h>

extern "C" {

__attribute__((visibility("default"))) pthread_mutex_t library_lock = PTHREAD_MUTEX_INITIALIZER;

}  // extern "C"

namespace {

void Lock() { pthread_mutex_lock(&library_lock); }
void Unlock() { pthread_mutex_unlock(&library_lock); }

__attribute__((constructor)) void Constructor() { pthread_atfork(Lock, Unlock, Unlock); }

}  // namespace
