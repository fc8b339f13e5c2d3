// A growable file: a file in memory whose address never changes, with commits that survive a crash.
#ifndef PRAIRIE_GROWABLE_FILE_HPP_
#define PRAIRIE_GROWABLE_FILE_HPP_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <system_error>

#include "prairie/mapping.hpp"
#include "prairie/result.hpp"

namespace prairie {

struct GrowableOptions {
  bool write = true;
  bool create = true;  // an empty one if there is no file (with write)
  // Addresses that are reserved, and so the most that the file can ever hold while it is open, in
  // bytes. They cost nothing until they are used, but where RLIMIT_AS is set. 0: 16 GiB, or an
  // eighth of RLIMIT_AS, and in any case room for what the file holds.
  std::uint64_t reserve = 0;
  // Blocks that are allocated at first; afterwards the file doubles, by at most 1 GiB at a time.
  std::uint64_t first_capacity = std::uint64_t{1} << 20;
  bool in_arena = true;
};

// The bytes of the file are at data() from open to close, however it grows.
//
// What a commit holds does not change: bytes below committed_size() are constant, new ones are
// appended behind, and commit() makes them and the root valid at once. After a crash, of the
// process or the machine, open() finds the last commit that returned, or the one that was under
// way, whole. What came after it is gone. This rests on the medium: what fdatasync has confirmed
// stays, and a write that is cut short leaves each byte old or new.
//
// One process at a time has it open for writing (kInUse); any number read, and see a new commit
// when they refresh(). No function throws, but for std::bad_alloc. After an error of append or
// resize nothing has changed; after one of commit every later one answers kBroken, because nobody
// knows what is on the medium: open the file again.
// Thread safety: one thread appends, resizes, commits and closes; any thread reads bytes below
// size(), which only resize makes smaller. The file's own bytes on disk: see docs/mapped_files.md.
class GrowableFile {
 public:
  using Location = CallSite;
  static constexpr std::size_t kRootBytes = 64;

  // kNotGrowable, kWrongVersion, kTruncated (less of it than its last commit has), kInUse,
  // kNotMappable; ENOSPC if there is no room for the first blocks; ENOENT without create.
  static Result<GrowableFile> open(const std::string& path, const GrowableOptions& options = {},
                                   Location opened = Location::current());

  GrowableFile() noexcept;
  GrowableFile(GrowableFile&&) noexcept;
  GrowableFile& operator=(GrowableFile&&) noexcept;
  // Closes, if that was not done; errors are lost.
  ~GrowableFile();

  const std::byte* data() const noexcept;
  std::uint64_t size() const noexcept;
  std::uint64_t committed_size() const noexcept;
  // Bytes that the file has blocks for.
  std::uint64_t capacity() const noexcept;
  // The number of the last commit; 1: none yet.
  std::uint64_t sequence() const noexcept;
  std::span<const std::byte> bytes() const noexcept { return {data(), size_t(size())}; }
  // What is not committed yet: free to be written.
  std::span<std::byte> uncommitted() noexcept;
  // Everything. Whoever writes below committed_size() must know that a crash can then leave either
  // of old and new, in any mixture, for every byte that the last two commits still use.
  std::span<std::byte> all_bytes_unsafe() noexcept;
  // A handle to the bytes [0, size()), for what mappings offer: prefault, residency, slices. It
  // keeps the memory, and the lock of a writer, after close.
  Result<Mapping> mapping() const;

  // Appends a copy; returns its offset. kReservationFull; ENOSPC; kCommitFirst after a resize below
  // committed_size(); kIoError or EIO; kTruncated if somebody has cut the file.
  Result<std::uint64_t> append(std::span<const std::byte> bytes);
  // New bytes are zero. Making it smaller takes effect on disk with the next commit.
  std::error_code resize(std::uint64_t size);

  // A few bytes that are committed with the file: where its root is. At most kRootBytes
  // (kOutOfRange); what is not given is zero.
  std::error_code set_root(std::span<const std::byte> root);
  std::span<const std::byte, kRootBytes> root() const noexcept;

  // Data, then header: two waits for the medium.
  std::error_code commit();

  // For readers: goes on to the last commit of the writer. Bytes that were there stay.
  std::error_code refresh();

  // Drops what is not committed and gives back unused blocks. kClosed the second time.
  std::error_code close(Location closed = Location::current());

 private:
  friend struct GrowableInternals;
  struct State;
  explicit GrowableFile(std::unique_ptr<State> state) noexcept;

  std::unique_ptr<State> state_;
};

}  // namespace prairie

#endif  // PRAIRIE_GROWABLE_FILE_HPP_
