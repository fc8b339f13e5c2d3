// Reading through mapped files against read(2), pread, plain mmap, Boost's mapped files and LMDB,
// on the same work. The page cache is warm.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <lmdb.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/interprocess/file_mapping.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <boost/iostreams/device/mapped_file.hpp>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "bench/mapped/files.h"
#include "prairie/mapped_file.hpp"

namespace prairie_bench {
namespace {

const std::string& File() {
  static const BenchFile file("data");
  return file.path();
}

prairie::Mapping Prairie() {
  prairie::Mapping mapping = *prairie::Mapping::map(File());
  if (mapping.prefault().wait()) abort();
  return mapping;
}

const char* PlainMmap() {
  static const char* const bytes = [] {
    const int fd = open(File().c_str(), O_RDONLY);
    void* const mapped = mmap(nullptr, kFileBytes, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    close(fd);
    return static_cast<const char*>(mapped);
  }();
  return bytes;
}

// --- One copy, everything in the cache of the processor.

template <typename Copy>
void CopyLoop(benchmark::State& state, Copy copy) {
  const size_t size = static_cast<size_t>(state.range(0));
  std::vector<char> to(size);
  size_t at = 0;
  for (auto _ : state) {
    copy(to.data(), at, size);
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
    at = (at + 64) % (16 * kPage);
  }
}

void CopyMemcpy(benchmark::State& state) {
  const char* const bytes = PlainMmap();
  CopyLoop(state, [&](char* to, size_t at, size_t size) { memcpy(to, bytes + at, size); });
}
void CopyGuarded(benchmark::State& state) {
  const prairie::Mapping mapping = Prairie();
  CopyLoop(state, [&](char* to, size_t at, size_t size) {
    if (mapping.copy_from(at, {reinterpret_cast<std::byte*>(to), size})) abort();
  });
}
void CopyReaderAt(benchmark::State& state) {
  const prairie::ReaderAt reader(Prairie());
  CopyLoop(state, [&](char* to, size_t at, size_t size) {
    if (reader.read_at({reinterpret_cast<std::byte*>(to), size}, static_cast<int64_t>(at)).error) {
      abort();
    }
  });
}
void CopyPread(benchmark::State& state) {
  const int fd = open(File().c_str(), O_RDONLY);
  CopyLoop(state, [&](char* to, size_t at, size_t size) {
    if (pread(fd, to, size, static_cast<off_t>(at)) < 0) abort();
  });
  close(fd);
}
// A page of zeros: whether it is the file's has to be found out.
void CopyGuardedZeros(benchmark::State& state) {
  const std::string path = PathOf("zeros");
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (ftruncate(fd, 32 * kPage) != 0) abort();
  close(fd);
  const prairie::Mapping mapping = *prairie::Mapping::map(path);
  unlink(path.c_str());
  if (mapping.validate()) abort();
  CopyLoop(state, [&](char* to, size_t at, size_t size) {
    if (mapping.copy_from(at, {reinterpret_cast<std::byte*>(to), size})) abort();
  });
}
BENCHMARK(CopyMemcpy)->Arg(8)->Arg(64)->Arg(4096);
BENCHMARK(CopyGuarded)->Arg(8)->Arg(64)->Arg(4096);
BENCHMARK(CopyGuardedZeros)->Arg(64);
BENCHMARK(CopyReaderAt)->Arg(8)->Arg(64)->Arg(4096);
BENCHMARK(CopyPread)->Arg(8)->Arg(64)->Arg(4096);

// The bytes of the file as records of 64 bytes in LMDB, by number.
constexpr size_t kRecordBytes = 64;

class LmdbFile {
 public:
  LmdbFile() : path_(PathOf("lmdb_data")) {
    unlink(path_.c_str());
    Must(mdb_env_create(&env_) == 0);
    Must(mdb_env_set_mapsize(env_, size_t{2} << 30) == 0);
    Must(mdb_env_open(env_, path_.c_str(), MDB_NOSUBDIR | MDB_NOSYNC, 0600) == 0);
    MDB_txn* transaction;
    Must(mdb_txn_begin(env_, nullptr, 0, &transaction) == 0);
    Must(mdb_dbi_open(transaction, nullptr, MDB_INTEGERKEY, &table_) == 0);
    for (uint64_t key = 0; key < kFileBytes / kRecordBytes; ++key) {
      MDB_val k = {sizeof key, &key};
      MDB_val v = {kRecordBytes, const_cast<char*>(PlainMmap()) + key * kRecordBytes};
      Must(mdb_put(transaction, table_, &k, &v, MDB_APPEND) == 0);
    }
    Must(mdb_txn_commit(transaction) == 0);
    Must(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &transaction_) == 0);
  }
  ~LmdbFile() {
    mdb_txn_abort(transaction_);
    mdb_env_close(env_);
    unlink(path_.c_str());
    unlink((path_ + "-lock").c_str());
  }
  MDB_txn* transaction() const { return transaction_; }
  MDB_dbi table() const { return table_; }

 private:
  const std::string path_;
  MDB_env* env_;
  MDB_txn* transaction_;  // of the reader, open all the time
  MDB_dbi table_;
};

const LmdbFile& Lmdb() {
  static const LmdbFile file;
  return file;
}

// --- The whole file in order: the sum of its words.

// The same code for everybody.
__attribute__((noinline)) uint64_t Sum(const char* bytes, size_t size) {
  uint64_t sum = 0;
  for (size_t i = 0; i < size; i += 8) {
    uint64_t word;
    memcpy(&word, bytes + i, 8);
    sum += word;
  }
  return sum;
}

template <typename Read>
void Sequential(benchmark::State& state, Read read) {
  File();
  for (auto _ : state) benchmark::DoNotOptimize(read());
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * kFileBytes));
}

constexpr size_t kBlock = 64 << 10;

// Each opens the file anew, so that page faults are part of the work.
void SequentialRead(benchmark::State& state) {
  std::vector<char> block(kBlock);
  Sequential(state, [&] {
    uint64_t sum = 0;
    const int fd = open(File().c_str(), O_RDONLY);
    while (read(fd, block.data(), kBlock) > 0) sum += Sum(block.data(), kBlock);
    close(fd);
    return sum;
  });
}
void SequentialPread(benchmark::State& state) {
  std::vector<char> block(kBlock);
  Sequential(state, [&] {
    uint64_t sum = 0;
    const int fd = open(File().c_str(), O_RDONLY);
    for (size_t at = 0; at < kFileBytes; at += kBlock) {
      if (pread(fd, block.data(), kBlock, static_cast<off_t>(at)) < 0) abort();
      sum += Sum(block.data(), kBlock);
    }
    close(fd);
    return sum;
  });
}
void SequentialMmap(benchmark::State& state) {
  Sequential(state, [&] {
    const int fd = open(File().c_str(), O_RDONLY);
    void* const mapped = mmap(nullptr, kFileBytes, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    const uint64_t sum = Sum(static_cast<const char*>(mapped), kFileBytes);
    munmap(mapped, kFileBytes);
    return sum;
  });
}
void SequentialPrairie(benchmark::State& state) {
  Sequential(state, [&] {
    const prairie::Mapping mapping = *prairie::Mapping::map(File());
    return Sum(reinterpret_cast<const char*>(mapping.data()), kFileBytes);
  });
}
void SequentialPrairiePrefault(benchmark::State& state) {
  Sequential(state, [&] {
    const prairie::Mapping mapping = *prairie::Mapping::map(File());
    if (mapping.validate()) abort();
    return Sum(reinterpret_cast<const char*>(mapping.data()), kFileBytes);
  });
}
void SequentialPrairieReaderAt(benchmark::State& state) {
  std::vector<char> block(kBlock);
  Sequential(state, [&] {
    uint64_t sum = 0;
    const prairie::ReaderAt reader = *prairie::ReaderAt::open(File());
    for (size_t at = 0; at < kFileBytes; at += kBlock) {
      if (reader.read_at(std::as_writable_bytes(std::span(block)), static_cast<int64_t>(at))
              .error) {
        abort();
      }
      sum += Sum(block.data(), kBlock);
    }
    return sum;
  });
}
void SequentialBoostIostreams(benchmark::State& state) {
  Sequential(state, [&] {
    const boost::iostreams::mapped_file_source source(File());
    return Sum(source.data(), kFileBytes);
  });
}
void SequentialBoostInterprocess(benchmark::State& state) {
  namespace ipc = boost::interprocess;
  Sequential(state, [&] {
    const ipc::file_mapping file(File().c_str(), ipc::read_only);
    const ipc::mapped_region region(file, ipc::read_only);
    return Sum(static_cast<const char*>(region.get_address()), kFileBytes);
  });
}
void SequentialLmdb(benchmark::State& state) {
  const LmdbFile& file = Lmdb();
  Sequential(state, [&] {
    uint64_t sum = 0;
    MDB_cursor* cursor;
    Must(mdb_cursor_open(file.transaction(), file.table(), &cursor) == 0);
    MDB_val k, v;
    while (mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0) {
      sum += Sum(static_cast<const char*>(v.mv_data), v.mv_size);
    }
    mdb_cursor_close(cursor);
    return sum;
  });
}
BENCHMARK(SequentialRead)->Unit(benchmark::kMillisecond);
BENCHMARK(SequentialPread)->Unit(benchmark::kMillisecond);
BENCHMARK(SequentialMmap)->Unit(benchmark::kMillisecond);
BENCHMARK(SequentialBoostIostreams)->Unit(benchmark::kMillisecond);
BENCHMARK(SequentialBoostInterprocess)->Unit(benchmark::kMillisecond);
BENCHMARK(SequentialLmdb)->Unit(benchmark::kMillisecond);
BENCHMARK(SequentialPrairie)->Unit(benchmark::kMillisecond);
BENCHMARK(SequentialPrairiePrefault)->Unit(benchmark::kMillisecond);
BENCHMARK(SequentialPrairieReaderAt)->Unit(benchmark::kMillisecond);

// --- Records of 64 bytes at random places; everything is mapped already.

template <typename Read>
void Random(benchmark::State& state, Read read) {
  uint64_t random = 88172645463325252;
  for (auto _ : state) {
    random ^= random << 13, random ^= random >> 7, random ^= random << 17;
    benchmark::DoNotOptimize(read(random % (kFileBytes / 64) * 64));
  }
}
void RandomPread(benchmark::State& state) {
  const int fd = open(File().c_str(), O_RDONLY);
  char record[64];
  Random(state, [&](size_t at) {
    if (pread(fd, record, 64, static_cast<off_t>(at)) != 64) abort();
    return Sum(record, 64);
  });
  close(fd);
}
void RandomMmap(benchmark::State& state) {
  const char* const bytes = PlainMmap();
  Random(state, [&](size_t at) { return Sum(bytes + at, 64); });
}
void RandomPrairie(benchmark::State& state) {
  const prairie::Mapping mapping = Prairie();
  if (mapping.validate()) abort();
  const char* const bytes = reinterpret_cast<const char*>(mapping.data());
  Random(state, [&](size_t at) { return Sum(bytes + at, 64); });
}
void RandomPrairieGuarded(benchmark::State& state) {
  const prairie::Mapping mapping = Prairie();
  if (mapping.validate()) abort();
  char record[64];
  Random(state, [&](size_t at) {
    if (mapping.copy_from(at, std::as_writable_bytes(std::span(record)))) abort();
    return Sum(record, 64);
  });
}
void RandomPrairieReaderAt(benchmark::State& state) {
  prairie::Mapping mapping = Prairie();
  if (mapping.validate()) abort();
  const prairie::ReaderAt reader(std::move(mapping));
  char record[64];
  Random(state, [&](size_t at) {
    if (reader.read_at(std::as_writable_bytes(std::span(record)), static_cast<int64_t>(at)).error) {
      abort();
    }
    return Sum(record, 64);
  });
}
void RandomBoostIostreams(benchmark::State& state) {
  const boost::iostreams::mapped_file_source source(File());
  benchmark::DoNotOptimize(Sum(source.data(), kFileBytes));
  Random(state, [&](size_t at) { return Sum(source.data() + at, 64); });
}
void RandomBoostInterprocess(benchmark::State& state) {
  namespace ipc = boost::interprocess;
  const ipc::file_mapping file(File().c_str(), ipc::read_only);
  const ipc::mapped_region region(file, ipc::read_only);
  const char* const bytes = static_cast<const char*>(region.get_address());
  benchmark::DoNotOptimize(Sum(bytes, kFileBytes));
  Random(state, [&](size_t at) { return Sum(bytes + at, 64); });
}
void RandomLmdb(benchmark::State& state) {
  const LmdbFile& file = Lmdb();
  Random(state, [&](size_t at) {
    uint64_t key = at / kRecordBytes;
    MDB_val k = {sizeof key, &key}, v;
    Must(mdb_get(file.transaction(), file.table(), &k, &v) == 0);
    return Sum(static_cast<const char*>(v.mv_data), v.mv_size);
  });
}
BENCHMARK(RandomPread);
BENCHMARK(RandomMmap);
BENCHMARK(RandomBoostIostreams);
BENCHMARK(RandomBoostInterprocess);
BENCHMARK(RandomLmdb);
BENCHMARK(RandomPrairie);
BENCHMARK(RandomPrairieGuarded);
BENCHMARK(RandomPrairieReaderAt);

}  // namespace
}  // namespace prairie_bench
