// Forks while one thread allocates under the lock of a stream and another one waits for that lock
// with the list of all streams locked: getline grows its buffer, fflush(NULL) walks the list. fork
// takes the list's lock after the handlers of others; if malloc's locks come first, all wait for
// each other.
#include <sys/wait.h>

#include <atomic>
#include <thread>

#include "tests/hostile/hostile.h"

int main() {
  constexpr size_t kLine = 300000;
  FILE* const file = tmpfile();
  CHECK(file != nullptr);
  for (int line = 0; line < 4; ++line) {
    for (size_t i = 0; i < kLine; ++i) CHECK(putc('x', file) == 'x');
    CHECK(putc('\n', file) == '\n');
  }
  CHECK(fflush(file) == 0);
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop) {
      rewind(file);
      char* line = nullptr;
      size_t size = 0;
      CHECK(getline(&line, &size, file) > 0);
      free(line);
    }
  });
  std::thread flusher([&] {
    while (!stop) fflush(nullptr);
  });
  for (int i = 0; i < 150; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      // Streams and malloc work here.
      fflush(nullptr);
      free(malloc(kLine));
      _exit(0);
    }
    CHECK(child > 0);
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  stop = true;
  reader.join();
  flusher.join();
  return 0;
}
