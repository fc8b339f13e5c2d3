// Which limit is named, from the files of a machine that is not there.
#include "allocator/os/memory_limits.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <ostream>
#include <string>

#include "allocator/base/config.h"
#include "tests/support/fake_root.h"
#include "tests/support/libc_calls.h"

namespace prairie {

bool operator==(const LimitFinding& a, const LimitFinding& b) {
  return a.limit == b.limit && a.value == b.value && a.used == b.used;
}

void PrintTo(const LimitFinding& finding, std::ostream* stream) {
  *stream << NameOf(finding.limit) << " is " << finding.value << ", " << finding.used << " in use";
}

namespace {

// Of what the machine has; more than an address can say in 32 bits.
constexpr uint64_t kGigabyte = kGiB;

constexpr LimitFinding kNoneReached = {MemoryLimit::kUnknown, 0, 0};

class MemoryLimitsTest : public testing::Test {
 protected:
  // A machine of 8 GiB with nothing near a limit.
  void SetUp() override {
    WriteStatus(100 * kMiB, 60 * kMiB);
    WriteOvercommit(0, 4 * kGigabyte, kGigabyte);
    WriteMappings(65530, 50);
    root_.Write("/proc/self/cgroup", "0::/\n");
    sources_.root = root_.path();
  }

  LimitFinding Find(uint64_t request) { return FindReachedLimit(sources_, request); }

  void WriteStatus(uint64_t size, uint64_t data) {
    // As Linux 6 prints it, with groups enough to fill several buffers before the lines in
    // question.
    std::string groups;
    for (int i = 0; i < 1000; ++i) groups += std::to_string(i) + " ";
    root_.Write("/proc/self/status",
                "Name:\tx\nUmask:\t0022\nGroups:\t" + groups +
                    "\nVmPeak:\t 99999999 kB\nVmSize:\t " + std::to_string(size / kKiB) +
                    " kB\nVmLck:\t       0 kB\nVmRSS:\t    1000 kB\nVmData:\t  " +
                    std::to_string(data / kKiB) + " kB\nVmStk:\t     132 kB\nThreads:\t1\n");
  }

  void WriteOvercommit(int mode, uint64_t limit, uint64_t committed) {
    root_.Write("/proc/sys/vm/overcommit_memory", std::to_string(mode) + "\n");
    root_.Write(
        "/proc/meminfo",
        "MemTotal:        8388608 kB\nMemFree:          100000 kB\nSwapCached:            0 kB\n"
        "SwapTotal:       1048576 kB\nCommitLimit:     " +
            std::to_string(limit / kKiB) +
            " kB\nCommitted_AS:    " + std::to_string(committed / kKiB) + " kB\n");
  }

  void WriteMappings(int most, int count) {
    root_.Write("/proc/sys/vm/max_map_count", std::to_string(most) + "\n");
    std::string maps;
    for (int i = 0; i < count; ++i) {
      maps += "f800000000-f800001000 rw-p 00000000 00:00 0 " + std::string(40, ' ') + "[heap]\n";
    }
    maps += "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";
    root_.Write("/proc/self/maps", maps);
  }

  void WriteCgroup(const std::string& path, const std::string& limit, uint64_t used) {
    root_.Write("/sys/fs/cgroup" + path + "/memory.max", limit + "\n");
    root_.Write("/sys/fs/cgroup" + path + "/memory.current", std::to_string(used) + "\n");
  }

  FakeRoot root_;
  LimitSources sources_;
};

TEST_F(MemoryLimitsTest, NothingIsNear) { EXPECT_EQ(Find(kMiB), kNoneReached); }

TEST_F(MemoryLimitsTest, AddressSpace) {
  sources_.address_space_limit = 128 * kMiB;
  const LimitFinding expected = {MemoryLimit::kAddressSpace, 128 * kMiB, 100 * kMiB};
  EXPECT_EQ(Find(29 * kMiB), expected);
  EXPECT_EQ(Find(UINT64_MAX), expected) << "the sum must not overflow";
  EXPECT_EQ(Find(20 * kMiB), kNoneReached) << "that would have fitted";
  sources_.address_space_limit = 100 * kMiB + 64 * kKiB;
  EXPECT_EQ(Find(16).limit, MemoryLimit::kAddressSpace) << "room for 16 bytes, but not for a span";
  sources_.address_space_limit = 50 * kMiB;
  EXPECT_EQ(Find(16), (LimitFinding{MemoryLimit::kAddressSpace, 50 * kMiB, 100 * kMiB}))
      << "lowered below what is in use";
}

TEST_F(MemoryLimitsTest, Data) {
  sources_.data_limit = 64 * kMiB;
  EXPECT_EQ(Find(5 * kMiB), (LimitFinding{MemoryLimit::kData, 64 * kMiB, 60 * kMiB}));
  EXPECT_EQ(Find(kMiB), kNoneReached);
}

TEST_F(MemoryLimitsTest, OfSeveralTheOneWithTheLeastRoom) {
  sources_.address_space_limit = 110 * kMiB;
  sources_.data_limit = 65 * kMiB;
  EXPECT_EQ(Find(kGigabyte).limit, MemoryLimit::kData);
  sources_.data_limit = 75 * kMiB;
  EXPECT_EQ(Find(kGigabyte).limit, MemoryLimit::kAddressSpace);
  WriteOvercommit(2, 4 * kGigabyte, 4 * kGigabyte - kMiB);
  EXPECT_EQ(Find(kGigabyte).limit, MemoryLimit::kOvercommit);
}

TEST_F(MemoryLimitsTest, StrictOvercommit) {
  WriteOvercommit(2, 4 * kGigabyte, 3 * kGigabyte);
  EXPECT_EQ(Find(2 * kGigabyte),
            (LimitFinding{MemoryLimit::kOvercommit, 4 * kGigabyte, 3 * kGigabyte}));
  EXPECT_EQ(Find(kGigabyte / 2), kNoneReached);
  WriteOvercommit(1, 4 * kGigabyte, 3 * kGigabyte);
  EXPECT_EQ(Find(2 * kGigabyte), kNoneReached) << "1: never refused";
}

TEST_F(MemoryLimitsTest, StrictOvercommitKeepsSomeBack) {
  WriteOvercommit(2, 4 * kGigabyte, 4 * kGigabyte - 20 * kMiB);
  EXPECT_EQ(Find(12 * kMiB), kNoneReached);
  root_.Write("/proc/sys/vm/admin_reserve_kbytes", "8192\n");
  EXPECT_EQ(Find(12 * kMiB).limit, MemoryLimit::kOvercommit);
  EXPECT_EQ(Find(10 * kMiB), kNoneReached);
  root_.Write("/proc/sys/vm/user_reserve_kbytes", "131072\n");
  EXPECT_EQ(Find(10 * kMiB).limit, MemoryLimit::kOvercommit) << "a 32nd of 100 MiB more";
  EXPECT_EQ(Find(8 * kMiB), kNoneReached);
}

TEST_F(MemoryLimitsTest, TheHeuristicRefusesMoreThanThereIs) {
  EXPECT_EQ(Find(10 * kGigabyte), (LimitFinding{MemoryLimit::kOvercommit, 9 * kGigabyte, 0}));
  EXPECT_EQ(Find(8 * kGigabyte), kNoneReached);
}

TEST_F(MemoryLimitsTest, TheHeuristicIsWhatHoldsUnlessSomebodyChangedIt) {
  EXPECT_TRUE(RefusesMoreThanMemory(root_.path()));
  WriteOvercommit(1, kGigabyte, kGigabyte);
  EXPECT_FALSE(RefusesMoreThanMemory(root_.path()));
  WriteOvercommit(2, kGigabyte, kGigabyte);
  EXPECT_FALSE(RefusesMoreThanMemory(root_.path())) << "CommitLimit may be more";
  EXPECT_TRUE(RefusesMoreThanMemory("/nowhere"));
}

TEST_F(MemoryLimitsTest, Mappings) {
  WriteMappings(1000, 998);
  EXPECT_EQ(Find(16), (LimitFinding{MemoryLimit::kMappings, 1000, 998}));
  WriteMappings(1000, 900);
  EXPECT_EQ(Find(16), kNoneReached);
}

TEST_F(MemoryLimitsTest, CgroupVersion2) {
  root_.Write("/proc/self/cgroup", "0::/user.slice/job\n");
  WriteCgroup("/user.slice/job", "max", 200 * kMiB);
  EXPECT_EQ(Find(kMiB), kNoneReached);
  WriteCgroup("/user.slice/job", std::to_string(256 * kMiB), 250 * kMiB);
  EXPECT_EQ(Find(10 * kMiB), (LimitFinding{MemoryLimit::kCgroup, 256 * kMiB, 250 * kMiB}));
  EXPECT_EQ(Find(kMiB), kNoneReached);
}

TEST_F(MemoryLimitsTest, ACgroupAboveMayBeTheTightest) {
  root_.Write("/proc/self/cgroup", "0::/a/b/c\n");
  WriteCgroup("/a/b/c", std::to_string(kGigabyte), 10 * kMiB);
  WriteCgroup("/a", std::to_string(300 * kMiB), 299 * kMiB);
  EXPECT_EQ(Find(5 * kMiB), (LimitFinding{MemoryLimit::kCgroup, 300 * kMiB, 299 * kMiB}));
  WriteCgroup("", std::to_string(500 * kMiB), 500 * kMiB);  // as inside a container
  EXPECT_EQ(Find(5 * kMiB), (LimitFinding{MemoryLimit::kCgroup, 500 * kMiB, 500 * kMiB}));
}

TEST_F(MemoryLimitsTest, CgroupVersion1) {
  root_.Write(
      "/proc/self/cgroup",
      "12:cpuset:/x\n11:hugetlb_memory:/wrong\n4:cpu,memory:/docker/12\n1:name=systemd:/y\n");
  const std::string memory = "/sys/fs/cgroup/memory";
  root_.Write(memory + "/docker/12/memory.limit_in_bytes", "9223372036854771712\n");
  root_.Write(memory + "/docker/12/memory.usage_in_bytes", "1000\n");
  root_.Write(memory + "/memory.limit_in_bytes", "104857600\n");
  root_.Write(memory + "/memory.usage_in_bytes", "104000000\n");
  EXPECT_EQ(Find(kMiB), (LimitFinding{MemoryLimit::kCgroup, 104857600, 104000000}));
  root_.Write("/proc/self/cgroup", "11:hugetlb_memory:/\n10:mem:/\n9:memory_x,cpu:/\n");
  EXPECT_EQ(Find(kMiB), kNoneReached) << "none of these is the memory controller";
}

TEST_F(MemoryLimitsTest, BrokenFilesAreNoTrouble) {
  for (const char* text : {"", "\n", ":", "::", "0:", "0::", "0::relative/path", "0:::", "memory",
                           "1:,,memory,:", "0::/../../x", "\n0::/\n"}) {
    root_.Write("/proc/self/cgroup", text);
    EXPECT_EQ(Find(kMiB), kNoneReached) << text;
  }
  root_.Write("/proc/self/cgroup", "0::/" + std::string(5000, 'd') + "\n");
  EXPECT_EQ(Find(kMiB), kNoneReached);
  sources_.address_space_limit = 100 * kMiB;
  for (const char* text : {"", "VmSize:", "VmSize: kB", "VmSize: 99999999999999999999 kB",
                           "VmSize: 18446744073709551615 kB", "VmSiz"}) {
    root_.Write("/proc/self/status", text);
    EXPECT_EQ(Find(kMiB), kNoneReached) << text;
  }
}

TEST_F(MemoryLimitsTest, NoFilesAtAll) {
  sources_.address_space_limit = 1;
  sources_.data_limit = 1;
  for (const std::string& root : {std::string("/nonexistent"), std::string(10000, 'x')}) {
    sources_.root = root.c_str();
    EXPECT_EQ(Find(kMiB), kNoneReached);
  }
}

TEST_F(MemoryLimitsTest, ErrnoIsKeptAndNothingAllocated) {
  if (!CanCountLibcAllocations()) GTEST_SKIP() << "a sanitizer has replaced malloc";
  sources_.root = "/nonexistent";
  const size_t before = LibcAllocations();
  errno = 77;
  FindReachedLimit(sources_, 1);
  FindReachedLimit(LimitSources::OfThisProcess(), 1);
  EXPECT_EQ(errno, 77);
  EXPECT_EQ(LibcAllocations(), before);
}

// With the files of the machine that the test runs on.
TEST(ThisProcessTest, ALimitOfAddressSpaceIsFoundInTheRealFiles) {
  LimitSources sources = LimitSources::OfThisProcess();
  sources.address_space_limit = kMiB;  // As if somebody had lowered it.
  const LimitFinding found = FindReachedLimit(sources, 16);
  EXPECT_EQ(found.limit, MemoryLimit::kAddressSpace);
  EXPECT_GT(found.used, kMiB) << "this process is larger";
}

TEST(ThisProcessTest, LimitsAreRead) {
  struct rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_DATA, &old), 0);
  const LimitSources before = LimitSources::OfThisProcess();
  const rlim_t some = 3 * kGigabyte;
  if (old.rlim_max < some) GTEST_SKIP() << "the hard RLIMIT_DATA is below 3 GiB";
  struct rlimit changed = {some, old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_DATA, &changed), 0);
  const LimitSources with_some = LimitSources::OfThisProcess();
  changed.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_DATA, &changed), 0);
  const LimitSources with_zero = LimitSources::OfThisProcess();
  ASSERT_EQ(setrlimit(RLIMIT_DATA, &old), 0);
  EXPECT_EQ(with_some.data_limit, some);
  EXPECT_EQ(with_some.address_space_limit, before.address_space_limit);
  EXPECT_EQ(with_zero.data_limit, old.rlim_max == RLIM_INFINITY ? UINT64_MAX : old.rlim_max);
}

TEST(NamesTest, EveryLimitHasItsOwn) {
  EXPECT_STREQ(NameOf(MemoryLimit::kAddressSpace), "RLIMIT_AS");
  EXPECT_STREQ(NameOf(MemoryLimit::kUnknown), "unknown");
  for (int a = 0; a <= static_cast<int>(MemoryLimit::kUnknown); ++a) {
    for (int b = 0; b < a; ++b) {
      EXPECT_STRNE(NameOf(static_cast<MemoryLimit>(a)), NameOf(static_cast<MemoryLimit>(b)));
    }
  }
}

}  // namespace
}  // namespace prairie
