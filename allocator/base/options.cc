#include "allocator/base/options.h"

#include <string.h>

#include "allocator/base/config.h"
#include "allocator/base/report.h"

extern "C" {
extern char** environ;
// glibc: the stack pointer at program start, where argc, argv and the environment lie.
extern void* __libc_stack_end __attribute__((weak));
}

namespace prairie {
namespace {

struct Choice {
  const char* name;
  void (*set)(Options&);
};

struct Key {
  const char* name;
  const char* help;
  Choice choices[3];  // Unused ones have no name. The first is the default.
  // The value is not one of the choices but a number of bytes.
  void (*set_size)(Options&, size_t) = nullptr;
};

void PrintHelp();

constexpr Key kKeys[] = {
    {"on_error",
     "what follows the report of a misuse (double free, foreign pointer, ...)",
     {{"abort", [](Options& o) { o.abort_on_error = true; }},
      {"report", [](Options& o) { o.abort_on_error = false; }},
      {nullptr, nullptr}}},
    {"foreign",
     "what free does with a pointer from another allocator",
     {{"report", [](Options& o) { o.report_foreign = true; }},
      {"ignore", [](Options& o) { o.report_foreign = false; }},
      {nullptr, nullptr}}},
    {"stats",
     "a summary of the heap on stderr at exit",
     {{"0", [](Options& o) { o.stats_at_exit = false; }},
      {"1", [](Options& o) { o.stats_at_exit = true; }},
      {nullptr, nullptr}}},
    {"verbose",
     "say on stderr what the arena does: where it lies, which mode, which limit",
     {{"0", [](Options& o) { o.verbose = false; }},
      {"1", [](Options& o) { o.verbose = true; }},
      {nullptr, nullptr}}},
    {"background",
     "a thread that gives memory back while the program does not call",
     {{"0", [](Options& o) { o.background = false; }},
      {"1", [](Options& o) { o.background = true; }},
      {nullptr, nullptr}}},
    {"arena",
     "reserve address space unless a limit forbids it, or never reserve",
     {{"auto", [](Options& o) { o.force_unreserved = false; }},
      {"unreserved", [](Options& o) { o.force_unreserved = true; }},
      {nullptr, nullptr}}},
    {"thp",
     "transparent huge pages: for large heaps, for every heap, or never",
     {{"auto", [](Options& o) { o.huge_pages = HugePages::kAuto; }},
      {"always", [](Options& o) { o.huge_pages = HugePages::kAlways; }},
      {"never", [](Options& o) { o.huge_pages = HugePages::kNever; }}}},
    {"limit",
     "bytes of heap that may be committed (500M, 2G; 0 is no limit, the default)",
     {},
     [](Options& o, size_t size) { o.limit = size; }},
    {"help",
     "this list",
     {{"0", [](Options&) {}}, {"1", [](Options&) { PrintHelp(); }}, {nullptr, nullptr}}},
};

bool Equals(const char* name, const char* text, size_t length) {
  return strlen(name) == length && memcmp(name, text, length) == 0;
}

// Digits, and perhaps one of K, M and G (powers of 1024). False if it is none or too large.
bool ParseSize(const char* text, size_t length, size_t* size) {
  size_t number = 0, digits = 0;
  for (; digits < length && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
    if (__builtin_mul_overflow(number, size_t{10}, &number) ||
        __builtin_add_overflow(number, static_cast<size_t>(text[digits] - '0'), &number)) {
      return false;
    }
  }
  if (digits == 0 || length - digits > 1) return false;
  size_t unit = 1;
  if (digits < length) {
    switch (text[digits]) {
      case 'K':
      case 'k':
        unit = kKiB;
        break;
      case 'M':
      case 'm':
        unit = kMiB;
        break;
      case 'G':
      case 'g':
        unit = kGiB;
        break;
      default:
        return false;
    }
  }
  return !__builtin_mul_overflow(number, unit, size);
}

// Returns whether the value was understood.
bool SetKey(const Key& key, const char* value, size_t length, Options& options) {
  if (key.set_size != nullptr) {
    size_t size;
    if (!ParseSize(value, length, &size)) return false;
    key.set_size(options, size);
    return true;
  }
  for (const Choice& choice : key.choices) {
    if (choice.name == nullptr || !Equals(choice.name, value, length)) continue;
    choice.set(options);
    return true;
  }
  return false;
}

Report& AppendChoices(Report& report, const Key& key) {
  if (key.set_size != nullptr) return report.Text("SIZE");
  const char* separator = "";
  for (const Choice& choice : key.choices) {
    if (choice.name == nullptr) break;
    report.Text(separator).Text(choice.name);
    separator = "|";
  }
  return report;
}

void PrintHelp() {
  Report()
      .Text("prairie: PRAIRIE_OPTIONS=key=value,key=value  (the first value is the default)")
      .Emit();
  for (const Key& key : kKeys) {
    Report line;
    line.Text("prairie:   ").Text(key.name).Text("=");
    AppendChoices(line, key).Text("  ").Text(key.help).Emit();
  }
}

// Returns whether the item was understood.
bool ParseItem(const char* item, size_t length, Options& options) {
  const char* equals = static_cast<const char*>(memchr(item, '=', length));
  const size_t key_length = equals == nullptr ? length : static_cast<size_t>(equals - item);
  const char* value = equals == nullptr ? "" : equals + 1;
  const size_t value_length = equals == nullptr ? 0 : length - key_length - 1;

  for (const Key& key : kKeys) {
    if (!Equals(key.name, item, key_length)) continue;
    if (SetKey(key, value, value_length, options)) return true;
    Report warning;
    warning.Text("prairie: warning: PRAIRIE_OPTIONS: bad value '")
        .Quoted(value, value_length)
        .Text("' for key '")
        .Text(key.name)
        .Text("' (expected ");
    AppendChoices(warning, key)
        .Text(key.set_size == nullptr ? ")" : ": bytes, or a number with K, M or G)")
        .Emit();
    return false;
  }
  Report()
      .Text("prairie: warning: PRAIRIE_OPTIONS: unknown key '")
      .Quoted(item, key_length)
      .Text("' (help=1 lists them)")
      .Emit();
  return false;
}

}  // namespace

int Options::Parse(const char* text) {
  int warnings = 0;
  while (text != nullptr && *text != '\0') {
    // Not strcspn: a sanitizer's runtime may have one of its own, and not be ready so early.
    size_t length = 0;
    while (text[length] != '\0' && text[length] != ',') ++length;
    if (length != 0 && !ParseItem(text, length, *this)) ++warnings;
    text += length;
    if (*text == ',') ++text;
  }
  return warnings;
}

const char* EarlyEnvironment(const char* name) {
  char** entry = environ;
  if (entry == nullptr && &__libc_stack_end != nullptr) {
    // The stack at start: argc, argv[0..argc-1], null, envp….
    char** stack = static_cast<char**>(__libc_stack_end);
    const size_t argc = reinterpret_cast<size_t>(stack[0]);
    entry = stack + 1 + argc + 1;
  }
  const size_t length = strlen(name);
  for (; entry != nullptr && *entry != nullptr; ++entry) {
    if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=') return *entry + length + 1;
  }
  return nullptr;
}

}  // namespace prairie
