// A SIGABRT handler that allocates after a report of misuse: the report may hold no lock. Other
// threads allocate all the while. Argument: the mistake. Ends with status 42.
#include <csignal>
#include <thread>

#include "tests/hostile/hostile.h"

namespace {

void Handle(int) {
  Churn(1, 2000, 4 * kMegabyte);
  free(calloc(100, 100));
  _exit(42);
}

void Blunder(const char* mistake) {
  static long variable;
  void* volatile small = malloc(64);
  void* volatile large = malloc(200000);
  void* volatile foreign = &variable;
  if (strcmp(mistake, "double") == 0) {
    free(small);
    free(small);
  } else if (strcmp(mistake, "double_large") == 0) {
    // Between the two another thread may have got it: then the second free is one of its block, and
    // the mistake is seen when that thread frees it, or here at the next turn.
    for (int i = 0; i < 100; ++i) {
      free(large);
      free(large);
      large = malloc(200000);
    }
  } else if (strcmp(mistake, "interior") == 0) {
    small = static_cast<char*>(small) + 16;
    free(small);
  } else if (strcmp(mistake, "interior_large") == 0) {
    large = static_cast<char*>(large) + 8192;
    free(large);
  } else if (strcmp(mistake, "foreign") == 0) {
    free(foreign);
  } else if (strcmp(mistake, "realloc") == 0) {
    foreign = realloc(foreign, 100);
  } else if (strcmp(mistake, "smashed") == 0) {
    // Of blocks that have long left the thread's cache, so that a lock of a central list could be
    // held.
    constexpr int kBlocks = 20000;
    static void* blocks[kBlocks];
    for (void*& block : blocks) block = malloc(208);
    for (int i = 0; i < kBlocks; i += 2) free(blocks[i]);
    memset(blocks[2], 0x41, 208);
    for (void*& block : blocks) block = malloc(208);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CHECK(argc == 2);
  signal(SIGABRT, Handle);
  for (uint64_t i = 0; i < 2; ++i) {
    std::thread([i] {
      sigset_t abort_only;
      sigemptyset(&abort_only);
      sigaddset(&abort_only, SIGABRT);
      pthread_sigmask(SIG_BLOCK, &abort_only, nullptr);
      for (uint64_t round = i;; round += 2) Churn(round, 1000, kMegabyte);
    }).detach();
  }
  Blunder(argv[1]);
  return 0;
}
