// Growable files and crashes: at every step of the writer the machine dies, and unsynced sectors
// are lost or reordered, or the process alone dies; and real writers are killed at random moments.
// After each the file opens, and holds the last commit or the one that was under way.
//
// PRAIRIE_CRASHES and PRAIRIE_KILLS in the environment are how many of each; more than by default
// take longer.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "prairie/growable_file.hpp"
#include "runtime/growable/file_header.h"
#include "runtime/growable/growable_internals.h"
#include "runtime/guard/closed_regions.h"
#include "tests/runtime/crashing_disk.h"
#include "tests/runtime/temporary_file.h"

namespace prairie {
namespace {

const GrowableOptions kSmall = {.reserve = 1 << 20, .first_capacity = 4096, .in_arena = false};

long FromEnvironment(const char* name, long by_default) {
  const char* const value = getenv(name);
  return value != nullptr ? strtol(value, nullptr, 10) : by_default;
}

struct Commit {
  std::vector<std::byte> bytes;
  std::vector<std::byte> root;
};

// What the file must hold: one of these.
struct Model {
  Commit last;  // the last commit that returned
  Commit next;  // what the one under way commits
  bool under_way = false;
};

bool Holds(const GrowableFile& file, const Commit& commit) {
  return file.size() == commit.bytes.size() &&
         std::equal(commit.bytes.begin(), commit.bytes.end(), file.data()) &&
         std::equal(commit.root.begin(), commit.root.end(), file.root().begin());
}

std::error_code RunOneStep(GrowableFile& file, Commit& now, Model& model, std::mt19937& random) {
  switch (random() % 8) {
    case 0: {  // Smaller, or larger.
      const size_t size = random() % (now.bytes.size() + 6000);
      if (const std::error_code error = file.resize(size)) return error;
      now.bytes.resize(size);
      return {};
    }
    case 1: {
      now.root.assign(GrowableFile::kRootBytes, static_cast<std::byte>(random()));
      return file.set_root(now.root);
    }
    case 2:
    case 3:
    case 4: {
      model.next = now;
      model.under_way = true;
      if (const std::error_code error = file.commit()) return error;
      model.last = now;
      model.under_way = false;
      return {};
    }
    case 5: {  // Written in place.
      for (std::byte& byte : file.uncommitted()) byte = static_cast<std::byte>(random());
      const size_t tail = file.uncommitted().size();
      std::copy(file.uncommitted().begin(), file.uncommitted().end(), now.bytes.end() - tail);
      return {};
    }
    default: {
      std::vector<std::byte> bytes(1 + random() % 3000);
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
      const Result<uint64_t> at = file.append(bytes);
      if (!at.ok()) return at.error();
      EXPECT_EQ(*at, now.bytes.size());
      now.bytes.insert(now.bytes.end(), bytes.begin(), bytes.end());
      return {};
    }
  }
}

// Opens what a crash has left, checks it, and works on until the next crash. Returns whether there
// was one.
bool LiveUntilCrash(DiskState* state, Model* model, int crash_at, unsigned seed) {
  CrashingDisk disk(*state, crash_at, seed);
  std::mt19937 random(seed / 1000);  // The same work, whatever the step of the crash.
  {
    Result<GrowableFile> opened =
        GrowableInternals::Open(disk, "disk", kSmall, CallSite::current());
    EXPECT_TRUE(opened.ok() || disk.crashed()) << opened.error().message();
    if (opened.ok()) {
      GrowableFile& file = *opened;
      if (model->under_way && !Holds(file, model->last)) model->last = model->next;
      model->under_way = false;
      EXPECT_TRUE(Holds(file, model->last))
          << "size " << file.size() << ", expected " << model->last.bytes.size() << ", commit "
          << file.sequence();
      Commit now = model->last;
      for (int step = 0; step < 40 && !disk.crashed(); ++step) {
        const std::error_code error = RunOneStep(file, now, *model, random);
        EXPECT_TRUE(!error || disk.crashed() || error == MapError::kCommitFirst) << error.message();
        if (testing::Test::HasFailure()) break;
      }
      if (!disk.crashed()) {
        // What is dropped at the end was not committed; a crash may come in it.
        file.close();
      }
    }
  }
  if (seed % 3 == 0) {
    *state = disk.StateAfterDeath();
  } else {
    state->durable = state->cached = disk.ImageAfterCrash();
  }
  return disk.crashed();
}

TEST(GrowableCrashTest, EveryStep) {
  const long wanted = FromEnvironment("PRAIRIE_CRASHES", 4000);
  long crashes = 0;
  for (unsigned script = 1; crashes < wanted; ++script) {
    // Each script once for each of its steps: a first life up to the crash, and two more lives of
    // what that has left, with crashes at steps of their own.
    for (int crash_at = 1;; ++crash_at) {
      DiskState disk;
      Model model;
      const unsigned seed = script * 1000 + static_cast<unsigned>(crash_at) % 1000;
      const bool crashed = LiveUntilCrash(&disk, &model, crash_at, seed);
      crashes += crashed ? 1 : 0;
      for (unsigned life = 1; life <= 2; ++life) {
        crashes += LiveUntilCrash(&disk, &model, 1 + crash_at % 17, seed + life * 500009) ? 1 : 0;
      }
      LiveUntilCrash(&disk, &model, 0, seed);
      ASSERT_FALSE(HasFailure()) << "script " << script << ", crash at step " << crash_at;
      if (!crashed) break;
    }
    ForgetClosed();
  }
  printf("%ld crashes\n", crashes);
  EXPECT_GE(crashes, wanted);
}

// The test layer itself loses what was not synced, or the test above shows nothing.
TEST(GrowableCrashTest, TheDiskLosesUnsyncedSectors) {
  int lost = 0, kept = 0, partly = 0;
  for (unsigned seed = 0; seed < 100; ++seed) {
    CrashingDisk disk({}, 0, seed);
    int fd = -1;
    ASSERT_EQ(disk.Open("", {}, &fd), 0);
    const DiskImage ones(8192, 1), twos(8192, 2);
    ASSERT_EQ(disk.WriteAt(fd, ones.data(), ones.size(), 0), 0);
    ASSERT_EQ(disk.SyncData(fd), 0);
    ASSERT_EQ(disk.WriteAt(fd, twos.data(), twos.size(), 0), 0);
    const DiskImage image = disk.ImageAfterCrash();
    close(fd);
    ASSERT_EQ(image.size(), ones.size());
    if (image == ones) {
      ++lost;
    } else if (image == twos) {
      ++kept;
    } else {
      ++partly;
    }
  }
  EXPECT_GT(lost, 5);
  EXPECT_GT(kept, 5);
  EXPECT_GT(partly, 20);
}

// --- Real processes.

constexpr size_t kRecord = 24;

void FillRecord(uint64_t number, std::byte* record) {
  uint64_t words[3] = {number, number * 0x9e3779b97f4a7c15, ~number};
  memcpy(record, words, kRecord);
}

// Appends and commits for ever; says on the pipe what has been committed.
[[noreturn]] void Write(const std::string& path, int pipe) {
  Result<GrowableFile> opened = GrowableFile::open(path, kSmall);
  if (!opened.ok()) _exit(1);
  for (uint64_t n = opened->size() / kRecord;;) {
    for (unsigned i = 0; i <= n % 50; ++i, ++n) {
      std::byte record[kRecord];
      FillRecord(n, record);
      if (!opened->append(record).ok()) _exit(2);
      if (opened->size() > 900000) _exit(3);
    }
    if (opened->set_root(std::as_bytes(std::span(&n, 1))) || opened->commit()) _exit(4);
    if (write(pipe, &n, sizeof n) != sizeof n) _exit(5);
  }
}

TEST(GrowableCrashTest, KilledWriters) {
  const long kills = FromEnvironment("PRAIRIE_KILLS", 250);
  std::mt19937 random(1);
  std::string path = TemporaryPath("killed");
  uint64_t confirmed = 0;
  for (long kill_number = 0; kill_number < kills; ++kill_number) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) Write(path, ends[1]);
    close(ends[1]);
    usleep(random() % 8000);
    ASSERT_EQ(kill(child, SIGKILL), 0);
    for (uint64_t n; read(ends[0], &n, sizeof n) == sizeof n;) confirmed = n;
    close(ends[0]);
    int status;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    if (WIFEXITED(status)) {
      ASSERT_EQ(WEXITSTATUS(status), 3) << "the writer has found an error";
    }
    Result<GrowableFile> opened = GrowableFile::open(path, kSmall);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    uint64_t root;
    memcpy(&root, opened->root().data(), sizeof root);
    ASSERT_GE(root, confirmed) << "a commit that was confirmed is gone";
    ASSERT_EQ(opened->size(), root * kRecord) << "root and bytes are of two commits";
    for (uint64_t n = 0; n < root; ++n) {
      std::byte record[kRecord];
      FillRecord(n, record);
      ASSERT_EQ(memcmp(opened->data() + n * kRecord, record, kRecord), 0) << n;
    }
    if (opened->size() > 600000) {
      ASSERT_FALSE(opened->close());
      unlink(path.c_str());
      path = TemporaryPath("killed");
      confirmed = 0;
    }
  }
  printf("%ld kills, %llu records in the last file\n", kills,
         static_cast<unsigned long long>(confirmed));
  unlink(path.c_str());
}

}  // namespace
}  // namespace prairie
