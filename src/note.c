/* note.c: see note.h. */
#include "note.h"

#include <errno.h>
#include <string.h>

ck_status ck_note_read(ck_vfs *vfs, const char *path, ck_buffer *out,
                       bool *found, ck_error *err) {
  ck_file file = {0};
  ck_file_info info;
  ck_error ignored;
  ck_status status;
  *found = false;
  status = ck_path_lookup(vfs, path, &info, err);
  if (status != CK_OK) {
    return err->sys == ENOENT ? CK_OK : status;
  }
  if (!info.regular) {
    return CK_OK;
  }
  CK_TRY(ck_file_open(&file, vfs, path, err));
  /* The name may have gone to another file since it was looked up. */
  CK_TRY(ck_file_info_get(&file, &info, err));
  if (!info.regular || info.size > CK_NOTE_MAX) {
    goto cleanup;
  }
  CK_TRY(ck_buffer_reserve(out, info.size + 1, err));
  CK_TRY(ck_file_read(&file, 0, out->data, (size_t)info.size, err));
  out->data[info.size] = '\0';
  out->size = info.size;
  *found = true;
cleanup:
  (void)ck_file_close(&file, &ignored);
  return status;
}

ck_status ck_note_write(ck_vfs *vfs, const char *path, const char *text,
                        ck_error *err) {
  ck_file file = {0};
  ck_error ignored;
  bool made = false;
  ck_status status;
  CK_TRY(ck_file_create(&file, vfs, path, err));
  made = true;
  CK_TRY(ck_file_write(&file, text, strlen(text), err));
  CK_TRY(ck_file_close(&file, err));
  made = false;
cleanup:
  if (made) {
    (void)ck_file_close(&file, &ignored);
    (void)ck_path_unlink(vfs, path, &ignored);
  }
  return status;
}
