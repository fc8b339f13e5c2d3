// The command line, the clock, /proc and the output: see workload.h.

#include "bench/workloads/workload.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace workload {
namespace {

// printf to a stream would allocate its buffer.
[[gnu::format(printf, 2, 3)]] void Print(int file, const char* format, ...) {
  char line[512];
  va_list values;
  va_start(values, format);
  int length = std::vsnprintf(line, sizeof line, format, values);
  va_end(values);
  if (length >= static_cast<int>(sizeof line)) length = sizeof line - 1;
  if (write(file, line, static_cast<size_t>(length)) != length) _exit(1);
}

[[noreturn]] void FailUsage(const char* program, const char* what, const char* argument) {
  Print(STDERR_FILENO, "%s: %s: %.200s\n", program, what, argument);
  _exit(2);
}

// A whole number from `least` to `most`; false for anything else.
bool ParseNumber(const char* text, uint64_t least, uint64_t most, uint64_t* value) {
  if (*text < '0' || *text > '9' || std::strlen(text) > 18) return false;
  char* end = nullptr;
  *value = std::strtoull(text, &end, 10);
  return *end == '\0' && *value >= least && *value <= most;
}

bool ParseSeconds(const char* text, double least, double* value) {
  if ((*text < '0' || *text > '9') && *text != '.') return false;
  char* end = nullptr;
  *value = std::strtod(text, &end);
  return *end == '\0' && std::isfinite(*value) && *value >= least && *value <= 1e6;
}

void PrintHelp(const char* program, const Arguments& defaults) {
  Print(STDOUT_FILENO,
        "usage: %s [--threads N] [--work N] [--seconds S] [--seed N]%s%s%s\n%s\n"
        "  --threads N  1 to %u (%u)\n"
        "  --work N     rounds in all (%llu)\n"
        "  --seconds S  rounds until S seconds are over, instead of --work\n"
        "  --seed N     of all random numbers (%llu)\n",
        program, defaults.extra.name ? " [" : "", defaults.extra.name ? defaults.extra.name : "",
        defaults.extra.name ? " S]" : "", defaults.about, kMostThreads, defaults.threads,
        static_cast<unsigned long long>(defaults.work),
        static_cast<unsigned long long>(defaults.seed));
  if (defaults.extra.name != nullptr) {
    Print(STDOUT_FILENO, "  %s S  %s (%g)\n", defaults.extra.name, defaults.extra.about,
          defaults.extra.value);
  }
}

Arguments Parse(int argc, char** argv, const Arguments& defaults) {
  const char* const slash = std::strrchr(argv[0], '/');
  const char* const program = slash == nullptr ? argv[0] : slash + 1;
  Arguments arguments = defaults;
  for (int i = 1; i < argc; i += 2) {
    const char* const name = argv[i];
    if (std::strcmp(name, "--help") == 0) {
      PrintHelp(program, defaults);
      _exit(0);
    }
    const bool is_extra = defaults.extra.name != nullptr && !std::strcmp(name, defaults.extra.name);
    if (!is_extra && std::strcmp(name, "--threads") != 0 && std::strcmp(name, "--work") != 0 &&
        std::strcmp(name, "--seconds") != 0 && std::strcmp(name, "--seed") != 0) {
      FailUsage(program, "unknown argument", name);
    }
    const char* const value = argv[i + 1];  // argv ends with a null pointer
    if (value == nullptr) FailUsage(program, "a value is missing after", name);
    uint64_t number = 0;
    bool good;
    if (is_extra) {
      good = ParseSeconds(value, 0, &arguments.extra.value);
    } else if (std::strcmp(name, "--threads") == 0) {
      good = ParseNumber(value, 1, kMostThreads, &number);
      arguments.threads = static_cast<unsigned>(number);
    } else if (std::strcmp(name, "--work") == 0) {
      good = ParseNumber(value, 1, uint64_t{1} << 40, &arguments.work);
    } else if (std::strcmp(name, "--seconds") == 0) {
      good = ParseSeconds(value, 0.001, &arguments.seconds);
    } else {
      good = ParseNumber(value, 0, UINT64_MAX, &arguments.seed);
    }
    if (!good) {
      char what[64];
      std::snprintf(what, sizeof what, "wrong value for %s", name);
      FailUsage(program, what, value);
    }
  }
  return arguments;
}

// The number after `field` in /proc/self/status, KiB.
double StatusMib(const char* field) {
  char text[4096];
  const int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (file < 0) Fail("cannot open /proc/self/status");
  const ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) Fail("cannot read /proc/self/status");
  text[length] = '\0';
  const char* const found = std::strstr(text, field);
  if (found == nullptr) Fail("no resident memory in /proc/self/status");
  return static_cast<double>(std::strtoull(found + std::strlen(field), nullptr, 10)) / 1024;
}

}  // namespace

void Fail(const char* what) {
  Print(STDERR_FILENO, "%s\n", what);
  _exit(1);
}

void PrintFigure(const char* name, double value, const char* unit) {
  Print(STDOUT_FILENO, "figure %s %.6g %s\n", name, value, unit);
}

uint64_t NowNanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

void SleepNanoseconds(uint64_t nanoseconds) {
  timespec rest = {static_cast<time_t>(nanoseconds / 1000000000u),
                   static_cast<long>(nanoseconds % 1000000000u)};
  while (nanosleep(&rest, &rest) != 0) {
  }
}

double ResidentMib() { return StatusMib("VmRSS:"); }
double PeakResidentMib() { return StatusMib("VmHWM:"); }

int Main(int argc, char** argv, const Arguments& defaults, Totals (*run)(const Arguments&)) {
  const Arguments arguments = Parse(argc, argv, defaults);
  const uint64_t start = NowNanoseconds();
  const Totals totals = run(arguments);
  const double whole = static_cast<double>(NowNanoseconds() - start) * 1e-9;
  const double seconds = totals.busy_seconds > 0 ? totals.busy_seconds : whole;
  Print(STDOUT_FILENO, "ops/s %.1f peak_rss_mib %.2f checksum %016llx\n",
        static_cast<double>(totals.operations) / seconds, PeakResidentMib(),
        static_cast<unsigned long long>(totals.checksum));
  return 0;
}

}  // namespace workload
