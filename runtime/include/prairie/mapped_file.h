/* Mapped files in C: mappings, guarded reads, growable files. The C++ headers have more; what each
 * function does, and which thread may call it, is said there: mapping.hpp, growable_file.hpp.
 *
 * A function that returns int returns 0, an errno (positive), or a PRAIRIE_MAP_ error (negative).
 */
#ifndef PRAIRIE_MAPPED_FILE_H_
#define PRAIRIE_MAPPED_FILE_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum prairie_map_error {
  PRAIRIE_MAP_CLOSED = -1,
  PRAIRIE_MAP_TRUNCATED = -2,    /* the file has become shorter than the range */
  PRAIRIE_MAP_IO_ERROR = -3,     /* the medium failed */
  PRAIRIE_MAP_OUT_OF_RANGE = -4, /* negative or past the end */
  PRAIRIE_MAP_END_OF_FILE = -5,  /* fewer bytes than asked for were left */
  PRAIRIE_MAP_MISALIGNED = -6,
  PRAIRIE_MAP_NOT_MAPPABLE = -7, /* neither a regular file nor a block device */
  PRAIRIE_MAP_NOT_WRITABLE = -8,
  PRAIRIE_MAP_IN_USE = -9,        /* another writer has the file open */
  PRAIRIE_MAP_NOT_GROWABLE = -10, /* no valid header */
  PRAIRIE_MAP_WRONG_VERSION = -11,
  PRAIRIE_MAP_RESERVATION_FULL = -12,
  PRAIRIE_MAP_COMMIT_FIRST = -13, /* bytes of the last commit would be overwritten */
  PRAIRIE_MAP_BROKEN = -14,       /* an earlier write-back failed */
  PRAIRIE_MAP_CANCELLED = -15
};

/* What an error says, into `buffer` of `size` bytes, cut if need be. Returns `buffer`. */
const char* prairie_map_strerror(int error, char* buffer, size_t size);

enum prairie_map_access {
  PRAIRIE_MAP_READ = 0,
  PRAIRIE_MAP_READ_WRITE = 1,   /* what is written goes to the file */
  PRAIRIE_MAP_COPY_ON_WRITE = 2 /* what is written stays in this process */
};

typedef struct prairie_mapping prairie_mapping;

/* Maps `length` bytes (-1: up to the end) from `offset` on, aligned or not. `access`: a
 * prairie_map_access; EINVAL for anything else. `file` and `line` say
 * where, for reports of a use after close: prairie_map_open fills them in. *mapping is set only on
 * success. */
int prairie_map_open_at(const char* path, int access, int64_t offset, int64_t length,
                        prairie_mapping** mapping, const char* file, unsigned line);
#define prairie_map_open(path, access, offset, length, mapping) \
  prairie_map_open_at(path, access, offset, length, mapping, __FILE__, __LINE__)

/* Null is size 0. Of a mapping for reading the bytes must not be written. */
void* prairie_map_data(const prairie_mapping* mapping);
size_t prairie_map_size(const prairie_mapping* mapping);

/* Copies that answer with an error where the file was cut or the medium fails, at the price of a
 * few nanoseconds. */
int prairie_map_copy_from(const prairie_mapping* mapping, size_t offset, void* to, size_t size);
int prairie_map_copy_to(prairie_mapping* mapping, size_t offset, const void* from, size_t size);

/* Ranges of `length` bytes; SIZE_MAX: up to the end. validate: whether the file has them now, and
 * the medium gives them. prefault: waits until they are in memory. sync: writes them to the file,
 * and waits for the medium if `wait`. resident: how many OS pages are in memory, into *pages. */
int prairie_map_validate(const prairie_mapping* mapping, size_t offset, size_t length);
int prairie_map_prefault(const prairie_mapping* mapping, size_t offset, size_t length);
int prairie_map_sync(prairie_mapping* mapping, size_t offset, size_t length, int wait);
int prairie_map_lock(prairie_mapping* mapping, size_t offset, size_t length);
int prairie_map_unlock(prairie_mapping* mapping, size_t offset, size_t length);
int prairie_map_resident(const prairie_mapping* mapping, size_t offset, size_t length,
                         size_t* pages);

/* Unmaps, and frees the handle whatever is returned. Null is ignored. */
int prairie_map_close_at(prairie_mapping* mapping, const char* file, unsigned line);
#define prairie_map_close(mapping) prairie_map_close_at(mapping, __FILE__, __LINE__)

typedef struct prairie_growable prairie_growable;

#define PRAIRIE_GROWABLE_ROOT_BYTES 64

/* Opens a growable file: for writing, and made if it is missing, or for reading. `reserve`: bytes
 * of addresses, and so the most that it can hold; 0: 16 GiB, or less under
 * RLIMIT_AS. */
int prairie_growable_open_at(const char* path, int write, uint64_t reserve,
                             prairie_growable** growable, const char* file, unsigned line);
#define prairie_growable_open(path, write, reserve, growable) \
  prairie_growable_open_at(path, write, reserve, growable, __FILE__, __LINE__)

/* The address never changes. Bytes below the committed size must not be written. */
const void* prairie_growable_data(const prairie_growable* growable);
uint64_t prairie_growable_size(const prairie_growable* growable);
uint64_t prairie_growable_committed_size(const prairie_growable* growable);
/* PRAIRIE_GROWABLE_ROOT_BYTES bytes. */
const void* prairie_growable_root(const prairie_growable* growable);

/* *offset, which may be null, is where the copy begins. */
int prairie_growable_append(prairie_growable* growable, const void* bytes, size_t size,
                            uint64_t* offset);
int prairie_growable_resize(prairie_growable* growable, uint64_t size);
int prairie_growable_set_root(prairie_growable* growable, const void* root, size_t size);
int prairie_growable_commit(prairie_growable* growable);
int prairie_growable_refresh(prairie_growable* growable);

/* Frees the handle whatever is returned. Null is ignored. */
int prairie_growable_close_at(prairie_growable* growable, const char* file, unsigned line);
#define prairie_growable_close(growable) prairie_growable_close_at(growable, __FILE__, __LINE__)

#ifdef __cplusplus
}
#endif

#endif /* PRAIRIE_MAPPED_FILE_H_ */
