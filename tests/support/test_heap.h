// A private heap for tests, from the fake operating system up to the central lists, and a walk over
// it that checks what its parts promise about each other.
#ifndef PRAIRIE_TESTS_SUPPORT_TEST_HEAP_H_
#define PRAIRIE_TESTS_SUPPORT_TEST_HEAP_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "allocator/arena/arena.h"
#include "allocator/arena/metadata_allocator.h"
#include "allocator/base/options.h"
#include "allocator/central/transfer_cache.h"
#include "allocator/page_heap/page_heap.h"
#include "allocator/pages/heap_bitmap.h"
#include "allocator/pages/page_map.h"
#include "tests/support/fake_memory.h"

namespace prairie {

// A process's own heap sits at the first address that the arena tries, so a TestHeap finds that
// one occupied and takes the next. Tests in both modes are parameterized with TestHeapConfig.
struct TestHeapConfig {
  bool unreserved = false;
  size_t os_page_size = 4 * kKiB;
  size_t address_space_limit = SIZE_MAX;
  HugePages huge_pages = HugePages::kNever;
  bool may_have_huge_pages = true;  // The administrator permits them.
  bool anywhere = false;            // None of the places that the arena knows is free.
};

class TestHeap {
 public:
  static constexpr uintptr_t kMarkKey = static_cast<uintptr_t>(0x0123456789abcdef);

  explicit TestHeap(const TestHeapConfig& config = {});

  FakeMemory& os() { return os_; }
  Arena& arena() { return arena_; }
  MetadataAllocator& metadata() { return metadata_; }
  PageMap& page_map() { return page_map_; }
  BitmapPlane& allocated() { return allocated_; }
  PageHeap& page_heap() { return page_heap_; }
  MagazineStore& magazines() { return magazines_; }
  const Transferring& transferring() const { return transferring_; }
  TransferCache& transfer(SizeClass c) { return transfers_[c]; }
  TransferCache* transfers() { return transfers_; }
  CentralList& central(SizeClass c) { return transfers_[c].central(); }
  size_t extent() const { return extent_; }
  // Bytes of its arena and arrays that count toward a limit of address space.
  size_t CommittedBytes() const { return os_.BytesIn(FakeMemory::State::kCommitted); }

  // The memory of a span.
  unsigned char* Memory(const Span* span) const {
    return reinterpret_cast<unsigned char*>(arena_.AddressOf(span->first_page));
  }
  // The span that covers a page, or null.
  Span* SpanAt(PageId page) const;

  // Checks everything that the layers promise about the pages below the frontier, and fails the
  // test where it does not hold. Not while another thread uses the heap.
  void Check();

 private:
  void CheckTransferring();
  void CheckSpan(const Span* span, PageHeapStats* seen);
  void CheckSlots(const Span* span);

  FakeMemory os_;
  Arena arena_;
  MetadataAllocator metadata_;
  PageMap page_map_;
  BitmapPlane allocated_;
  PageHeap page_heap_;
  CentralContext context_ = {};
  std::atomic<size_t> extent_{0};
  MagazineStore magazines_;
  Transferring transferring_;
  TransferCache transfers_[kSizeClassCount];
};

}  // namespace prairie

#endif  // PRAIRIE_TESTS_SUPPORT_TEST_HEAP_H_
