/* ffi.c: between R's values and the core.
 *
 * Owns: external pointers, conversion, the "kb_failure" list. The only code of
 * the package that knows R and that an R error may jump out of. May not touch:
 * system calls, threads (but that it ends them with their stores).
 *
 * No jump leaks: whatever the core allocates hangs on an external pointer that
 * was made, with its finalizer, before it was filled. Nothing here raises an R
 * error but R's own allocation; failures are returned, and become conditions
 * in R.
 */
#include "ffi.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <R_ext/Utils.h>

#include "ffi_store.h"
#include "levels.h"
#include "lock.h"
#include "note.h"
#include "os_signals.h"

/* Doubles hold whole numbers up to here exactly. */
#define WHOLE_MAX 9007199254740992.0

/* ---- Owners ------------------------------------------------------------- */

/* All that are open, so that no thread outlives the code that it runs. */
static ffi_store *open_stores;

typedef struct text_list {
  char **items;
  size_t n;
} text_list;

static void store_handle_add(ffi_store *handle) {
  handle->next = open_stores;
  open_stores = handle;
}

/* End the thread, after the save under way. Idempotent. */
static void store_handle_stop(ffi_store *handle) {
  ck_writer_close(handle->writer);
  handle->writer = NULL;
}

static void store_handle_free(void *owned) {
  ffi_store *handle = owned;
  ffi_store **link = &open_stores;
  /* In a forked process a thread that is not there may have been anywhere in
   * this memory. It goes with the process. */
  if (handle->pid != ck_process_self()) {
    return;
  }
  while (*link != NULL && *link != handle) {
    link = &(*link)->next;
  }
  if (*link == handle) {
    *link = handle->next;
  }
  store_handle_stop(handle);
  ck_store_close(handle->store);
  free(handle);
}

static void checkpoint_free(void *owned) {
  ck_checkpoint_clear(owned);
  free(owned);
}

static void listing_free(void *owned) {
  ck_listing_clear(owned);
  free(owned);
}

static void text_list_free(void *owned) {
  text_list *list = owned;
  for (size_t i = 0; i < list->n; i++) {
    free(list->items[i]);
  }
  free(list->items);
  free(list);
}

typedef struct lock_handle {
  ck_lock *lock;
} lock_handle;

static void lock_handle_free(void *owned) {
  lock_handle *handle = owned;
  ck_lock_release(handle->lock);
  free(handle);
}

static void buffer_free(void *owned) {
  ck_buffer_release(owned);
  free(owned);
}

/* The tag says what a pointer owns, and so how to free it. */
typedef struct owner_kind {
  const char *tag;
  size_t size;
  void (*release)(void *owned);
} owner_kind;

static const owner_kind owner_kinds[] = {
    {"kb_store", sizeof(ffi_store), store_handle_free},
    {"kb_buffer", sizeof(ck_checkpoint), checkpoint_free},
    {"kb_listing", sizeof(ck_listing), listing_free},
    {"kb_texts", sizeof(text_list), text_list_free},
    {"kb_lock", sizeof(lock_handle), lock_handle_free},
    {"kb_text", sizeof(ck_buffer), buffer_free},
};

enum {
  OWNS_STORE,
  OWNS_CHECKPOINT,
  OWNS_LISTING,
  OWNS_TEXTS,
  OWNS_LOCK,
  OWNS_TEXT
};

static void owner_release(SEXP pointer) {
  void *owned = R_ExternalPtrAddr(pointer);
  SEXP tag = R_ExternalPtrTag(pointer);
  if (owned == NULL) {
    return;
  }
  R_ClearExternalPtr(pointer);
  for (size_t i = 0; i < sizeof owner_kinds / sizeof *owner_kinds; i++) {
    if (tag == Rf_install(owner_kinds[i].tag)) {
      owner_kinds[i].release(owned);
    }
  }
}

/* A new pointer with a zeroed struct of that kind, or with none when there is
 * no memory. The pointer comes first, so that nothing is ever unowned. */
static SEXP owner_new(int which) {
  const owner_kind *kind = &owner_kinds[which];
  SEXP tag = Rf_install(kind->tag);
  SEXP pointer = PROTECT(R_MakeExternalPtr(NULL, tag, R_NilValue));
  R_RegisterCFinalizerEx(pointer, owner_release, TRUE);
  Rf_setAttrib(pointer, R_ClassSymbol, PROTECT(Rf_mkString(kind->tag)));
  R_SetExternalPtrAddr(pointer, calloc(1, kind->size));
  UNPROTECT(2);
  return pointer;
}

static void *owner_get(SEXP pointer, int which) {
  if (TYPEOF(pointer) != EXTPTRSXP ||
      R_ExternalPtrTag(pointer) != Rf_install(owner_kinds[which].tag)) {
    return NULL;
  }
  return R_ExternalPtrAddr(pointer);
}

/* ---- Out: C values to R ------------------------------------------------- */

static SEXP text_out(const char *text, cetype_t encoding) {
  return Rf_ScalarString(Rf_mkCharCE(text, encoding));
}

static SEXP path_char(const char *path) {
#ifdef _WIN32
  return Rf_mkCharCE(path, CE_UTF8);
#else
  return Rf_mkCharCE(path, CE_NATIVE);
#endif
}

static SEXP path_out(const char *path) {
  return Rf_ScalarString(path[0] == '\0' ? NA_STRING : path_char(path));
}

static double number(uint64_t value) {
  return value == CK_UNKNOWN ? NA_REAL : (double)value;
}

static SEXP failure_out(const ck_error *err) {
  static const char *names[] = {"status",     "op",        "path",   "errno",
                                "errno_text", "message",   "offset", "length",
                                "needed",     "available", ""};
  SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
  SEXP errno_name = NA_STRING;
  SEXP errno_text = NA_STRING;
  char fallback[32];
  if (err->sys != 0) {
    const char *name = ck_errno_name(err->sys);
    snprintf(fallback, sizeof fallback, "errno %d", err->sys);
    errno_name = Rf_mkChar(name != NULL ? name : fallback);
  }
  PROTECT(errno_name);
  if (err->sys != 0) {
    errno_text = Rf_mkChar(strerror(err->sys));
  }
  PROTECT(errno_text);
  SET_VECTOR_ELT(out, 0, Rf_mkString(ck_status_name(err->status)));
  SET_VECTOR_ELT(out, 1, Rf_mkString(err->op));
  SET_VECTOR_ELT(out, 2, path_out(err->path));
  SET_VECTOR_ELT(out, 3, Rf_ScalarString(errno_name));
  SET_VECTOR_ELT(out, 4, Rf_ScalarString(errno_text));
  SET_VECTOR_ELT(out, 5, Rf_mkString(err->message));
  SET_VECTOR_ELT(out, 6, Rf_ScalarReal(number(err->offset)));
  SET_VECTOR_ELT(out, 7, Rf_ScalarReal(number(err->length)));
  SET_VECTOR_ELT(out, 8, Rf_ScalarReal(number(err->needed)));
  SET_VECTOR_ELT(out, 9, Rf_ScalarReal(number(err->available)));
  Rf_setAttrib(out, R_ClassSymbol, PROTECT(Rf_mkString("kb_failure")));
  UNPROTECT(4);
  return out;
}

static SEXP failures_out(const ck_error_list *list) {
  SEXP out = PROTECT(Rf_allocVector(VECSXP, (R_xlen_t)list->n));
  for (size_t i = 0; i < list->n; i++) {
    SET_VECTOR_ELT(out, (R_xlen_t)i, failure_out(&list->items[i]));
  }
  UNPROTECT(1);
  return out;
}

static SEXP argument_failure(const char *op, const char *cause) {
  ck_error err;
  ck_error_set(&err, CK_ERR_ARG, op, NULL, 0, "%s", cause);
  return failure_out(&err);
}

static SEXP memory_failure(uint64_t needed) {
  ck_error err;
  ck_error_memory(&err, needed);
  return failure_out(&err);
}

static SEXP header_out(const ck_image *image) {
  SEXP text =
      PROTECT(Rf_mkCharLenCE((const char *)image->header.data + CK_LENGTH_SIZE,
                             (int)image->layout.header_len, CE_UTF8));
  SEXP out = Rf_ScalarString(text);
  UNPROTECT(1);
  return out;
}

/* ---- In: R values to C -------------------------------------------------- */

static bool is_text(SEXP x) {
  return TYPEOF(x) == STRSXP && XLENGTH(x) == 1 &&
         STRING_ELT(x, 0) != NA_STRING;
}

static const char *path_in(SEXP x) {
#ifdef _WIN32
  return Rf_translateCharUTF8(STRING_ELT(x, 0));
#else
  return Rf_translateChar(STRING_ELT(x, 0));
#endif
}

static bool whole_in(double value, uint64_t *out) {
  if (!(value >= 0 && value <= WHOLE_MAX) || value != (double)(uint64_t)value) {
    return false;
  }
  *out = (uint64_t)value;
  return true;
}

static bool is_whole(SEXP x, uint64_t *out) {
  if (XLENGTH(x) != 1 || (TYPEOF(x) != REALSXP && TYPEOF(x) != INTSXP)) {
    return false;
  }
  return whole_in(Rf_asReal(x), out);
}

ffi_store *ffi_store_get(SEXP x, const char *op, ck_error *err) {
  ffi_store *handle = owner_get(x, OWNS_STORE);
  if (handle == NULL || handle->writer == NULL) {
    ck_error_set(err, CK_ERR_ARG, op, NULL, 0, "the store is closed");
    return NULL;
  }
  if (handle->pid != ck_process_self()) {
    ck_error_set(err, CK_ERR_FORKED, op, NULL, 0,
                 "the store belongs to the process that this one was forked "
                 "from");
    return NULL;
  }
  return handle;
}

/* ---- The store ---------------------------------------------------------- */

SEXP ffi_store_on(ck_vfs *vfs, uint64_t copy_max, SEXP dir, SEXP keep,
                  SEXP async) {
  ffi_store *handle;
  ck_writer_options options = {.background = Rf_asLogical(async) == TRUE,
                               .copy_max = copy_max};
  uint64_t generations;
  const char *path;
  ck_error err;
  SEXP out;
  if (!is_text(dir) || !is_whole(keep, &generations) || generations > 2) {
    return argument_failure("open", "a directory and 1 or 2 are needed");
  }
  path = path_in(dir);
  out = PROTECT(owner_new(OWNS_STORE));
  handle = R_ExternalPtrAddr(out);
  if (handle == NULL) {
    UNPROTECT(1);
    return memory_failure(sizeof *handle);
  }
  handle->pid = ck_process_self();
  if (ck_store_open(&handle->store, vfs, path, (unsigned)generations, &err) !=
          CK_OK ||
      ck_writer_open(&handle->writer, handle->store, &options, &err) != CK_OK) {
    owner_release(out);
    UNPROTECT(1);
    return failure_out(&err);
  }
  UNPROTECT(1);
  return out;
}

SEXP ffi_store_open(SEXP dir, SEXP keep, SEXP async) {
  SEXP out = PROTECT(ffi_store_on(ck_vfs_system(), 0, dir, keep, async));
  ffi_store *handle = owner_get(out, OWNS_STORE);
  if (handle != NULL) {
    store_handle_add(handle);
  }
  UNPROTECT(1);
  return out;
}

SEXP ffi_store_plan(SEXP store, SEXP tensors, SEXP sizes) {
  ck_error err;
  ffi_store *handle = ffi_store_get(store, "plan", &err);
  const char *text;
  uint64_t *whole;
  R_xlen_t n;
  if (handle == NULL) {
    return failure_out(&err);
  }
  if (!is_text(tensors) || TYPEOF(sizes) != REALSXP) {
    return argument_failure("plan", "a string and sizes are needed");
  }
  text = Rf_translateCharUTF8(STRING_ELT(tensors, 0));
  n = XLENGTH(sizes);
  whole = (uint64_t *)R_alloc((size_t)n + 1, sizeof *whole);
  for (R_xlen_t i = 0; i < n; i++) {
    if (!whole_in(REAL(sizes)[i], &whole[i])) {
      return argument_failure("plan", "a size is not a whole number");
    }
  }
  if (ck_writer_plan(handle->writer, text, strlen(text), whole, (size_t)n,
                     &err) != CK_OK) {
    return failure_out(&err);
  }
  return R_NilValue;
}

static SEXP commit_out(const ck_commit *commit) {
  static const char *names[] = {"generation", "path",  "bytes",
                                "seconds",    "notes", ""};
  SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
  SET_VECTOR_ELT(out, 0, Rf_ScalarReal((double)commit->generation));
  SET_VECTOR_ELT(out, 1, path_out(commit->path));
  SET_VECTOR_ELT(out, 2, Rf_ScalarReal((double)commit->bytes));
  SET_VECTOR_ELT(out, 3, Rf_ScalarReal((double)commit->nanoseconds / 1e9));
  SET_VECTOR_ELT(out, 4, failures_out(&commit->notes));
  UNPROTECT(1);
  return out;
}

SEXP ffi_store_prepare(SEXP store, SEXP bytes) {
  ck_error err;
  ffi_store *handle = ffi_store_get(store, "prepare", &err);
  uint64_t n;
  if (handle == NULL) {
    return failure_out(&err);
  }
  if (!is_whole(bytes, &n)) {
    return argument_failure("prepare", "a size is not a whole number");
  }
  if (ck_writer_prepare(handle->writer, n, &err) != CK_OK) {
    return failure_out(&err);
  }
  return R_NilValue;
}

SEXP ffi_store_submit(SEXP store, SEXP addresses, SEXP metadata) {
  ck_error err;
  ffi_store *handle = ffi_store_get(store, "save", &err);
  const char *text;
  uint64_t *copy;
  bool copied;
  size_t n;
  if (handle == NULL) {
    return failure_out(&err);
  }
  if (TYPEOF(addresses) != RAWSXP || XLENGTH(addresses) % 8 != 0 ||
      !is_text(metadata)) {
    return argument_failure("save", "8 raw bytes an address and a string "
                                    "are needed");
  }
  text = Rf_translateCharUTF8(STRING_ELT(metadata, 0));
  n = (size_t)XLENGTH(addresses) / 8;
  copy = (uint64_t *)R_alloc(n + 1, sizeof *copy);
  if (n > 0) {
    memcpy(copy, RAW(addresses), 8 * n);
  }
  if (ck_writer_submit(handle->writer, copy, n, text, strlen(text), &copied,
                       &err) != CK_OK) {
    return failure_out(&err);
  }
  return Rf_ScalarLogical(copied);
}

SEXP ffi_store_wait(SEXP store) {
  ck_error err;
  ffi_store *handle = ffi_store_get(store, "wait", &err);
  const ck_commit *commit;
  if (handle == NULL ||
      ck_writer_wait(handle->writer, &commit, &err) != CK_OK) {
    return failure_out(&err);
  }
  if (commit == NULL || commit->generation == handle->told) {
    return R_NilValue;
  }
  handle->told = commit->generation;
  return commit_out(commit);
}

/* Two numbers of 64 bits, side by side: others read them by address. */
_Static_assert(sizeof(ck_activity) == 16, "an atomic has another size here");

SEXP ffi_store_activity(SEXP store) {
  ck_error err;
  ffi_store *handle = ffi_store_get(store, "activity", &err);
  char address[24];
  if (handle == NULL) {
    return failure_out(&err);
  }
  snprintf(address, sizeof address, "%" PRIuPTR,
           (uintptr_t)ck_writer_activity(handle->writer));
  return Rf_mkString(address);
}

/* The checkpoint as a list; `owner` owns its data, if any, from here on. The
 * header's copy is released: R has its own. */
static SEXP checkpoint_out(SEXP owner, ck_checkpoint *loaded) {
  static const char *names[] = {"generation", "path",    "header", "data_bytes",
                                "buffer",     "skipped", ""};
  SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
  SET_VECTOR_ELT(out, 0, Rf_ScalarReal((double)loaded->image.generation));
  SET_VECTOR_ELT(out, 1, path_out(loaded->path));
  SET_VECTOR_ELT(out, 2, header_out(&loaded->image));
  SET_VECTOR_ELT(out, 3, Rf_ScalarReal((double)loaded->image.layout.data_len));
  SET_VECTOR_ELT(out, 4, owner);
  SET_VECTOR_ELT(out, 5, failures_out(&loaded->skipped));
  ck_buffer_release(&loaded->image.header);
  UNPROTECT(1);
  return out;
}

static bool depth_in(SEXP depth, ck_stream_depth *out) {
  static const char *const names[] = {"header", "verify", "load"};
  static const ck_stream_depth depths[] = {CK_READ_HEADER, CK_READ_VERIFY,
                                           CK_READ_LOAD};
  for (size_t i = 0; i < 3 && is_text(depth); i++) {
    if (strcmp(CHAR(STRING_ELT(depth, 0)), names[i]) == 0) {
      *out = depths[i];
      return true;
    }
  }
  return false;
}

SEXP ffi_store_find(SEXP store, SEXP depth) {
  ck_error err;
  ffi_store *handle = ffi_store_get(store, "load", &err);
  ck_stream_depth so_far;
  ck_checkpoint *loaded;
  SEXP owner;
  SEXP out;
  if (handle == NULL) {
    return failure_out(&err);
  }
  if (!depth_in(depth, &so_far)) {
    return argument_failure("load", "there is no such depth");
  }
  owner = PROTECT(owner_new(OWNS_CHECKPOINT));
  loaded = R_ExternalPtrAddr(owner);
  if (loaded == NULL) {
    out = memory_failure(sizeof *loaded);
  } else if (ck_writer_settle(handle->writer, &err) != CK_OK) {
    out = failure_out(&err);
  } else if (ck_store_find(handle->store, so_far, loaded, &err) != CK_OK) {
    out = PROTECT(failure_out(&err));
    Rf_setAttrib(out, Rf_install("skipped"),
                 PROTECT(failures_out(&loaded->skipped)));
    UNPROTECT(2);
    owner_release(owner);
  } else if (!loaded->found) {
    out = R_NilValue;
  } else {
    out = checkpoint_out(owner, loaded);
  }
  UNPROTECT(1);
  return out;
}

SEXP ffi_store_read_into(SEXP store, SEXP generation, SEXP places) {
  ck_error err;
  ffi_store *handle = ffi_store_get(store, "load", &err);
  ck_places apart;
  uint64_t *addresses;
  uint64_t *ends;
  uint64_t which;
  uint64_t end = 0;
  if (handle == NULL) {
    return failure_out(&err);
  }
  if (!is_whole(generation, &which) || TYPEOF(places) != RAWSXP ||
      XLENGTH(places) % 16 != 0) {
    return argument_failure("load", "a generation and 16 raw bytes a place are "
                                    "needed");
  }
  apart.n = (size_t)XLENGTH(places) / 16;
  apart.addresses = addresses = (uint64_t *)R_alloc(apart.n + 1, 8);
  apart.ends = ends = (uint64_t *)R_alloc(apart.n + 1, 8);
  for (size_t i = 0; i < apart.n; i++) {
    uint64_t place[2]; /* address, size */
    memcpy(place, RAW(places) + 16 * i, sizeof place);
    if (place[1] > UINT64_MAX - end || (place[1] > 0 && place[0] == 0)) {
      return argument_failure("load", "a place is missing");
    }
    addresses[i] = place[0];
    ends[i] = end += place[1];
  }
  if (ck_writer_settle(handle->writer, &err) != CK_OK ||
      ck_store_read_into(handle->store, which, &apart, &err) != CK_OK) {
    return failure_out(&err);
  }
  return R_NilValue;
}

SEXP ffi_store_close(SEXP store) {
  if (owner_get(store, OWNS_STORE) != NULL) {
    owner_release(store);
  }
  return R_NilValue;
}

SEXP ffi_store_is_open(SEXP store) {
  ck_error ignored;
  return Rf_ScalarLogical(ffi_store_get(store, "look", &ignored) != NULL);
}

void ffi_stores_stop(void) {
  for (ffi_store *at = open_stores; at != NULL; at = at->next) {
    store_handle_stop(at);
  }
}

SEXP ffi_store_stop_all(void) {
  ffi_stores_stop();
  return R_NilValue;
}

/* ---- Files by path ------------------------------------------------------ */

SEXP ffi_checkpoint_list(SEXP dir) {
  static const char *names[] = {"path", "generation", "bytes", ""};
  ck_vfs *vfs = ck_vfs_system();
  ck_listing *listing;
  const char *base;
  ck_error err;
  SEXP owner;
  SEXP out;
  SEXP paths;
  SEXP generations;
  SEXP bytes;
  R_xlen_t n = 0;
  if (!is_text(dir)) {
    return argument_failure("list", "a directory is needed");
  }
  base = path_in(dir);
  owner = PROTECT(owner_new(OWNS_LISTING));
  listing = R_ExternalPtrAddr(owner);
  if (listing == NULL) {
    UNPROTECT(1);
    return memory_failure(sizeof *listing);
  }
  if (ck_directory_list(vfs, base, listing, &err) != CK_OK) {
    UNPROTECT(1);
    return failure_out(&err);
  }
  out = PROTECT(Rf_mkNamed(VECSXP, names));
  paths = Rf_allocVector(STRSXP, (R_xlen_t)listing->n);
  SET_VECTOR_ELT(out, 0, paths);
  generations = Rf_allocVector(REALSXP, (R_xlen_t)listing->n);
  SET_VECTOR_ELT(out, 1, generations);
  bytes = Rf_allocVector(REALSXP, (R_xlen_t)listing->n);
  SET_VECTOR_ELT(out, 2, bytes);
  for (size_t i = 0; i < listing->n; i++) {
    const ck_name *name = &listing->items[i];
    char path[CK_PATH_CAP];
    ck_file_info info;
    if (name->kind != CK_NAME_COMMITTED ||
        ck_directory_path(path, base, name, &err) != CK_OK ||
        ck_path_lookup(vfs, path, &info, &err) != CK_OK || !info.regular) {
      continue;
    }
    SET_STRING_ELT(paths, n, path_char(path));
    REAL(generations)[n] = (double)name->generation;
    REAL(bytes)[n] = (double)info.size;
    n++;
  }
  SET_VECTOR_ELT(out, 0, Rf_xlengthgets(paths, n));
  SET_VECTOR_ELT(out, 1, Rf_xlengthgets(generations, n));
  SET_VECTOR_ELT(out, 2, Rf_xlengthgets(bytes, n));
  owner_release(owner);
  UNPROTECT(2);
  return out;
}

/* What the three entry points that read one file have in common: NULL and the
 * image in `owner`, or a failure. */
static SEXP checkpoint_read(SEXP owner, SEXP path, ck_stream_depth depth) {
  ck_checkpoint *loaded = R_ExternalPtrAddr(owner);
  const char *text;
  ck_error err;
  if (loaded == NULL) {
    return memory_failure(sizeof *loaded);
  }
  if (!is_text(path)) {
    return argument_failure("open", "a path is needed");
  }
  text = path_in(path);
  if (strlen(text) >= sizeof loaded->path) {
    ck_error_set(&err, CK_ERR_IO, "open", NULL, ENAMETOOLONG,
                 "the path is too long");
    return failure_out(&err);
  }
  memcpy(loaded->path, text, strlen(text) + 1);
  if (ck_checkpoint_read(ck_vfs_system(), loaded->path, depth, &loaded->image,
                         &err) != CK_OK) {
    return failure_out(&err);
  }
  return R_NilValue;
}

SEXP ffi_checkpoint_header(SEXP path) {
  SEXP owner = PROTECT(owner_new(OWNS_CHECKPOINT));
  SEXP out = PROTECT(checkpoint_read(owner, path, CK_READ_HEADER));
  if (out == R_NilValue) {
    out = header_out(&((ck_checkpoint *)R_ExternalPtrAddr(owner))->image);
  }
  owner_release(owner);
  UNPROTECT(2);
  return out;
}

SEXP ffi_checkpoint_verify(SEXP path) {
  SEXP owner = PROTECT(owner_new(OWNS_CHECKPOINT));
  SEXP out = PROTECT(checkpoint_read(owner, path, CK_READ_VERIFY));
  owner_release(owner);
  UNPROTECT(2);
  return out;
}

SEXP ffi_checkpoint_read(SEXP path) {
  SEXP owner = PROTECT(owner_new(OWNS_CHECKPOINT));
  SEXP out = PROTECT(checkpoint_read(owner, path, CK_READ_LOAD));
  if (out == R_NilValue) {
    out = checkpoint_out(owner, R_ExternalPtrAddr(owner));
  } else {
    owner_release(owner);
  }
  UNPROTECT(2);
  return out;
}

static void text_collect(void *context, const char *path) {
  text_list *list = context;
  size_t n = strlen(path) + 1;
  char **items = realloc(list->items, (list->n + 1) * sizeof *items);
  if (items == NULL) {
    return;
  }
  list->items = items;
  items[list->n] = malloc(n);
  if (items[list->n] != NULL) {
    memcpy(items[list->n], path, n);
    list->n++;
  }
}

SEXP ffi_checkpoint_delete(SEXP dir) {
  text_list *list;
  ck_error err;
  SEXP owner;
  SEXP out;
  if (!is_text(dir)) {
    return argument_failure("delete", "a directory is needed");
  }
  owner = PROTECT(owner_new(OWNS_TEXTS));
  list = R_ExternalPtrAddr(owner);
  if (list == NULL) {
    UNPROTECT(1);
    return memory_failure(sizeof *list);
  }
  if (ck_directory_delete(ck_vfs_system(), path_in(dir), text_collect, list,
                          &err) != CK_OK) {
    out = failure_out(&err);
  } else {
    out = PROTECT(Rf_allocVector(STRSXP, (R_xlen_t)list->n));
    for (size_t i = 0; i < list->n; i++) {
      SET_STRING_ELT(out, (R_xlen_t)i, path_char(list->items[i]));
    }
    UNPROTECT(1);
  }
  PROTECT(out);
  owner_release(owner);
  UNPROTECT(2);
  return out;
}

SEXP ffi_path_is_file(SEXP path) {
  ck_file_info info;
  ck_error err;
  bool found = is_text(path) && ck_path_lookup(ck_vfs_system(), path_in(path),
                                               &info, &err) == CK_OK;
  return Rf_ScalarLogical(found && info.regular);
}

SEXP ffi_path_is_ours(SEXP path) {
  ck_error err;
  bool ours = false;
  if (is_text(path) && ck_path_is_ours(ck_vfs_system(), path_in(path), false,
                                       &ours, &err) != CK_OK) {
    return Rf_ScalarLogical(NA_LOGICAL);
  }
  return Rf_ScalarLogical(ours);
}

SEXP ffi_file_id(SEXP path) {
  ck_file_info info;
  ck_error err;
  char text[48];
  if (!is_text(path) ||
      ck_path_lookup(ck_vfs_system(), path_in(path), &info, &err) != CK_OK) {
    return Rf_ScalarString(NA_STRING);
  }
  snprintf(text, sizeof text, "%" PRIu64 ":%" PRIu64, info.device, info.inode);
  return text_out(text, CE_NATIVE);
}

SEXP ffi_directory_make(SEXP path) {
  ck_error err;
  bool made;
  if (!is_text(path)) {
    return argument_failure("mkdir", "a path is needed");
  }
  if (ck_levels_make(ck_vfs_system(), path_in(path), &made, &err) != CK_OK) {
    return failure_out(&err);
  }
  return Rf_ScalarLogical(made);
}

SEXP ffi_directory_unmake(SEXP path) {
  return Rf_ScalarLogical(is_text(path) &&
                          ck_directory_unmake(path_in(path)) == 0);
}

/* ---- The lock and the owner's note --------------------------------------- */

SEXP ffi_lock_take(SEXP path) {
  lock_handle *handle;
  ck_error err;
  SEXP out;
  if (!is_text(path)) {
    return argument_failure("lock", "a path is needed");
  }
  out = PROTECT(owner_new(OWNS_LOCK));
  handle = R_ExternalPtrAddr(out);
  if (handle == NULL) {
    UNPROTECT(1);
    return memory_failure(sizeof *handle);
  }
  if (ck_lock_take(&handle->lock, ck_vfs_system(), path_in(path), &err) !=
      CK_OK) {
    owner_release(out);
    UNPROTECT(1);
    return failure_out(&err);
  }
  UNPROTECT(1);
  return out;
}

SEXP ffi_lock_holds(SEXP lock) {
  lock_handle *handle = owner_get(lock, OWNS_LOCK);
  return Rf_ScalarLogical(handle != NULL && ck_lock_holds(handle->lock));
}

SEXP ffi_lock_release(SEXP lock) {
  if (owner_get(lock, OWNS_LOCK) != NULL) {
    owner_release(lock);
  }
  return R_NilValue;
}

SEXP ffi_note_read(SEXP path) {
  SEXP owner;
  SEXP out = R_NilValue;
  ck_buffer *text;
  ck_error err;
  bool found;
  if (!is_text(path)) {
    return argument_failure("read", "a path is needed");
  }
  owner = PROTECT(owner_new(OWNS_TEXT));
  text = R_ExternalPtrAddr(owner);
  if (text == NULL) {
    UNPROTECT(1);
    return memory_failure(sizeof *text);
  }
  if (ck_note_read(ck_vfs_system(), path_in(path), text, &found, &err) !=
      CK_OK) {
    out = failure_out(&err);
  } else if (found) {
    /* Whatever it says: up to its first zero, if it has any. */
    out = text_out((const char *)text->data, CE_UTF8);
  }
  PROTECT(out);
  owner_release(owner);
  UNPROTECT(2);
  return out;
}

SEXP ffi_note_write(SEXP path, SEXP text) {
  ck_error err;
  if (!is_text(path) || !is_text(text)) {
    return argument_failure("write", "a path and a text are needed");
  }
  if (ck_note_write(ck_vfs_system(), path_in(path),
                    Rf_translateCharUTF8(STRING_ELT(text, 0)), &err) != CK_OK) {
    return failure_out(&err);
  }
  return R_NilValue;
}

SEXP ffi_path_unlink(SEXP path) {
  ck_error err;
  if (!is_text(path)) {
    return argument_failure("unlink", "a path is needed");
  }
  if (ck_path_unlink(ck_vfs_system(), path_in(path), &err) != CK_OK) {
    return failure_out(&err);
  }
  return R_NilValue;
}

/* ---- Memory ------------------------------------------------------------- */

SEXP ffi_buffer_read(SEXP buffer, SEXP offset, SEXP nbytes) {
  ck_checkpoint *loaded = owner_get(buffer, OWNS_CHECKPOINT);
  uint64_t from;
  uint64_t n;
  SEXP out;
  if (loaded == NULL) {
    return argument_failure("read", "the buffer was released");
  }
  if (!is_whole(offset, &from) || !is_whole(nbytes, &n) ||
      from > loaded->image.data.size || n > loaded->image.data.size - from) {
    return argument_failure("read", "outside of the buffer");
  }
  out = PROTECT(Rf_allocVector(RAWSXP, (R_xlen_t)n));
  if (n > 0) {
    memcpy(RAW(out), loaded->image.data.data + from, (size_t)n);
  }
  UNPROTECT(1);
  return out;
}

SEXP ffi_buffer_release(SEXP buffer) {
  if (owner_get(buffer, OWNS_CHECKPOINT) != NULL) {
    owner_release(buffer);
  }
  return R_NilValue;
}

SEXP ffi_raw_address(SEXP x) {
  uint64_t address;
  SEXP out;
  if (TYPEOF(x) != RAWSXP) {
    return argument_failure("address", "a raw vector is needed");
  }
  address = (uint64_t)(uintptr_t)RAW(x);
  out = PROTECT(Rf_allocVector(RAWSXP, sizeof address));
  memcpy(RAW(out), &address, sizeof address);
  UNPROTECT(1);
  return out;
}

SEXP ffi_trailer_size(SEXP data_bytes) {
  uint64_t n;
  if (!is_whole(data_bytes, &n)) {
    return argument_failure("plan", "a size is not a whole number");
  }
  return Rf_ScalarReal((double)ck_trailer_size(n));
}

/* ---- Signals ------------------------------------------------------------ */

SEXP ffi_signals_bits(SEXP names) {
  SEXP out;
  if (TYPEOF(names) != STRSXP) {
    return argument_failure("signal", "names are needed");
  }
  out = PROTECT(Rf_allocVector(INTSXP, XLENGTH(names)));
  for (R_xlen_t i = 0; i < XLENGTH(names); i++) {
    INTEGER(out)[i] = (int)ck_signals_bit(CHAR(STRING_ELT(names, i)));
  }
  UNPROTECT(1);
  return out;
}

/* What R does where such a signal comes is to save the workspace and quit:
 * that is what whoever watches it wants to keep it from. */
SEXP ffi_signals_watch(SEXP bits) {
  void (*function)(void) = R_CheckUserInterrupt;
  const void *host = NULL;
  uint64_t which;
  ck_error err;
  int sys;
  if (!is_whole(bits, &which)) {
    return argument_failure("signal", "bits of signals are needed");
  }
  memcpy(&host, &function, sizeof host);
  sys = ck_signals_watch((unsigned)which, host);
  if (sys != 0) {
    ck_error_set(&err, CK_ERR_IO, "signal", NULL, sys,
                 "the signal cannot be watched");
    return failure_out(&err);
  }
  return R_NilValue;
}

SEXP ffi_signals_release(SEXP bits) {
  uint64_t which;
  if (!is_whole(bits, &which)) {
    return argument_failure("signal", "bits of signals are needed");
  }
  ck_signals_release((unsigned)which);
  return R_NilValue;
}

void ffi_signals_stop(void) {
  ck_signals_release_all();
}

SEXP ffi_signals_release_all(void) {
  ffi_signals_stop();
  return R_NilValue;
}

SEXP ffi_signals_arrived(void) {
  return Rf_ScalarInteger((int)ck_signals_arrived());
}

SEXP ffi_signals_address(void) {
  char address[24];
  snprintf(address, sizeof address, "%" PRIuPTR,
           (uintptr_t)ck_signals_address());
  return Rf_mkString(address);
}
