// An operating system for tests: it keeps the state of every range, fails the test at a transition
// that os_memory.h does not allow, counts calls, and fails calls on demand.
#ifndef PRAIRIE_TESTS_SUPPORT_FAKE_MEMORY_H_
#define PRAIRIE_TESTS_SUPPORT_FAKE_MEMORY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <mutex>
#include <optional>

#include "allocator/base/config.h"
#include "allocator/os/linux_memory.h"
#include "allocator/os/os_memory.h"
#include "tests/support/sanitizers.h"

namespace prairie {

// Where nothing of this process lies, with room for tests that map at an address of their own.
inline constexpr uintptr_t kFreeAddress =
    ByAddressWidth(uint64_t{kThreadSanitizer ? 0x40 : 0x2000} << 32, 0x30000000);

// Thread safety: any thread.
class FakeMemory final : public OsMemory {
 public:
  enum class Call {
    kMayUse,
    kReserveAt,
    kReserveAnywhere,
    kCommit,
    kMapAt,
    kDiscard,
    kDecommit,
    kRenew,
    kUnmap,
    kAdviseHugePages,
    kCollapseToHugePage,
    kAvoidHugePages,
    kMovePages,
  };
  static constexpr int kCallCount = 13;

  // What a failing MovePages leaves at the target.
  enum class FailedMove {
    kStays,  // what was there, with other contents
    kGone,   // nothing
    kTaken,  // some of it, and a mapping of another thread, which was faster
  };

  enum class State { kNone, kReserved, kCommitted, kForeign, kForbidden };

  // kReal: what the heap maps is mapped, at the very addresses. kNone: it is only recorded, so
  // that ranges of any size and at any address are free, and must not be touched. Reservations are
  // only recorded, too, where this process has a limit of address space, which they would exceed.
  enum class Backing { kReal, kNone };

  explicit FakeMemory(Backing backing = Backing::kReal)
      : backing_(backing),
        reserves_really_(backing == Backing::kReal && linux_.AddressSpaceLimit() == SIZE_MAX) {}
  // Unmaps what is left.
  ~FakeMemory();

  // The machine that it pretends to be. Bytes. The limits are enforced: kNoMemory.
  void set_page_size(size_t size) { page_size_ = size; }
  void set_physical_memory(size_t size) { physical_memory_ = size; }
  void set_largest_grant(size_t size) { largest_grant_ = size; }                // at one time
  void set_address_space_limit(size_t limit) { address_space_limit_ = limit; }  // RLIMIT_AS
  void set_data_limit(size_t limit) { data_limit_ = limit; }                    // RLIMIT_DATA
  // What the rest of the process has mapped already, which counts toward RLIMIT_AS.
  void set_address_space_in_use(size_t size) { in_use_ = size; }
  // No addresses from here on, as for a processor with narrow ones.
  void set_may_have_huge_pages(bool may) { may_have_huge_pages_ = may; }
  void set_end_of_addresses(uintptr_t end) { end_of_addresses_ = end; }

  // Another's mapping, as far as the heap can see: nothing is really there.
  void PutForeign(uintptr_t address, size_t size);
  // What a sanitizer's runtime keeps for itself: to ask for any of it fails the test.
  void Forbid(uintptr_t address, size_t size);
  void RemoveForeign(uintptr_t address, size_t size);

  // The n-th call from now (1: the next), of one kind or of all, fails: with `result`, with false,
  // or with address 0. One plan at a time.
  void FailNth(int n, std::optional<Call> call = {}, MapResult result = MapResult::kNoMemory);
  // The same, and every call after it too, until Heal.
  void FailFromNth(int n, std::optional<Call> call = {}, MapResult result = MapResult::kNoMemory);
  // The n-th call of one kind fails, and from then on every call of any kind, until Heal.
  void FailEverythingFromNth(int n, Call call);
  void Heal();
  // A Discard that fails by plan drops the first OS page all the same, as the kernel does before it
  // comes to a page that is locked.
  void set_discards_in_part(bool in_part) { discards_in_part_ = in_part; }
  // Calls that failed by plan.
  int failures() const { return failures_; }
  void set_failed_move(FailedMove outcome) { failed_move_ = outcome; }

  int calls(Call call) const { return counts_[static_cast<size_t>(call)]; }
  int calls() const;

  // Whether every byte of the range is in the state.
  bool Is(uintptr_t address, size_t size, State state) const;
  size_t BytesIn(State state) const;
  // Whether huge pages are to be avoided in every byte of the range.
  bool AvoidsHugePages(uintptr_t address, size_t size) const;
  // How many mappings the kernel would need for what is ours: neighbours merge if they agree in
  // access, in advice, and in where their pages came from.
  int Mappings() const;

  // OsMemory:
  size_t PageSize() const override { return page_size_; }
  size_t PhysicalMemory() const override { return physical_memory_; }
  bool MayGrant(size_t size) const override { return size <= largest_grant_; }
  size_t AddressSpaceLimit() const override { return address_space_limit_; }
  bool MayUse(uintptr_t address, size_t size) const override;
  uintptr_t EndOfAddresses() const override { return end_of_addresses_; }
  MapResult ReserveAt(uintptr_t address, size_t size) override;
  uintptr_t ReserveAnywhere(size_t size) override;
  MapResult Commit(uintptr_t address, size_t size) override;
  MapResult MapAt(uintptr_t address, size_t size) override;
  bool Discard(uintptr_t address, size_t size) override;
  bool Decommit(uintptr_t address, size_t size) override;
  bool Renew(uintptr_t address, size_t size) override;
  bool Unmap(uintptr_t address, size_t size) override;
  bool AdviseHugePages(uintptr_t address, size_t size) override;
  bool MayHaveHugePages() const override { return may_have_huge_pages_; }
  bool CollapseToHugePage(uintptr_t address) override;
  bool AvoidHugePages(uintptr_t address, size_t size) override;
  MoveResult MovePages(uintptr_t from, uintptr_t to, size_t size) override;

 private:
  // The functions below require mutex_.
  // Counts the call and checks its arguments; returns whether it is to fail.
  bool Begin(Call call, uintptr_t address, size_t size) const;
  // Fails the test if the range is not wholly in the state. Returns whether it is.
  bool Require(Call call, uintptr_t address, size_t size, State state);
  // kOk if a range in the state kNone may become `state`.
  MapResult MayTake(uintptr_t address, size_t size, State state) const;
  bool IsLocked(uintptr_t address, size_t size, State state) const;
  bool Overlaps(uintptr_t address, size_t size, State state) const;
  size_t BytesInLocked(State state) const;
  // A new state; what comes out of kNone, or goes there, loses what was said of its mapping.
  void Assign(uintptr_t address, size_t size, State state);
  void ForgetMapping(uintptr_t address, size_t size);

  LinuxMemory linux_;
  const Backing backing_;
  const bool reserves_really_;
  mutable std::mutex mutex_;
  // A value for every address: the one from each key up to the next.
  template <typename T>
  using Ranges = std::map<uintptr_t, T>;
  Ranges<State> edges_{{0, State::kNone}};
  Ranges<bool> avoids_huge_pages_{{0, false}};
  // Which MovePages brought the pages; 0: they were mapped where they are.
  Ranges<int> origins_{{0, 0}};
  int moves_ = 0;

  size_t page_size_ = 4 * kKiB;
  size_t physical_memory_ = 8 * kGiB;
  size_t largest_grant_ = SIZE_MAX;
  size_t address_space_limit_ = SIZE_MAX;
  size_t data_limit_ = SIZE_MAX;
  size_t in_use_ = 0;
  bool may_have_huge_pages_ = true;
  uintptr_t end_of_addresses_ = ByAddressWidth(uint64_t{1} << 47, 0xf7c00000);
  FailedMove failed_move_ = FailedMove::kStays;
  bool discards_in_part_ = false;

  // Questions are calls too.
  mutable std::array<int, kCallCount> counts_{};
  mutable int until_failure_ = 0;  // 0: no failure is planned
  bool keep_failing_ = false;
  bool widen_failure_ = false;
  mutable std::optional<Call> failing_call_;
  MapResult failing_result_ = MapResult::kNoMemory;
  mutable int failures_ = 0;
};

}  // namespace prairie

#endif  // PRAIRIE_TESTS_SUPPORT_FAKE_MEMORY_H_
