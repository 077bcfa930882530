/* ffi_lock.c: the lock of a directory, and the owner's note beside it. */
#include "lock.h"

#include <stdlib.h>

#include "ffi.h"
#include "ffi_owner.h"
#include "ffi_values.h"
#include "note.h"

typedef struct lock_handle {
  ck_lock *lock;
} lock_handle;

static void lock_handle_free(void *owned) {
  lock_handle *handle = owned;
  ck_lock_release(handle->lock);
  free(handle);
}

static const ffi_kind lock_kind;

static void lock_handle_finalize(SEXP pointer) {
  ffi_owner_release(pointer, &lock_kind);
}

static const ffi_kind lock_kind = {"kb_lock", sizeof(lock_handle),
                                   lock_handle_free, lock_handle_finalize};

static void text_free(void *owned) {
  ck_buffer_release(owned);
  free(owned);
}

static const ffi_kind text_kind;

static void text_finalize(SEXP pointer) {
  ffi_owner_release(pointer, &text_kind);
}

static const ffi_kind text_kind = {"kb_text", sizeof(ck_buffer), text_free,
                                   text_finalize};

SEXP ffi_lock_take(SEXP path) {
  lock_handle *handle;
  ck_error err;
  SEXP out;
  if (!ffi_is_text(path)) {
    return ffi_misuse_failure("lock", "a path is needed");
  }
  out = PROTECT(ffi_owner_new(&lock_kind));
  handle = R_ExternalPtrAddr(out);
  if (handle == NULL) {
    UNPROTECT(1);
    return ffi_memory_failure(sizeof *handle);
  }
  if (ck_lock_take(&handle->lock, ck_vfs_system(), ffi_path_in(path), &err) !=
      CK_OK) {
    ffi_owner_release(out, &lock_kind);
    UNPROTECT(1);
    return ffi_failure_out(&err);
  }
  UNPROTECT(1);
  return out;
}

SEXP ffi_lock_is_held(SEXP path) {
  ck_error err;
  bool held;
  if (!ffi_is_text(path) || ck_lock_is_held(ck_vfs_system(), ffi_path_in(path),
                                            &held, &err) != CK_OK) {
    return Rf_ScalarLogical(NA_LOGICAL);
  }
  return Rf_ScalarLogical(held);
}

SEXP ffi_lock_holds(SEXP lock) {
  lock_handle *handle = ffi_owner_get(lock, &lock_kind);
  return Rf_ScalarLogical(handle != NULL && ck_lock_holds(handle->lock));
}

SEXP ffi_lock_release(SEXP lock) {
  ffi_owner_release(lock, &lock_kind);
  return R_NilValue;
}

SEXP ffi_note_read(SEXP path) {
  SEXP owner;
  SEXP out = R_NilValue;
  ck_buffer *text;
  ck_error err;
  bool found;
  if (!ffi_is_text(path)) {
    return ffi_misuse_failure("read", "a path is needed");
  }
  owner = PROTECT(ffi_owner_new(&text_kind));
  text = R_ExternalPtrAddr(owner);
  if (text == NULL) {
    UNPROTECT(1);
    return ffi_memory_failure(sizeof *text);
  }
  if (ck_note_read(ck_vfs_system(), ffi_path_in(path), text, &found, &err) !=
      CK_OK) {
    out = ffi_failure_out(&err);
  } else if (found) {
    /* Whatever it says: up to its first zero, if it has any. */
    out = ffi_text_out((const char *)text->data, CE_UTF8);
  }
  PROTECT(out);
  ffi_owner_release(owner, &text_kind);
  UNPROTECT(2);
  return out;
}

SEXP ffi_note_write(SEXP path, SEXP text) {
  ck_error err;
  if (!ffi_is_text(path) || !ffi_is_text(text)) {
    return ffi_misuse_failure("write", "a path and a text are needed");
  }
  if (ck_note_write(ck_vfs_system(), ffi_path_in(path),
                    Rf_translateCharUTF8(STRING_ELT(text, 0)), &err) != CK_OK) {
    return ffi_failure_out(&err);
  }
  return R_NilValue;
}
