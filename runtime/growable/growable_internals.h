// How tests open growable files on a file system of their own, and the C API says who opens.
#ifndef PRAIRIE_RUNTIME_GROWABLE_GROWABLE_INTERNALS_H_
#define PRAIRIE_RUNTIME_GROWABLE_GROWABLE_INTERNALS_H_

#include <string>

#include "prairie/growable_file.hpp"
#include "runtime/mapping/region.h"
#include "runtime/os/file_system.h"

namespace prairie {

struct GrowableInternals {
  static Result<GrowableFile> Open(FileSystem& files, const std::string& path,
                                   const GrowableOptions& options, const Origin& opened);
  static std::error_code Close(GrowableFile& file, const Origin& closed);
};

}  // namespace prairie

#endif  // PRAIRIE_RUNTIME_GROWABLE_GROWABLE_INTERNALS_H_
