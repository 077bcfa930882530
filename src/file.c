/* file.c: see file.h. Keeps its part of I4: no failure is dropped, and none is
 * taken for success. */
#include "file.h"

#include <errno.h>
#include <string.h>

/* A signal interrupts a call now and then; one that always does is a fault. */
#define RETRY_MAX 1000

#define RETRY(sys, call)                                                       \
  do {                                                                         \
    int retry_left = RETRY_MAX;                                                \
    do {                                                                       \
      (sys) = (call);                                                          \
    } while ((sys) == EINTR && --retry_left > 0);                              \
  } while (0)

static ck_status outcome(ck_error *err, int sys, const char *op,
                         const char *path) {
  if (sys == 0) {
    return CK_OK;
  }
  return ck_error_set(err, CK_ERR_IO, op, path, sys, "%s failed", op);
}

bool ck_means_unsupported(int sys) {
  return sys == ENOTSUP || sys == EOPNOTSUPP || sys == ENOSYS || sys == EINVAL;
}

bool ck_means_full(int sys) {
#ifdef EDQUOT
  if (sys == EDQUOT) {
    return true;
  }
#endif
  return sys == ENOSPC;
}

uint64_t ck_path_space(ck_vfs *vfs, const char *dir) {
  uint64_t available = CK_UNKNOWN;
  int sys;
  RETRY(sys, vfs->space(vfs, dir, &available));
  return sys == 0 ? available : CK_UNKNOWN;
}

ck_status ck_file_create(ck_file *file, ck_vfs *vfs, const char *path,
                         ck_error *err) {
  int sys;
  file->vfs = vfs;
  file->path = path;
  RETRY(sys, vfs->create(vfs, path, &file->handle));
  file->is_open = sys == 0;
  return outcome(err, sys, "create", path);
}

ck_status ck_file_open(ck_file *file, ck_vfs *vfs, const char *path,
                       ck_error *err) {
  int sys;
  file->vfs = vfs;
  file->path = path;
  RETRY(sys, vfs->open(vfs, path, &file->handle));
  file->is_open = sys == 0;
  return outcome(err, sys, "open", path);
}

ck_status ck_file_open_lock(ck_file *file, ck_vfs *vfs, const char *path,
                            ck_error *err) {
  int sys;
  file->vfs = vfs;
  file->path = path;
  RETRY(sys, vfs->open_lock(vfs, path, &file->handle));
  file->is_open = sys == 0;
  return outcome(err, sys, "open", path);
}

ck_status ck_file_lock(ck_file *file, ck_error *err) {
  int sys;
  RETRY(sys, file->vfs->lock(file->vfs, file->handle, true));
  return outcome(err, sys, "lock", file->path);
}

ck_status ck_file_unlock(ck_file *file, ck_error *err) {
  int sys;
  RETRY(sys, file->vfs->lock(file->vfs, file->handle, false));
  return outcome(err, sys, "unlock", file->path);
}

ck_status ck_file_reserve(ck_file *file, const char *dir, uint64_t size,
                          ck_error *err) {
  ck_vfs *vfs = file->vfs;
  uint64_t available = CK_UNKNOWN;
  int sys;
  RETRY(sys, vfs->reserve(vfs, file->handle, size));
  if (sys == 0) {
    return CK_OK;
  }
  if (ck_means_unsupported(sys) || ck_means_full(sys)) {
    available = ck_path_space(vfs, dir);
  }
  if (ck_means_unsupported(sys)) {
    if (available == CK_UNKNOWN || available >= size) {
      return CK_OK;
    }
    sys = ENOSPC;
  }
  ck_error_set(err, CK_ERR_IO, "reserve", file->path, sys, "reserve failed");
  err->needed = size;
  err->available = available;
  return CK_ERR_IO;
}

ck_status ck_file_write(ck_file *file, const void *data, size_t n,
                        ck_error *err) {
  const uint8_t *at = data;
  while (n > 0) {
    size_t done = 0;
    int sys;
    RETRY(sys, file->vfs->write(file->vfs, file->handle, at, n, &done));
    if (sys == 0 && done == 0) {
      sys = EIO; /* no progress and no reason: do not spin */
    }
    if (sys != 0) {
      return outcome(err, sys, "write", file->path);
    }
    at += done;
    n -= done;
  }
  return CK_OK;
}

ck_status ck_file_read(ck_file *file, uint64_t offset, void *data, size_t n,
                       ck_error *err) {
  uint8_t *at = data;
  while (n > 0) {
    size_t done = 0;
    int sys;
    RETRY(sys, file->vfs->read(file->vfs, file->handle, offset, at, n, &done));
    if (sys != 0) {
      return outcome(err, sys, "read", file->path);
    }
    if (done == 0) {
      return ck_error_set(err, CK_ERR_CORRUPT, "read", file->path, 0,
                          "the file ended while it was being read");
    }
    at += done;
    offset += done;
    n -= done;
  }
  return CK_OK;
}

ck_status ck_file_info_get(ck_file *file, ck_file_info *out, ck_error *err) {
  int sys;
  RETRY(sys, file->vfs->info(file->vfs, file->handle, out));
  return outcome(err, sys, "stat", file->path);
}

void ck_file_start_sync(ck_file *file) {
  file->vfs->start_sync(file->vfs, file->handle);
}

ck_status ck_file_sync(ck_file *file, ck_error *err) {
  int sys;
  RETRY(sys, file->vfs->sync(file->vfs, file->handle));
  return outcome(err, sys, "fsync", file->path);
}

ck_status ck_file_close(ck_file *file, ck_error *err) {
  int sys;
  if (!file->is_open) {
    return CK_OK;
  }
  file->is_open = false;
  sys = file->vfs->close(file->vfs, file->handle);
  /* After EINTR the descriptor is gone on Linux and must not be closed again:
   * another thread may have it by now. The bytes were synced before. */
  return outcome(err, sys == EINTR ? 0 : sys, "close", file->path);
}

ck_status ck_path_lookup(ck_vfs *vfs, const char *path, ck_file_info *out,
                         ck_error *err) {
  int sys;
  RETRY(sys, vfs->lookup(vfs, path, out));
  return outcome(err, sys, "stat", path);
}

ck_status ck_path_rename(ck_vfs *vfs, const char *from, const char *to,
                         ck_error *err) {
  int sys;
  RETRY(sys, vfs->rename(vfs, from, to));
  return outcome(err, sys, "rename", to);
}

ck_status ck_path_unlink(ck_vfs *vfs, const char *path, ck_error *err) {
  int sys;
  RETRY(sys, vfs->unlink(vfs, path));
  return outcome(err, sys, "unlink", path);
}

ck_status ck_path_list(ck_vfs *vfs, const char *dir, ck_name_visitor *visit,
                       void *context, ck_error *err) {
  /* No retry: names already visited would be visited twice. */
  return outcome(err, vfs->list(vfs, dir, visit, context), "list", dir);
}

ck_status ck_path_make_dir(ck_vfs *vfs, const char *path, ck_error *err) {
  int sys;
  RETRY(sys, vfs->make_dir(vfs, path));
  return outcome(err, sys, "mkdir", path);
}

ck_status ck_path_sync_dir(ck_vfs *vfs, const char *dir, ck_error *err) {
  int sys;
  RETRY(sys, vfs->sync_dir(vfs, dir));
  return outcome(err, sys, "fsync", dir);
}

ck_status ck_path_join(char *out, const char *dir, const char *name,
                       ck_error *err) {
  size_t n_dir = strlen(dir);
  size_t n_name = strlen(name);
  if (n_dir + n_name + 2 > CK_PATH_CAP) {
    return ck_error_set(err, CK_ERR_IO, "path", dir, ENAMETOOLONG,
                        "the path is too long");
  }
  memcpy(out, dir, n_dir);
  out[n_dir] = '/';
  memcpy(out + n_dir + 1, name, n_name + 1);
  return CK_OK;
}
