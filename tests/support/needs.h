// What a test case needs of the limits of its process. A case that needs more than there is skips
// with words that scripts/ulimit-suite understands: it counts them only where they are true. See
// docs/testing.md.
#ifndef PRAIRIE_TESTS_SUPPORT_NEEDS_H_
#define PRAIRIE_TESTS_SUPPORT_NEEDS_H_

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstddef>
#include <cstdio>
#include <string>

namespace prairie {

// Empty, or the need that the limits of this process do not meet. `mebibytes`: of memory in use at
// once, with all else that the process maps. Both limits count it, and strict overcommit what is
// more than the machine has.
inline std::string UnmetNeedOfMemory(size_t mebibytes, const char* why) {
  const auto below = [mebibytes](int which) {
    rlimit limit;
    return getrlimit(static_cast<__rlimit_resource>(which), &limit) == 0 &&
           limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < mebibytes << 20;
  };
  const std::string size = std::to_string(mebibytes) + "M: ";
  if (below(RLIMIT_AS)) return "needs_address_space=" + size + why;
  if (below(RLIMIT_DATA)) return "needs_data=" + size + why;
  return {};
}

// The same for addresses alone, whether or not there is memory behind them.
inline std::string UnmetNeedOfAddressSpace(size_t mebibytes, const char* why) {
  rlimit limit;
  const bool below = getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
                     limit.rlim_cur < mebibytes << 20;
  return below ? "needs_address_space=" + std::to_string(mebibytes) + "M: " + why : std::string();
}

// Empty, or the need of being allowed to commit more than the machine has.
inline std::string UnmetNeedOfOvercommit(const char* why) {
  char mode = '0';
  if (FILE* const file = fopen("/proc/sys/vm/overcommit_memory", "r")) {
    if (fread(&mode, 1, 1, file) != 1) mode = '0';
    fclose(file);
  }
  return mode == '2' ? std::string("needs_overcommit: ") + why : std::string();
}

}  // namespace prairie

// First in a test, or in SetUp.
#define PRAIRIE_NEEDS_MEMORY(mebibytes, why)                                                \
  if (const std::string unmet = prairie::UnmetNeedOfMemory(mebibytes, why); !unmet.empty()) \
  GTEST_SKIP() << unmet
#define PRAIRIE_NEEDS_ADDRESS_SPACE(mebibytes, why)                                               \
  if (const std::string unmet = prairie::UnmetNeedOfAddressSpace(mebibytes, why); !unmet.empty()) \
  GTEST_SKIP() << unmet
#define PRAIRIE_NEEDS_OVERCOMMIT(why)                                                \
  if (const std::string unmet = prairie::UnmetNeedOfOvercommit(why); !unmet.empty()) \
  GTEST_SKIP() << unmet

#endif  // PRAIRIE_TESTS_SUPPORT_NEEDS_H_
