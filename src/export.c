/* export.c: see export.h. */
#include "export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "file.h"
#include "format.h"

/* The directory that a path is in, into `out` (CK_PATH_CAP bytes). */
static void parent_of(char *out, const char *path) {
  size_t n = strlen(path);
  while (n > 0 && !ck_path_separator(path[n - 1])) {
    n--;
  }
  if (n == 0) {
    memcpy(out, ".", 2);
    return;
  }
  memcpy(out, path, n);
  out[n] = '\0';
}

ck_status ck_export(ck_vfs *vfs, const char *path, const char *header,
                    size_t n_header, const ck_piece *pieces, size_t n,
                    ck_error *err) {
  char dir[CK_PATH_CAP];
  char temp[CK_PATH_CAP];
  uint8_t length[CK_LENGTH_SIZE];
  uint64_t total = sizeof length + n_header;
  ck_file_info info;
  ck_file file = {0};
  bool temp_exists = false;
  ck_error ignored;
  ck_status status;
  int space = snprintf(temp, sizeof temp, "%s.%" PRIu64 "-%016" PRIx64 ".tmp",
                       path, ck_process_self(), ck_process_nonce());
  if (space < 0 || (size_t)space >= sizeof temp) {
    return ck_error_set(err, CK_ERR_IO, "create", NULL, ENAMETOOLONG,
                        "the path is too long");
  }
  /* Known before anything is written; the rename below is what can be relied
   * on. */
  if (ck_path_lookup(vfs, path, &info, &ignored) == CK_OK) {
    return ck_error_set(err, CK_ERR_IO, "create", path, EEXIST, "%s", "");
  }
  parent_of(dir, path);
  for (size_t i = 0; i < n; i++) {
    total += pieces[i].size;
  }
  ck_le64_put(length, n_header);
  CK_TRY(ck_file_create(&file, vfs, temp, err));
  temp_exists = true;
  CK_TRY(ck_file_reserve(&file, dir, total, err));
  CK_TRY(ck_file_write(&file, length, sizeof length, err));
  CK_TRY(ck_file_write(&file, header, n_header, err));
  for (size_t i = 0; i < n; i++) {
    CK_TRY(ck_file_write(&file, pieces[i].data, (size_t)pieces[i].size, err));
  }
  CK_TRY(ck_file_sync(&file, err));
  CK_TRY(ck_file_close(&file, err));
  CK_TRY(ck_path_rename(vfs, temp, path, err));
  temp_exists = false;
  /* A name that a power cut takes is no loss: the checkpoint is still there. */
  (void)ck_path_sync_dir(vfs, dir, &ignored);
cleanup:
  (void)ck_file_close(&file, &ignored);
  if (temp_exists) {
    (void)ck_path_unlink(vfs, temp, &ignored);
  }
  return status;
}
