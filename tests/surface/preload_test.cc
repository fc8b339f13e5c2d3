// Whose malloc is it? All other tests of this folder mean nothing when the preload silently failed.
#include <gtest/gtest.h>
#include <malloc.h>

#include <new>
#include <string>

#include "tests/support/needs.h"
#include "tests/surface/surface.h"

namespace {

std::string FileOf(const char* symbol) {
  Dl_info info;
  void* address = dlsym(RTLD_DEFAULT, symbol);
  if (address == nullptr || dladdr(address, &info) == 0) return "nowhere";
  return info.dli_fname;
}

TEST(PreloadTest, TheDriverSaysWhoseMallocItIs) {
  EXPECT_EQ(UnderPrairie(), Symbol<void*(size_t)>("prairie_malloc") != nullptr);
}

// size_t is an unsigned int in 32 bits.
constexpr const char* kNew = kNarrowAddresses ? "_Znwj" : "_Znwm";
constexpr const char* kNewArray = kNarrowAddresses ? "_Znaj" : "_Znam";
constexpr const char* kDeleteSized = kNarrowAddresses ? "_ZdlPvj" : "_ZdlPvm";

TEST(PreloadTest, EveryFunctionThatProgramsCallIsTheLibrarys) {
  if (!UnderPrairie()) GTEST_SKIP() << "not under Prairie: these are the C library's";
  for (const char* symbol : {"malloc",       "calloc",   "realloc",       "free",
                             "reallocarray", "memalign", "aligned_alloc", "posix_memalign",
                             "valloc",       "pvalloc",  "malloc_trim",   "malloc_stats",
                             "malloc_info",  "mallinfo", "mallinfo2",     "mallopt",
                             "_ZdlPv",       "_ZdaPv",   "__libc_malloc", "__libc_free",
                             kNew,           kNewArray,  kDeleteSized,    "malloc_usable_size"}) {
    EXPECT_NE(FileOf(symbol).find("libprairie.so"), std::string::npos)
        << symbol << " is from " << FileOf(symbol);
  }
}

TEST(PreloadTest, BlocksLieInTheArena) {
  PRAIRIE_NEEDS_MEMORY(128, "a block of 50 MB");
  if (!UnderPrairie()) GTEST_SKIP() << "not under Prairie: no arena";
  for (size_t size : {1, 1000, 100000, 50000000}) {
    void* block = malloc(size);
    EXPECT_TRUE(InArena(block)) << block;
    free(block);
    block = ::operator new(size);
    EXPECT_TRUE(InArena(block)) << block;
    ::operator delete(block);
  }
  char* text = strdup("the C library's own calls of malloc");
  EXPECT_TRUE(InArena(text));
  free(text);
}

}  // namespace
