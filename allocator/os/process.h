// What the process looks like from outside.
#ifndef PRAIRIE_ALLOCATOR_OS_PROCESS_H_
#define PRAIRIE_ALLOCATOR_OS_PROCESS_H_

namespace prairie {

// Whether the main thread has ended, by pthread_exit, and one other thread is left of all. `stat`:
// of the process, as in proc(5). False if it cannot be read. Opens a file, allocates nothing, keeps
// errno. Thread safety: any thread.
bool IsOneThreadLeft(const char* stat = "/proc/self/stat");

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_OS_PROCESS_H_
