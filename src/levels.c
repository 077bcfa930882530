/* levels.c: see levels.h. Keeps its part of I2. */
#include "levels.h"

#include <errno.h>
#include <string.h>

/* Failures of a sync that stop nothing: we may not read the parent, its file
 * system has no such sync, which the first save reports, or `path` is no directory,
 * which the next mkdir reports. */
static bool may_be(int sys) {
  return sys == EACCES || sys == EPERM || sys == ENOTDIR ||
         ck_means_unsupported(sys);
}

/* The name of the directory at `path` is in its parent. */
static ck_status name_sync(ck_vfs *vfs, const char *path, ck_error *err) {
  char parent[CK_PATH_CAP];
  ck_status status;
  CK_TRY(ck_path_join(parent, path, "..", err));
  status = ck_path_sync_dir(vfs, parent, err);
  if (status != CK_OK && may_be(err->sys)) {
    status = CK_OK;
  }
cleanup:
  return status;
}

static bool is_there(ck_vfs *vfs, const char *path) {
  ck_file_info info;
  ck_error ignored;
  return ck_path_lookup(vfs, path, &info, &ignored) == CK_OK;
}

/* The length of the path without its last name; 0: that is all there is. */
static size_t parent_length(const char *path, size_t n) {
  while (n > 0 && !ck_path_separator(path[n - 1])) {
    n--;
  }
  while (n > 0 && ck_path_separator(path[n - 1])) {
    n--;
  }
  return n;
}

static ck_status make_one(ck_vfs *vfs, const char *path, bool *made,
                          ck_error *err) {
  ck_status status = ck_path_make_dir(vfs, path, err);
  *made = status == CK_OK;
  /* Another process may have made it first. */
  return status != CK_OK && err->sys == EEXIST && is_there(vfs, path) ? CK_OK
                                                                      : status;
}

ck_status ck_levels_make(ck_vfs *vfs, const char *path, bool *made,
                         ck_error *err) {
  char level[CK_PATH_CAP];
  size_t n = strlen(path);
  size_t there;
  ck_status status = CK_OK;
  *made = false;
  if (n >= sizeof level) {
    return ck_error_set(err, CK_ERR_IO, "mkdir", path, ENAMETOOLONG,
                        "the path is too long");
  }
  memcpy(level, path, n + 1);
  while (n > 0 && ck_path_separator(level[n - 1])) {
    level[--n] = '\0';
  }
  if (n == 0 || is_there(vfs, level)) {
    return CK_OK;
  }

  /* Up to the first that is there. */
  there = n;
  do {
    there = parent_length(path, there);
    level[there] = '\0';
  } while (there > 0 && !is_there(vfs, level));

  /* A process that was killed here may have left its name unsynced. */
  if (there > 0) {
    CK_TRY(name_sync(vfs, level, err));
  }

  /* And down again, one name after the other. */
  while (there < n) {
    memcpy(level, path, n);
    while (ck_path_separator(path[there])) {
      there++;
    }
    while (there < n && !ck_path_separator(path[there])) {
      there++;
    }
    level[there] = '\0';
    CK_TRY(make_one(vfs, level, made, err));
    CK_TRY(name_sync(vfs, level, err));
  }
cleanup:
  return status;
}
