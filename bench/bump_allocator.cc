// The limit of the possible: an allocator that hands out fresh memory and never takes any back.
//
//   LD_PRELOAD=libbump.so PROGRAM
//
// A malloc is an addition and a comparison, a free is nothing. scripts/bench shows its times beside
// the others', as a reference and not as a peer. Each thread carves objects from a chunk of its
// own; chunks come from one reservation, in address order, on huge pages. In front of each object
// stand 8 bytes with its size. When the reservation of PRAIRIE_BUMP_MIB (8192 at most, and by
// default) is used up, the process says so and ends with status 99: what it would need instead is
// unbounded.
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <new>

#define BUMP_EXPORT __attribute__((visibility("default")))

namespace {

constexpr size_t kReservation = size_t{8192} << 20;
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kChunk = size_t{256} << 10;
constexpr size_t kAlignment = 16;
constexpr size_t kHeader = sizeof(size_t);  // in front of an object: the bytes that it can hold
constexpr size_t kMaxSize = PTRDIFF_MAX;
constexpr int kFullStatus = 99;  // measure.py knows it

// What a thread has left of its chunk. `next` is where the next object's header would stand, 8
// bytes below a multiple of 16. INVARIANT: next <= end, and everything in between is zero.
struct Chunk {
  uintptr_t next;
  uintptr_t end;
};

// Initial-exec, so that no access calls the dynamic linker, which would call malloc.
__attribute__((tls_model("initial-exec"))) thread_local Chunk chunk;

std::atomic<uintptr_t> reservation_start{0};
std::atomic<size_t> used{0};
// Lowered by a constructor: before that, the environment cannot be read yet.
std::atomic<size_t> limit{kReservation};

[[noreturn]] void End(const char* message, size_t length) {
  // Nothing can be done about an error of the last words.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, message, length);
  _exit(kFullStatus);
}

[[noreturn]] void EndFull() {
  static constexpr char kMessage[] = "bump allocator: its limit of memory is reached\n";
  End(kMessage, sizeof kMessage - 1);
}

uintptr_t Reservation() {
  const uintptr_t known = reservation_start.load(std::memory_order_acquire);
  if (known != 0) return known;
  const int saved_errno = errno;
  void* const mapped = mmap(nullptr, kReservation + kHugePage, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) {
    static constexpr char kMessage[] = "bump allocator: cannot reserve 8 GiB of addresses\n";
    End(kMessage, sizeof kMessage - 1);
  }
  const uintptr_t start =
      (reinterpret_cast<uintptr_t>(mapped) + kHugePage - 1) & ~uintptr_t{kHugePage - 1};
  madvise(reinterpret_cast<void*>(start), kReservation, MADV_HUGEPAGE);  // advice, may fail
  errno = saved_errno;
  uintptr_t expected = 0;
  if (reservation_start.compare_exchange_strong(expected, start, std::memory_order_acq_rel)) {
    return start;
  }
  munmap(mapped, kReservation + kHugePage);  // another thread was first
  return expected;
}

// `size` bytes of the reservation, a multiple of 16; ends the process if there are none.
uintptr_t Take(size_t size) {
  const uintptr_t start = Reservation();
  const size_t before = used.fetch_add(size, std::memory_order_relaxed);
  const size_t most = limit.load(std::memory_order_relaxed);
  if (size > most || before > most - size) EndFull();
  return start + before;
}

void SetCapacity(uintptr_t object, size_t capacity) {
  *reinterpret_cast<size_t*>(object - kHeader) = capacity;
}

size_t Capacity(uintptr_t object) { return *reinterpret_cast<size_t*>(object - kHeader); }

// The least multiple of 16 that holds a header and `size` bytes. REQUIRES: size <= kMaxSize.
size_t BlockSize(size_t size) { return (size + kHeader + kAlignment - 1) & ~(kAlignment - 1); }

__attribute__((noinline)) void* AllocateFromNewChunk(size_t block) {
  if (block > kChunk / 4) {
    // One block more, so that the next chunk's first header has room too.
    const uintptr_t object = Take(block + kAlignment) + kAlignment;
    SetCapacity(object, block - kHeader);
    return reinterpret_cast<void*>(object);
  }
  const uintptr_t start = Take(kChunk);
  chunk = {start + kAlignment - kHeader, start + kChunk - kHeader};
  const uintptr_t object = chunk.next + kHeader;
  chunk.next += block;
  SetCapacity(object, block - kHeader);
  return reinterpret_cast<void*>(object);
}

inline void* Allocate(size_t size) {
  if (__builtin_expect(size > kMaxSize, false)) return nullptr;
  const size_t block = BlockSize(size);
  const uintptr_t header = chunk.next;
  if (__builtin_expect(block > chunk.end - header, false)) return AllocateFromNewChunk(block);
  chunk.next = header + block;
  const uintptr_t object = header + kHeader;
  SetCapacity(object, block - kHeader);
  return reinterpret_cast<void*>(object);
}

void* OrNoMemory(void* object) {
  if (object == nullptr) errno = ENOMEM;
  return object;
}

// `alignment`: a power of two.
void* AllocateAligned(size_t alignment, size_t size) {
  if (alignment <= kAlignment) return Allocate(size);
  if (size > kMaxSize - alignment) return nullptr;
  void* const raw = Allocate(size + alignment);
  const uintptr_t object = reinterpret_cast<uintptr_t>(raw);
  const uintptr_t aligned = (object + alignment - 1) & ~(alignment - 1);
  const size_t capacity = Capacity(object) - (aligned - object);
  if (aligned != object) SetCapacity(aligned, capacity);
  return reinterpret_cast<void*>(aligned);
}

// The thread's last object grows where it is. False if `object` is another one, or without room.
bool GrowInPlace(uintptr_t object, size_t old_capacity, size_t size) {
  if (object + old_capacity != chunk.next) return false;
  const size_t more = BlockSize(size) - kHeader - old_capacity;
  if (more > chunk.end - chunk.next) return false;
  chunk.next += more;
  SetCapacity(object, old_capacity + more);
  return true;
}

bool IsPowerOfTwo(size_t value) { return value != 0 && (value & (value - 1)) == 0; }

// Reads the limit once the environment is there.
__attribute__((constructor)) void ReadLimit() {
  const char* const text = getenv("PRAIRIE_BUMP_MIB");
  if (text == nullptr) return;
  const size_t mib = strtoul(text, nullptr, 10);
  if (mib < (kReservation >> 20)) limit.store(mib << 20, std::memory_order_relaxed);
}

void* New(size_t size) {
  void* const object = Allocate(size);
  if (object == nullptr) EndFull();  // it has no exceptions to throw
  return object;
}

void* NewAligned(size_t size, std::align_val_t alignment) {
  void* const object = AllocateAligned(static_cast<size_t>(alignment), size);
  if (object == nullptr) EndFull();
  return object;
}

}  // namespace

extern "C" {

BUMP_EXPORT void* malloc(size_t size) { return OrNoMemory(Allocate(size)); }
BUMP_EXPORT void free(void*) {}
BUMP_EXPORT void cfree(void*) {}
BUMP_EXPORT void free_sized(void*, size_t) {}
BUMP_EXPORT void free_aligned_sized(void*, size_t, size_t) {}

// Memory that was never handed out before is zero.
BUMP_EXPORT void* calloc(size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) return OrNoMemory(nullptr);
  return OrNoMemory(Allocate(bytes));
}

BUMP_EXPORT void* realloc(void* pointer, size_t size) {
  if (pointer == nullptr) return malloc(size);
  if (size == 0) return nullptr;  // as glibc: freed
  const uintptr_t object = reinterpret_cast<uintptr_t>(pointer);
  const size_t capacity = Capacity(object);
  if (size <= capacity) return pointer;
  if (size > kMaxSize) return OrNoMemory(nullptr);
  if (GrowInPlace(object, capacity, size)) return pointer;
  void* const moved = Allocate(size);
  memcpy(moved, pointer, capacity);
  return moved;
}

BUMP_EXPORT void* reallocarray(void* pointer, size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) return OrNoMemory(nullptr);
  return realloc(pointer, bytes);
}

BUMP_EXPORT void* memalign(size_t alignment, size_t size) {
  if (alignment > kMaxSize / 2) {
    errno = EINVAL;
    return nullptr;
  }
  size_t power = kAlignment;  // as glibc: rounded up to a power of two
  while (power < alignment) power *= 2;
  return OrNoMemory(AllocateAligned(power, size));
}

BUMP_EXPORT void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

BUMP_EXPORT int posix_memalign(void** result, size_t alignment, size_t size) {
  if (!IsPowerOfTwo(alignment) || alignment % sizeof(void*) != 0) return EINVAL;
  void* const object = AllocateAligned(alignment, size);
  if (object == nullptr) return ENOMEM;
  *result = object;
  return 0;
}

BUMP_EXPORT void* valloc(size_t size) {
  return memalign(static_cast<size_t>(sysconf(_SC_PAGESIZE)), size);
}

BUMP_EXPORT void* pvalloc(size_t size) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  if (size > kMaxSize - page) return OrNoMemory(nullptr);
  return memalign(page, (size + page - 1) & ~(page - 1));
}

BUMP_EXPORT size_t malloc_usable_size(void* pointer) {
  return pointer == nullptr ? 0 : Capacity(reinterpret_cast<uintptr_t>(pointer));
}

BUMP_EXPORT int malloc_trim(size_t) { return 0; }

}  // extern "C"

BUMP_EXPORT void* operator new(size_t size) { return New(size); }
BUMP_EXPORT void* operator new[](size_t size) { return New(size); }
BUMP_EXPORT void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return Allocate(size);
}
BUMP_EXPORT void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return Allocate(size);
}
BUMP_EXPORT void* operator new(size_t size, std::align_val_t a) { return NewAligned(size, a); }
BUMP_EXPORT void* operator new[](size_t size, std::align_val_t a) { return NewAligned(size, a); }
BUMP_EXPORT void* operator new(size_t size, std::align_val_t a, const std::nothrow_t&) noexcept {
  return AllocateAligned(static_cast<size_t>(a), size);
}
BUMP_EXPORT void* operator new[](size_t size, std::align_val_t a, const std::nothrow_t&) noexcept {
  return AllocateAligned(static_cast<size_t>(a), size);
}
BUMP_EXPORT void operator delete(void*) noexcept {}
BUMP_EXPORT void operator delete[](void*) noexcept {}
BUMP_EXPORT void operator delete(void*, size_t) noexcept {}
BUMP_EXPORT void operator delete[](void*, size_t) noexcept {}
BUMP_EXPORT void operator delete(void*, const std::nothrow_t&) noexcept {}
BUMP_EXPORT void operator delete[](void*, const std::nothrow_t&) noexcept {}
BUMP_EXPORT void operator delete(void*, std::align_val_t) noexcept {}
BUMP_EXPORT void operator delete[](void*, std::align_val_t) noexcept {}
BUMP_EXPORT void operator delete(void*, size_t, std::align_val_t) noexcept {}
BUMP_EXPORT void operator delete[](void*, size_t, std::align_val_t) noexcept {}
BUMP_EXPORT void operator delete(void*, std::align_val_t, const std::nothrow_t&) noexcept {}
BUMP_EXPORT void operator delete[](void*, std::align_val_t, const std::nothrow_t&) noexcept {}
