// The operating system's side of memory: the only place that maps, protects and unmaps.
//
// A range of addresses is in one of four states, and each function says which transition it makes:
//
//   none        nothing is mapped there; anyone may map something
//   reserved    ours, without access, without cost but for address space
//   committed   readable and writable; reads as zero until written
//   decommitted reserved again: the contents are gone and so is the charge
//
// ENOMEM (and EAGAIN, EEXIST where they mean "not here, not now") is a return value. Policy lives
// in Arena; this file has none.
#ifndef PRAIRIE_ALLOCATOR_OS_OS_MEMORY_H_
#define PRAIRIE_ALLOCATOR_OS_OS_MEMORY_H_

#include <stddef.h>
#include <stdint.h>

namespace prairie {

enum class MapResult : uint8_t {
  kOk,
  kOccupied,  // Somebody else's mapping is in the range; nothing was changed.
  kNoMemory,  // The kernel refuses: a limit, the overcommit policy, or the number of mappings.
};

enum class MoveResult : uint8_t {
  kOk,
  kFailed,  // Nothing has changed, but the contents of the target.
  // Nothing has changed but the target: some of it is not mapped any more, and what is mapped there
  // may be another's. It is not to be touched.
  kTargetGone,
};

// Addresses and sizes are multiples of PageSize(). Functions that take a size return without
// effect on failure. errno may change. Thread safety: any thread, any time; ranges in use by two
// calls at once must not overlap, but for CollapseToHugePage.
class OsMemory {
 public:
  // Bytes in an OS page.
  virtual size_t PageSize() const = 0;

  // Bytes of physical memory; 0 if unknown.
  virtual size_t PhysicalMemory() const = 0;

  // Whether the kernel may grant so many bytes at one time. What exceeds memory and swap together
  // it refuses whoever it charges for them, unless the administrator says otherwise; but what comes
  // out of a reservation is not charged. If the answer is not a plain yes, opens a file.
  virtual bool MayGrant(size_t size) const = 0;

  // The soft RLIMIT_AS in bytes; SIZE_MAX if there is none.
  virtual size_t AddressSpaceLimit() const = 0;

  // Whether the range may be asked for: false if a mapping lies in it, or if a sanitizer's runtime
  // keeps it for itself, which may end the process that asks. True promises nothing: another thread
  // may be faster, and old kernels do not tell. Changes nothing.
  virtual bool MayUse(uintptr_t address, size_t size) const = 0;
  // The address below which everything may be mapped: the end of what the kernel grants, without
  // the room into which the main thread's stack may grow.
  virtual uintptr_t EndOfAddresses() const = 0;

  // none → reserved, at exactly `address`. REQUIRES: MayUse was true of the range.
  virtual MapResult ReserveAt(uintptr_t address, size_t size) = 0;

  // none → reserved, wherever the kernel likes. Returns the address, or 0.
  virtual uintptr_t ReserveAnywhere(size_t size) = 0;

  // reserved → committed. What a Decommit has failed to give back may be in it.
  virtual MapResult Commit(uintptr_t address, size_t size) = 0;

  // none → committed, at exactly `address`. Never over another's mapping.
  virtual MapResult MapAt(uintptr_t address, size_t size) = 0;

  // committed → committed, contents dropped: the pages read as zero and cost nothing until
  // written. Returns false if some of them may still hold their contents: the program may have
  // locked them, and the kernel stops there.
  virtual bool Discard(uintptr_t address, size_t size) = 0;

  // committed → decommitted: contents dropped, access and charge given back. Returns false, with
  // nothing changed, if the contents cannot be dropped. True may leave access to part of it; a
  // later Commit puts that right.
  virtual bool Decommit(uintptr_t address, size_t size) = 0;

  // committed → committed, contents dropped, as one new mapping: heals what MovePages split, so
  // that the kernel can merge it with its neighbours. Returns false, with nothing changed, if not.
  virtual bool Renew(uintptr_t address, size_t size) = 0;

  // reserved or committed → none.
  virtual bool Unmap(uintptr_t address, size_t size) = 0;

  // reserved or committed: asks for 2 MiB pages. Advice; returns whether it was taken.
  virtual bool AdviseHugePages(uintptr_t address, size_t size) = 0;

  // Whether the administrator permits huge pages to those who ask. It opens a file, so ask early: a
  // program may give up the right to open any.
  virtual bool MayHaveHugePages() const = 0;

  // committed, 2 MiB at a multiple of that: makes one huge page of the small ones that are there,
  // now, by copying them, which takes some 0.3 ms, and fills what is missing. Does not ask the
  // administrator. It never changes what memory holds, so what else happens to the range meanwhile
  // may be anything. Returns whether it was done: not before Linux 6.1.
  virtual bool CollapseToHugePage(uintptr_t address) = 0;

  // committed: asks for no 2 MiB pages, though the system gives them to everyone. Mappings merge
  // only where both have been asked for this. Advice; returns whether it was taken.
  virtual bool AvoidHugePages(uintptr_t address, size_t size) = 0;

  // Moves the contents of one committed range onto another of the same size without copying;
  // `from` stays committed and reads as zero. Fails if the kernel cannot (before Linux 5.7, or no
  // memory).
  virtual MoveResult MovePages(uintptr_t from, uintptr_t to, size_t size) = 0;

 protected:
  ~OsMemory() = default;
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_OS_OS_MEMORY_H_
