// mallinfo, mallinfo2, mallopt, malloc_trim, malloc_stats, malloc_info: they speak of the heap that
// programs use.
#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <vector>

#include "tests/support/needs.h"
#include "tests/surface/surface.h"

namespace {

constexpr size_t kMegabyte = 1 << 20;

// Bytes that programs hold. glibc counts blocks of mmap's apart.
size_t InUse() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

size_t ResidentBytes() {
  size_t total = 0;
  size_t resident = 0;
  FILE* statm = fopen("/proc/self/statm", "r");
  if (statm == nullptr || fscanf(statm, "%zu %zu", &total, &resident) != 2) resident = 0;
  if (statm != nullptr) fclose(statm);
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

void ExpectInUseToFollow(size_t size, size_t total) {
  const size_t before = InUse();
  std::vector<void*> blocks(total / size);
  for (void*& block : blocks) block = malloc(size);
  const size_t full = InUse();
  EXPECT_GE(full, before + total - total / 20) << total << " bytes in blocks of " << size;
  EXPECT_LE(full, before + total * 2 + 4 * kMegabyte) << total << " bytes in blocks of " << size;
  for (void* block : blocks) free(block);
  const size_t after = InUse();
  EXPECT_LE(after, full - total + total / 10 + kMegabyte)
      << total << " bytes in blocks of " << size << " were freed";
}

TEST(IntrospectionTest, Mallinfo2FollowsSmallBlocks) { ExpectInUseToFollow(128, 20 * kMegabyte); }
TEST(IntrospectionTest, Mallinfo2FollowsMediumBlocks) {
  ExpectInUseToFollow(16384, 20 * kMegabyte);
}
TEST(IntrospectionTest, Mallinfo2FollowsLargeBlocks) {
  PRAIRIE_NEEDS_MEMORY(64, "20 MB of large blocks");
  ExpectInUseToFollow(2 * kMegabyte, 40 * kMegabyte);
}

TEST(IntrospectionTest, Mallinfo2AddsUp) {
  void* block = malloc(5 * kMegabyte);
  const struct mallinfo2 info = mallinfo2();
  EXPECT_GE(info.arena + info.hblkhd, InUse()) << "no more can be in use than was obtained";
  EXPECT_LE(info.uordblks + info.fordblks, info.arena + info.hblkhd + 4096);
  free(block);
}

TEST(IntrospectionTest, Mallinfo2FallsWithATrim) {
  PRAIRIE_NEEDS_MEMORY(128, "80 MB at once");
  std::vector<void*> blocks;
  for (int i = 0; i < 40000; ++i) {
    blocks.push_back(malloc(2000));
    memset(blocks.back(), 1, 2000);
  }
  const size_t full = mallinfo2().arena;
  EXPECT_GE(full, 76 * kMegabyte);
  for (void* block : blocks) free(block);
  malloc_trim(0);
  const struct mallinfo2 info = mallinfo2();
  EXPECT_LT(info.arena, full - 40 * kMegabyte);
  EXPECT_LT(info.fordblks, 40 * kMegabyte);
}

TEST(IntrospectionTest, MallinfoAgreesWithMallinfo2) {
  void* block = malloc(3 * kMegabyte);
  const struct mallinfo2 wide = mallinfo2();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  const struct mallinfo narrow = mallinfo();
#pragma GCC diagnostic pop
  EXPECT_NEAR(static_cast<double>(narrow.uordblks), static_cast<double>(wide.uordblks), 65536.0);
  EXPECT_NEAR(static_cast<double>(narrow.hblkhd), static_cast<double>(wide.hblkhd), 65536.0);
  EXPECT_GT(narrow.uordblks + narrow.hblkhd, static_cast<int>(3 * kMegabyte) - 1);
  free(block);
}

TEST(IntrospectionTest, TrimGivesMemoryBack) {
  PRAIRIE_NEEDS_MEMORY(128, "80 MB at once");
  std::vector<void*> blocks;
  for (int i = 0; i < 40000; ++i) {
    blocks.push_back(malloc(2000));
    memset(blocks.back(), 1, 2000);
  }
  const size_t full = ResidentBytes();
  for (void* block : blocks) free(block);
  EXPECT_EQ(malloc_trim(0) & ~1, 0);
  EXPECT_LT(ResidentBytes(), full - 40 * kMegabyte) << "80 MB were freed and trimmed";
  const int again = malloc_trim(0);
  EXPECT_TRUE(again == 0 || again == 1) << again;
  EXPECT_EQ(malloc_trim(SIZE_MAX) & ~1, 0);
  void* block = malloc(kMegabyte);
  ASSERT_NE(block, nullptr);
  Fill(block, kMegabyte, 1);
  free(block);
}

TEST(IntrospectionTest, TrimSaysWhenItReleased) {
  PRAIRIE_NEEDS_MEMORY(128, "60 MB at once");
  void* block = malloc(30 * kMegabyte);
  memset(block, 1, 30 * kMegabyte);
  std::vector<void*> pieces;
  for (int i = 0; i < 10000; ++i) {
    pieces.push_back(malloc(3000));
    memset(pieces.back(), 1, 3000);
  }
  free(block);
  for (void* piece : pieces) free(piece);
  const size_t before = ResidentBytes();
  const int released = malloc_trim(0);
  const size_t after = ResidentBytes();
  EXPECT_EQ(released, after + kMegabyte < before ? 1 : released);
}

TEST(IntrospectionTest, MalloptKnownParameters) {
  EXPECT_EQ(mallopt(M_MMAP_THRESHOLD, 128 * 1024), 1);
  EXPECT_EQ(mallopt(M_TRIM_THRESHOLD, 128 * 1024), 1);
  EXPECT_EQ(mallopt(M_TOP_PAD, 0), 1);
  EXPECT_EQ(mallopt(M_MMAP_MAX, 65536), 1);
  EXPECT_EQ(mallopt(M_ARENA_MAX, 8), 1);
  EXPECT_EQ(mallopt(M_CHECK_ACTION, 3), 1);
  EXPECT_EQ(mallopt(M_MXFAST, 64), 1);
}

TEST(IntrospectionTest, MalloptUnknownParameterDoesNoHarm) {
  const int result = mallopt(12345, 6789);
  EXPECT_TRUE(result == 0 || result == 1) << result;
  void* block = malloc(1000);
  ASSERT_NE(block, nullptr);
  free(block);
}

TEST(IntrospectionTest, MallocInfoWritesOneElementAndRefusesOptions) {
  char* text = nullptr;
  size_t length = 0;
  FILE* stream = open_memstream(&text, &length);
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(malloc_info(0, stream), 0);
  fclose(stream);
  const std::string xml(text, length);
  free(text);
  EXPECT_EQ(xml.find("<malloc version="), 0U) << xml.substr(0, 200);
  EXPECT_NE(xml.find("</malloc>\n"), std::string::npos);
  stream = open_memstream(&text, &length);
  const int refused = malloc_info(1, stream);
  EXPECT_TRUE(refused == EINVAL || (refused == -1 && errno == EINVAL)) << refused;
  fclose(stream);
  EXPECT_EQ(length, 0U);
  free(text);
}

TEST(IntrospectionTest, MallocStatsPrintsOnStderrOnly) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  malloc_stats();
  fflush(stderr);
  const std::string error = testing::internal::GetCapturedStderr();
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_GT(error.size(), 20U);
  EXPECT_EQ(error.back(), '\n');
}

}  // namespace
