// PRAIRIE_OPTIONS=key=value,key=value: what a user may set for a process.
#ifndef PRAIRIE_ALLOCATOR_BASE_OPTIONS_H_
#define PRAIRIE_ALLOCATOR_BASE_OPTIONS_H_

#include <stddef.h>

namespace prairie {

enum class HugePages : unsigned char { kAuto, kAlways, kNever };

// The options, with their defaults. Plain data: read once at start, then never changed.
struct Options {
  bool abort_on_error = true;               // on_error=abort|report
  bool report_foreign = true;               // foreign=report|ignore
  bool stats_at_exit = false;               // stats=0|1
  bool verbose = false;                     // verbose=0|1
  bool background = false;                  // background=0|1
  bool force_unreserved = false;            // arena=auto|unreserved
  HugePages huge_pages = HugePages::kAuto;  // thp=auto|always|never
  size_t limit = 0;                         // limit=SIZE, in bytes; 0: none

  // Reads `text` ("key=value,…"; null is empty) on top of the present values. An unknown key or
  // a bad value is one warning line on stderr and changes nothing; help=1 lists the keys there.
  // Returns the number of warnings. Does not allocate.
  int Parse(const char* text);
};

// The value of the environment variable `name` ("PRAIRIE_OPTIONS"), or null. Works before libc
// has set up `environ`, which is when a preloaded malloc may be called first.
const char* EarlyEnvironment(const char* name);

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_BASE_OPTIONS_H_
