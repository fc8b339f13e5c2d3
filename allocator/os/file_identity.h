// Which file a descriptor is for: programs close descriptors and get the same numbers again.
#ifndef PRAIRIE_ALLOCATOR_OS_FILE_IDENTITY_H_
#define PRAIRIE_ALLOCATOR_OS_FILE_IDENTITY_H_

#include <stdint.h>

namespace prairie {

class FileIdentity {
 public:
  // Of no file.
  constexpr FileIdentity() = default;
  // Of what `descriptor` is for now; of no file if it is not open. errno may change.
  explicit FileIdentity(int descriptor);

  // Whether both are of one file. False if one is of none.
  bool IsSame(const FileIdentity& other) const {
    return is_file_ && other.is_file_ && device_ == other.device_ && number_ == other.number_ &&
           special_ == other.special_;
  }

 private:
  bool is_file_ = false;
  uint64_t device_ = 0, number_ = 0;
  uint64_t special_ = 0;  // of a terminal and the like: which one
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_OS_FILE_IDENTITY_H_
