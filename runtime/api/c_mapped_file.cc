// The C API of include/prairie/mapped_file.h: forwarders, and errors as numbers.
#include <errno.h>
#include <string.h>

#include <algorithm>
#include <new>

#include "prairie/mapped_file.h"
#include "prairie/mapped_file.hpp"
#include "runtime/growable/growable_internals.h"
#include "runtime/mapping/region.h"

struct prairie_mapping {
  prairie::Mapping mapping;
};

struct prairie_growable {
  prairie::GrowableFile file;
};

namespace {

static_assert(-PRAIRIE_MAP_CANCELLED == static_cast<int>(prairie::MapError::kCancelled));
static_assert(-PRAIRIE_MAP_BROKEN == static_cast<int>(prairie::MapError::kBroken));
static_assert(PRAIRIE_GROWABLE_ROOT_BYTES == prairie::GrowableFile::kRootBytes);

int Number(const std::error_code& error) {
  return error.category() == prairie::map_category() ? -error.value() : error.value();
}

// Runs what may find no memory for a handle.
template <typename Call>
int WithoutExceptions(Call call) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
}

const std::byte* Bytes(const void* pointer) { return static_cast<const std::byte*>(pointer); }

}  // namespace

extern "C" {

const char* prairie_map_strerror(int error, char* buffer, size_t size) {
  if (size == 0) return buffer;
  const std::error_code code(std::abs(error),
                             error < 0 ? prairie::map_category() : std::generic_category());
  const std::string message = code.message();
  const size_t length = std::min(message.size(), size - 1);
  memcpy(buffer, message.data(), length);
  buffer[length] = '\0';
  return buffer;
}

int prairie_map_open_at(const char* path, int access, int64_t offset, int64_t length,
                        prairie_mapping** mapping, const char* file, unsigned line) {
  if (access < PRAIRIE_MAP_READ || access > PRAIRIE_MAP_COPY_ON_WRITE || length < -1) return EINVAL;
  return WithoutExceptions([&] {
    prairie::MapOptions options;
    options.access = static_cast<prairie::Access>(access);
    options.offset = offset;
    if (length >= 0) options.length = length;
    auto made = prairie::MappingInternals::Map(prairie::SystemFiles(), path, options,
                                               prairie::Origin(file, line));
    if (!made.ok()) return Number(made.error());
    *mapping = new prairie_mapping{*std::move(made)};
    return 0;
  });
}

void* prairie_map_data(const prairie_mapping* mapping) {
  return const_cast<std::byte*>(mapping->mapping.data());
}
size_t prairie_map_size(const prairie_mapping* mapping) { return mapping->mapping.size(); }

int prairie_map_copy_from(const prairie_mapping* mapping, size_t offset, void* to, size_t size) {
  return Number(mapping->mapping.copy_from(offset, {static_cast<std::byte*>(to), size}));
}
int prairie_map_copy_to(prairie_mapping* mapping, size_t offset, const void* from, size_t size) {
  return Number(mapping->mapping.copy_to(offset, {Bytes(from), size}));
}
int prairie_map_validate(const prairie_mapping* mapping, size_t offset, size_t length) {
  return Number(mapping->mapping.validate({offset, length}));
}
int prairie_map_prefault(const prairie_mapping* mapping, size_t offset, size_t length) {
  return WithoutExceptions([&] {
    return Number(mapping->mapping.prefault({offset, length}).wait());
  });
}
int prairie_map_sync(prairie_mapping* mapping, size_t offset, size_t length, int wait) {
  return Number(mapping->mapping.sync(
      wait != 0 ? prairie::SyncMode::kWait : prairie::SyncMode::kStart, {offset, length}));
}
int prairie_map_lock(prairie_mapping* mapping, size_t offset, size_t length) {
  return Number(mapping->mapping.lock({offset, length}));
}
int prairie_map_unlock(prairie_mapping* mapping, size_t offset, size_t length) {
  return Number(mapping->mapping.unlock({offset, length}));
}
int prairie_map_resident(const prairie_mapping* mapping, size_t offset, size_t length,
                         size_t* pages) {
  return WithoutExceptions([&] {
    const auto found = mapping->mapping.count_resident({offset, length});
    if (!found.ok()) return Number(found.error());
    *pages = found->resident;
    return 0;
  });
}

int prairie_map_close_at(prairie_mapping* mapping, const char* file, unsigned line) {
  if (mapping == nullptr) return 0;
  const int error =
      Number(prairie::MappingInternals::Close(mapping->mapping, prairie::Origin(file, line)));
  delete mapping;
  return error;
}

int prairie_growable_open_at(const char* path, int write, uint64_t reserve,
                             prairie_growable** growable, const char* file, unsigned line) {
  return WithoutExceptions([&] {
    prairie::GrowableOptions options;
    options.write = write != 0;
    options.reserve = reserve;
    auto made = prairie::GrowableInternals::Open(prairie::SystemFiles(), path, options,
                                                 prairie::Origin(file, line));
    if (!made.ok()) return Number(made.error());
    *growable = new prairie_growable{*std::move(made)};
    return 0;
  });
}

const void* prairie_growable_data(const prairie_growable* growable) {
  return growable->file.data();
}
uint64_t prairie_growable_size(const prairie_growable* growable) { return growable->file.size(); }
uint64_t prairie_growable_committed_size(const prairie_growable* growable) {
  return growable->file.committed_size();
}
const void* prairie_growable_root(const prairie_growable* growable) {
  return growable->file.root().data();
}

int prairie_growable_append(prairie_growable* growable, const void* bytes, size_t size,
                            uint64_t* offset) {
  const auto at = growable->file.append({Bytes(bytes), size});
  if (at.ok() && offset != nullptr) *offset = *at;
  return Number(at.error());
}
int prairie_growable_resize(prairie_growable* growable, uint64_t size) {
  return Number(growable->file.resize(size));
}
int prairie_growable_set_root(prairie_growable* growable, const void* root, size_t size) {
  return Number(growable->file.set_root({Bytes(root), size}));
}
int prairie_growable_commit(prairie_growable* growable) { return Number(growable->file.commit()); }
int prairie_growable_refresh(prairie_growable* growable) {
  return Number(growable->file.refresh());
}

int prairie_growable_close_at(prairie_growable* growable, const char* file, unsigned line) {
  if (growable == nullptr) return 0;
  const int error =
      Number(prairie::GrowableInternals::Close(growable->file, prairie::Origin(file, line)));
  delete growable;
  return error;
}

}  // extern "C"
