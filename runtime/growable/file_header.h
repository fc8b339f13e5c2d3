// The header of a growable file, as it is on disk.
//
//   0      header of commits with an even number
//   4096   header of commits with an odd number
//   8192   the bytes
//
// Numbers are little-endian. A write that is cut short damages at most the slot that it was for;
// the checksum tells whether a slot holds a header.
#ifndef PRAIRIE_RUNTIME_GROWABLE_FILE_HEADER_H_
#define PRAIRIE_RUNTIME_GROWABLE_FILE_HEADER_H_

#include <stddef.h>
#include <stdint.h>

#include <bit>
#include <system_error>

#include "runtime/os/file_system.h"

namespace prairie {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

inline constexpr uint64_t kSlotBytes = 4096;
inline constexpr uint64_t kHeaderBytes = 2 * kSlotBytes;
inline constexpr uint64_t kHeaderMagic = 0x31776f7267457250;  // "PrEgrow1"
inline constexpr uint32_t kHeaderVersion = 1;

struct FileHeader {
  uint64_t magic = kHeaderMagic;
  uint32_t version = kHeaderVersion;
  uint32_t data_offset = kHeaderBytes;
  uint64_t sequence = 1;  // of the commit
  uint64_t size = 0;      // bytes of data that it holds
  unsigned char root[64] = {};
  uint64_t checksum = 0;  // of all before it
};
static_assert(sizeof(FileHeader) == 104);

// FNV-1a, 64 bits: G. Fowler, L. C. Noll, K.-P. Vo.
uint64_t ChecksumOf(const FileHeader& header);

constexpr uint64_t SlotOf(uint64_t sequence) { return sequence % 2 * kSlotBytes; }

// Reads the header of the last commit. kNotGrowable if there is none, kWrongVersion.
std::error_code ReadHeader(FileSystem& files, int descriptor, FileHeader* header);

// Writes it, with its checksum, to its slot, and waits until it is on the medium. 0 or errno.
int WriteHeader(FileSystem& files, int descriptor, FileHeader header);

// Whether the file is what a crash can leave of one that was being created: nothing but, perhaps,
// part of the first header. 0 or errno.
int IsUnborn(FileSystem& files, int descriptor, bool* unborn);

}  // namespace prairie

#endif  // PRAIRIE_RUNTIME_GROWABLE_FILE_HEADER_H_
