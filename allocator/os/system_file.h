// Lines of a small text file of the kernel's (/proc, /sys), read into a fixed buffer: no
// allocation, no lock, no stdio, and no cancellation point, since malloc is none.
#ifndef PRAIRIE_ALLOCATOR_OS_SYSTEM_FILE_H_
#define PRAIRIE_ALLOCATOR_OS_SYSTEM_FILE_H_

#include <stddef.h>
#include <stdint.h>

namespace prairie {

// A path put together from parts. Too long a one is empty, and no file has that name.
class SystemPath {
 public:
  SystemPath() = default;

  SystemPath& Append(const char* text);
  SystemPath& Append(const char* text, size_t length);
  const char* text() const { return too_long_ ? "" : buffer_; }

 private:
  static constexpr size_t kCapacity = 511;
  char buffer_[kCapacity + 1] = {};
  size_t length_ = 0;
  bool too_long_ = false;
};

// An open file. One that cannot be opened has no lines. errno may change. Thread safety: an object
// belongs to one thread.
class SystemFile {
 public:
  explicit SystemFile(const char* path);
  ~SystemFile();
  SystemFile(const SystemFile&) = delete;
  SystemFile& operator=(const SystemFile&) = delete;

  // The next line without its newline, zero-terminated, valid until the next call; of a line over
  // kLongestLine bytes its beginning. Null at the end of the file, or when it cannot be read.
  const char* NextLine();

  static constexpr size_t kLongestLine = 511;

 private:
  bool Fill();

  static constexpr size_t kChunk = 512;
  int descriptor_;
  size_t begin_ = 0, end_ = 0;  // what of the chunk has not been consumed
  char chunk_[kChunk];
  char line_[kLongestLine + 1];
};

// The rest of `line` behind `key`; null if it does not begin with that.
const char* AfterPrefix(const char* line, const char* key);

// The decimal number at the start of `text`, after spaces and tabs. False, with `value` as it was,
// if there is none or it exceeds 64 bits.
bool ParseDecimal(const char* text, uint64_t* value);

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_OS_SYSTEM_FILE_H_
