/* A plain safetensors file: whole under its name, or not there at all. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"
#include "fixture.h"
#include "posix.h"
#include "tap.h"

#define HEADER "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}"

static const uint8_t bytes[] = {1, 2, 3};
static const ck_piece pieces[] = {{bytes, 1}, {bytes + 1, 0}, {bytes + 1, 2}};

static ck_status export_to(ck_vfs *vfs, const char *path, ck_error *err) {
  return ck_export(vfs, path, HEADER, strlen(HEADER), pieces, 3, err);
}

static bool is_whole(const char *path) {
  size_t n = 0;
  uint8_t *found = file_get(path, &n);
  size_t length = strlen(HEADER);
  bool whole = n == 8 + length + 3 && found[0] == length &&
               memcmp(found + 1, "\0\0\0\0\0\0\0", 7) == 0 &&
               memcmp(found + 8, HEADER, length) == 0 &&
               memcmp(found + 8 + length, bytes, 3) == 0;
  free(found);
  return whole;
}

/* How many names a directory has. */
static int count_names(const char *dir) {
  char *state = directory_state(dir);
  int n = 0;
  for (const char *c = state; *c != '\0'; c++) {
    n += *c == '\n';
  }
  free(state);
  return n;
}

static void written(void) {
  const char *dir = fixture_dir();
  const char *path = at(dir, "x.safetensors");
  char long_path[CK_PATH_CAP];
  ck_error err;
  char *before;
  char *after;
  ok(export_to(ck_vfs_system(), path, &err) == CK_OK && is_whole(path),
     "length, header and the pieces follow each other");
  before = directory_state(dir);
  ok(export_to(ck_vfs_system(), path, &err) == CK_ERR_IO && err.sys == EEXIST,
     "I7: no file is replaced");
  after = directory_state(dir);
  ok(strcmp(before, after) == 0, "and nothing is left of the attempt");
  free(before);
  free(after);
  memset(long_path, 'x', sizeof long_path - 1);
  long_path[sizeof long_path - 1] = '\0';
  ok(export_to(ck_vfs_system(), long_path, &err) == CK_ERR_IO &&
         err.sys == ENAMETOOLONG,
     "no path is longer than paths can be");
  ok(export_to(ck_vfs_system(), at(dir, "none/x"), &err) == CK_ERR_IO &&
         err.sys == ENOENT,
     "a directory that is not there is not made");
}

/* The name is taken by somebody else while the file is written. */
typedef struct late_vfs {
  ck_vfs vfs; /* first: a pointer to it is a pointer to this struct */
  const char *path;
} late_vfs;

static int late_sync(ck_vfs *vfs, ck_handle handle) {
  file_put(((late_vfs *)(void *)vfs)->path, "mine", 4);
  return ck_vfs_system()->sync(ck_vfs_system(), handle);
}

static void taken_meanwhile(void) {
  const char *dir = fixture_dir();
  late_vfs late = {*ck_vfs_system(), at(dir, "x")};
  size_t n;
  ck_error err;
  late.vfs.sync = late_sync;
  ok(export_to(&late.vfs, late.path, &err) == CK_ERR_IO && err.sys == EEXIST,
     "I7: nor is one that comes while it is written");
  free(file_get(late.path, &n));
  ok(n == 4 && count_names(dir) == 1, "that file stays, and no other");
}

static void failures(void) {
  const char *dir = fixture_dir();
  const char *path = at(dir, "x");
  ck_fault fault;
  ck_error err;
  uint64_t failed = 1;
  int bad = 0;
  int runs = 0;
  for (uint64_t at = 1; failed > 0; at++) {
    ck_status status;
    ck_fault_init(&fault, ck_vfs_system());
    fault.fail_at = at;
    fault.fail_with = ENOSPC;
    status = export_to(&fault.vfs, path, &err);
    failed = fault.n_failed;
    /* The first look and what follows the rename do not count. */
    bad += status == CK_OK ? !is_whole(path)
                           : err.sys != ENOSPC || file_exists(path);
    bad += fault.n_open != 0 || count_names(dir) != (status == CK_OK);
    runs++;
    ck_fault_clear(&fault);
    (void)unlink(path);
  }
  ok(bad == 0 && runs > 8, "at each of %d operations: whole, or not there",
     runs);
}

static bool fails_without(ck_fault_op op) {
  const char *path = at(fixture_dir(), "x");
  ck_fault fault;
  ck_error err;
  bool failed;
  ck_fault_init(&fault, ck_vfs_system());
  fault.only = op;
  fault.fail_at = 1;
  fault.fail_with = ENOSPC;
  failed = export_to(&fault.vfs, path, &err) == CK_ERR_IO &&
           err.sys == ENOSPC && !file_exists(path);
  ck_fault_clear(&fault);
  return failed;
}

static void order(void) {
  ok(fails_without(CK_OP_RESERVE), "space is reserved first");
  ok(fails_without(CK_OP_SYNC), "what is not on the disk gets no name");
}

int main(void) {
  written();
  taken_meanwhile();
  failures();
  order();
  fixture_end();
  return done();
}
