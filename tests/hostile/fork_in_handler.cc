// One thread, whose signal handler forks while malloc and free may hold any lock: POSIX had fork
// among the functions that a handler may call until 2024. Every second child comes back from the
// handler, goes on with what was interrupted, and allocates.
#include <sys/time.h>
#include <sys/wait.h>

#include <csignal>

#include "tests/hostile/hostile.h"

namespace {

constexpr int kForks = 300;
constexpr long kMicroseconds = 2000;

volatile int forks = 0;
volatile bool is_child = false;

void Fork(int) {
  const int saved_errno = errno;
  const pid_t child = fork();
  if (child == 0) {
    const itimerval never = {};
    CHECK(setitimer(ITIMER_REAL, &never, nullptr) == 0);
    if (forks % 2 == 0) _exit(0);
    is_child = true;
    errno = saved_errno;
    return;
  }
  CHECK(child > 0);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  forks = forks + 1;
  errno = saved_errno;
}

}  // namespace

int main() {
  struct sigaction action = {};
  action.sa_handler = Fork;
  action.sa_flags = SA_RESTART;
  CHECK(sigaction(SIGALRM, &action, nullptr) == 0);
  const itimerval often = {{0, kMicroseconds}, {0, kMicroseconds}};
  CHECK(setitimer(ITIMER_REAL, &often, nullptr) == 0);
  constexpr size_t kBlocks = 512;
  static void* blocks[kBlocks];
  Random random(1);
  for (int left = 5000; forks < kForks && left > 0;) {
    void*& block = blocks[random.Below(kBlocks)];
    free(block);
    // Large ones go to the page heap, small ones through all levels.
    const size_t size = random.Below(4) == 0 ? 300000 + random.Below(600000) : random.Below(9000);
    block = malloc(size);
    CHECK(block != nullptr);
    memset(block, 1, size < 64 ? size : 64);
    if (is_child) --left;
  }
  if (is_child) _exit(0);
  return 0;
}
