// Appends with commits: 100 records of 100 bytes, then a commit that waits for the medium, and
// after which a crash leaves this commit or the one before. And growth from 1 MiB to 1 GiB while a
// thread reads: what a reader notices of it.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <lmdb.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/interprocess/file_mapping.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <boost/iostreams/device/mapped_file.hpp>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "bench/mapped/files.h"
#include "prairie/mapped_file.hpp"

namespace prairie_bench {
namespace {

constexpr int kRecords = 100;
constexpr size_t kRecordBytes = 100;
constexpr size_t kPart = size_t{1} << 20;
constexpr size_t kEnd = size_t{1} << 30;

// --- The contestants. Each begins with an empty file. Append, Commit and Grow are called by one
// thread; First returns any byte of what has been appended, for any thread.

class Prairie {
 public:
  explicit Prairie(const std::string& path) : file_(*prairie::GrowableFile::open(path)) {}
  void Append(const void* bytes, size_t size) {
    Must(file_.append({static_cast<const std::byte*>(bytes), size}).ok());
  }
  void Commit() { Must(!file_.commit()); }
  char Byte(uint64_t random) const {
    const std::span<const std::byte> bytes = file_.bytes();
    return static_cast<char>(bytes[random % bytes.size()]);
  }

 private:
  prairie::GrowableFile file_;
};

// pwrite and pread, with a header of two slots as in a growable file.
class Descriptor {
 public:
  explicit Descriptor(const std::string& path)
      : fd_(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600)) {
    Must(fd_ >= 0);
  }
  ~Descriptor() { close(fd_); }
  void Append(const void* bytes, size_t size) {
    Must(pwrite(fd_, bytes, size, static_cast<off_t>(2 * kPage + size_)) ==
         static_cast<ssize_t>(size));
    size_ += size;
  }
  void Commit() {
    const uint64_t size = size_;
    Must(fdatasync(fd_) == 0);
    Must(pwrite(fd_, &size, sizeof size, static_cast<off_t>(++commits_ % 2 * kPage)) > 0);
    Must(fdatasync(fd_) == 0);
  }
  char Byte(uint64_t random) const {
    char byte;
    Must(pread(fd_, &byte, 1, static_cast<off_t>(2 * kPage + random % size_)) == 1);
    return byte;
  }

 private:
  const int fd_;
  std::atomic<uint64_t> size_{0};
  unsigned commits_ = 0;
};

// Boost's mapped files cannot grow in place: the file is cut longer, by doubling, and mapped anew,
// for which readers have to stop. What was mapped is written back as for Descriptor, by msync.
template <typename Map>
class Remapped {
 public:
  explicit Remapped(const std::string& path) : path_(path) {
    close(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600));
    MapAnew(kPart);
  }
  void Append(const void* bytes, size_t size) {
    if (2 * kPage + size_ + size > capacity_) MapAnew(std::max(2 * capacity_, 2 * size));
    memcpy(map_->data() + 2 * kPage + size_, bytes, size);
    size_ += size;
  }
  void Commit() {
    map_->Flush((2 * kPage + committed_) / kPage * kPage, 2 * kPage + size_);
    committed_ = size_;
    const size_t slot = ++commits_ % 2 * kPage;
    memcpy(map_->data() + slot, &committed_, sizeof committed_);
    map_->Flush(slot, slot + kPage);
  }
  char Byte(uint64_t random) const {
    std::shared_lock lock(mutex_);
    return map_->data()[2 * kPage + random % size_];
  }

 private:
  void MapAnew(size_t capacity) {
    std::unique_lock lock(mutex_);
    map_.reset();
    Must(truncate(path_.c_str(), static_cast<off_t>(capacity)) == 0);
    map_ = std::make_unique<Map>(path_);
    capacity_ = capacity;
  }

  const std::string path_;
  mutable std::shared_mutex mutex_;
  std::unique_ptr<Map> map_;
  size_t capacity_ = 0;
  std::atomic<uint64_t> size_{0};
  uint64_t committed_ = 0;
  unsigned commits_ = 0;
};

class InterprocessMap {
 public:
  explicit InterprocessMap(const std::string& path)
      : region_(boost::interprocess::file_mapping(path.c_str(), boost::interprocess::read_write),
                boost::interprocess::read_write) {}
  char* data() const { return static_cast<char*>(region_.get_address()); }
  void Flush(size_t begin, size_t end) { Must(region_.flush(begin, end - begin, false)); }

 private:
  boost::interprocess::mapped_region region_;
};

class IostreamsMap {
 public:
  explicit IostreamsMap(const std::string& path) : file_(path) {}
  char* data() const { return file_.data(); }
  // It has no call for that.
  void Flush(size_t begin, size_t end) {
    Must(msync(file_.data() + begin, end - begin, MS_SYNC) == 0);
  }

 private:
  boost::iostreams::mapped_file file_;
};

// Records by number; a read is a transaction.
class Lmdb {
 public:
  explicit Lmdb(const std::string& path, unsigned flags = 0) : path_(path) {
    unlink(path.c_str());
    Must(mdb_env_create(&env_) == 0);
    // It must be known beforehand.
    Must(mdb_env_set_mapsize(env_, size_t{16} << 30) == 0);
    Must(mdb_env_open(env_, path.c_str(), MDB_NOSUBDIR | flags, 0600) == 0);
  }
  ~Lmdb() {
    mdb_env_close(env_);
    unlink((path_ + "-lock").c_str());
  }
  void Append(const void* bytes, size_t size) {
    if (transaction_ == nullptr) {
      Must(mdb_txn_begin(env_, nullptr, 0, &transaction_) == 0);
      if (records_ == 0) {
        Must(mdb_dbi_open(transaction_, nullptr, MDB_INTEGERKEY, &table_) == 0);
      }
    }
    uint64_t number = records_;
    MDB_val k = {sizeof number, &number}, v = {size, const_cast<void*>(bytes)};
    Must(mdb_put(transaction_, table_, &k, &v, MDB_APPEND) == 0);
    ++records_;
  }
  void Commit() {
    Must(mdb_txn_commit(transaction_) == 0);
    transaction_ = nullptr;
    committed_ = records_;
  }
  char Byte(uint64_t random) const {
    MDB_txn* reader;
    Must(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &reader) == 0);
    uint64_t number = random % committed_;
    MDB_val k = {sizeof number, &number}, v;
    Must(mdb_get(reader, table_, &k, &v) == 0);
    const char byte = static_cast<const char*>(v.mv_data)[random / 4096 % v.mv_size];
    mdb_txn_abort(reader);
    return byte;
  }

 private:
  const std::string path_;
  MDB_env* env_;
  MDB_txn* transaction_ = nullptr;
  MDB_dbi table_ = 0;
  uint64_t records_ = 0;
  std::atomic<uint64_t> committed_{0};
};

// Readers see only what a transaction has committed; it need not be on the medium here.
class LmdbNoSync : public Lmdb {
 public:
  explicit LmdbNoSync(const std::string& path) : Lmdb(path, MDB_NOSYNC) {}
  void Append(const void* bytes, size_t size) {
    Lmdb::Append(bytes, size);
    Commit();
  }
};

using BoostInterprocess = Remapped<InterprocessMap>;
using BoostIostreams = Remapped<IostreamsMap>;

using Clock = std::chrono::steady_clock;

// --- The work.

// One commit of one contestant.
class Appender {
 public:
  template <typename File>
  static std::unique_ptr<Appender> Of(const char* name) {
    auto appender = std::make_unique<Appender>();
    appender->name_ = name;
    appender->path_ = PathOf(name);
    unlink(appender->path_.c_str());
    auto file = std::make_shared<File>(appender->path_);
    appender->commit_ = [file, record = std::vector<char>(kRecordBytes, 'x')] {
      for (int i = 0; i < kRecords; ++i) file->Append(record.data(), record.size());
      file->Commit();
    };
    return appender;
  }
  ~Appender() {
    commit_ = nullptr;
    unlink(path_.c_str());
  }
  void Run() {
    const auto start = Clock::now();
    commit_();
    took_.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
  }
  void Report(benchmark::State& state) {
    std::sort(took_.begin(), took_.end());
    state.counters[name_ + "_us"] = took_[took_.size() / 2];
    state.counters[name_ + "_mean_us"] =
        std::accumulate(took_.begin(), took_.end(), 0.0) / static_cast<double>(took_.size());
  }

 private:
  std::string name_, path_;
  std::function<void()> commit_;
  std::vector<double> took_;
};

// All in turn, commit by commit, so that whatever else the machine does happens to all. Median and
// mean of each; the time of an iteration means nothing.
void Append(benchmark::State& state) {
  std::vector<std::unique_ptr<Appender>> all;
  all.push_back(Appender::Of<Descriptor>("pwrite"));
  all.push_back(Appender::Of<BoostIostreams>("iostreams"));
  all.push_back(Appender::Of<BoostInterprocess>("interprocess"));
  all.push_back(Appender::Of<Lmdb>("lmdb"));
  all.push_back(Appender::Of<Prairie>("prairie"));
  for (auto _ : state) {
    for (const auto& appender : all) appender->Run();
  }
  for (const auto& appender : all) appender->Report(state);
}
BENCHMARK(Append)->Unit(benchmark::kMicrosecond)->UseRealTime()->Iterations(300);

// What the reader has seen. A read that takes long has either been put off the processor, though it
// could run, or waited for something.
struct ReaderReport {
  uint64_t reads = 0;
  long waited = 0;     // times that the thread gave up the processor: a lock, the medium
  long preempted = 0;  // times that it was taken away
  double longest = 0;  // microseconds
  double longest_not_preempted = 0;
};

template <typename File>
ReaderReport ReadUntil(const File& file, const std::atomic<bool>& stop) {
  ReaderReport report;
  rusage start, before, now;
  getrusage(RUSAGE_THREAD, &start);
  before = start;
  uint64_t random = 1;
  while (!stop) {
    random = random * 6364136223846793005 + 1442695040888963407;
    const auto begin = Clock::now();
    Must(file.Byte(random >> 20) == 'x');
    const double took = std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
    ++report.reads;
    report.longest = std::max(report.longest, took);
    if (took < 20 || took < report.longest_not_preempted) continue;
    getrusage(RUSAGE_THREAD, &now);
    if (now.ru_nivcsw == before.ru_nivcsw) report.longest_not_preempted = took;
    before = now;
  }
  getrusage(RUSAGE_THREAD, &now);
  report.waited = now.ru_nvcsw - start.ru_nvcsw;
  report.preempted = now.ru_nivcsw - start.ru_nivcsw;
  return report;
}

template <typename File>
void Growth(benchmark::State& state) {
  const std::string path = PathOf("growth");
  for (auto _ : state) {
    unlink(path.c_str());
    File file(path);
    const std::vector<char> part(kPart, 'x');
    file.Append(part.data(), part.size());
    std::atomic<bool> stop{false};
    ReaderReport report;
    std::thread reader([&] { report = ReadUntil(file, stop); });
    for (size_t size = kPart; size < kEnd; size += kPart) file.Append(part.data(), part.size());
    stop = true;
    reader.join();
    state.counters["reads"] = static_cast<double>(report.reads);
    state.counters["waited"] = static_cast<double>(report.waited);
    state.counters["preempted"] = static_cast<double>(report.preempted);
    state.counters["longest_us"] = report.longest;
    state.counters["not_preempted_us"] = report.longest_not_preempted;
  }
  unlink(path.c_str());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kEnd));
}

#define PRAIRIE_BENCH_GROWTH(File) \
  BENCHMARK_TEMPLATE(Growth, File)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(1)
PRAIRIE_BENCH_GROWTH(Descriptor);
PRAIRIE_BENCH_GROWTH(BoostIostreams);
PRAIRIE_BENCH_GROWTH(BoostInterprocess);
PRAIRIE_BENCH_GROWTH(LmdbNoSync);
PRAIRIE_BENCH_GROWTH(Prairie);

}  // namespace
}  // namespace prairie_bench
