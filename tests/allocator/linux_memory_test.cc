// Moves of pages as the kernel does them, or breaks off in the middle, and what it refuses. The
// rest of LinuxMemory is under every test that touches memory.
#include "allocator/os/linux_memory.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "allocator/base/config.h"
#include "allocator/base/pages.h"

namespace prairie {
namespace {

constexpr size_t kPages = 8;

// While it is set: what the kernel does and answers in this process. -1 with errno is an answer;
// kNotMine leaves the call to the kernel.
using Kernel = long (*)(long number, const long* arguments);
constexpr long kNotMine = -2;
Kernel fake_kernel = nullptr;

class ScopedKernel {
 public:
  explicit ScopedKernel(Kernel kernel) { fake_kernel = kernel; }
  ~ScopedKernel() { fake_kernel = nullptr; }
};

TEST(MayUseTest, TellsWhatIsTaken) {
  LinuxMemory os;
  const size_t page = os.PageSize();
  const uintptr_t begin = os.ReserveAnywhere(4 * page);
  ASSERT_NE(begin, 0U);
  EXPECT_FALSE(os.MayUse(begin, 4 * page));
  EXPECT_FALSE(os.MayUse(begin + page, page));
  ASSERT_TRUE(os.Unmap(begin + page, 2 * page));
  EXPECT_TRUE(os.MayUse(begin + page, 2 * page)) << "needs Linux 4.17";
  EXPECT_TRUE(os.MayUse(begin + page, 2 * page)) << "a question changes nothing";
  EXPECT_FALSE(os.MayUse(begin + page, 3 * page)) << "the last page is taken";
  ASSERT_EQ(os.MapAt(begin + page, page), MapResult::kOk);
  EXPECT_FALSE(os.MayUse(begin + page, 2 * page)) << "the first page is taken";
  EXPECT_TRUE(os.Unmap(begin, 2 * page));
  EXPECT_TRUE(os.Unmap(begin + 3 * page, page));
}

class CollapseTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(range_, 0U);
    ASSERT_EQ(os_.Commit(range_, kRange), MapResult::kOk);
  }
  void TearDown() override { os_.Unmap(range_, kRange); }

  static constexpr size_t kRange = 2 * kHugePageSize;
  LinuxMemory os_;
  const uintptr_t range_ = os_.ReserveAnywhere(kRange);
  const uintptr_t address_ = RoundUp(range_, kHugePageSize);
};

TEST_F(CollapseTest, ContentsAreAsBefore) {
  const auto words = reinterpret_cast<size_t*>(address_);
  for (size_t i = 0; i < kHugePageSize / sizeof(size_t); ++i) words[i] = i * i;
  const bool done = os_.CollapseToHugePage(address_);
  for (size_t i = 0; i < kHugePageSize / sizeof(size_t); ++i) ASSERT_EQ(words[i], i * i);
  if (!done) GTEST_SKIP() << "needs Linux 6.1 and 2 MiB of free memory in one piece";
}

TEST_F(CollapseTest, WhatIsNotMappedIsRefused) {
  ASSERT_TRUE(os_.Unmap(range_, kRange));
  EXPECT_FALSE(os_.CollapseToHugePage(address_));
  ASSERT_EQ(os_.MapAt(range_, kRange), MapResult::kOk);
}

class MovePagesTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(from_, 0U);
    ASSERT_NE(to_, 0U);
    ASSERT_EQ(os_.Commit(from_, kPages * page_), MapResult::kOk);
    ASSERT_EQ(os_.Commit(to_, kPages * page_), MapResult::kOk);
    for (size_t i = 0; i < kPages; ++i) memset(Page(from_, i), static_cast<int>(i) + 1, page_);
    memset(Page(to_, 0), 0xee, kPages * page_);
  }
  void TearDown() override {
    munmap(Page(from_, 0), kPages * page_);
    munmap(Page(to_, 0), kPages * page_);
  }

  char* Page(uintptr_t range, size_t i) const { return reinterpret_cast<char*>(range + i * page_); }
  bool IsAll(uintptr_t range, size_t i, size_t value) const {
    const char* const page = Page(range, i);
    return std::all_of(page, page + page_,
                       [=](char byte) { return byte == static_cast<char>(value); });
  }

  LinuxMemory os_;
  const size_t page_ = os_.PageSize();
  const uintptr_t from_ = os_.ReserveAnywhere(kPages * page_);
  const uintptr_t to_ = os_.ReserveAnywhere(kPages * page_);
};

TEST_F(MovePagesTest, TheContentsMoveAndZeroesStay) {
  ASSERT_EQ(os_.MovePages(from_, to_, kPages * page_), MoveResult::kOk)
      << "needs Linux 5.7, as Debian 12 has it";
  for (size_t i = 0; i < kPages; ++i) {
    EXPECT_TRUE(IsAll(to_, i, i + 1)) << "page " << i;
    EXPECT_TRUE(IsAll(from_, i, 0)) << "page " << i;
  }
}

// Puts a mapping into page `i` of `range` that the kernel does not move in such a way: a ring of
// asynchronous I/O. Returns why it could not, or null.
const char* PutImmovable(char* page, size_t size) {
  unsigned long ring = 0;
  if (syscall(SYS_io_setup, 1, &ring) != 0) return "io_setup is not to be had here";
  char wanted[32], line[512];
  snprintf(wanted, sizeof wanted, "%lx-%lx ", ring, ring + size);
  FILE* const maps = fopen("/proc/self/maps", "r");
  bool one_page = false;
  while (maps != nullptr && fgets(line, sizeof line, maps) != nullptr) {
    if (strncmp(line, wanted, strlen(wanted)) == 0) one_page = true;
  }
  if (maps != nullptr) fclose(maps);
  if (!one_page) return "a ring is not one page here";
  void* const moved = mremap(reinterpret_cast<void*>(ring), size, size,
                             MREMAP_MAYMOVE | MREMAP_FIXED, static_cast<void*>(page));
  return moved == page ? nullptr : "the ring does not move at all";
}

// Since Linux 6.17 a range of several mappings moves one by one, and what has moved by the time of
// an error is not brought back. Before that nothing moves.
TEST_F(MovePagesTest, WhatMovedBeforeAnErrorComesBack) {
  constexpr size_t kImmovable = 5;
  if (const char* reason = PutImmovable(Page(from_, kImmovable), page_)) GTEST_SKIP() << reason;
  const MoveResult result = os_.MovePages(from_, to_, kPages * page_);
  ASSERT_NE(result, MoveResult::kOk);
  for (size_t i = 0; i < kPages; ++i) {
    if (i == kImmovable) continue;
    EXPECT_TRUE(IsAll(from_, i, i + 1)) << "page " << i << " of what was to be moved";
    unsigned char resident;
    EXPECT_EQ(mincore(Page(to_, i), page_, &resident) == 0, result == MoveResult::kFailed)
        << "page " << i << " of the target";
  }
}

// The kernel unmaps the target first, and another thread may map something there at once.
TEST_F(MovePagesTest, AnothersMappingInTheTargetStaysAsItIs) {
  memset(Page(from_, 3), 0, page_);  // As if it had moved.
  MoveResult result;
  {
    ScopedKernel kernel([](long number, const long* arguments) {
      if (number != SYS_mremap) return kNotMine;
      const size_t size = static_cast<size_t>(arguments[1]), page = size / kPages;
      char* const from = reinterpret_cast<char*>(arguments[0]);
      char* const to = reinterpret_cast<char*>(arguments[4]);
      munmap(to, size);
      mremap(from, page, page, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to);
      const auto map = [&](size_t i, int protection) {
        return mmap(to + i * page, page, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                    0);
      };
      memset(map(3, PROT_READ | PROT_WRITE), 0x5a, page);
      map(4, PROT_NONE);
      errno = ENOMEM;
      return -1L;
    });
    result = os_.MovePages(from_, to_, kPages * page_);
  }
  EXPECT_EQ(result, MoveResult::kTargetGone);
  for (size_t i = 0; i < kPages; ++i) {
    EXPECT_TRUE(IsAll(from_, i, i == 3 ? 0 : i + 1)) << "page " << i;
  }
  unsigned char resident[2];
  ASSERT_EQ(mincore(Page(to_, 3), 2 * page_, resident), 0) << "both are still there";
  EXPECT_TRUE(IsAll(to_, 3, 0x5a));
}

// A range of several mappings, of which RLIMIT_DATA grants the first.
TEST(CommitTest, WhatIsRefusedIsNotChargedInPart) {
  constexpr size_t kHalf = 16 * kMiB;
  LinuxMemory os;
  const uintptr_t begin = os.ReserveAnywhere(2 * kHalf);
  ASSERT_NE(begin, 0U);
  ASSERT_EQ(madvise(reinterpret_cast<void*>(begin), kHalf, MADV_DONTFORK), 0) << "a mapping more";
  const auto data_bytes = [] {
    size_t kibibytes = 0;
    char line[256];
    FILE* const status = fopen("/proc/self/status", "r");
    while (status != nullptr && fgets(line, sizeof line, status) != nullptr) {
      if (sscanf(line, "VmData: %zu", &kibibytes) == 1) break;
    }
    if (status != nullptr) fclose(status);
    return kibibytes * kKiB;
  };
  const size_t before = data_bytes();
  rlimit old_limit;
  ASSERT_EQ(getrlimit(RLIMIT_DATA, &old_limit), 0);
  const rlimit limit = {before + kHalf + kHalf / 2, old_limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_DATA, &limit), 0);
  const MapResult result = os.Commit(begin, 2 * kHalf);
  const size_t after = data_bytes();
  ASSERT_EQ(setrlimit(RLIMIT_DATA, &old_limit), 0);
  EXPECT_EQ(result, MapResult::kNoMemory);
  EXPECT_LT(after, before + kHalf / 2);
  EXPECT_TRUE(os.Unmap(begin, 2 * kHalf));
}

// Sandboxes answer what they like.
TEST(RefusalTest, AnAnswerOfAFilterOfSystemCallsMeansNoMemory) {
  LinuxMemory os;
  const size_t page = os.PageSize();
  const uintptr_t begin = os.ReserveAnywhere(2 * page);
  ASSERT_EQ(os.Commit(begin, page), MapResult::kOk);
  static int answer;
  for (const int error : {EPERM, EACCES, ENOSYS, ENOMEM, EAGAIN}) {
    answer = error;
    ScopedKernel kernel([](long number, const long*) {
      bool mine = number == SYS_mprotect || number == SYS_munmap || number == SYS_mremap;
#if defined(SYS_mmap2)
      mine = mine || number == SYS_mmap2;
#else
      mine = mine || number == SYS_mmap;
#endif
      if (!mine) return kNotMine;
      errno = answer;
      return -1L;
    });
    EXPECT_EQ(os.Commit(begin + page, page), MapResult::kNoMemory) << error;
    EXPECT_EQ(os.MapAt(begin, page), MapResult::kNoMemory) << error;
    EXPECT_EQ(os.ReserveAt(begin, page), MapResult::kNoMemory) << error;
    EXPECT_EQ(os.ReserveAnywhere(page), 0U) << error;
    EXPECT_FALSE(os.Unmap(begin, page)) << error;
    EXPECT_TRUE(os.Decommit(begin, page)) << "the contents are gone all the same";
    EXPECT_FALSE(os.Renew(begin, page)) << error;
  }
  EXPECT_TRUE(os.Unmap(begin, 2 * page));
}

}  // namespace
}  // namespace prairie

// In the place of the C library's.
extern "C" long syscall(long number, ...) noexcept {
  long arguments[6];
  va_list list;
  va_start(list, number);
  for (long& argument : arguments) argument = va_arg(list, long);
  va_end(list);
  if (prairie::fake_kernel != nullptr) {
    const long answer = prairie::fake_kernel(number, arguments);
    if (answer != prairie::kNotMine) return answer;
  }
  static const auto real = reinterpret_cast<long (*)(long, ...)>(dlsym(RTLD_NEXT, "syscall"));
  return real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
              arguments[5]);
}
