// prairie-map FILE: which pages of a file are in memory, and which are not yet on the medium.
#include <signal.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

#include "prairie/mapped_file.hpp"
#include "runtime/command/picture.h"
#include "runtime/mapping/region.h"

namespace prairie {
namespace {

constexpr char kUsage[] =
    "Usage: prairie-map [OPTION]... FILE\n"
    "\n"
    "Prints the size of FILE, how much of it is in memory (with a bar: each character a part of "
    "the\n"
    "file, ' ' nothing of it, '.' ':' '+' some, '#' all), and what is not yet on the medium.\n"
    "\n"
    "  --evict      first write it back and drop it from memory\n"
    "  --prefault   then read all of it into memory\n"
    "  --lock       then keep it there until SIGINT or SIGTERM\n"
    "  --svg OUT    write a picture, too\n"
    "  --help       print this text\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 wrong argument.\n";

struct Arguments {
  std::string path, svg;
  bool evict = false, prefault = false, lock = false;
};

int UsageError(const std::string& text) {
  fprintf(stderr, "prairie-map: error: %s (--help explains)\n", text.c_str());
  return 2;
}

int Failed(const std::string& what, const std::error_code& error) {
  fprintf(stderr, "prairie-map: error: %s: %s\n", what.c_str(), error.message().c_str());
  return 1;
}

std::string Bytes(uint64_t value) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double scaled = static_cast<double>(value);
  int unit = 0;
  for (; scaled >= 1024; ++unit) scaled /= 1024;
  char text[40];
  snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", scaled, kUnits[unit]);
  return text;
}

// Waits for the end of the file's life in memory, as the user wants it.
void WaitForSignal() {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  int signal;
  sigwait(&ends, &signal);
}

std::error_code Evict(const std::string& path) {
  FileSystem& files = SystemFiles();
  int descriptor;
  if (const int error = files.Open(path.c_str(), {}, &descriptor); error != 0) {
    return FromErrno(error);
  }
  int error = files.SyncData(descriptor);
  if (error == 0) error = files.Evict(descriptor, 0, 0);
  files.Close(descriptor);
  return FromErrno(error);
}

void PrintDirty(const Mapping& mapping, size_t page) {
  const std::shared_ptr<Region>& region = MappingInternals::RegionOf(mapping);
  CacheCounts counts;
  if (mapping.empty() ||
      region->files().CountCached(region->descriptor(), 0, mapping.size(), &counts) == 0) {
    printf("dirty      %llu pages (%s), being written %llu\n",
           static_cast<unsigned long long>(counts.dirty), Bytes(counts.dirty * page).c_str(),
           static_cast<unsigned long long>(counts.writeback));
  } else {
    printf("dirty      unknown: this kernel has no cachestat\n");
  }
}

int Run(const Arguments& arguments) {
  const std::string& path = arguments.path;
  Result<Mapping> mapping = Mapping::map(path);
  if (mapping.ok() && arguments.evict) {
    // What is mapped is not dropped.
    mapping = Mapping();
    if (const std::error_code error = Evict(path)) return Failed("--evict: " + path, error);
    mapping = Mapping::map(path);
  }
  if (!mapping.ok()) return Failed(path, mapping.error());
  if (arguments.prefault) {
    if (const std::error_code error = mapping->prefault().wait()) {
      return Failed("--prefault: " + path, error);
    }
  }
  if (arguments.lock) {
    if (const std::error_code error = mapping->lock()) return Failed("--lock: " + path, error);
  }
  const Result<Residency> found = mapping->residency();
  if (!found.ok()) return Failed(path, found.error());
  const size_t page = SystemFiles().PageSize();
  printf("%s\n", path.c_str());
  printf("size       %zu bytes (%s), %zu pages of %s\n", mapping->size(),
         Bytes(mapping->size()).c_str(), found->pages, Bytes(page).c_str());
  printf("in memory  %zu pages (%s), %.1f%%\n", found->resident,
         Bytes(found->resident * page).c_str(),
         found->pages == 0
             ? 100.0
             : 100.0 * static_cast<double>(found->resident) / static_cast<double>(found->pages));
  printf("           [%s]\n", BarOf(SharesOf(found->resident_page, 64)).c_str());
  PrintDirty(*mapping, page);
  if (!arguments.svg.empty()) {
    std::ofstream svg(arguments.svg);
    svg << SvgOf(found->resident_page, path + ": " + std::to_string(found->resident) + " of " +
                                           std::to_string(found->pages) + " pages in memory");
    svg.close();
    if (!svg) {
      fprintf(stderr, "prairie-map: error: cannot write %s\n", arguments.svg.c_str());
      return 1;
    }
  }
  if (arguments.lock) {
    printf("locked; SIGINT or SIGTERM ends it\n");
    fflush(stdout);
    WaitForSignal();
  }
  if (fflush(stdout) != 0) return 1;
  return 0;
}

int Main(int count, char** values) {
  Arguments arguments;
  for (int i = 1; i < count; ++i) {
    const std::string argument = values[i];
    if (argument == "--help" || argument == "-h") {
      fputs(kUsage, stdout);
      return 0;
    } else if (argument == "--evict") {
      arguments.evict = true;
    } else if (argument == "--prefault") {
      arguments.prefault = true;
    } else if (argument == "--lock") {
      arguments.lock = true;
    } else if (argument == "--svg") {
      if (++i == count) return UsageError("--svg needs a file to write");
      arguments.svg = values[i];
    } else if (argument.size() > 1 && argument[0] == '-') {
      return UsageError("unknown option '" + argument + "'");
    } else if (argument.empty()) {
      return UsageError("FILE is empty");
    } else if (!arguments.path.empty()) {
      return UsageError("only one FILE, but got '" + arguments.path + "' and '" + argument + "'");
    } else {
      arguments.path = argument;
    }
  }
  if (arguments.path.empty()) return UsageError("no FILE");
  return Run(arguments);
}

}  // namespace
}  // namespace prairie

int main(int count, char** values) { return prairie::Main(count, values); }
