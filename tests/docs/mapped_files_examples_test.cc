// The examples of docs/mapped_files.md, compiled and run. mapped_files_test.py checks that the
// document shows nothing else.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <asio.hpp>
#include <cstring>
#include <fstream>
#include <string>

#include "prairie/mapped_file.hpp"
#include "prairie/prairie.h"
#include "prairie/prefault_asio.hpp"

namespace {

std::string WriteFile(const std::string& name, const std::string& text) {
  const std::string path = testing::TempDir() + "/" + name + "." + std::to_string(getpid());
  std::ofstream(path) << text;
  return path;
}

TEST(MappedFilesExamples, Map) {
  const std::string path = WriteFile("map", std::string(8192, 'a'));
  bool ran = false;
  // clang-format off
  {
    prairie::Result<prairie::Mapping> file = prairie::Mapping::map(path);
    if (!file.ok()) {
      fprintf(stderr, "%s: %s\n", path.c_str(), file.error().message().c_str());
      return;
    }
    size_t lines = 0;
    for (const std::byte byte : file->bytes()) lines += byte == std::byte{'\n'};
    auto numbers = file->as<const uint32_t>({.offset = 4096, .length = 400});
    ran = lines == 0 && numbers.ok() && numbers->size() == 100;
  }
  // clang-format on
  EXPECT_TRUE(ran);
  unlink(path.c_str());
}

TEST(MappedFilesExamples, Write) {
  const std::string path = WriteFile("write", "hello");
  // clang-format off
  {
    prairie::Mapping file = *prairie::Mapping::map(path, {.access = prairie::Access::kReadWrite});
    file.mutable_bytes()[0] = std::byte{'H'};
    if (std::error_code error = file.sync()) abort();
  }
  // clang-format on
  std::string text;
  std::ifstream(path) >> text;
  EXPECT_EQ(text, "Hello");
  unlink(path.c_str());
}

TEST(MappedFilesExamples, OfTheReadme) {
  const std::string path = WriteFile("readme", std::string(100000, 'x'));
  // clang-format off
  {
    prairie::Mapping file = *prairie::Mapping::map(path);
    std::byte record[64];
    std::error_code error = file.copy_from(5000, record);  // kTruncated where a load would be SIGBUS.
    EXPECT_FALSE(error);
    EXPECT_EQ(record[63], std::byte{'x'});
  }
  // clang-format on
  unlink(path.c_str());
}

TEST(MappedFilesExamples, Truncated) {
  const std::string path = WriteFile("truncated", std::string(100000, 'x'));
  prairie::Mapping file = *prairie::Mapping::map(path);
  ASSERT_EQ(truncate(path.c_str(), 0), 0);
  bool told = false;
  // clang-format off
  {
    std::byte record[64];
    if (std::error_code error = file.copy_from(5000, record)) {
      told = error == prairie::MapError::kTruncated;
    }

    uint64_t sum = 0;
    std::error_code error = file.access({.offset = 0, .length = 4096}, [&](std::span<const std::byte> bytes) {
      for (const std::byte byte : bytes) sum += static_cast<uint64_t>(byte);
    });
    told = told && error == prairie::MapError::kTruncated;
  }
  // clang-format on
  EXPECT_TRUE(told);
  unlink(path.c_str());
}

TEST(MappedFilesExamples, Reader) {
  const std::string path = WriteFile("reader", "0123456789");
  bool ran = false;
  // clang-format off
  {
    prairie::ReaderAt reader = *prairie::ReaderAt::open(path);
    std::byte buffer[8];
    prairie::ReadResult read = reader.read_at(buffer, 4);
    ran = read.count == 6 && read.error == prairie::MapError::kEndOfFile;
    reader.close();  // Waits for reads in other threads; later ones answer kClosed.
  }
  // clang-format on
  EXPECT_TRUE(ran);
  unlink(path.c_str());
}

TEST(MappedFilesExamples, Growable) {
  const std::string path = testing::TempDir() + "/growable." + std::to_string(getpid());
  // clang-format off
  {
    prairie::GrowableFile log = *prairie::GrowableFile::open(path);
    const std::string record = "one record";
    prairie::Result<uint64_t> at = log.append(std::as_bytes(std::span(record)));
    if (!at.ok()) abort();  // ENOSPC is an error here, not a signal later.
    log.set_root(std::as_bytes(std::span(&*at, 1)));
    if (std::error_code error = log.commit()) abort();
  }
  {
    prairie::GrowableFile reader = *prairie::GrowableFile::open(path, {.write = false});
    uint64_t at;
    memcpy(&at, reader.root().data(), sizeof at);
    EXPECT_EQ(memcmp(reader.data() + at, "one record", 10), 0);
    reader.refresh();  // Sees what the writer has committed since; the address stays.
  }
  // clang-format on
  unlink(path.c_str());
}

TEST(MappedFilesExamples, Prefault) {
  const std::string path = WriteFile("prefault", std::string(1 << 20, 'x'));
  const prairie::Mapping file = *prairie::Mapping::map(path);
  // clang-format off
  {
    prairie::PrefaultOperation operation = file.prefault({.offset = 0, .length = 65536});
    operation.then([](std::error_code error) { if (error) abort(); });
    prairie::PrefaultProgress progress = operation.progress();
    if (progress.done > progress.total) operation.cancel();
    if (std::error_code error = operation.wait()) abort();
  }
  // clang-format on
#if defined(ASIO_HAS_CO_AWAIT)
  bool done = false;
  asio::io_context context;
  // clang-format off
  auto task = [&]() -> asio::awaitable<void> {
    auto executor = co_await asio::this_coro::executor;
    co_await prairie::async_prefault(executor, file, {}, asio::use_awaitable);
    done = file.bytes()[0] == std::byte{'x'};  // No fault that waits for the medium.
  };
  // clang-format on
  asio::co_spawn(context, task(), asio::detached);
  context.run();
  EXPECT_TRUE(done);
  unlink(path.c_str());
#else
  unlink(path.c_str());
  GTEST_SKIP() << "this compiler has no coroutines of C++20: the rest of the example";
#endif
}

TEST(MappedFilesExamples, Arena) {
  prairie_free(prairie_malloc(1));
  prairie_stats stats;
  prairie_get_stats(&stats, sizeof stats);
  const std::string path = WriteFile("arena", std::string(10000, 'x'));
  if (stats.reserved_bytes == 0) {
    // An arena that reserves no addresses has none to give.
    EXPECT_EQ(prairie_base_of(prairie::Mapping::map(path)->data()), nullptr);
    unlink(path.c_str());
    return;
  }
  // clang-format off
  {
    prairie::Mapping file = *prairie::Mapping::map(path);
    const std::byte* inside = file.data() + 5000;
    EXPECT_EQ(prairie_base_of(inside), file.data());
    EXPECT_EQ(prairie_name_of(inside), path);
  }
  // clang-format on
  unlink(path.c_str());
}

TEST(MappedFilesExamples, Adopt) {
  void* pointer = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  bool released = false;
  // clang-format off
  {
    prairie::Mapping theirs = *prairie::Mapping::adopt(
        pointer, 4096, [&](void* p, size_t n) { released = munmap(p, n) == 0; });
    prairie::Mapping part = *theirs.slice({.offset = 100, .length = 200});
    theirs.close();  // `part` keeps it.
    part.close();    // Now it is released.
  }
  // clang-format on
  EXPECT_TRUE(released);
}

}  // namespace
