// See fake_memory.h.
#include "tests/support/fake_memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <iterator>
#include <numeric>
#include <set>

namespace prairie {
namespace {

const char* NameOf(FakeMemory::Call call) {
  static constexpr const char* kNames[FakeMemory::kCallCount] = {
      "MayUse",   "ReserveAt",       "ReserveAnywhere",    "Commit",
      "MapAt",    "Discard",         "Decommit",           "Renew",
      "Unmap",    "AdviseHugePages", "CollapseToHugePage", "AvoidHugePages",
      "MovePages"};
  return kNames[static_cast<int>(call)];
}

const char* NameOf(FakeMemory::State state) {
  static constexpr const char* kNames[] = {"none", "reserved", "committed", "foreign", "forbidden"};
  return kNames[static_cast<int>(state)];
}

template <typename T>
bool IsAll(const std::map<uintptr_t, T>& ranges, uintptr_t address, size_t size, T value) {
  auto edge = std::prev(ranges.upper_bound(address));
  for (; edge != ranges.end() && edge->first < address + size; ++edge) {
    if (edge->second != value) return false;
  }
  return true;
}

template <typename T>
void SetAll(std::map<uintptr_t, T>& ranges, uintptr_t address, size_t size, T value) {
  const uintptr_t end = address + size;
  const T after = std::prev(ranges.upper_bound(end))->second;
  ranges.erase(ranges.lower_bound(address), ranges.upper_bound(end));
  const auto before = ranges.lower_bound(address);
  if (before == ranges.begin() || std::prev(before)->second != value) ranges[address] = value;
  if (after != value) ranges[end] = after;
}

}  // namespace

FakeMemory::~FakeMemory() {
  if (backing_ == Backing::kNone) return;
  for (auto edge = edges_.begin(); edge != edges_.end(); ++edge) {
    const auto next = std::next(edge);
    if (edge->second == State::kReserved || edge->second == State::kCommitted) {
      linux_.Unmap(edge->first, next->first - edge->first);
    }
  }
}

void FakeMemory::PutForeign(uintptr_t address, size_t size) {
  const std::lock_guard lock(mutex_);
  ASSERT_TRUE(IsLocked(address, size, State::kNone)) << "a foreign mapping over another";
  Assign(address, size, State::kForeign);
}

void FakeMemory::Forbid(uintptr_t address, size_t size) {
  const std::lock_guard lock(mutex_);
  ASSERT_TRUE(IsLocked(address, size, State::kNone));
  Assign(address, size, State::kForbidden);
}

void FakeMemory::RemoveForeign(uintptr_t address, size_t size) {
  const std::lock_guard lock(mutex_);
  ASSERT_TRUE(IsLocked(address, size, State::kForeign));
  Assign(address, size, State::kNone);
}

void FakeMemory::FailNth(int n, std::optional<Call> call, MapResult result) {
  const std::lock_guard lock(mutex_);
  until_failure_ = n;
  keep_failing_ = false;
  widen_failure_ = false;
  failing_call_ = call;
  failing_result_ = result;
  failures_ = 0;
}

void FakeMemory::FailFromNth(int n, std::optional<Call> call, MapResult result) {
  FailNth(n, call, result);
  keep_failing_ = true;
}

void FakeMemory::FailEverythingFromNth(int n, Call call) {
  FailFromNth(n, call);
  widen_failure_ = true;
}

void FakeMemory::Heal() {
  const std::lock_guard lock(mutex_);
  until_failure_ = 0;
}

int FakeMemory::calls() const {
  const std::lock_guard lock(mutex_);
  return std::accumulate(counts_.begin(), counts_.end(), 0);
}

bool FakeMemory::Is(uintptr_t address, size_t size, State state) const {
  const std::lock_guard lock(mutex_);
  return IsLocked(address, size, state);
}

size_t FakeMemory::BytesIn(State state) const {
  const std::lock_guard lock(mutex_);
  return BytesInLocked(state);
}

bool FakeMemory::AvoidsHugePages(uintptr_t address, size_t size) const {
  const std::lock_guard lock(mutex_);
  return IsAll(avoids_huge_pages_, address, size, true);
}

int FakeMemory::Mappings() const {
  const std::lock_guard lock(mutex_);
  std::set<uintptr_t> begins;
  for (const auto& [address, state] : edges_) begins.insert(address);
  for (const auto& [address, avoids] : avoids_huge_pages_) begins.insert(address);
  for (const auto& [address, origin] : origins_) begins.insert(address);
  int mappings = 0;
  for (const uintptr_t address : begins) {
    const State state = std::prev(edges_.upper_bound(address))->second;
    if (state == State::kReserved || state == State::kCommitted) ++mappings;
  }
  return mappings;
}

bool FakeMemory::IsLocked(uintptr_t address, size_t size, State state) const {
  return IsAll(edges_, address, size, state);
}

bool FakeMemory::Overlaps(uintptr_t address, size_t size, State state) const {
  auto edge = std::prev(edges_.upper_bound(address));
  for (; edge != edges_.end() && edge->first < address + size; ++edge) {
    if (edge->second == state) return true;
  }
  return false;
}

size_t FakeMemory::BytesInLocked(State state) const {
  size_t bytes = 0;
  for (auto edge = edges_.begin(); std::next(edge) != edges_.end(); ++edge) {
    if (edge->second == state) bytes += std::next(edge)->first - edge->first;
  }
  return bytes;
}

void FakeMemory::Assign(uintptr_t address, size_t size, State state) {
  SetAll(edges_, address, size, state);
  if (state == State::kNone) ForgetMapping(address, size);
}

void FakeMemory::ForgetMapping(uintptr_t address, size_t size) {
  SetAll(avoids_huge_pages_, address, size, false);
  SetAll(origins_, address, size, 0);
}

bool FakeMemory::Begin(Call call, uintptr_t address, size_t size) const {
  ++counts_[static_cast<size_t>(call)];
  EXPECT_EQ(address % page_size_, 0U) << NameOf(call) << ": address " << std::hex << address;
  EXPECT_EQ(size % page_size_, 0U) << NameOf(call) << ": size " << std::hex << size;
  EXPECT_NE(size, 0U) << NameOf(call) << " of nothing";
  if (until_failure_ == 0 || (failing_call_ && *failing_call_ != call)) return false;
  if (until_failure_ > 1) {
    --until_failure_;
    return false;
  }
  if (!keep_failing_) until_failure_ = 0;
  if (widen_failure_) failing_call_.reset();
  ++failures_;
  return true;
}

bool FakeMemory::Require(Call call, uintptr_t address, size_t size, State state) {
  const bool holds = IsLocked(address, size, state);
  EXPECT_TRUE(holds) << NameOf(call) << "(" << std::hex << address << ", " << size
                     << "): not all of it is " << NameOf(state);
  return holds;
}

MapResult FakeMemory::MayTake(uintptr_t address, size_t size, State state) const {
  if (uint64_t{address} + size > end_of_addresses_ || !IsLocked(address, size, State::kNone)) {
    EXPECT_FALSE(Overlaps(address, size, State::kForbidden)) << std::hex << address;
    return MapResult::kOccupied;
  }
  const size_t committed = BytesInLocked(State::kCommitted);
  const size_t used = in_use_ + committed + BytesInLocked(State::kReserved);
  if (used > address_space_limit_ || size > address_space_limit_ - used) {
    return MapResult::kNoMemory;
  }
  if (state == State::kCommitted && (committed > data_limit_ || size > data_limit_ - committed)) {
    return MapResult::kNoMemory;
  }
  return MapResult::kOk;
}

bool FakeMemory::MayUse(uintptr_t address, size_t size) const {
  const std::lock_guard lock(mutex_);
  if (Begin(Call::kMayUse, address, size)) return false;
  // Nobody knows where addresses end.
  return IsLocked(address, size, State::kNone) &&
         (backing_ == Backing::kNone || linux_.MayUse(address, size));
}

MapResult FakeMemory::ReserveAt(uintptr_t address, size_t size) {
  const std::lock_guard lock(mutex_);
  if (Begin(Call::kReserveAt, address, size)) return failing_result_;
  MapResult result = MayTake(address, size, State::kReserved);
  if (result == MapResult::kOk && reserves_really_) result = linux_.ReserveAt(address, size);
  if (result == MapResult::kOk) Assign(address, size, State::kReserved);
  return result;
}

uintptr_t FakeMemory::ReserveAnywhere(size_t size) {
  const std::lock_guard lock(mutex_);
  if (Begin(Call::kReserveAnywhere, 0, size)) return 0;
  uintptr_t address = 0;
  if (reserves_really_) {
    // Linux gives multiples of its own page only; a heap that was told of larger ones must not see.
    const uintptr_t found = linux_.ReserveAnywhere(size + page_size_);
    if (found == 0) return 0;
    address = (found + page_size_ - 1) / page_size_ * page_size_;
    if (address != found) linux_.Unmap(found, address - found);
    linux_.Unmap(address + size, found + page_size_ - address);
  } else {
    // The highest free place, at an address that is a multiple of no more than a page; below the
    // process's own mappings if the range is to be used.
    const uintptr_t end = backing_ == Backing::kReal ? 2 * kFreeAddress : end_of_addresses_;
    address = end - size - page_size_;
    while (address > 0 && MayTake(address, size, State::kReserved) == MapResult::kOccupied) {
      address -= page_size_;
    }
    if (MayTake(address, size, State::kReserved) != MapResult::kOk) return 0;
  }
  if (address != 0) Assign(address, size, State::kReserved);
  return address;
}

MapResult FakeMemory::Commit(uintptr_t address, size_t size) {
  const std::lock_guard lock(mutex_);
  if (Begin(Call::kCommit, address, size)) return failing_result_;
  if (!Require(Call::kCommit, address, size, State::kReserved)) return MapResult::kNoMemory;
  const size_t committed = BytesInLocked(State::kCommitted);
  if (committed > data_limit_ || size > data_limit_ - committed) return MapResult::kNoMemory;
  MapResult result = MapResult::kOk;
  if (reserves_really_) {
    result = linux_.Commit(address, size);
  } else if (backing_ == Backing::kReal) {
    result = linux_.MapAt(address, size);
  }
  if (result == MapResult::kOk) Assign(address, size, State::kCommitted);
  return result;
}

MapResult FakeMemory::MapAt(uintptr_t address, size_t size) {
  const std::lock_guard lock(mutex_);
  if (Begin(Call::kMapAt, address, size)) return failing_result_;
  MapResult result = MayTake(address, size, State::kCommitted);
  if (result == MapResult::kOk && backing_ == Backing::kReal) {
    result = linux_.MapAt(address, size);
  }
  if (result == MapResult::kOk) Assign(address, size, State::kCommitted);
  return result;
}

bool FakeMemory::Discard(uintptr_t address, size_t size) {
  const std::lock_guard lock(mutex_);
  if (Begin(Call::kDiscard, address, size)) {
    if (discards_in_part_ && backing_ != Backing::kNone) linux_.Discard(address, page_size_);
    return false;
  }
  if (!Require(Call::kDiscard, address, size, State::kCommitted)) return false;
  return backing_ == Backing::kNone || linux_.Discard(address, size);
}

bool FakeMemory::Decommit(uintptr_t address, size_t size) {
  const std::lock_guard lock(mutex_);
  if (Begin(Call::kDecommit, address, size)) return false;
  if (!Require(Call::kDecommit, address, size, State::kCommitted)) return false;
  if (reserves_really_) {
    if (!linux_.Decommit(address, size)) return false;
  } else if (backing_ == Backing::kReal && !linux_.Unmap(address, size)) {
    return false;
  }
  Assign(address, size, State::kReserved);
  return true;
}

bool FakeMemory::Renew(uintptr_t address, size_t size) {
  const std::lock_guard lock(mutex_);
  if (Begin(Call::kRenew, address, size)) return false;
  if (!Require(Call::kRenew, address, size, State::kCommitted)) return false;
  if (backing_ == Backing::kReal && !linux_.Renew(address, size)) return false;
  ForgetMapping(address, size);
  return true;
}

bool FakeMemory::Unmap(uintptr_t address, size_t size) {
  const std::lock_guard lock(mutex_);
  if (Begin(Call::kUnmap, address, size)) return false;
  const bool ours =
      IsLocked(address, size, State::kCommitted) || IsLocked(address, size, State::kReserved);
  EXPECT_TRUE(ours) << "Unmap(" << std::hex << address << ", " << size << ") of what is not ours";
  if (!ours) return false;
  if (backing_ == Backing::kReal && !linux_.Unmap(address, size)) return false;
  Assign(address, size, State::kNone);
  return true;
}

bool FakeMemory::AdviseHugePages(uintptr_t address, size_t size) {
  const std::lock_guard lock(mutex_);
  if (Begin(Call::kAdviseHugePages, address, size)) return false;
  EXPECT_FALSE(Overlaps(address, size, State::kNone) || Overlaps(address, size, State::kForeign) ||
               Overlaps(address, size, State::kForbidden))
      << std::hex << address << ", " << size;
  // Advice: not passed on, so that what tests measure does not depend on the kernel's settings.
  return true;
}

bool FakeMemory::CollapseToHugePage(uintptr_t address) {
  const std::lock_guard lock(mutex_);
  if (Begin(Call::kCollapseToHugePage, address, kHugePageSize)) return false;
  EXPECT_EQ(address % kHugePageSize, 0U);
  return Require(Call::kCollapseToHugePage, address, kHugePageSize,
                 State::kCommitted);  // As above.
}

bool FakeMemory::AvoidHugePages(uintptr_t address, size_t size) {
  const std::lock_guard lock(mutex_);
  if (Begin(Call::kAvoidHugePages, address, size)) return false;
  if (!Require(Call::kAvoidHugePages, address, size, State::kCommitted)) return false;
  SetAll(avoids_huge_pages_, address, size, true);
  return true;  // Not passed on, as above.
}

MoveResult FakeMemory::MovePages(uintptr_t from, uintptr_t to, size_t size) {
  const std::lock_guard lock(mutex_);
  const bool fail = Begin(Call::kMovePages, from, size);
  EXPECT_EQ(to % page_size_, 0U) << "MovePages to " << std::hex << to;
  EXPECT_TRUE(from + size <= to || to + size <= from) << "MovePages of overlapping ranges";
  if (!Require(Call::kMovePages, from, size, State::kCommitted) ||
      !Require(Call::kMovePages, to, size, State::kCommitted)) {
    return MoveResult::kFailed;
  }
  if (fail && failed_move_ == FailedMove::kStays) {
    if (backing_ == Backing::kReal) memset(reinterpret_cast<void*>(to), 0xdd, size);
    return MoveResult::kFailed;
  }
  if (fail) {
    // Of one that is taken the first half is left.
    const size_t left = failed_move_ == FailedMove::kTaken ? size / page_size_ / 2 * page_size_ : 0;
    if (backing_ == Backing::kReal) linux_.Unmap(to + left, size - left);
    Assign(to + left, size - left, State::kNone);
    if (failed_move_ == FailedMove::kTaken) Assign(to + left, size - left, State::kForeign);
    return MoveResult::kTargetGone;
  }
  if (backing_ == Backing::kReal) {
    const MoveResult result = linux_.MovePages(from, to, size);
    if (result != MoveResult::kOk) return result;
  }
  SetAll(origins_, to, size, ++moves_);
  return MoveResult::kOk;
}

}  // namespace prairie
