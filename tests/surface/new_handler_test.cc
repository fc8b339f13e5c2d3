// The new-handler's loop: operator new calls it as long as there is one and no memory.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdio>
#include <functional>
#include <new>
#include <stdexcept>

#include "tests/support/needs.h"
#include "tests/surface/surface.h"

namespace {

using std::align_val_t;
using std::nothrow;

constexpr size_t kImpossible = TooMuch(60);

int calls = 0;
void* ballast = nullptr;

// Puts back the handler that was set before.
class WithHandler {
 public:
  explicit WithHandler(std::new_handler handler) : old_(std::set_new_handler(handler)) {
    calls = 0;
  }
  ~WithHandler() { std::set_new_handler(old_); }

 private:
  std::new_handler old_;
};

struct Form {
  const char* name;
  std::function<void*(size_t)> allocate;
  bool throws;
  bool aligned;
};

const Form kForms[] = {
    {"new", [](size_t n) { return ::operator new(n); }, true, false},
    {"new[]", [](size_t n) { return ::operator new[](n); }, true, false},
    {"new nothrow", [](size_t n) { return ::operator new(n, nothrow); }, false, false},
    {"new[] nothrow", [](size_t n) { return ::operator new[](n, nothrow); }, false, false},
    {"new aligned", [](size_t n) { return ::operator new (n, align_val_t{4096}); }, true, true},
    {"new[] aligned", [](size_t n) { return ::operator new[](n, align_val_t{4096}); }, true, true},
    {"new aligned nothrow", [](size_t n) { return ::operator new (n, align_val_t{4096}, nothrow); },
     false, true},
    {"new[] aligned nothrow",
     [](size_t n) { return ::operator new[](n, align_val_t{4096}, nothrow); }, false, true},
};

class NewHandlerTest : public testing::TestWithParam<Form> {};

INSTANTIATE_TEST_SUITE_P(All, NewHandlerTest, testing::ValuesIn(kForms), [](const auto& one) {
  std::string name;
  for (const char* c = one.param.name; *c != '\0'; ++c) {
    if (isalpha(*c)) name += *c;
    if (*c == '[') name += "Array";
  }
  return name;
});

TEST_P(NewHandlerTest, IsCalledUntilItGivesUp) {
  WithHandler with([] {
    if (++calls == 5) std::set_new_handler(nullptr);
  });
  if (GetParam().throws) {
    EXPECT_THROW(GetParam().allocate(Opaque(kImpossible)), std::bad_alloc);
  } else {
    EXPECT_EQ(GetParam().allocate(Opaque(kImpossible)), nullptr);
  }
  EXPECT_EQ(calls, 5);
}

TEST_P(NewHandlerTest, MayThrowBadAlloc) {
  WithHandler with([] {
    if (++calls == 3) throw std::bad_alloc();
  });
  if (GetParam().throws) {
    EXPECT_THROW(GetParam().allocate(Opaque(kImpossible)), std::bad_alloc);
  } else {
    EXPECT_EQ(GetParam().allocate(Opaque(kImpossible)), nullptr);
  }
  EXPECT_EQ(calls, 3);
}

struct OwnBadAlloc : std::bad_alloc {
  const char* what() const noexcept override { return "our own"; }
};

TEST_P(NewHandlerTest, MayThrowADescendantOfBadAlloc) {
  WithHandler with([] {
    ++calls;
    throw OwnBadAlloc();
  });
  if (GetParam().throws) {
    EXPECT_THROW(GetParam().allocate(Opaque(kImpossible)), OwnBadAlloc);
  } else {
    EXPECT_EQ(GetParam().allocate(Opaque(kImpossible)), nullptr);
  }
  EXPECT_EQ(calls, 1);
}

TEST_P(NewHandlerTest, IsNotCalledWithoutNeed) {
  WithHandler with([] { ++calls; });
  for (size_t size : {0, 100, 100000, 10000000}) {
    void* block = GetParam().allocate(size);
    EXPECT_NE(block, nullptr);
    if (GetParam().aligned) {
      ::operator delete (block, align_val_t{4096});
    } else {
      ::operator delete(block);
    }
  }
  EXPECT_EQ(calls, 0);
}

TEST_P(NewHandlerTest, NoneMeansFailureAtOnce) {
  WithHandler with(nullptr);
  if (GetParam().throws) {
    EXPECT_THROW(GetParam().allocate(Opaque(kImpossible)), std::bad_alloc);
  } else {
    EXPECT_EQ(GetParam().allocate(Opaque(kImpossible)), nullptr);
  }
}

// Private writable memory of this process in bytes: what RLIMIT_DATA counts.
size_t DataSize() {
  size_t kilobytes = 0;
  FILE* status = fopen("/proc/self/status", "r");
  char line[256];
  while (status != nullptr && fgets(line, sizeof(line), status) != nullptr) {
    if (sscanf(line, "VmData: %zu", &kilobytes) == 1) break;
  }
  if (status != nullptr) fclose(status);
  return kilobytes * 1024;
}

TEST_P(NewHandlerTest, FreesMemoryAndNewSucceeds) {
  PRAIRIE_NEEDS_MEMORY(512, "200 MiB of ballast that the handler frees");
  constexpr size_t kBallast = size_t{200} << 20;
  ballast = malloc(kBallast);
  ASSERT_NE(ballast, nullptr);
  memset(ballast, 1, kBallast);
  rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_DATA, &old), 0);
  const rlimit tight = {DataSize() + (size_t{50} << 20), old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_DATA, &tight), 0);
  void* block = nullptr;
  {
    WithHandler with([] {
      ++calls;
      free(ballast);
      ballast = nullptr;
      std::set_new_handler(nullptr);
    });
    try {
      block = GetParam().allocate(Opaque(size_t{150} << 20));
    } catch (const std::bad_alloc&) {
    }
  }
  setrlimit(RLIMIT_DATA, &old);
  EXPECT_EQ(calls, 1) << "the allocation should fail once";
  EXPECT_NE(block, nullptr) << "after the handler freed 200 MiB there is room for 150";
  if (GetParam().aligned) {
    ::operator delete (block, align_val_t{4096});
  } else {
    ::operator delete(block);
  }
  free(ballast);
}

TEST(NewHandlerRulesTest, MallocNeverCallsIt) {
  WithHandler with([] {
    ++calls;
    std::set_new_handler(nullptr);
  });
  EXPECT_EQ(malloc(Opaque(kImpossible)), nullptr);
  EXPECT_EQ(calloc(Opaque(kImpossible), 1), nullptr);
  EXPECT_EQ(realloc(nullptr, Opaque(kImpossible)), nullptr);
  EXPECT_EQ(calls, 0);
}

TEST(NewHandlerRulesTest, ExceptionsOfItsOwnPassThroughNew) {
  WithHandler with([] { throw std::runtime_error("no memory, says the handler"); });
  EXPECT_THROW((void)::operator new(Opaque(kImpossible)), std::runtime_error);
  EXPECT_THROW((void)::operator new[](Opaque(kImpossible)), std::runtime_error);
}

TEST(NewHandlerRulesTest, MayAllocate) {
  WithHandler with([] {
    for (int i = 0; i < 100; ++i) ::operator delete(::operator new(1000));
    if (++calls == 4) std::set_new_handler(nullptr);
  });
  EXPECT_THROW((void)::operator new(Opaque(kImpossible)), std::bad_alloc);
  EXPECT_EQ(calls, 4);
}

}  // namespace
