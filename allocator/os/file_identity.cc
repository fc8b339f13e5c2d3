#include "allocator/os/file_identity.h"

#include <sys/stat.h>

namespace prairie {

FileIdentity::FileIdentity(int descriptor) {
  struct stat64 status;  // The other one cannot hold every number in 32 bits.
  if (fstat64(descriptor, &status) != 0) return;
  is_file_ = true;
  device_ = status.st_dev;
  number_ = status.st_ino;
  special_ = status.st_rdev;
}

}  // namespace prairie
