// Mapped files against read(2), pread, plain mmap, Boost's mapped files and LMDB, on the same work.
// Files lie in $BENCH_DIR, by default the current directory; the page cache is warm unless a name
// says cold.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <lmdb.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <boost/interprocess/file_mapping.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <boost/iostreams/device/mapped_file.hpp>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "prairie/mapped_file.hpp"

namespace {

constexpr size_t kFileBytes = size_t{256} << 20;
constexpr size_t kPage = 4096;

std::string PathOf(const char* name) {
  const char* const directory = getenv("BENCH_DIR");
  return std::string(directory != nullptr ? directory : ".") + "/prairie_bench." + name;
}

// Makes a file without zero bytes, which goes when the program ends.
std::string MakeFile(const char* name) {
  const std::string made = PathOf(name);
  const int fd = open(made.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  std::vector<unsigned char> part(1 << 20);
  std::mt19937 random(1);
  for (unsigned char& byte : part) byte = static_cast<unsigned char>(1 + random() % 255);
  for (size_t at = 0; at < kFileBytes; at += part.size()) {
    if (write(fd, part.data(), part.size()) != static_cast<ssize_t>(part.size())) abort();
  }
  if (fdatasync(fd) != 0) abort();
  close(fd);
  return made;
}

struct TemporaryFile {
  explicit TemporaryFile(const char* name) : path(MakeFile(name)) {}
  ~TemporaryFile() { unlink(path.c_str()); }
  const std::string path;
};

const std::string& File() {
  static const TemporaryFile file("data");
  return file.path;
}

// One that is not mapped but by whoever measures, so that it can be dropped from memory.
const std::string& ColdFile() {
  static const TemporaryFile file("cold");
  return file.path;
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
BENCHMARK(SequentialRead)->Unit(benchmark::kMillisecond);
BENCHMARK(SequentialPread)->Unit(benchmark::kMillisecond);
BENCHMARK(SequentialMmap)->Unit(benchmark::kMillisecond);
BENCHMARK(SequentialBoostIostreams)->Unit(benchmark::kMillisecond);
BENCHMARK(SequentialBoostInterprocess)->Unit(benchmark::kMillisecond);
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
BENCHMARK(RandomPread);
BENCHMARK(RandomMmap);
BENCHMARK(RandomBoostIostreams);
BENCHMARK(RandomPrairie);
BENCHMARK(RandomPrairieGuarded);
BENCHMARK(RandomPrairieReaderAt);

// --- Appends: 100 records of 100 bytes, then a commit that waits for the medium.

constexpr int kRecords = 100;
constexpr size_t kRecordBytes = 100;

void AppendPwrite(benchmark::State& state) {
  const std::string path = PathOf("pwrite");
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  const std::vector<char> record(kRecordBytes, 'x');
  off_t at = 0;
  for (auto _ : state) {
    for (int i = 0; i < kRecords; ++i, at += kRecordBytes) {
      if (pwrite(fd, record.data(), kRecordBytes, at) < 0) abort();
    }
    // A size that is valid must be on the medium after the bytes, as in the others.
    if (fdatasync(fd) != 0 || pwrite(fd, &at, sizeof at, 0) < 0 || fdatasync(fd) != 0) abort();
  }
  close(fd);
  unlink(path.c_str());
  state.SetItemsProcessed(state.iterations() * kRecords);
}
void AppendPrairie(benchmark::State& state) {
  const std::string path = PathOf("growable");
  unlink(path.c_str());
  {
    prairie::GrowableFile file = *prairie::GrowableFile::open(path);
    const std::vector<std::byte> record(kRecordBytes, std::byte{'x'});
    for (auto _ : state) {
      for (int i = 0; i < kRecords; ++i) {
        if (!file.append(record).ok()) abort();
      }
      if (file.commit()) abort();
    }
  }
  unlink(path.c_str());
  state.SetItemsProcessed(state.iterations() * kRecords);
}
void AppendLmdb(benchmark::State& state) {
  const std::string path = PathOf("lmdb");
  const auto must = [](int result) {
    if (result != 0) abort();
  };
  unlink(path.c_str());
  MDB_env* env;
  must(mdb_env_create(&env));
  must(mdb_env_set_mapsize(env, size_t{16} << 30));
  must(mdb_env_open(env, path.c_str(), MDB_NOSUBDIR, 0600));
  std::vector<char> record(kRecordBytes, 'x');
  uint64_t key = 0;
  for (auto _ : state) {
    MDB_txn* transaction;
    MDB_dbi table;
    must(mdb_txn_begin(env, nullptr, 0, &transaction));
    must(mdb_dbi_open(transaction, nullptr, MDB_INTEGERKEY, &table));
    for (int i = 0; i < kRecords; ++i, ++key) {
      MDB_val k = {sizeof key, &key}, v = {record.size(), record.data()};
      must(mdb_put(transaction, table, &k, &v, MDB_APPEND));
    }
    must(mdb_txn_commit(transaction));
  }
  mdb_env_close(env);
  unlink(path.c_str());
  unlink((path + "-lock").c_str());
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(AppendPwrite)->Unit(benchmark::kMicrosecond)->UseRealTime();
BENCHMARK(AppendPrairie)->Unit(benchmark::kMicrosecond)->UseRealTime();
BENCHMARK(AppendLmdb)->Unit(benchmark::kMicrosecond)->UseRealTime();

// --- Growth from 1 MiB to 1 GiB while a thread reads: how long a read ever takes.

using Clock = std::chrono::steady_clock;

void GrowthWithReader(benchmark::State& state) {
  const std::string path = PathOf("growth");
  double longest = 0;
  uint64_t reads = 0;
  for (auto _ : state) {
    unlink(path.c_str());
    prairie::GrowableFile file = *prairie::GrowableFile::open(path);
    const std::vector<std::byte> part(1 << 20, std::byte{1});
    if (!file.append(part).ok()) abort();
    std::atomic<bool> stop{false};
    std::thread reader([&] {
      uint64_t random = 1;
      while (!stop) {
        const auto start = Clock::now();
        const std::span<const std::byte> bytes = file.bytes();
        random = random * 6364136223846793005 + 1442695040888963407;
        if (bytes[(random >> 20) % bytes.size()] != std::byte{1}) abort();
        const std::chrono::duration<double, std::micro> took = Clock::now() - start;
        longest = std::max(longest, took.count());
        ++reads;
      }
    });
    while (file.size() < (size_t{1} << 30)) {
      if (!file.append(part).ok()) abort();
    }
    stop = true;
    reader.join();
  }
  unlink(path.c_str());
  state.counters["reads"] = static_cast<double>(reads);
  state.counters["longest_read_us"] = longest;
  state.SetBytesProcessed(state.iterations() * (int64_t{1} << 30));
}
BENCHMARK(GrowthWithReader)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(1);

// --- Prefault: how fast, with the pages cached and with a cold file.

void DropCache() {
  const int fd = open(ColdFile().c_str(), O_RDONLY);
  if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0) abort();
  close(fd);
}

template <typename Fault>
void Faults(benchmark::State& state, Fault fault) {
  ColdFile();
  for (auto _ : state) {
    state.PauseTiming();
    if (state.range(0) != 0) DropCache();
    prairie::Mapping mapping = *prairie::Mapping::map(ColdFile());
    state.ResumeTiming();
    fault(mapping);
    state.PauseTiming();
    mapping = {};
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kFileBytes / kPage));
}
void FaultTouch(benchmark::State& state) {
  Faults(state, [](const prairie::Mapping& mapping) {
    unsigned sum = 0;
    for (size_t at = 0; at < kFileBytes; at += kPage) {
      sum += static_cast<unsigned>(mapping.bytes()[at]);
    }
    benchmark::DoNotOptimize(sum);
  });
}
void FaultPrefault(benchmark::State& state) {
  Faults(state, [](const prairie::Mapping& mapping) {
    if (mapping.prefault().wait()) abort();
  });
}
void FaultValidate(benchmark::State& state) {
  Faults(state, [](const prairie::Mapping& mapping) {
    if (mapping.validate()) abort();
  });
}
BENCHMARK(FaultTouch)
    ->ArgName("cold")
    ->Arg(0)
    ->Arg(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(FaultPrefault)->ArgName("cold")->Arg(1)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(FaultValidate)
    ->ArgName("cold")
    ->Arg(0)
    ->Arg(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
