/* The C API of mapped files, from C. Prints a line for each case. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "prairie/mapped_file.h"

static int failures = 0;

static void check(int condition, const char* what) {
  printf("%s: %s%s\n", condition ? "PASS" : "FAIL", what, condition ? "" : ": see its line");
  if (!condition) ++failures;
}

int main(void) {
  char path[512], buffer[5000], message[80];
  const char* directory = getenv("TEST_TMPDIR");
  snprintf(path, sizeof path, "%s/c_mapped.%d", directory != NULL ? directory : "/tmp", getpid());
  FILE* file = fopen(path, "w");
  for (int i = 0; i < 10000; ++i) fputc('a' + i % 26, file);
  fclose(file);

  prairie_mapping* mapping = NULL;
  check(prairie_map_open("/nonexistent", PRAIRIE_MAP_READ, 0, -1, &mapping) == ENOENT, "no file");
  check(prairie_map_open("/", PRAIRIE_MAP_READ, 0, -1, &mapping) == PRAIRIE_MAP_NOT_MAPPABLE,
        "directory");
  check(prairie_map_open(path, PRAIRIE_MAP_READ, -1, -1, &mapping) == EINVAL, "negative offset");
  check(prairie_map_open(path, PRAIRIE_MAP_READ, 0, -2, &mapping) == EINVAL, "negative length");
  check(prairie_map_open(path, 7, 0, -1, &mapping) == EINVAL, "access");
  check(mapping == NULL, "no mapping after an error");
  check(prairie_map_open(path, PRAIRIE_MAP_READ_WRITE, 26, -1, &mapping) == 0, "open");
  check(prairie_map_size(mapping) == 9974, "size");
  check(*(char*)prairie_map_data(mapping) == 'a', "data");
  check(prairie_map_copy_from(mapping, 5000, buffer, 100) == 0 && buffer[0] == 'a' + 5000 % 26,
        "copy_from");
  check(prairie_map_copy_to(mapping, 0, "X", 1) == 0, "copy_to");
  size_t pages = 0;
  check(prairie_map_resident(mapping, 0, SIZE_MAX, &pages) == 0 && pages == 3, "resident");
  check(prairie_map_prefault(mapping, 0, SIZE_MAX) == 0, "prefault");
  check(prairie_map_validate(mapping, 0, SIZE_MAX) == 0, "validate");
  check(prairie_map_sync(mapping, 0, SIZE_MAX, 1) == 0, "sync");
  check(prairie_map_lock(mapping, 0, 1) == 0 && prairie_map_unlock(mapping, 0, 1) == 0,
        "lock, unlock");
  check(prairie_map_copy_from(mapping, 9974, buffer, 1) == PRAIRIE_MAP_OUT_OF_RANGE,
        "past the end");
  check(truncate(path, 100) == 0, "truncate");
  check(prairie_map_copy_from(mapping, 5000, buffer, 100) == PRAIRIE_MAP_TRUNCATED,
        "truncated file");
  check(prairie_map_prefault(mapping, 0, SIZE_MAX) == PRAIRIE_MAP_TRUNCATED,
        "prefault of a truncated file");
  check(prairie_map_close(mapping) == 0, "close");
  check(prairie_map_close(NULL) == 0, "close of null");
  check(strstr(prairie_map_strerror(PRAIRIE_MAP_TRUNCATED, message, sizeof message), "shorter") !=
            NULL,
        "strerror");
  check(strcmp(prairie_map_strerror(ENOENT, message, 5), "No s") == 0, "strerror, cut");

  prairie_growable* growable = NULL;
  check(prairie_growable_open(path, 1, 0, &growable) == PRAIRIE_MAP_NOT_GROWABLE, "not growable");
  unlink(path);
  check(prairie_growable_open(path, 0, 0, &growable) == ENOENT, "reader without a file");
  check(prairie_growable_open(path, 1, 1 << 20, &growable) == 0, "growable");
  uint64_t offset = 99;
  check(prairie_growable_append(growable, "hello", 5, &offset) == 0 && offset == 0, "append");
  check(prairie_growable_append(growable, " you", 4, NULL) == 0, "append again");
  check(prairie_growable_set_root(growable, "root", 4) == 0, "set_root");
  check(prairie_growable_commit(growable) == 0, "commit");
  check(prairie_growable_resize(growable, 5 << 20) == PRAIRIE_MAP_RESERVATION_FULL, "reservation");
  check(prairie_growable_resize(growable, 4) == 0, "resize");
  check(prairie_growable_append(growable, "x", 1, NULL) == PRAIRIE_MAP_COMMIT_FIRST,
        "commit first");
  prairie_growable* reader = NULL;
  check(prairie_growable_open(path, 1, 1 << 20, &reader) == PRAIRIE_MAP_IN_USE, "second writer");
  check(prairie_growable_open(path, 0, 1 << 20, &reader) == 0, "reader");
  check(prairie_growable_size(reader) == 9 &&
            memcmp(prairie_growable_data(reader), "hello you", 9) == 0,
        "bytes");
  check(strcmp(prairie_growable_root(reader), "root") == 0, "root");
  check(prairie_growable_commit(growable) == 0 && prairie_growable_refresh(reader) == 0, "refresh");
  check(prairie_growable_committed_size(reader) == 4, "committed_size");
  check(prairie_growable_close(reader) == 0 && prairie_growable_close(growable) == 0, "close both");
  unlink(path);
  return failures != 0;
}
