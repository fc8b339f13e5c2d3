// The page heap when calls of the operating system fail: each single one in turn, and each with all
// that follow. It must say so by null, stay sound, and work again when the system does.
#include <gtest/gtest.h>

#include "allocator/page_heap/page_heap.h"
#include "tests/support/kept_spans.h"
#include "tests/support/test_heap.h"
#include "tests/support/test_heap_modes.h"

namespace prairie {
namespace {

using FailedMove = FakeMemory::FailedMove;

class PageHeapFailuresTest : public TestWithHeap {
 protected:
  PageHeap& pages() { return heap().page_heap(); }
  Span* Allocate(size_t bytes, uint32_t alignment, SpanKind kind) {
    return pages().Allocate(PagesFor(bytes), {alignment}, kind);
  }

  // Something of everything.
  void Exercise(KeptSpans& kept) {
    for (const size_t bytes : {kPageSize, 100 * kKiB, 3 * kMiB, 40 * kKiB}) {
      kept.Keep(Allocate(bytes, 1, SpanKind::kLarge));
      kept.Keep(Allocate(bytes / 2, 3, SpanKind::kSmall));
      kept.Keep(Allocate(bytes, 8, SpanKind::kLarge));
    }
    for (size_t i = 0; i < kept.size(); i += 3) kept.Free(i);
    for (size_t i = 0; i < kept.size(); ++i) {
      if (kept[i]->kind != SpanKind::kLarge) continue;
      const PageCount before = kept[i]->pages;
      if (pages().GrowInPlace(kept[i], before + PageCount{20})) {
        EXPECT_TRUE(kept.IsIntact(i, before.bytes()));
        kept.Fill(i);
      } else {
        EXPECT_EQ(kept[i]->pages, before) << "nothing changed";
      }
    }
    for (size_t i = 0; i < kept.size(); ++i) {
      if (kept[i]->kind != SpanKind::kLarge) continue;
      const PageCount before = kept[i]->pages;
      if (Span* const moved = pages().Move(kept[i], before + PageCount{5})) {
        kept.Replace(i, moved);
        EXPECT_TRUE(kept.IsIntact(i, before.bytes()));
        kept.Fill(i);
      }
    }
    for (size_t i = 0; i < kept.size(); ++i) {
      if (kept[i]->kind == SpanKind::kLarge && kept[i]->pages.value > 1) {
        pages().ShrinkInPlace(kept[i], {kept[i]->pages.value / 2 + 1});
      }
    }
    pages().ReleaseFree({50});
    for (uint64_t now = 1000; !pages().ReleaseIdle(now) || now < 2000; now += 100) {
    }
    pages().ReleaseFree({60}, Release::kCharge);
    pages().ReleaseFree({UINT32_MAX});
    kept.Keep(Allocate(2 * kMiB, 1, SpanKind::kLarge));
  }

  // Runs Exercise with the n-th call failing, for every n; `persist`: and all after it.
  void FailEachCall(bool persist) {
    int n = 1;
    for (; n < 2000; ++n) {
      SCOPED_TRACE(testing::Message() << "call " << n << " fails");
      NewHeap(GetParam());
      FakeMemory& os = heap().os();
      os.set_failed_move(n % 2 == 0 ? FailedMove::kGone : FailedMove::kStays);
      persist ? os.FailFromNth(n) : os.FailNth(n);
      KeptSpans kept(heap());
      Exercise(kept);
      const bool failed = os.failures() > 0;
      EXPECT_TRUE(kept.AreIntact());
      heap().Check();

      os.Heal();
      EXPECT_TRUE(kept.Keep(Allocate(kMiB, 1, SpanKind::kLarge))) << "works again";
      if (n % 8 == 0) Exercise(kept);
      EXPECT_TRUE(kept.AreIntact());
      kept.FreeAll();
      heap().Check();
      if (!failed || HasFailure()) break;
    }
    EXPECT_GT(n, 20) << "the exercise makes more calls than that";
    EXPECT_LT(n, 2000);
  }
};

TEST_P(PageHeapFailuresTest, AnySingleCall) { FailEachCall(false); }

TEST_P(PageHeapFailuresTest, AnyCallAndAllThatFollow) { FailEachCall(true); }

TEST_P(PageHeapFailuresTest, AnyMoveWhateverItLeaves) {
  for (const auto outcome : {FailedMove::kStays, FailedMove::kGone, FailedMove::kTaken}) {
    for (int n = 1;; ++n) {
      SCOPED_TRACE(testing::Message() << "move " << n << ", outcome " << static_cast<int>(outcome));
      NewHeap(GetParam());
      heap().os().set_failed_move(outcome);
      heap().os().FailNth(n, FakeMemory::Call::kMovePages);
      KeptSpans kept(heap());
      Exercise(kept);
      EXPECT_TRUE(kept.AreIntact());
      EXPECT_TRUE(kept.Keep(Allocate(kMiB, 1, SpanKind::kLarge)));
      EXPECT_EQ(pages().stats().foreign_bytes > 0,
                outcome == FailedMove::kTaken && heap().os().failures() > 0);
      kept.FreeAll();
      heap().Check();
      if (heap().os().failures() == 0 || HasFailure()) {
        EXPECT_GT(n, 5) << "the exercise moves more than that";
        break;
      }
    }
  }
}

TEST_P(PageHeapFailuresTest, WithoutAnyMemoryAllocateGivesNull) {
  heap().os().FailFromNth(1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Allocate(kPageSize, 1, SpanKind::kSmall), nullptr);
  heap().Check();
  heap().os().Heal();
  EXPECT_NE(Allocate(kPageSize, 1, SpanKind::kSmall), nullptr);
  heap().Check();
}

INSTANTIATE_HEAP_MODES(PageHeapFailuresTest);

}  // namespace
}  // namespace prairie
