/* Beyond 4 GiB, where 32 bits end. Needs 5 GiB of disk and of memory, so only
 * with KB_TEST_LARGE=1. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "tap.h"

#define GIB ((uint64_t)1 << 30)

static void large(void) {
  const char *dir = fixture_dir();
  uint8_t *memory = calloc(1, GIB);
  uint64_t sizes[5] = {GIB, GIB, GIB, GIB, GIB / 8};
  uint64_t addresses[5];
  char text[1000] = "";
  char path[1200];
  uint64_t offset = 0;
  uint64_t data_at;
  uint8_t start[8];
  FILE *file;
  ck_store *store;
  ck_commit commit = {0};
  ck_checkpoint loaded = {0};
  ck_image image;
  ck_error err;
  bool same = true;
  if (memory == NULL) {
    exit(2);
  }
  for (uint64_t i = 0; i < GIB; i += 4096) {
    memcpy(memory + i, &i, sizeof i);
  }
  for (int i = 0; i < 5; i++) {
    addresses[i] = (uint64_t)(uintptr_t)memory;
    sprintf(text + strlen(text),
            "%s\"t%d\":{\"dtype\":\"U8\",\"shape\":[%llu],\"data_offsets\":"
            "[%llu,%llu]}",
            i == 0 ? "" : ",", i, (unsigned long long)sizes[i],
            (unsigned long long)offset,
            (unsigned long long)(offset + sizes[i]));
    offset += sizes[i];
  }
  ok(ck_store_open(&store, ck_vfs_system(), dir, 1, &err) == CK_OK &&
         ck_store_plan(store, text, strlen(text), sizes, 5, &err) == CK_OK &&
         ck_store_commit(store, addresses, 5, METADATA, strlen(METADATA),
                         &commit, &err) == CK_OK &&
         commit.bytes > 4 * GIB,
     "more than 4 GiB are saved");
  ok(ck_store_find(store, CK_READ_LOAD, &loaded, &err) == CK_OK && loaded.found,
     "and loaded");
  for (int i = 0; loaded.found && i < 5; i++) {
    same = same && memcmp(loaded.image.data.data + (uint64_t)i * GIB, memory,
                          (size_t)sizes[i]) == 0;
  }
  ok(same, "with every byte right");
  ck_checkpoint_clear(&loaded);
  strcpy(path, commit.path);
  file = fopen(path, "rb");
  if (file == NULL || fread(start, 1, 8, file) != 8) {
    exit(2);
  }
  fclose(file);
  data_at = 8 + ck_le64_get(start);
  file_flip(path, 8 * (data_at + 4 * GIB + 5000));
  ok(ck_checkpoint_read(ck_vfs_system(), path, CK_READ_VERIFY, &image, &err) ==
             CK_ERR_CORRUPT &&
         err.offset == 4 * GIB,
     "a bit flipped beyond 4 GiB is found, and where");
  ck_commit_clear(&commit);
  ck_store_close(store);
  free(memory);
}

int main(void) {
  if (getenv("KB_TEST_LARGE") == NULL) {
    ok(true, "# SKIP set KB_TEST_LARGE=1 for files beyond 4 GiB");
  } else {
    large();
    fixture_end();
  }
  return done();
}
