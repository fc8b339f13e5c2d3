// Two threads fork again and again while three others allocate like mad. Every child allocates at
// once, starts a thread, forks a child of its own, and must exit with status 0. A deadlock ends in
// SIGALRM.
#include <sys/wait.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/hostile/hostile.h"

namespace {

std::atomic<bool> stop{false};

void WaitForSuccess(pid_t child) {
  CHECK(child > 0);
  int status = 0;
  while (waitpid(child, &status, 0) != child) CHECK(errno == EINTR);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void Child(uint64_t seed, const Block& inherited) {
  alarm(30);
  Churn(seed, 500);
  inherited.Verify();
  free(inherited.address);
  if (seed % 4 == 0) std::thread([seed] { Churn(seed + 1, 500); }).join();
  if (seed % 8 == 0) {
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      Churn(seed + 2, 500);
      _exit(0);
    }
    WaitForSuccess(grandchild);
  }
  if (seed % 16 == 1) exit(0);  // Destructors and atexit handlers in the child.
  _exit(0);
}

void ForkMany(uint64_t seed) {
  for (uint64_t i = 0; i < 150; ++i) {
    Block inherited;
    inherited.Allocate(64 + i * 50, static_cast<unsigned char>(i));
    const pid_t child = fork();
    if (child == 0) Child(seed + i, inherited);
    inherited.Free();
    WaitForSuccess(child);
  }
}

}  // namespace

int main() {
  std::vector<std::thread> allocators;
  for (uint64_t i = 0; i < 3; ++i) {
    allocators.emplace_back([i] {
      for (uint64_t round = 0; !stop; ++round)
        Churn(round * 3 + i, 1000, i == 0 ? 4 * kMegabyte : 40 * kKilobyte);
    });
  }
  std::thread forker(ForkMany, 1000);
  ForkMany(0);
  forker.join();
  stop = true;
  for (std::thread& thread : allocators) thread.join();
  Churn(7, 10000);
  return 0;
}
