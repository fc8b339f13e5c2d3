// A SIGABRT handler that allocates after a report of misuse: the report may hold no lock. Other
// threads allocate all the while, but for what they could get in between. Argument: the mistake.
// Ends with status 42.
#include <atomic>
#include <csignal>
#include <thread>

#include "tests/hostile/hostile.h"

namespace {

constexpr int kThreads = 2;
std::atomic<bool> rest{false};
std::atomic<int> resting{0};

// All others rest, until the handler runs.
void LetOthersRest() {
  rest = true;
  while (resting < kThreads) usleep(100);
}

void Handle(int) {
  rest = false;
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
    // Between the two another thread could get it, and the second free would be one of its block.
    LetOthersRest();
    free(large);
    free(large);
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
  for (uint64_t i = 0; i < kThreads; ++i) {
    std::thread([i] {
      sigset_t abort_only;
      sigemptyset(&abort_only);
      sigaddset(&abort_only, SIGABRT);
      pthread_sigmask(SIG_BLOCK, &abort_only, nullptr);
      for (uint64_t round = i;; round += kThreads) {
        Churn(round, 1000, kMegabyte);
        if (!rest) continue;
        ++resting;
        while (rest) usleep(100);
        --resting;
      }
    }).detach();
  }
  Blunder(argv[1]);
  return 0;
}
