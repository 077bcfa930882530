/* file.h: the operations of a vfs, completed.
 *
 * Retries after EINTR and short counts, and turns an errno value into a ck_error
 * that names operation and path. The order of operations is the caller's.
 */
#ifndef CK_FILE_H
#define CK_FILE_H

#include "status.h"
#include "os_vfs.h"

/* An open file. A zeroed one is closed. Does not own `path`. */
typedef struct ck_file {
  ck_vfs *vfs;
  const char *path; /* for messages; must outlive the file */
  ck_handle handle;
  bool is_open;
} ck_file;

/* As the operation of the same name in os_vfs.h. On failure `file` is closed. */
ck_status ck_file_create(ck_file *file, ck_vfs *vfs, const char *path,
                         ck_error *err);
ck_status ck_file_open(ck_file *file, ck_vfs *vfs, const char *path,
                       ck_error *err);

ck_status ck_file_open_lock(ck_file *file, ck_vfs *vfs, const char *path,
                            ck_error *err);

/* CK_ERR_IO with EBUSY: somebody else has the lock. */
ck_status ck_file_lock(ck_file *file, ck_error *err);
ck_status ck_file_unlock(ck_file *file, ck_error *err);

/* Claim `size` bytes on the file system of `dir`; where that cannot be done,
 * compare with the space that is free. CK_ERR_IO with `needed`, and for ENOSPC
 * and EDQUOT `available`, filled in if there is not enough. */
ck_status ck_file_reserve(ck_file *file, const char *dir, uint64_t size,
                          ck_error *err);

/* All `n` bytes or an error. A read that meets the end is CK_ERR_CORRUPT. */
ck_status ck_file_write(ck_file *file, const void *data, size_t n,
                        ck_error *err);
ck_status ck_file_read(ck_file *file, uint64_t offset, void *data, size_t n,
                       ck_error *err);

/* A hint: let the disk begin with what was written so far. */
void ck_file_start_sync(ck_file *file);

ck_status ck_file_info_get(ck_file *file, ck_file_info *out, ck_error *err);

/* After a failure the file must be thrown away: the kernel may have dropped
 * the pages that it could not write, and a second call would say all is well. */
ck_status ck_file_sync(ck_file *file, ck_error *err);

/* Closed afterwards, whatever is returned. A closed file may be closed. */
ck_status ck_file_close(ck_file *file, ck_error *err);

/* Whether an errno value says that the disk, or what of it one may use, is
 * full. */
bool ck_means_full(int sys);

/* Whether an errno value says that the file system has no such operation. */
bool ck_means_unsupported(int sys);

/* Bytes free on the file system of `dir`; CK_UNKNOWN where it does not tell. */
uint64_t ck_path_space(ck_vfs *vfs, const char *dir);

/* By path. */
ck_status ck_path_lookup(ck_vfs *vfs, const char *path, ck_file_info *out,
                         ck_error *err);
ck_status ck_path_rename(ck_vfs *vfs, const char *from, const char *to,
                         ck_error *err);
ck_status ck_path_unlink(ck_vfs *vfs, const char *path, ck_error *err);
ck_status ck_path_list(ck_vfs *vfs, const char *dir, ck_name_visitor *visit,
                       void *context, ck_error *err);

ck_status ck_path_make_dir(ck_vfs *vfs, const char *path, ck_error *err);

/* Fails as well where the file system cannot sync a directory at all, which is
 * for the caller to judge. */
ck_status ck_path_sync_dir(ck_vfs *vfs, const char *dir, ck_error *err);

/* dir + "/" + name into `out` (CK_PATH_CAP bytes). */
ck_status ck_path_join(char *out, const char *dir, const char *name,
                       ck_error *err);

#endif
