// Started without a preload: loads libprairie.so at run time, privately, beside the C library's
// malloc, and uses its C API from threads that are older and younger than the library. Argument:
// the library.
#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>

#include "tests/hostile/hostile.h"

namespace {

void* (*prairie_malloc)(size_t) = nullptr;
void (*prairie_free)(void*) = nullptr;
pthread_barrier_t loaded;
pthread_barrier_t closed;

void UseBothHeaps() {
  void* blocks[500];
  for (int i = 0; i < 500; ++i) {
    const auto size = static_cast<size_t>(1 + i * i);
    blocks[i] = prairie_malloc(size);
    CHECK(blocks[i] != nullptr);
    CHECK(InArena(blocks[i]));
    memset(blocks[i], i, size);
    void* other = malloc(size);
    CHECK(other != nullptr && !InArena(other));
    memset(other, 1, size);
    free(other);
  }
  for (int i = 0; i < 500; ++i) {
    CHECK(static_cast<unsigned char*>(blocks[i])[i * i] == static_cast<unsigned char>(i));
    prairie_free(blocks[i]);
  }
}

void* Run(void* is_older) {
  if (is_older != nullptr) pthread_barrier_wait(&loaded);
  UseBothHeaps();
  if (is_older != nullptr) pthread_barrier_wait(&closed);  // The thread exits after dlclose.
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  CHECK(argc == 2);
  const char* const preloads = getenv("LD_PRELOAD");
  CHECK(preloads == nullptr || strstr(preloads, "libprairie") == nullptr);
  pthread_barrier_init(&loaded, nullptr, 2);
  pthread_barrier_init(&closed, nullptr, 2);
  pthread_t older;
  CHECK(pthread_create(&older, nullptr, Run, argv) == 0);
  void* early = malloc(1000);

  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    dprintf(2, "%s\n", dlerror());
    return 1;
  }
  prairie_malloc = reinterpret_cast<void* (*)(size_t)>(dlsym(library, "prairie_malloc"));
  prairie_free = reinterpret_cast<void (*)(void*)>(dlsym(library, "prairie_free"));
  CHECK(prairie_malloc != nullptr && prairie_free != nullptr);
  free(early);
  UseBothHeaps();
  pthread_barrier_wait(&loaded);
  for (int i = 0; i < 100; ++i) {
    pthread_t younger;
    CHECK(pthread_create(&younger, nullptr, Run, nullptr) == 0);
    CHECK(pthread_join(younger, nullptr) == 0);
  }
  const pid_t child = fork();
  if (child == 0) {
    UseBothHeaps();
    _exit(0);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  void* kept = prairie_malloc(100);
  memset(kept, 1, 100);
  dlclose(library);  // The library cannot go as long as there may be blocks of it.
  pthread_barrier_wait(&closed);
  CHECK(pthread_join(older, nullptr) == 0);
  CHECK(static_cast<char*>(kept)[99] == 1);
  return 0;
}
