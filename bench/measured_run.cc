// Runs a program and writes down what it cost: wall and processor time, peak memory, page faults.
//
//   measured_run [--warm MIB] [--preload LIBRARY] [--stdin FILE] [--stdout FILE] --result FILE --
//   PROGRAM ARGS...
//
// Why this is not done in Python: the peak that wait4 reports for a child includes what its parent
// had resident when it forked, so the parent must be smaller than anything that is measured.
// --warm touches and frees so much memory first (see docs/benchmarks.md), and waits until it is
// free. The exit status is the program's own, 128 + signal, or 125 for an error of measured_run
// itself.

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

struct Options {
  long warm_mib = 0;
  const char* preload = nullptr;
  const char* stdin_path = nullptr;
  const char* stdout_path = nullptr;
  const char* result_path = nullptr;
  char** program = nullptr;
};

struct CpuTicks {
  long long busy = 0;
  long long steal = 0;
};

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "measured_run: %s: %s\n", what, std::strerror(errno));
  std::_Exit(125);
}

[[noreturn]] void FailUsage() {
  std::fputs(
      "usage: measured_run [--warm MIB] [--preload LIBRARY] [--stdin FILE] [--stdout FILE] "
      "--result FILE -- PROGRAM ARGS...\n",
      stderr);
  std::_Exit(125);
}

Options Parse(int argc, char** argv) {
  Options options;
  int i = 1;
  for (; i + 1 < argc && std::strcmp(argv[i], "--") != 0; i += 2) {
    const char* value = argv[i + 1];
    if (std::strcmp(argv[i], "--warm") == 0) {
      options.warm_mib = std::atol(value);
    } else if (std::strcmp(argv[i], "--preload") == 0) {
      options.preload = value;
    } else if (std::strcmp(argv[i], "--stdin") == 0) {
      options.stdin_path = value;
    } else if (std::strcmp(argv[i], "--stdout") == 0) {
      options.stdout_path = value;
    } else if (std::strcmp(argv[i], "--result") == 0) {
      options.result_path = value;
    } else {
      FailUsage();
    }
  }
  if (i + 1 >= argc || options.result_path == nullptr) FailUsage();
  options.program = argv + i + 1;
  return options;
}

// In a child of its own, so that nothing of it is left in this process.
void Warm(long mib) {
  if (mib <= 0) return;
  const pid_t child = fork();
  if (child < 0) Fail("fork");
  if (child == 0) {
    const size_t size = static_cast<size_t>(mib) << 20;
    void* const memory =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) Fail("mmap for --warm");
    madvise(memory, size, MADV_HUGEPAGE);
    auto* const bytes = static_cast<volatile char*>(memory);
    for (size_t offset = 0; offset < size; offset += 4096) bytes[offset] = 1;
    munmap(memory, size);
    _exit(0);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0) Fail("warming");
}

// The first line of /proc/stat: user nice system idle iowait irq softirq steal, of all processors.
CpuTicks ReadCpuTicks() {
  CpuTicks ticks;
  std::FILE* const file = std::fopen("/proc/stat", "re");
  if (file == nullptr) return ticks;
  long long user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0;
  if (std::fscanf(file, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &user, &nice, &system, &idle,
                  &iowait, &irq, &softirq, &steal) == 8) {
    ticks.busy = user + nice + system + irq + softirq;
    ticks.steal = steal;
  }
  std::fclose(file);
  return ticks;
}

double Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

void Redirect(const char* path, int flags, int target) {
  if (path == nullptr) return;
  const int file = open(path, flags, 0644);
  if (file < 0 || dup2(file, target) < 0) Fail(path);
  close(file);
}

[[noreturn]] void Execute(const Options& options) {
  Redirect(options.stdin_path, O_RDONLY, STDIN_FILENO);
  Redirect(options.stdout_path, O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
  if (options.preload != nullptr) setenv("LD_PRELOAD", options.preload, 1);
  execvp(options.program[0], options.program);
  Fail(options.program[0]);
}

pid_t running_child = 0;

// The caller ends a server by a signal to this process: it is handed on.
void HandOn(int signal_number) {
  if (running_child > 0) kill(running_child, signal_number);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = Parse(argc, argv);
  Warm(options.warm_mib);

  const CpuTicks ticks_before = ReadCpuTicks();
  const double start = Now();
  const pid_t child = fork();
  if (child < 0) Fail("fork");
  if (child == 0) Execute(options);
  running_child = child;
  signal(SIGTERM, HandOn);
  signal(SIGINT, HandOn);

  int status = 0;
  rusage usage;
  while (wait4(child, &status, 0, &usage) < 0) {
    if (errno != EINTR) Fail("wait4");
  }
  const double wall = Now() - start;
  const CpuTicks ticks_after = ReadCpuTicks();
  const double tick = 1.0 / static_cast<double>(sysconf(_SC_CLK_TCK));

  std::FILE* const result = std::fopen(options.result_path, "we");
  if (result == nullptr) Fail(options.result_path);
  const int exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  std::fprintf(result,
               "{\"wall\": %.6f, \"user\": %.6f, \"sys\": %.6f, \"rss_kib\": %ld, \"faults\": %ld, "
               "\"machine_busy\": %.2f, \"steal\": %.2f, \"status\": %d}\n",
               wall, Seconds(usage.ru_utime), Seconds(usage.ru_stime), usage.ru_maxrss,
               usage.ru_minflt + usage.ru_majflt,
               static_cast<double>(ticks_after.busy - ticks_before.busy) * tick,
               static_cast<double>(ticks_after.steal - ticks_before.steal) * tick, exit_status);
  std::fclose(result);
  return exit_status;
}
