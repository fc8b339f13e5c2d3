// The signal handlers: every SIGBUS and SIGSEGV that is not a guard's goes where it would have gone
// without Prairie, and a use after close is reported.
#include "runtime/guard/signals.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

#include "prairie/mapping.hpp"
#include "runtime/guard/closed_regions.h"
#include "tests/runtime/temporary_file.h"
#include "tests/support/needs.h"

namespace prairie {
namespace {

constexpr size_t kPage = 4096;

// Each death test runs in a process of its own, where nothing has
// been installed yet.

class SignalTest : public testing::Test {
 protected:
  void SetUp() override { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};

struct Seen {
  volatile int count = 0;
  int code = 0;
  void* address = nullptr;
  bool blocked_usr1 = false;
};
Seen seen;

// A page of a file that has been cut behind our back, without any guard.
volatile char* LostPage() {
  static TemporaryFile file(2 * kPage);
  static Mapping mapping = *Mapping::map(file.path());
  file.Truncate(0);
  return reinterpret_cast<volatile char*>(const_cast<std::byte*>(mapping.data()));
}

void ExitFromHandler(int, siginfo_t* info, void*) {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  const bool all = info->si_code == BUS_ADRERR && info->si_addr == seen.address &&
                   sigismember(&mask, SIGUSR1) == 1 && sigismember(&mask, SIGBUS) == 1;
  _exit(all ? 41 : 42);
}

TEST_F(SignalTest, DefaultIsDeathBySigbus) {
  EXPECT_EXIT(LostPage()[0], testing::KilledBySignal(SIGBUS), "");
  EXPECT_EXIT(
      {
        LostPage();
        raise(SIGBUS);
        _exit(1);
      },
      testing::KilledBySignal(SIGBUS), "");
  EXPECT_EXIT(
      {
        LostPage();
        kill(getpid(), SIGBUS);
        sleep(10);
        _exit(1);
      },
      testing::KilledBySignal(SIGBUS), "");
}

TEST_F(SignalTest, HandlerBeforeUsGetsWhatIsNotOurs) {
  EXPECT_EXIT(
      {
        struct sigaction action = {};
        action.sa_sigaction = ExitFromHandler;
        action.sa_flags = SA_SIGINFO;
        sigaddset(&action.sa_mask, SIGUSR1);
        sigaction(SIGBUS, &action, nullptr);
        volatile char* const page = LostPage();
        seen.address = const_cast<char*>(page);
        page[0];
        _exit(1);
      },
      testing::ExitedWithCode(41), "");
}

void CountSent(int, siginfo_t* info, void*) {
  seen.count = seen.count + 1;
  seen.code = info->si_code;
}
void CountPlain(int) { seen.count = seen.count + 1; }

template <typename Handler>
void InstallFirst(Handler handler, int flags) {
  struct sigaction action = {};
  if constexpr (std::is_same_v<Handler, void (*)(int)>) {
    action.sa_handler = handler;
  } else {
    action.sa_sigaction = handler;
  }
  action.sa_flags = flags;
  sigaction(SIGBUS, &action, nullptr);
}

TEST_F(SignalTest, SentSignalsGoOn) {
  EXPECT_EXIT(
      {
        InstallFirst(&CountSent, SA_SIGINFO);
        const int installed = InstallBusHandler();
        sigqueue(getpid(), SIGBUS, sigval());
        _exit(installed == 0 && seen.count == 1 && seen.code == SI_QUEUE ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
  EXPECT_EXIT(
      {
        InstallFirst(&CountPlain, 0);
        InstallBusHandler();
        InstallBusHandler();
        raise(SIGBUS);
        raise(SIGBUS);
        _exit(seen.count == 2 ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

// Memory that went bad, as the kernel tells of it: BUS_MCEERR_AR about this thread's access, of
// which only the page is known, BUS_MCEERR_AO about any page of the process.
void TellOfBadMemory(int code, const void* page) {
  siginfo_t info = {};
  info.si_signo = SIGBUS;
  info.si_code = code;
  info.si_addr = const_cast<void*>(page);
  info.si_addr_lsb = 12;
  syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGBUS, &info);
}

TEST_F(SignalTest, BadMemoryIsKnownByItsPage) {
  const auto access = [&](size_t bad_page) {
    InstallFirst(&CountSent, SA_SIGINFO);
    const Result<Mapping> memory = Mapping::anonymous(3 * kPage);
    const void* const page = memory->data() + bad_page * kPage;
    const std::error_code error =
        memory->access({kPage + 100, 50},
                       [=](std::span<const std::byte>) { TellOfBadMemory(BUS_MCEERR_AR, page); });
    _exit((error == MapError::kIoError ? 10 : 0) + seen.count);
  };
  EXPECT_EXIT(access(0), testing::ExitedWithCode(1), "");
  EXPECT_EXIT(access(1), testing::ExitedWithCode(10), "");
  EXPECT_EXIT(access(2), testing::ExitedWithCode(1), "");
}

TEST_F(SignalTest, BadMemoryElsewhereGoesOn) {
  const auto after = [](auto handler, int flags) {
    InstallFirst(handler, flags);
    const Result<Mapping> memory = Mapping::anonymous(kPage);
    const std::error_code error = memory->access({}, [&](std::span<const std::byte> bytes) {
      TellOfBadMemory(BUS_MCEERR_AO, bytes.data());
    });
    _exit(error ? 50 : static_cast<int>(seen.count));
  };
  // It is sent, not raised: nobody dies of it twice, and who ignores it lives.
  EXPECT_EXIT(after(SIG_DFL, 0), testing::KilledBySignal(SIGBUS), "");
  EXPECT_EXIT(after(SIG_IGN, 0), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(after(&CountSent, SA_SIGINFO), testing::ExitedWithCode(1), "");
}

TEST_F(SignalTest, IgnoredStaysIgnored) {
  EXPECT_EXIT(
      {
        signal(SIGBUS, SIG_IGN);
        volatile char* const page = LostPage();
        raise(SIGBUS);
        raise(SIGBUS);
        page[0];  // Nobody can ignore a fault.
      },
      testing::KilledBySignal(SIGBUS), "");
  EXPECT_EXIT(
      {
        signal(SIGBUS, SIG_IGN);
        InstallBusHandler();
        raise(SIGBUS);
        _exit(0);
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(SignalTest, OneShotHandlerRunsOnce) {
  EXPECT_EXIT(
      {
        InstallFirst(&CountSent, SA_SIGINFO | static_cast<int>(SA_RESETHAND));
        InstallBusHandler();
        raise(SIGBUS);
        if (seen.count != 1) _exit(1);
        raise(SIGBUS);
        _exit(2);
      },
      testing::KilledBySignal(SIGBUS), "");
}

// The guard of one thread is no guard of another, nor for addresses outside its range.
TEST_F(SignalTest, GuardsArePerThreadAndPerRange) {
  EXPECT_EXIT(
      {
        volatile char* const page = LostPage();
        TemporaryFile file(kPage);
        const Mapping mapping = *Mapping::map(file.path());
        static_cast<void>(mapping.access({}, [&](std::span<const std::byte>) { page[0]; }));
        _exit(1);
      },
      testing::KilledBySignal(SIGBUS), "");
  EXPECT_EXIT(
      {
        TemporaryFile file(kPage);
        const Mapping mapping = *Mapping::map(file.path());
        file.Truncate(0);
        static_cast<void>(mapping.access({}, [&](std::span<const std::byte> bytes) {
          std::thread([&] {
            static_cast<void>(*const_cast<const volatile std::byte*>(bytes.data()));
          }).join();
        }));
        _exit(1);
      },
      testing::KilledBySignal(SIGBUS), "");
}

TEST_F(SignalTest, GuardDoesNotCatchSegv) {
  EXPECT_EXIT(
      {
        TemporaryFile file(kPage);
        Mapping mapping = *Mapping::map(file.path(), {.access = Access::kReadWrite});
        static_cast<void>(mapping.protect({}, {.read = false}));
        std::byte byte;
        static_cast<void>(mapping.copy_from(0, {&byte, 1}));
        _exit(1);
      },
      testing::KilledBySignal(SIGSEGV), "");
}

// --- Use after close.

TEST_F(SignalTest, UseAfterCloseNamesFileOpenerAndCloser) {
  PRAIRIE_NEEDS_ADDRESS_SPACE(kUnlimited, "closed addresses are kept where they are not limited");
  for (const bool in_arena : {true, false}) {
    EXPECT_EXIT(
        {
          TemporaryFile file(3 * kPage);
          Mapping mapping = *Mapping::map(file.path(), {.in_arena = in_arena});
          const volatile std::byte* const bytes = mapping.data();
          static_cast<void>(mapping.close());
          static_cast<void>(bytes[5000]);
        },
        testing::KilledBySignal(SIGSEGV),
        "prairie: use after close: 0x[0-9a-f]+ is byte 5000 of a mapping of .*file.*, opened at "
        ".*signals_test.cc:[0-9]+, closed at .*signals_test.cc:[0-9]+");
  }
  EXPECT_EXIT(
      {
        TemporaryFile file(3 * kPage);
        const volatile std::byte* bytes;
        {
          const Mapping mapping = *Mapping::map(file.path());
          bytes = mapping.data();
        }
        static_cast<void>(bytes[0]);
      },
      testing::KilledBySignal(SIGSEGV), "closed when its last handle was destroyed");
}

TEST_F(SignalTest, OtherSegvIsPassedOnWithoutAWord) {
  EXPECT_EXIT(
      {
        InstallSegvHandler();
        volatile uintptr_t nowhere = 16;
        *reinterpret_cast<volatile char*>(nowhere) = 1;
      },
      testing::KilledBySignal(SIGSEGV), "^$");
}

TEST(ClosedRegionsTest, QuarantineIsBounded) {
  static int given_back;
  given_back = 0;
  ForgetClosed();
  ClosedRegion region;
  region.give_back = [](uintptr_t, size_t) { ++given_back; };
  for (int i = 0; i < kClosedRegions; ++i) {
    region.begin = 0x10000000 + static_cast<uintptr_t>(i) * 0x10000;
    region.size = 0x1000;
    RememberClosed(region);
  }
  EXPECT_EQ(given_back, 0);
  RememberClosed(region);
  EXPECT_EQ(given_back, 1) << "the oldest";
  region.size = kClosedBytes + 1;
  RememberClosed(region);
  EXPECT_EQ(given_back, 2) << "too large to be kept";
  region.size = kClosedBytes;
  RememberClosed(region);
  EXPECT_EQ(given_back, 2 + kClosedRegions) << "everything else makes room";
  ForgetClosed();
  EXPECT_EQ(given_back, 3 + kClosedRegions);
}

}  // namespace
}  // namespace prairie
