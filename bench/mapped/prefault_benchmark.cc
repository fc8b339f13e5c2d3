// How fast a mapped file comes into memory: pages cached, and a cold file.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/interprocess/file_mapping.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <boost/iostreams/device/mapped_file.hpp>
#include <cstdlib>
#include <memory>
#include <vector>

#include "bench/mapped/files.h"
#include "prairie/mapped_file.hpp"

namespace prairie_bench {
namespace {

// Not mapped but by whoever measures, so that it can be dropped from memory.
const std::string& ColdFile() {
  static const BenchFile file("cold");
  return file.path();
}

void DropCache() {
  const int fd = open(ColdFile().c_str(), O_RDONLY);
  Must(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
  close(fd);
}

void Touch(const char* bytes) {
  unsigned sum = 0;
  for (size_t at = 0; at < kFileBytes; at += kPage) sum += static_cast<unsigned char>(bytes[at]);
  benchmark::DoNotOptimize(sum);
}

// `map` makes what `fault` faults in; only the second is measured.
template <typename Map, typename Fault>
void Faults(benchmark::State& state, Map map, Fault fault) {
  ColdFile();
  for (auto _ : state) {
    state.PauseTiming();
    if (state.range(0) != 0) DropCache();
    auto mapped = std::make_unique<decltype(map())>(map());
    state.ResumeTiming();
    fault(*mapped);
    state.PauseTiming();
    mapped.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kFileBytes / kPage));
}

prairie::Mapping Map() { return *prairie::Mapping::map(ColdFile()); }

void FaultTouch(benchmark::State& state) {
  Faults(state, Map, [](const prairie::Mapping& mapping) {
    Touch(reinterpret_cast<const char*>(mapping.data()));
  });
}
void FaultPrefault(benchmark::State& state) {
  Faults(state, Map, [](const prairie::Mapping& mapping) { Must(!mapping.prefault().wait()); });
}
void FaultValidate(benchmark::State& state) {
  Faults(state, Map, [](const prairie::Mapping& mapping) { Must(!mapping.validate()); });
}
// With mmap and munmap.
void FaultMmapPopulate(benchmark::State& state) {
  Faults(
      state, [] { return open(ColdFile().c_str(), O_RDONLY); },
      [](int fd) {
        void* const address =
            mmap(nullptr, kFileBytes, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
        Must(address != MAP_FAILED);
        munmap(address, kFileBytes);
        close(fd);
      });
}
void FaultBoostIostreams(benchmark::State& state) {
  Faults(
      state, [] { return boost::iostreams::mapped_file_source(ColdFile()); },
      [](const boost::iostreams::mapped_file_source& source) { Touch(source.data()); });
}
void FaultBoostInterprocess(benchmark::State& state) {
  namespace ipc = boost::interprocess;
  Faults(
      state,
      [] {
        return ipc::mapped_region(ipc::file_mapping(ColdFile().c_str(), ipc::read_only),
                                  ipc::read_only);
      },
      [](const ipc::mapped_region& region) {
        Touch(static_cast<const char*>(region.get_address()));
      });
}
void FaultRead(benchmark::State& state) {
  std::vector<char> block(64 << 10);
  Faults(
      state, [] { return open(ColdFile().c_str(), O_RDONLY); },
      [&](int fd) {
        while (read(fd, block.data(), block.size()) > 0) {
        }
        close(fd);
      });
}

#define PRAIRIE_BENCH_FAULT(name) \
  BENCHMARK(name)->ArgName("cold")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond)->UseRealTime()
PRAIRIE_BENCH_FAULT(FaultRead);
PRAIRIE_BENCH_FAULT(FaultMmapPopulate);
PRAIRIE_BENCH_FAULT(FaultBoostIostreams);
PRAIRIE_BENCH_FAULT(FaultBoostInterprocess);
PRAIRIE_BENCH_FAULT(FaultTouch);
PRAIRIE_BENCH_FAULT(FaultValidate);
// What is cached already it answers at once.
PRAIRIE_BENCH_FAULT(FaultPrefault);

}  // namespace
}  // namespace prairie_bench
