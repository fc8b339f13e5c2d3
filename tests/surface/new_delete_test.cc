// The 8 forms of operator new and the 12 of operator delete, called by name.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/surface/surface.h"

namespace {

using std::align_val_t;
using std::nothrow;

constexpr size_t kSizes[] = {0, 1, 8, 16, 24, 100, 1000, 32768, 32769, 200000, 3000000};
constexpr align_val_t kAlign{64};

struct NewForm {
  const char* name;
  std::function<void*(size_t)> allocate;
  bool aligned;
  bool array;
};

const NewForm kNewForms[] = {
    {"new", [](size_t n) { return ::operator new(n); }, false, false},
    {"new[]", [](size_t n) { return ::operator new[](n); }, false, true},
    {"new nothrow", [](size_t n) { return ::operator new(n, nothrow); }, false, false},
    {"new[] nothrow", [](size_t n) { return ::operator new[](n, nothrow); }, false, true},
    {"new aligned", [](size_t n) { return ::operator new(n, kAlign); }, true, false},
    {"new[] aligned", [](size_t n) { return ::operator new[](n, kAlign); }, true, true},
    {"new aligned nothrow", [](size_t n) { return ::operator new(n, kAlign, nothrow); }, true,
     false},
    {"new[] aligned nothrow", [](size_t n) { return ::operator new[](n, kAlign, nothrow); }, true,
     true},
};

struct DeleteForm {
  const char* name;
  std::function<void(void*, size_t)> release;
  bool aligned;
  bool array;
};

const DeleteForm kDeleteForms[] = {
    {"delete", [](void* p, size_t) { ::operator delete(p); }, false, false},
    {"delete[]", [](void* p, size_t) { ::operator delete[](p); }, false, true},
    {"delete sized", [](void* p, size_t n) { ::operator delete(p, n); }, false, false},
    {"delete[] sized", [](void* p, size_t n) { ::operator delete[](p, n); }, false, true},
    {"delete nothrow", [](void* p, size_t) { ::operator delete(p, nothrow); }, false, false},
    {"delete[] nothrow", [](void* p, size_t) { ::operator delete[](p, nothrow); }, false, true},
    {"delete aligned", [](void* p, size_t) { ::operator delete(p, kAlign); }, true, false},
    {"delete[] aligned", [](void* p, size_t) { ::operator delete[](p, kAlign); }, true, true},
    {"delete sized aligned", [](void* p, size_t n) { ::operator delete(p, n, kAlign); }, true,
     false},
    {"delete[] sized aligned", [](void* p, size_t n) { ::operator delete[](p, n, kAlign); }, true,
     true},
    {"delete aligned nothrow", [](void* p, size_t) { ::operator delete(p, kAlign, nothrow); }, true,
     false},
    {"delete[] aligned nothrow", [](void* p, size_t) { ::operator delete[](p, kAlign, nothrow); },
     true, true},
};

TEST(NewDeleteTest, EveryNewWithEveryDeleteThatFits) {
  int pairs = 0;
  for (const NewForm& form : kNewForms) {
    for (const DeleteForm& other : kDeleteForms) {
      if (form.aligned != other.aligned || form.array != other.array) continue;
      ++pairs;
      for (size_t size : kSizes) {
        for (int round = 0; round < 3; ++round) {
          void* block = form.allocate(size);
          ASSERT_NE(block, nullptr) << form.name;
          ASSERT_TRUE(IsAligned(block, form.aligned ? 64 : 16)) << form.name;
          ASSERT_GE(malloc_usable_size(block), size);
          Fill(block, size, 1);
          ASSERT_TRUE(Holds(block, size, 1));
          other.release(block, size);
        }
      }
    }
  }
  EXPECT_EQ(pairs, 24);
}

TEST(NewDeleteTest, DeleteOfNullDoesNothing) {
  for (const DeleteForm& form : kDeleteForms) form.release(nullptr, 8);
}

TEST(NewDeleteTest, ZeroBytesAreUniqueBlocks) {
  for (const NewForm& form : kNewForms) {
    std::set<void*> blocks;
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(blocks.insert(form.allocate(0)).second) << form.name;
    ASSERT_EQ(blocks.count(nullptr), 0U);
    for (void* block : blocks) {
      if (form.aligned) {
        ::operator delete(block, kAlign);
      } else {
        ::operator delete(block);
      }
    }
  }
}

TEST(NewDeleteTest, BadAllocOrNullForTooMuch) {
  for (const NewForm& form : kNewForms) {
    const bool throws = std::string(form.name).find("nothrow") == std::string::npos;
    for (size_t size : {size_t{PTRDIFF_MAX} + 1, SIZE_MAX, SIZE_MAX - 63, TooMuch(50)}) {
      // libstdc++ 12 rounds such sizes up to a multiple of the alignment, and they become zero.
      if (form.aligned && size > SIZE_MAX - 64 && !UnderPrairie()) continue;
      bool thrown = false;
      void* block = nullptr;
      try {
        block = form.allocate(Opaque(size));
      } catch (const std::bad_alloc& error) {
        thrown = true;
        EXPECT_NE(error.what(), nullptr);
      }
      EXPECT_EQ(block, nullptr) << form.name;
      EXPECT_EQ(thrown, throws) << form.name << " of " << size;
    }
  }
}

TEST(NewDeleteTest, BadAllocOrNullForAnAlignmentThatIsNoPowerOfTwo) {
  for (size_t value : {size_t{0}, size_t{3}, size_t{24}, size_t{100}, size_t{4097}, SIZE_MAX}) {
    const auto alignment = align_val_t{Opaque(value)};
    EXPECT_THROW(::operator delete(::operator new(100, alignment)), std::bad_alloc) << value;
    EXPECT_THROW(::operator delete[](::operator new[](100, alignment)), std::bad_alloc) << value;
    EXPECT_EQ(::operator new(100, alignment, nothrow), nullptr) << value;
    EXPECT_EQ(::operator new[](100, alignment, nothrow), nullptr) << value;
  }
}

TEST(NewDeleteTest, BadAllocPassesThroughFramesAndThreads) {
  for (int i = 0; i < 50; ++i) {
    std::thread([] {
      std::vector<int> kept(1000, 1);
      EXPECT_THROW(::operator delete(::operator new(Opaque(TooMuch(60)))), std::bad_alloc);
      EXPECT_THROW(std::make_unique<char[]>(Opaque(TooMuch(55))), std::bad_alloc);
      EXPECT_EQ(kept[999], 1);
    }).join();
  }
}

TEST(NewDeleteTest, LengthsThatOverflowThrow) {
  struct Big {
    char bytes[64];
  };
  EXPECT_THROW(delete[] new Big[Opaque(SIZE_MAX / 32)], std::bad_alloc);
  EXPECT_THROW(delete[] new long[Opaque(ptrdiff_t{-1})], std::bad_alloc);
}

struct alignas(256) Wide {
  char bytes[300] = {};
};

TEST(NewDeleteTest, OverAlignedTypes) {
  for (int i = 0; i < 1000; ++i) {
    auto one = std::make_unique<Wide>();
    auto many = std::make_unique<Wide[]>(3);
    ASSERT_TRUE(IsAligned(one.get(), 256));
    ASSERT_TRUE(IsAligned(many.get(), 256));
  }
}

}  // namespace
