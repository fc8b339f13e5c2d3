// A child of vfork sets RLIMIT_AS for the program that it is about to become: that is no reason for
// its parent, whose memory it shares, to give its reservation back. A child of fork has its own
// heap.
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/hostile/hostile.h"

namespace {

// Address space of the process in pages.
size_t AddressSpace() {
  FILE* const file = fopen("/proc/self/statm", "r");
  CHECK(file != nullptr);
  size_t pages = 0;
  CHECK(fscanf(file, "%zu", &pages) == 1);
  CHECK(fclose(file) == 0);
  return pages;
}

bool SetLimit(rlim_t bytes) {
  rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) != 0) return false;
  limit.rlim_cur = bytes;
  return setrlimit(RLIMIT_AS, &limit) == 0;
}

void Wait(pid_t child) {
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace

int main() {
  free(malloc(100));
  const size_t before = AddressSpace();
  const pid_t child = vfork();
  if (child == 0) _exit(SetLimit(1024 * kMegabyte) ? 0 : 1);
  CHECK(child > 0);
  Wait(child);
  CHECK(AddressSpace() >= before);
  const pid_t copy = fork();
  if (copy == 0) {
    CHECK(SetLimit(1024 * kMegabyte));
    const size_t after = AddressSpace();
    _exit(after <= 1024 * kMegabyte / 4096 ? 0 : 1);
  }
  CHECK(copy > 0);
  Wait(copy);
  return 0;
}
