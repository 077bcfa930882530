/* ffi_files.c: what R asks about names in a directory, and does to them. */
#include <inttypes.h>
#include <stdio.h>

#include "directory.h"
#include "ffi.h"
#include "ffi_values.h"
#include "levels.h"

SEXP ffi_path_is_file(SEXP path) {
  ck_file_info info;
  ck_error err;
  bool found =
      ffi_is_text(path) &&
      ck_path_lookup(ck_vfs_system(), ffi_path_in(path), &info, &err) == CK_OK;
  return Rf_ScalarLogical(found && info.regular);
}

SEXP ffi_path_is_ours(SEXP path) {
  ck_error err;
  bool ours = false;
  if (ffi_is_text(path) && ck_path_is_ours(ck_vfs_system(), ffi_path_in(path),
                                           false, &ours, &err) != CK_OK) {
    return Rf_ScalarLogical(NA_LOGICAL);
  }
  return Rf_ScalarLogical(ours);
}

SEXP ffi_file_id(SEXP path) {
  ck_file_info info;
  ck_error err;
  char text[48];
  if (!ffi_is_text(path) || ck_path_lookup(ck_vfs_system(), ffi_path_in(path),
                                           &info, &err) != CK_OK) {
    return Rf_ScalarString(NA_STRING);
  }
  snprintf(text, sizeof text, "%" PRIu64 ":%" PRIu64, info.device, info.inode);
  return ffi_text_out(text, CE_NATIVE);
}

SEXP ffi_directory_make(SEXP path) {
  ck_error err;
  bool made;
  if (!ffi_is_text(path)) {
    return ffi_misuse_failure("mkdir", "a path is needed");
  }
  if (ck_levels_make(ck_vfs_system(), ffi_path_in(path), &made, &err) !=
      CK_OK) {
    return ffi_failure_out(&err);
  }
  return Rf_ScalarLogical(made);
}

SEXP ffi_directory_unmake(SEXP path) {
  return Rf_ScalarLogical(ffi_is_text(path) &&
                          ck_directory_unmake(ffi_path_in(path)) == 0);
}

SEXP ffi_path_unlink(SEXP path) {
  ck_error err;
  if (!ffi_is_text(path)) {
    return ffi_misuse_failure("unlink", "a path is needed");
  }
  if (ck_path_unlink(ck_vfs_system(), ffi_path_in(path), &err) != CK_OK) {
    return ffi_failure_out(&err);
  }
  return R_NilValue;
}

SEXP ffi_path_rename(SEXP from, SEXP to) {
  ck_error err;
  if (!ffi_is_text(from) || !ffi_is_text(to)) {
    return ffi_misuse_failure("rename", "two paths are needed");
  }
  if (ck_path_rename(ck_vfs_system(), ffi_path_in(from), ffi_path_in(to),
                     &err) != CK_OK) {
    return ffi_failure_out(&err);
  }
  return R_NilValue;
}
