// Counts the instructions of malloc, free and their like on the hit path, by executing them one at
// a time under ptrace: exact, and the same on a busy machine.
//
//   fast_path_count LIBRARY
//
// Starts itself again with LIBRARY preloaded. That process warms the thread's cache up, and before
// each measured call executes a breakpoint with the address of the function in a register; the
// first process then steps from the function's first instruction to its return, and counts those
// that lie in LIBRARY: what a call into the C library costs there (the memset of calloc) depends on
// the processor. A repeated string instruction counts once. The figure is the most frequent of
// several rounds, so that a call which happens to refill a list does not count.
//
// Prints a table; bench/fast_path.golden holds the one of the release build, and a test compares.
// Exit status: 1 for an error, 3 where ptrace is not permitted.
#include <dlfcn.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace {

constexpr int kRounds = 9;
constexpr int kWarmUps = 200;
constexpr int kMaxSteps = 100000;
constexpr int kNotPermitted = 3;
constexpr const char* kTraced = "--traced";

enum class Kind { kAllocate, kCallocate, kFree, kFreeSized };

struct EntryPoint {
  const char* title;
  const char* symbol;
  Kind kind;
  const char* partner;  // what frees the object, or allocates it
};

constexpr EntryPoint kEntryPoints[] = {
    {"malloc", "malloc", Kind::kAllocate, "free"},
    {"free", "free", Kind::kFree, "malloc"},
    {"calloc", "calloc", Kind::kCallocate, "free"},
    {"operator new", "_Znwm", Kind::kAllocate, "_ZdlPv"},
    {"operator delete", "_ZdlPv", Kind::kFree, "_Znwm"},
    {"sized delete", "_ZdlPvm", Kind::kFreeSized, "_Znwm"},
};
constexpr size_t kSizes[] = {16, 64, 1024, 8192};

// ---- The traced process.

// Tells the tracer which function is called next; which of the entry points at which size is agreed
// by the order.
void Mark(const void* function) { asm volatile("int3" : : "a"(function) : "memory"); }

void* Find(const char* symbol) {
  void* const found = dlsym(RTLD_DEFAULT, symbol);
  if (found != nullptr) return found;
  std::fprintf(stderr, "fast_path_count: no function %s\n", symbol);
  std::_Exit(1);
}

void* CallAllocate(const EntryPoint& entry, void* function, size_t size) {
  if (entry.kind == Kind::kCallocate) {
    return reinterpret_cast<void* (*)(size_t, size_t)>(function)(1, size);
  }
  return reinterpret_cast<void* (*)(size_t)>(function)(size);
}

void CallFree(const EntryPoint& entry, void* function, void* object, size_t size) {
  if (entry.kind == Kind::kFreeSized) {
    reinterpret_cast<void (*)(void*, size_t)>(function)(object, size);
  } else {
    reinterpret_cast<void (*)(void*)>(function)(object);
  }
}

// One allocation and one free through the entry point and its partner. The object is written to, as
// programs do: calloc has something to clear.
void Pair(const EntryPoint& entry, void* function, void* partner, size_t size, bool mark) {
  if (entry.kind == Kind::kAllocate || entry.kind == Kind::kCallocate) {
    if (mark) Mark(function);
    void* const object = CallAllocate(entry, function, size);
    std::memset(object, 1, size);
    reinterpret_cast<void (*)(void*)>(partner)(object);
  } else {
    void* const object = reinterpret_cast<void* (*)(size_t)>(partner)(size);
    std::memset(object, 1, size);
    if (mark) Mark(function);
    CallFree(entry, function, object, size);
  }
}

// Lists that are neither empty nor full: several objects come and go before each measured pair.
void WarmUp(void* allocate, void* release, size_t size) {
  for (int i = 0; i < kWarmUps; ++i) {
    std::array<void*, 8> objects;
    for (void*& object : objects) object = reinterpret_cast<void* (*)(size_t)>(allocate)(size);
    for (void* const object : objects) reinterpret_cast<void (*)(void*)>(release)(object);
  }
}

int RunTraced() {
  for (const EntryPoint& entry : kEntryPoints) {
    void* const function = Find(entry.symbol);
    void* const partner = Find(entry.partner);
    for (const size_t size : kSizes) {
      WarmUp(Find("malloc"), Find("free"), size);
      // Others of the size stay, so that no page or span becomes empty and full in turn.
      std::array<void*, 8> live;
      for (void*& object : live) object = CallAllocate(kEntryPoints[0], Find("malloc"), size);
      for (int i = 0; i < kWarmUps; ++i) Pair(entry, function, partner, size, false);
      for (int i = 0; i < kRounds; ++i) Pair(entry, function, partner, size, true);
      for (void* const object : live) CallFree(kEntryPoints[1], Find("free"), object, size);
    }
  }
  return 0;
}

// ---- The tracer.

struct Count {
  int instructions = 0;
  int atomic = 0;  // with a lock prefix, or an exchange with memory
  int calls = 0;   // call instructions
  auto operator<=>(const Count&) const = default;
};

struct Range {
  uint64_t start;
  uint64_t end;
};

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "fast_path_count: %s: %s\n", what, std::strerror(errno));
  std::_Exit(1);
}

[[noreturn]] void FailTraced(int status) {
  std::fprintf(stderr, "fast_path_count: the traced process ended or stopped, wait status %#x\n",
               static_cast<unsigned>(status));
  std::_Exit(1);
}

user_regs_struct Registers(pid_t child) {
  user_regs_struct registers;
  if (ptrace(PTRACE_GETREGS, child, nullptr, &registers) != 0) Fail("PTRACE_GETREGS");
  return registers;
}

uint64_t Word(pid_t child, uint64_t address) {
  errno = 0;
  const long word = ptrace(PTRACE_PEEKDATA, child, address, nullptr);
  if (errno != 0) Fail("PTRACE_PEEKDATA");
  return static_cast<uint64_t>(word);
}

// Where the executable part of the library is in the traced process.
std::vector<Range> CodeOf(const char* library, pid_t child) {
  const std::string path = "/proc/" + std::to_string(child) + "/maps";
  std::FILE* const file = std::fopen(path.c_str(), "re");
  if (file == nullptr) Fail(path.c_str());
  std::vector<Range> code;
  char line[PATH_MAX + 128];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    unsigned long start = 0, end = 0;
    char access[8] = "";
    if (std::sscanf(line, "%lx-%lx %7s", &start, &end, access) != 3 || access[2] != 'x') continue;
    line[std::strcspn(line, "\n")] = '\0';
    const char* const name = std::strchr(line, '/');
    if (name != nullptr && std::strcmp(name, library) == 0) code.push_back({start, end});
  }
  std::fclose(file);
  if (code.empty()) {
    std::fprintf(stderr, "fast_path_count: %s was not preloaded\n", library);
    std::_Exit(1);
  }
  return code;
}

// Looks at the first bytes of an instruction, which is all that tells these kinds apart.
void AddInstruction(uint64_t word, Count& count) {
  uint8_t bytes[8];
  std::memcpy(bytes, &word, sizeof bytes);
  size_t i = 0;
  bool lock = false;
  constexpr uint8_t kPrefixes[] = {0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x36,
                                   0x3e, 0x26, 0x64, 0x65, 0xf0};
  while (i < 5 &&
         std::find(std::begin(kPrefixes), std::end(kPrefixes), bytes[i]) != std::end(kPrefixes)) {
    lock = lock || bytes[i] == 0xf0;
    ++i;
  }
  if ((bytes[i] & 0xf0) == 0x40) ++i;  // REX
  const uint8_t opcode = bytes[i];
  const uint8_t mod_rm = bytes[i + 1];
  const bool exchange = (opcode == 0x86 || opcode == 0x87) && (mod_rm >> 6) != 3;
  const bool call = opcode == 0xe8 || (opcode == 0xff && ((mod_rm >> 3) & 7) == 2);
  ++count.instructions;
  count.atomic += lock || exchange ? 1 : 0;
  count.calls += call ? 1 : 0;
}

void Step(pid_t child) {
  if (ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0) Fail("PTRACE_SINGLESTEP");
  int status = 0;
  if (waitpid(child, &status, 0) != child) Fail("waitpid");
  if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) FailTraced(status);
}

// From a breakpoint of Mark to the return of the function that it announces.
Count CountCall(pid_t child, const std::vector<Range>& code) {
  user_regs_struct registers = Registers(child);
  const uint64_t function = registers.rax;
  int steps = 0;
  for (; registers.rip != function && steps < kMaxSteps; ++steps) {
    Step(child);
    registers = Registers(child);
  }
  const uint64_t stack = registers.rsp;
  Count count;
  uint64_t previous = 0;
  for (; registers.rsp <= stack && steps < kMaxSteps; ++steps) {
    const uint64_t rip = registers.rip;
    const bool inside = std::any_of(code.begin(), code.end(), [rip](const Range& range) {
      return range.start <= rip && rip < range.end;
    });
    if (inside && rip != previous) AddInstruction(Word(child, rip), count);
    previous = rip;
    Step(child);
    registers = Registers(child);
  }
  if (steps >= kMaxSteps) {
    std::fprintf(stderr, "fast_path_count: a call did not return in %d instructions\n", kMaxSteps);
    std::_Exit(1);
  }
  return count;
}

// Runs on to the next breakpoint. False at the end of the process.
bool RunToMark(pid_t child) {
  if (ptrace(PTRACE_CONT, child, nullptr, nullptr) != 0) Fail("PTRACE_CONT");
  int status = 0;
  if (waitpid(child, &status, 0) != child) Fail("waitpid");
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return false;
  if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) FailTraced(status);
  return true;
}

Count MostFrequent(const std::vector<Count>& counts) {
  std::map<Count, int> times;
  for (const Count& count : counts) ++times[count];
  return std::max_element(times.begin(), times.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

int RunTracer(const char* library) {
  const pid_t child = fork();
  if (child < 0) Fail("fork");
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) {
      std::fprintf(stderr, "fast_path_count: ptrace is not permitted: %s\n", std::strerror(errno));
      std::_Exit(kNotPermitted);
    }
    setenv("LD_PRELOAD", library, 1);
    execl("/proc/self/exe", "fast_path_count", kTraced, nullptr);
    Fail("exec");
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) Fail("waitpid");
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_EXITKILL);

  std::vector<Range> code;
#ifdef __clang__
  std::printf("# clang++ %s, x86-64\n", __clang_version__);
#else
  std::printf("# g++ %s, x86-64\n", __VERSION__);
#endif
  std::printf("%-16s %5s %13s %7s %6s\n", "entry point", "bytes", "instructions", "atomic",
              "calls");
  for (const EntryPoint& entry : kEntryPoints) {
    for (const size_t size : kSizes) {
      std::vector<Count> counts;
      for (int round = 0; round < kRounds; ++round) {
        if (!RunToMark(child)) FailTraced(0);
        if (code.empty()) code = CodeOf(library, child);
        counts.push_back(CountCall(child, code));
      }
      const Count count = MostFrequent(counts);
      std::printf("%-16s %5zu %13d %7d %6d\n", entry.title, size, count.instructions, count.atomic,
                  count.calls);
    }
  }
  if (RunToMark(child)) FailTraced(0);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], kTraced) == 0) return RunTraced();
  char library[PATH_MAX];
  if (argc != 2 || argv[1][0] == '-') {
    std::fputs("usage: fast_path_count LIBRARY\n", stderr);
    return 2;
  }
  if (realpath(argv[1], library) == nullptr) Fail(argv[1]);
  return RunTracer(library);
}
