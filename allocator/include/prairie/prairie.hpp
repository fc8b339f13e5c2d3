// Prairie's C++ API: a std::pmr::memory_resource, an allocator for containers, limits.
#ifndef PRAIRIE_PRAIRIE_HPP_
#define PRAIRIE_PRAIRIE_HPP_

#include <cerrno>
#include <cstddef>
#include <limits>
#include <memory_resource>
#include <new>

#include "prairie/prairie.h"

namespace prairie {

// Memory for pmr containers from Prairie's heap, whatever malloc the process has.
// do_allocate throws std::bad_alloc. Thread safety: any thread. All instances are equal.
class MemoryResource final : public std::pmr::memory_resource {
 protected:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    void* const object = alignment <= alignof(std::max_align_t)
                             ? prairie_malloc(bytes)
                             : prairie_aligned_alloc(alignment, bytes);
    if (object == nullptr) throw std::bad_alloc();
    return object;
  }
  void do_deallocate(void* pointer, std::size_t, std::size_t) override { prairie_free(pointer); }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return dynamic_cast<const MemoryResource*>(&other) != nullptr;
  }
};

// An allocator for standard containers: std::vector<int, prairie::Allocator<int>>.
// allocate throws std::bad_alloc, and std::bad_array_new_length if the size overflows.
template <typename T>
class Allocator {
 public:
  using value_type = T;

  Allocator() noexcept = default;
  template <typename U>
  Allocator(const Allocator<U>&) noexcept {}  // NOLINT(google-explicit-constructor): as std's.

  [[nodiscard]] T* allocate(std::size_t count) {
    if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) {
      throw std::bad_array_new_length();
    }
    void* const object = alignof(T) <= alignof(std::max_align_t)
                             ? prairie_malloc(count * sizeof(T))
                             : prairie_aligned_alloc(alignof(T), count * sizeof(T));
    if (object == nullptr) throw std::bad_alloc();
    return static_cast<T*>(object);
  }
  void deallocate(T* pointer, std::size_t) noexcept { prairie_free(pointer); }

  template <typename U>
  bool operator==(const Allocator<U>&) const noexcept {
    return true;
  }
};

// The last allocation that failed for want of memory: see prairie_last_failure.
// Thread safety: any thread.
inline prairie_failure LastFailure() noexcept {
  prairie_failure failure;
  prairie_last_failure(&failure);
  return failure;
}

// Bytes that may be committed; 0: none. See prairie_set_limit for what they mean.
struct Limit {
  std::size_t soft = 0;
  std::size_t hard = 0;
};

// False, with nothing changed, if soft exceeds hard or there is no memory for the heap to begin.
// Thread safety: any thread.
inline bool SetLimit(const Limit& limit) noexcept {
  return prairie_set_limit(limit.soft, limit.hard) == 0;
}
inline Limit GetLimit() noexcept {
  Limit limit;
  prairie_get_limit(&limit.soft, &limit.hard);
  return limit;
}

}  // namespace prairie

#endif  // PRAIRIE_PRAIRIE_HPP_
