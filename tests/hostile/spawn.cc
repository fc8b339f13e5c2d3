// Starts programs in every way while other threads allocate: vfork and exec, posix_spawn, system,
// popen.
#include <spawn.h>
#include <sys/wait.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/hostile/hostile.h"

extern char** environ;

namespace {

std::atomic<bool> stop{false};

void ExpectStatus(pid_t child, int expected) {
  CHECK(child > 0);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == expected);
}

// A function of its own, so that the child clobbers no variable of its caller.
__attribute__((noinline)) pid_t VforkAndExec(const char* program, char** arguments) {
  const pid_t child = vfork();
  if (child == 0) {
    execve(program, arguments, environ);
    _exit(1);
  }
  return child;
}

}  // namespace

int main() {
  // The system's programs are 64-bit, and their loader would complain.
  if (kNarrowAddresses) unsetenv("LD_PRELOAD");
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 2; ++i) {
    threads.emplace_back([i] {
      for (uint64_t round = 0; !stop; ++round) Churn(round + i * 1000, 500);
    });
  }
  char shell[] = "/bin/sh";
  char option[] = "-c";
  char command[] = "exit 7";
  char* arguments[] = {shell, option, command, nullptr};
  for (int i = 0; i < 50; ++i) {
    ExpectStatus(VforkAndExec(shell, arguments), 7);
    pid_t child = 0;
    CHECK(posix_spawn(&child, shell, nullptr, nullptr, arguments, environ) == 0);
    ExpectStatus(child, 7);
    const int status = system(command);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    FILE* pipe = popen("echo through a pipe", "r");
    CHECK(pipe != nullptr);
    char line[100];
    CHECK(fgets(line, sizeof(line), pipe) != nullptr && strcmp(line, "through a pipe\n") == 0);
    CHECK(pclose(pipe) == 0);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  return 0;
}
