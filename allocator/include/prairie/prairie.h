/* Prairie's C API: the malloc family under names of its own, questions about pointers, statistics.
 *
 * The library that overrides malloc exports these too, so a program may look at its own heap.
 * Unless a function says otherwise: sizes are in bytes; any thread may call it at any time but
 * from a signal handler that interrupted the allocator; on failure for want of memory it returns
 * null and sets errno to ENOMEM. */
#ifndef PRAIRIE_PRAIRIE_H_
#define PRAIRIE_PRAIRIE_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PRAIRIE_VERSION_MAJOR 0
#define PRAIRIE_VERSION_MINOR 1

/* As the functions of ISO C and POSIX without the prefix. Results are aligned to 16 bytes.
 * prairie_malloc(0) is a unique pointer. prairie_realloc(p, 0) frees p and returns null.
 * `alignment` must be a power of two (else null and EINVAL; posix_memalign returns EINVAL). */
void* prairie_malloc(size_t size);
void* prairie_calloc(size_t count, size_t size);
void* prairie_realloc(void* pointer, size_t size);
void* prairie_reallocarray(void* pointer, size_t count, size_t size);
void* prairie_aligned_alloc(size_t alignment, size_t size);
int prairie_posix_memalign(void** result, size_t alignment, size_t size);

/* Null is ignored. errno is kept. A pointer that is not the start of a live object is reported on
 * stderr and the process aborted, unless PRAIRIE_OPTIONS has on_error=report. */
void prairie_free(void* pointer);

/* How many bytes the object at `pointer` can hold: at least what was asked for, the same from
 * call to call. 0 if `pointer` is not the start of a live object. */
size_t prairie_usable_size(const void* pointer);

/* What a request of `size` would be rounded to. 0 if no object can be that large. */
size_t prairie_good_size(size_t size);

/* Questions about any address, valid or not, in constant time. They see the heap as it is at that
 * moment: if another thread frees the object meanwhile, the answer is out of date.
 *
 * prairie_base_of: the start of the live object that `pointer` points into; null if none.
 * prairie_size_of: the bytes of that object; 0 if none.
 * prairie_is_live: 1 if `pointer` points into a live object, else 0.
 * prairie_owns:    1 if `pointer` lies in Prairie's arena, live or not, else 0. */
void* prairie_base_of(const void* pointer);
size_t prairie_size_of(const void* pointer);
int prairie_is_live(const void* pointer);
int prairie_owns(const void* pointer);

/* What keeps memory from being had. */
enum prairie_limit_kind {
  PRAIRIE_LIMIT_NONE = 0,      /* nothing has failed */
  PRAIRIE_LIMIT_ADDRESS_SPACE, /* RLIMIT_AS (ulimit -v) against the process's VmSize */
  PRAIRIE_LIMIT_DATA,          /* RLIMIT_DATA (ulimit -d) against its VmData */
  PRAIRIE_LIMIT_OVERCOMMIT,    /* vm.overcommit_memory: CommitLimit against Committed_AS if it is 2;
                                  memory and swap against the request if it is 0 (used is then 0) */
  PRAIRIE_LIMIT_MAPPINGS,      /* vm.max_map_count; limit and used are numbers of mappings */
  PRAIRIE_LIMIT_CGROUP,        /* memory.max or memory.limit_in_bytes of a cgroup */
  PRAIRIE_LIMIT_HEAP,          /* Prairie's own */
  PRAIRIE_LIMIT_WINDOW,        /* the addresses that the arena can ever have */
  PRAIRIE_LIMIT_UNKNOWN        /* the kernel refused, and none of these is reached */
};

/* An allocation that failed for want of memory, in any thread. Sizes are in bytes. */
struct prairie_failure {
  enum prairie_limit_kind kind;
  const char* name; /* of the limit: "RLIMIT_AS", "vm.max_map_count"; static, never null */
  size_t limit;     /* 0 if unknown */
  size_t used;      /* of it, when it was looked up: within 100 ms before the failure */
  size_t requested;
  size_t count; /* failures of the process so far */
};

/* Fills `failure` with the last failure; if there was none, with PRAIRIE_LIMIT_NONE and zeroes. The
 * limit is found when the allocation fails, at most four times in 100 ms, and once for requests of
 * about one size; a failure in between counts as one for the same reason. Sizes that overflow
 * (count times size) are errors of the program and not recorded. Returns 0, or EINVAL if `failure`
 * is null. */
int prairie_last_failure(struct prairie_failure* failure);

/* Prairie's own limit: bytes of heap that may be committed, that is readable and writable, free or
 * not, the allocator's own structures included. Address space is not limited. 0: none.
 *
 * Beyond `hard` nothing is committed: an allocation that needs more gives back all free memory and
 * tries again, asks the pressure handler, tries again, and fails with ENOMEM. (The allocator's own
 * structures, about 1% of the heap and a few KiB for each thread, are counted but not refused.)
 * When `soft` is crossed all free memory is given back, and if that does not suffice the pressure
 * handler is asked: once, until the heap has fallen below 15/16 of it. A limit below what is
 * committed is no error: free memory is given back, and nothing more is committed until the heap
 * has fallen below it. The limits take the place of those that were set before, by
 * PRAIRIE_OPTIONS=limit=SIZE (hard) too. Returns 0; EINVAL if both are given and `soft` exceeds
 * `hard`; ENOMEM if there is not even memory for the heap to begin. */
int prairie_set_limit(size_t soft, size_t hard);

/* The limits, each of which may go to null. */
void prairie_get_limit(size_t* soft, size_t* hard);

enum prairie_pressure {
  PRAIRIE_PRESSURE_SOFT = 1, /* the soft limit was crossed */
  PRAIRIE_PRESSURE_HARD = 2  /* an allocation fails unless something is freed */
};

/* Sets the function that frees something when memory is short; null for none. It is called with
 * `argument` in the thread that allocates, from within malloc, with none of the allocator's locks
 * held. It may allocate and free; it must return, and must not wait for a lock that is held where
 * memory is allocated. One thread runs it at a time: what fails meanwhile, in it or in another
 * thread, fails without asking. It may still run in another thread when it has been replaced. */
typedef void (*prairie_pressure_handler)(void* argument, enum prairie_pressure pressure);
void prairie_set_pressure_handler(prairie_pressure_handler handler, void* argument);

/* Addresses in the arena for memory that somebody else maps there: files, shared memory.
 *
 * prairie_span_take: `size` bytes at a multiple of `alignment` (a power of two, at least an OS page
 *   and at most 4 GiB), without access and with a guard without access behind them, for the caller
 *   to map over with MAP_FIXED. `name` is kept as a pointer until the span is returned. Null and
 *   ENOMEM if there is no room; null and ENOTSUP if the arena reserves no addresses (`ulimit -v`).
 * prairie_span_set_live: from now on the first `size` bytes are one object, for prairie_base_of and
 *   its sisters; 0: none are. At first none are. Returns 0; EINVAL if `span` is none or has less.
 * prairie_span_return: takes the span back. The caller must have put a private anonymous mapping
 *   with PROT_NONE and MAP_NORESERVE over all that it had mapped, or the next use of these
 *   addresses overwrites it. Returns 0, or EINVAL if `span` is none.
 * prairie_name_of: the name of the span that `pointer` lies in, guard excluded, live or not; null
 *   if none. */
void* prairie_span_take(size_t size, size_t alignment, const char* name);
int prairie_span_set_live(void* span, size_t size);
int prairie_span_return(void* span);
const char* prairie_name_of(const void* pointer);

/* Gives free memory back: empties this thread's cache and the shared ones, returns all free pages
 * to the kernel. Returns the number of bytes returned. */
size_t prairie_trim(void);

/* The state of the heap, in bytes unless a name says count. Exact when no other thread is in the
 * allocator, else a close approximation. */
struct prairie_stats {
  size_t allocated_bytes; /* objects in the program's hands, rounded to their size classes */
  size_t allocated_count; /* how many objects that is */
  size_t large_bytes;     /* of these, objects over 32 KiB */
  size_t large_count;
  size_t cached_bytes;     /* free objects in caches of threads and between them */
  size_t free_bytes;       /* free pages */
  size_t free_dirty_bytes; /* of these, not given back to the kernel */
  size_t committed_bytes;  /* pages that are readable and writable */
  size_t peak_committed_bytes;
  size_t metadata_bytes; /* the allocator's own structures */
  size_t reserved_bytes; /* address space; 0 in the unreserved mode */
  size_t thread_count;   /* threads that have a cache */
  uintptr_t arena_base;  /* address of the first byte of the arena */
  uintptr_t arena_end;   /* address behind the last page ever used */
};

/* Fills `stats`, of which `size` bytes are the caller's (sizeof *stats): a program built against an
 * older header keeps working. Returns 0, or EINVAL if `stats` is null. */
int prairie_get_stats(struct prairie_stats* stats, size_t size);

/* Writes a summary to stderr. */
void prairie_print_stats(void);

#ifdef __cplusplus
}
#endif

#endif /* PRAIRIE_PRAIRIE_H_ */
