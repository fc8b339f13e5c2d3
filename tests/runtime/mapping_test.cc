// Mapping: every way to map, what the bytes are, and what the kernel offers for them.
#include "prairie/mapping.hpp"

#include <errno.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cstring>
#include <utility>

#include "tests/runtime/temporary_file.h"

namespace prairie {
namespace {

constexpr size_t kPage = 4096;

TEST(MappingTest, WholeFile) {
  for (const size_t size : {size_t{1}, size_t{100}, kPage, kPage + 1, 100 * kPage}) {
    TemporaryFile file(size);
    const Result<Mapping> mapping = Mapping::map(file.path());
    ASSERT_TRUE(mapping.ok()) << mapping.error().message();
    EXPECT_EQ(mapping->size(), size);
    EXPECT_TRUE(HasPattern(mapping->bytes()));
    Mapping copy = *mapping;
    EXPECT_TRUE(copy.mutable_bytes().empty()) << "mapped for reading";
  }
}

TEST(MappingTest, AnyPart) {
  TemporaryFile file(10 * kPage + 123);
  for (const int64_t offset : {0L, 1L, 4095L, 4096L, 4097L, 20000L, 40960L, 41083L}) {
    const int64_t rest = 41083 - offset;
    for (const int64_t length : {int64_t{0}, int64_t{1}, rest / 2, rest}) {
      if (length > rest) continue;
      const Result<Mapping> part = Mapping::map(file.path(), {.offset = offset, .length = length});
      ASSERT_TRUE(part.ok()) << offset << " " << length << " " << part.error().message();
      EXPECT_EQ(part->size(), static_cast<size_t>(length));
      EXPECT_TRUE(HasPattern(part->bytes(), static_cast<uint64_t>(offset)));
    }
    const Result<Mapping> open_end = Mapping::map(file.path(), {.offset = offset});
    ASSERT_TRUE(open_end.ok());
    EXPECT_EQ(open_end->size(), static_cast<size_t>(rest));
  }
}

TEST(MappingTest, EmptyFile) {
  TemporaryFile file(0);
  for (const Access access : {Access::kRead, Access::kReadWrite, Access::kCopyOnWrite}) {
    Result<Mapping> mapping = Mapping::map(file.path(), {.access = access});
    ASSERT_TRUE(mapping.ok());
    EXPECT_TRUE(mapping->is_open());
    EXPECT_TRUE(mapping->empty());
    EXPECT_FALSE(mapping->sync());
    EXPECT_FALSE(mapping->lock());
    EXPECT_FALSE(mapping->unlock());
    EXPECT_FALSE(mapping->advise({}, Advice::kWillNeed));
    EXPECT_FALSE(mapping->protect({}, {.read = false}));
    EXPECT_FALSE(mapping->validate());
    EXPECT_EQ(mapping->residency()->pages, 0U);
    EXPECT_EQ(mapping->stats()->size, 0U);
    EXPECT_TRUE(mapping->as<const int>()->empty());
    EXPECT_EQ(mapping->copy_from(0, {}), std::error_code());
    std::byte one;
    EXPECT_EQ(mapping->copy_from(0, {&one, 1}), MapError::kOutOfRange);
    EXPECT_FALSE(mapping->close());
    EXPECT_EQ(mapping->close(), MapError::kClosed);
  }
}

TEST(MappingTest, SharedWritesGoToTheFile) {
  TemporaryFile file(3 * kPage);
  Result<Mapping> mapping = Mapping::map(file.path(), {.access = Access::kReadWrite});
  ASSERT_TRUE(mapping.ok());
  ASSERT_EQ(mapping->mutable_bytes().size(), 3 * kPage);
  mapping->mutable_bytes()[kPage + 5] = std::byte{0};
  EXPECT_FALSE(mapping->sync(SyncMode::kWait, {kPage + 5, 1})) << "ranges need no alignment";
  EXPECT_FALSE(mapping->sync(SyncMode::kStart));
  EXPECT_FALSE(mapping->sync());
  EXPECT_EQ(file.Contents()[kPage + 5], std::byte{0});
  EXPECT_EQ(mapping->sync(SyncMode::kWait, {3 * kPage, 1}), MapError::kOutOfRange);
}

TEST(MappingTest, CopyOnWriteStaysHere) {
  TemporaryFile file(3 * kPage);
  Result<Mapping> mapping = Mapping::map(file.path(), {.access = Access::kCopyOnWrite});
  ASSERT_TRUE(mapping.ok());
  mapping->mutable_bytes()[100] = std::byte{0};
  EXPECT_EQ(mapping->bytes()[100], std::byte{0});
  EXPECT_FALSE(mapping->sync());
  EXPECT_TRUE(HasPattern(file.Contents()));
}

TEST(MappingTest, Descriptor) {
  TemporaryFile file(kPage);
  const int fd = open(file.path().c_str(), O_RDONLY);
  const Result<Mapping> mapping = Mapping::map_descriptor(fd);
  EXPECT_EQ(close(fd), 0);
  ASSERT_TRUE(mapping.ok());
  EXPECT_TRUE(HasPattern(mapping->bytes()));
  EXPECT_EQ(Mapping::map_descriptor(fd).error(), std::errc::bad_file_descriptor);
}

TEST(MappingTest, Anonymous) {
  Result<Mapping> mapping = Mapping::anonymous(3 * kPage + 1);
  ASSERT_TRUE(mapping.ok());
  EXPECT_EQ(mapping->size(), 3 * kPage + 1);
  for (std::byte& byte : mapping->mutable_bytes()) {
    ASSERT_EQ(byte, std::byte{0});
    byte = std::byte{1};
  }
  ASSERT_TRUE(Mapping::anonymous(0).ok());
  EXPECT_EQ(Mapping::anonymous(10, {.access = Access::kRead}).error(), std::errc::invalid_argument);
  EXPECT_EQ(Mapping::anonymous(SIZE_MAX).error(), std::errc::not_enough_memory);
  EXPECT_EQ(Mapping::anonymous(SIZE_MAX / 2).error(), std::errc::not_enough_memory);
}

TEST(MappingTest, AnonymousSharedWithChildren) {
  Result<Mapping> mapping = Mapping::anonymous(kPage, {.access = Access::kReadWrite});
  ASSERT_TRUE(mapping.ok());
  const pid_t child = fork();
  if (child == 0) {
    mapping->mutable_bytes()[0] = std::byte{7};
    _exit(0);
  }
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(mapping->bytes()[0], std::byte{7});
}

TEST(MappingTest, Views) {
  TemporaryFile file(64);
  Result<Mapping> mapping = Mapping::map(file.path());
  ASSERT_TRUE(mapping.ok());
  const Result<std::span<const uint32_t>> words = mapping->as<const uint32_t>();
  ASSERT_TRUE(words.ok());
  EXPECT_EQ(words->size(), 16U);
  EXPECT_EQ(static_cast<const void*>(words->data()), mapping->data());
  EXPECT_EQ(mapping->as<const uint32_t>({0, 6}).error(), MapError::kMisaligned);
  EXPECT_EQ(mapping->as<const uint32_t>({2, 8}).error(), MapError::kMisaligned);
  EXPECT_EQ(mapping->as<const uint32_t>({60, 8}).error(), MapError::kOutOfRange);
  EXPECT_EQ(mapping->as<uint32_t>().error(), MapError::kNotWritable);
  Result<Mapping> unaligned = Mapping::map(file.path(), {.offset = 3, .length = 8});
  EXPECT_EQ(unaligned->as<const uint64_t>().error(), MapError::kMisaligned);
  Result<Mapping> writable = Mapping::map(file.path(), {.access = Access::kReadWrite});
  writable->as<uint64_t>({8, 8}).value()[0] = 42;
  EXPECT_EQ(file.Contents()[8], std::byte{42});
}

TEST(MappingTest, SlicesKeepTheMappingAlive) {
  TemporaryFile file(5 * kPage);
  Result<Mapping> mapping = Mapping::map(file.path());
  ASSERT_TRUE(mapping.ok());
  Result<Mapping> slice = mapping->slice({kPage + 1, 2 * kPage});
  ASSERT_TRUE(slice.ok());
  Mapping second = *slice->slice({10});
  EXPECT_EQ(mapping->slice({5 * kPage + 1}).error(), MapError::kOutOfRange);
  EXPECT_EQ(mapping->slice({1, 5 * kPage}).error(), MapError::kOutOfRange);
  EXPECT_FALSE(mapping->close());
  EXPECT_EQ(mapping->size(), 0U);
  EXPECT_EQ(mapping->slice({}).error(), MapError::kClosed);
  EXPECT_TRUE(HasPattern(slice->bytes(), kPage + 1));
  EXPECT_FALSE(slice->close());
  EXPECT_EQ(second.size(), 2 * kPage - 10);
  EXPECT_TRUE(HasPattern(second.bytes(), kPage + 11));
}

TEST(MappingTest, ClosedHandle) {
  Mapping none;
  std::byte byte;
  EXPECT_FALSE(none.is_open());
  EXPECT_TRUE(none.bytes().empty());
  EXPECT_EQ(none.close(), MapError::kClosed);
  EXPECT_EQ(none.sync(), MapError::kClosed);
  EXPECT_EQ(none.lock(), MapError::kClosed);
  EXPECT_EQ(none.protect({}, {}), MapError::kClosed);
  EXPECT_EQ(none.advise({}, Advice::kNormal), MapError::kClosed);
  EXPECT_EQ(none.validate(), MapError::kClosed);
  EXPECT_EQ(none.residency().error(), MapError::kClosed);
  EXPECT_EQ(none.count_resident().error(), MapError::kClosed);
  EXPECT_EQ(none.stats().error(), MapError::kClosed);
  EXPECT_EQ(none.copy_from(0, {&byte, 1}), MapError::kClosed);
  EXPECT_EQ(none.copy_to(0, {&byte, 1}), MapError::kClosed);
  EXPECT_EQ(none.as<const char>().error(), MapError::kClosed);
  EXPECT_EQ(none.access({}, [](std::span<const std::byte>) {}), MapError::kClosed);
}

TEST(MappingTest, Adopt) {
  void* const memory =
      mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int released = 0;
  {
    Result<Mapping> mapping = Mapping::adopt(memory, kPage, [&](void* pointer, size_t length) {
      EXPECT_EQ(pointer, memory);
      EXPECT_EQ(length, kPage);
      ++released;
    });
    ASSERT_TRUE(mapping.ok());
    const Mapping slice = *mapping->slice({10, 10});
    EXPECT_FALSE(mapping->close());
    EXPECT_EQ(released, 0);
    EXPECT_EQ(slice.size(), 10U);
  }
  EXPECT_EQ(released, 1);
  EXPECT_EQ(munmap(memory, kPage), 0) << "it was the caller's to unmap";
  EXPECT_EQ(Mapping::adopt(nullptr, 1, {}).error(), std::errc::invalid_argument);
}

TEST(MappingTest, Protect) {
  TemporaryFile file(4 * kPage);
  Result<Mapping> mapping = Mapping::map(file.path(), {.access = Access::kReadWrite});
  ASSERT_TRUE(mapping.ok());
  EXPECT_EQ(mapping->protect({1, kPage}, {}), MapError::kMisaligned);
  EXPECT_EQ(mapping->protect({0, kPage + 1}, {}), MapError::kMisaligned);
  EXPECT_FALSE(mapping->protect({kPage, kPage}, {.read = true}));
  volatile std::byte* const bytes = mapping->mutable_bytes().data();
  bytes[2 * kPage] = std::byte{1};
  EXPECT_DEATH(bytes[kPage] = std::byte{1}, "");
  EXPECT_FALSE(mapping->protect({kPage, kPage}, {.read = true, .write = true}));
  bytes[kPage] = std::byte{1};
  Result<Mapping> read_only = Mapping::map(file.path());
  EXPECT_EQ(read_only->protect({}, {.write = true}), MapError::kNotWritable);
}

// A function of machine code that returns 42.
constexpr unsigned char kCode[] = {0xb8, 42, 0, 0, 0, 0xc3};

TEST(MappingTest, ExecutableOnlyWhenAsked) {
#if !defined(__x86_64__) && !defined(__i386__)
  GTEST_SKIP() << "the machine code is x86's";
#endif
  TemporaryFile file(sizeof kCode);
  {
    Result<Mapping> writer = Mapping::map(file.path(), {.access = Access::kReadWrite});
    memcpy(writer->mutable_bytes().data(), kCode, sizeof kCode);
  }
  const auto run = [](const Mapping& mapping) {
    return reinterpret_cast<int (*)()>(reinterpret_cast<uintptr_t>(mapping.data()))();
  };
  Result<Mapping> data = Mapping::map(file.path());
  EXPECT_DEATH(run(*data), "");
  const Result<Mapping> code = Mapping::map(file.path(), {.executable = true});
  ASSERT_TRUE(code.ok());
  EXPECT_EQ(run(*code), 42);
  EXPECT_FALSE(data->protect({}, {.execute = true}));
  EXPECT_EQ(run(*data), 42);
}

TEST(MappingTest, EveryAdvice) {
  TemporaryFile file(600 * kPage);
  Result<Mapping> mapping = Mapping::map(file.path(), {.access = Access::kCopyOnWrite});
  Result<Mapping> memory = Mapping::anonymous(600 * kPage);
  ASSERT_TRUE(mapping.ok() && memory.ok());
  for (int i = 0; i <= static_cast<int>(Advice::kGuardRemove); ++i) {
    const Advice advice = static_cast<Advice>(i);
    // What a kernel or this kind of mapping does not know is EINVAL; nothing else is expected.
    const std::error_code on_file = mapping->advise({kPage, 2 * kPage}, advice);
    const std::error_code on_memory = memory->advise({kPage, 2 * kPage}, advice);
    for (const std::error_code& error : {on_file, on_memory}) {
      const bool not_here = error == std::errc::invalid_argument ||
                            (advice == Advice::kRemove && error == std::errc::permission_denied);
      EXPECT_TRUE(!error || not_here) << i << error.message();
    }
    EXPECT_TRUE(!on_file || !on_memory || advice == Advice::kRemove ||
                advice == Advice::kCollapse || advice == Advice::kMergeable ||
                advice == Advice::kUnmergeable || advice >= Advice::kGuardInstall)
        << i;
  }
  EXPECT_EQ(mapping->advise({}, static_cast<Advice>(-1)), std::errc::invalid_argument);
  EXPECT_EQ(mapping->advise({}, static_cast<Advice>(99)), std::errc::invalid_argument);
  // Advice that changes bytes leaves neighbours alone.
  memory->mutable_bytes()[0] = memory->mutable_bytes()[kPage] = std::byte{1};
  EXPECT_EQ(memory->advise({1, kPage}, Advice::kDontNeed), MapError::kMisaligned);
  EXPECT_FALSE(memory->advise({kPage, kPage}, Advice::kDontNeed));
  EXPECT_EQ(memory->bytes()[0], std::byte{1});
  EXPECT_EQ(memory->bytes()[kPage], std::byte{0});
  // The end of the mapping is as good as the end of a page.
  Result<Mapping> odd = Mapping::anonymous(kPage + 10);
  EXPECT_FALSE(odd->advise({kPage, 10}, Advice::kDontNeed));
}

TEST(MappingTest, ResidencyAndEviction) {
  TemporaryFile file(64 * kPage);
  Result<Mapping> mapping = Mapping::map(file.path(), {.access = Access::kReadWrite});
  ASSERT_TRUE(mapping.ok());
  Result<Residency> all = mapping->residency();
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(all->page_bytes, kPage);
  EXPECT_EQ(all->pages, 64U);
  EXPECT_EQ(all->resident, 64U) << "just written";
  EXPECT_EQ(all->resident_page.size(), 64U);
  const Result<Residency> part = mapping->residency({kPage - 1, 2});
  EXPECT_EQ(part->pages, 2U) << "every page that the range touches";
  EXPECT_EQ(mapping->count_resident()->resident, 64U);
  EXPECT_TRUE(mapping->count_resident()->resident_page.empty());
  EXPECT_EQ(mapping->residency({0, 65 * kPage}).error(), MapError::kOutOfRange);
  // Anonymous pages are in memory once they have been written.
  Result<Mapping> memory = Mapping::anonymous(40000 * kPage);
  EXPECT_EQ(memory->residency()->resident, 0U);
  memory->mutable_bytes()[39999 * kPage] = std::byte{1};
  memory->mutable_bytes()[5 * kPage] = std::byte{1};
  const Result<Residency> two = memory->residency();
  EXPECT_EQ(two->resident, 2U);
  EXPECT_TRUE(two->resident_page[5] && two->resident_page[39999]);
  EXPECT_EQ(memory->count_resident()->resident, 2U);
}

TEST(MappingTest, LockAndStats) {
  Result<Mapping> memory = Mapping::anonymous(64 * kPage);
  ASSERT_TRUE(memory.ok());
  Result<MappingStats> stats = memory->stats();
  ASSERT_TRUE(stats.ok());
  EXPECT_EQ(stats->size, 64 * kPage);
  EXPECT_EQ(stats->resident, 0U);
  EXPECT_EQ(stats->locked, 0U);
  const uint64_t faults = stats->minor_faults;
  for (size_t i = 0; i < 16; ++i) memory->mutable_bytes()[i * kPage] = std::byte{1};
  stats = memory->stats();
  EXPECT_EQ(stats->resident, 16 * kPage);
  EXPECT_EQ(stats->dirty, 16 * kPage);
  EXPECT_GT(stats->minor_faults, faults);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's mlock does nothing";
#endif
  struct rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
  if (limit.rlim_cur < 8 * kPage) GTEST_SKIP() << "RLIMIT_MEMLOCK is " << limit.rlim_cur;
  EXPECT_FALSE(memory->lock({20 * kPage + 1, 3 * kPage}));
  EXPECT_EQ(memory->stats()->locked, 4 * kPage) << "the pages that the range touches";
  EXPECT_EQ(memory->stats()->resident, 20 * kPage);
  EXPECT_FALSE(memory->unlock());
  EXPECT_EQ(memory->stats()->locked, 0U);
}

TEST(MappingTest, DirtyPagesOfAFile) {
  TemporaryFile file(64 * kPage);
  Result<Mapping> mapping = Mapping::map(file.path(), {.access = Access::kReadWrite});
  ASSERT_TRUE(mapping.ok());
  ASSERT_FALSE(mapping->sync());
  EXPECT_EQ(mapping->stats()->dirty, 0U);
  for (size_t i = 0; i < 5; ++i) mapping->mutable_bytes()[i * 7 * kPage] = std::byte{0};
  EXPECT_GE(mapping->stats()->dirty, kPage);
  ASSERT_FALSE(mapping->sync());
  EXPECT_EQ(mapping->stats()->dirty, 0U);
}

TEST(MappingTest, HugePagesBeginAtTheirMultiple) {
  constexpr size_t kHuge = 2 << 20;
  Result<Mapping> memory =
      Mapping::anonymous(2 * kHuge, {.access = Access::kCopyOnWrite, .huge_pages = true});
  ASSERT_TRUE(memory.ok());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory->data()) % kHuge, 0U);
  memset(memory->mutable_bytes().data(), 1, 2 * kHuge);
  TemporaryFile file(3 * kPage);
  const Result<Mapping> mapping =
      Mapping::map(file.path(), {.offset = kPage + 3, .huge_pages = true});
  ASSERT_TRUE(mapping.ok());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(mapping->data()) % kHuge, kPage + 3);
  EXPECT_TRUE(HasPattern(mapping->bytes(), kPage + 3));
}

TEST(MappingTest, GuardPageBehind) {
  for (const bool in_arena : {true, false}) {
    Result<Mapping> memory =
        Mapping::anonymous(kPage * 2, {.access = Access::kCopyOnWrite, .in_arena = in_arena});
    volatile std::byte* const bytes = memory->mutable_bytes().data();
    EXPECT_DEATH(bytes[2 * kPage] = std::byte{1}, "");
  }
}

}  // namespace
}  // namespace prairie
