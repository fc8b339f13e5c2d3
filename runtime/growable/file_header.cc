#include "runtime/growable/file_header.h"

#include <algorithm>
#include <vector>

#include "prairie/result.hpp"

namespace prairie {

uint64_t ChecksumOf(const FileHeader& header) {
  const unsigned char* const bytes = reinterpret_cast<const unsigned char*>(&header);
  uint64_t hash = 0xcbf29ce484222325;
  for (size_t i = 0; i < offsetof(FileHeader, checksum); ++i) {
    hash = (hash ^ bytes[i]) * 0x100000001b3;
  }
  return hash;
}

std::error_code ReadHeader(FileSystem& files, int descriptor, FileHeader* header) {
  bool found = false, newer_version = false;
  for (const uint64_t slot : {uint64_t{0}, kSlotBytes}) {
    FileHeader read;
    size_t got;
    if (const int error = files.ReadAt(descriptor, &read, sizeof read, slot, &got); error != 0) {
      return {error, std::generic_category()};
    }
    if (got != sizeof read || read.magic != kHeaderMagic) continue;
    if (read.checksum != ChecksumOf(read)) continue;
    if (read.version != kHeaderVersion || read.data_offset != kHeaderBytes) {
      newer_version = true;
    } else if (!found || read.sequence > header->sequence) {
      *header = read;
      found = true;
    }
  }
  if (newer_version) return MapError::kWrongVersion;
  return found ? std::error_code() : MapError::kNotGrowable;
}

int WriteHeader(FileSystem& files, int descriptor, FileHeader header) {
  header.checksum = ChecksumOf(header);
  return files.WriteThrough(descriptor, &header, sizeof header, SlotOf(header.sequence));
}

int IsUnborn(FileSystem& files, int descriptor, bool* unborn) {
  *unborn = false;
  FileInfo info;
  if (const int error = files.Stat(descriptor, &info); error != 0) return error;
  if (info.size > kHeaderBytes) return 0;
  std::vector<unsigned char> bytes(kHeaderBytes);
  size_t got;
  if (const int error = files.ReadAt(descriptor, bytes.data(), bytes.size(), 0, &got); error != 0) {
    return error;
  }
  // The first header is number 1, in the second slot.
  const auto is_zero = [](unsigned char byte) { return byte == 0; };
  const auto first = bytes.begin() + kSlotBytes;
  const uint64_t magic = kHeaderMagic;
  // A write that was cut short has left some of its bytes.
  *unborn = std::all_of(bytes.begin(), first, is_zero) &&
            std::all_of(first + sizeof(FileHeader), bytes.end(), is_zero) &&
            std::equal(first, first + sizeof magic, reinterpret_cast<const unsigned char*>(&magic),
                       [](unsigned char found, unsigned char whole) {
                         return found == 0 || found == whole;
                       });
  return 0;
}

}  // namespace prairie
