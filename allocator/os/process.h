// What the process looks like from outside.
#ifndef PRAIRIE_ALLOCATOR_OS_PROCESS_H_
#define PRAIRIE_ALLOCATOR_OS_PROCESS_H_

namespace prairie {

// Whether the main thread has ended, by pthread_exit, and one other thread is left of all. `stat`:
// of the process, as in proc(5). False if it cannot be read. Opens a file, allocates nothing, keeps
// errno. Thread safety: any thread.
bool IsOneThreadLeft(const char* stat = "/proc/self/stat");

// Whether this is the only thread of the process, as far as the C library knows: always false
// before glibc 2.32. Thread safety: any thread, also in a signal handler.
bool IsSingleThreaded();

// The C library's list of open streams. Its fork takes that lock after the handlers of all others
// have run, so a lock of ours that malloc needs must come behind it: fflush(NULL) holds the list
// and waits for a stream, whose holder may be in malloc. In the child glibc frees the lock itself
// if the parent has several threads. Do nothing before glibc 2.32, or without glibc. Thread safety:
// any thread; recursive.
void LockStreams();
void UnlockStreams();

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_OS_PROCESS_H_
