/* ffi_store.c: the store of one training, as R has it. */
#include "ffi_store.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ffi.h"
#include "ffi_checkpoint.h"
#include "ffi_values.h"

/* Those that ffi_store_open() made, so that no thread outlives the code that it
 * runs. */
static ffi_store *open_stores;

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

static const ffi_kind store_kind;

static void store_handle_finalize(SEXP pointer) {
  ffi_owner_release(pointer, &store_kind);
}

static const ffi_kind store_kind = {"kb_store", sizeof(ffi_store),
                                    store_handle_free, store_handle_finalize};

ffi_store *ffi_store_get(SEXP x, const char *op, ck_error *err) {
  ffi_store *handle = ffi_owner_get(x, &store_kind);
  if (handle == NULL || handle->writer == NULL) {
    ck_error_set(err, CK_ERR_MISUSE, op, NULL, 0, "the store is closed");
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

SEXP ffi_store_on(ck_vfs *vfs, uint64_t copy_max, SEXP dir, SEXP keep,
                  SEXP async) {
  ffi_store *handle;
  ck_writer_options options = {.background = Rf_asLogical(async) == TRUE,
                               .copy_max = copy_max};
  uint64_t generations;
  const char *path;
  ck_error err;
  SEXP out;
  if (!ffi_is_text(dir) || !ffi_is_whole(keep, &generations) ||
      generations > UINT_MAX) {
    return ffi_misuse_failure("open", "a directory and a count are needed");
  }
  path = ffi_path_in(dir);
  out = PROTECT(ffi_owner_new(&store_kind));
  handle = R_ExternalPtrAddr(out);
  if (handle == NULL) {
    UNPROTECT(1);
    return ffi_memory_failure(sizeof *handle);
  }
  handle->pid = ck_process_self();
  if (ck_store_open(&handle->store, vfs, path, (unsigned)generations, &err) !=
          CK_OK ||
      ck_writer_open(&handle->writer, handle->store, &options, &err) != CK_OK) {
    ffi_owner_release(out, &store_kind);
    UNPROTECT(1);
    return ffi_failure_out(&err);
  }
  UNPROTECT(1);
  return out;
}

SEXP ffi_store_open(SEXP dir, SEXP keep, SEXP async) {
  SEXP out = PROTECT(ffi_store_on(ck_vfs_system(), 0, dir, keep, async));
  ffi_store *handle = ffi_owner_get(out, &store_kind);
  if (handle != NULL) {
    store_handle_add(handle);
  }
  UNPROTECT(1);
  return out;
}

/* Which of the `n` names a string is; false if it is none of them. */
static bool name_in(SEXP x, const char *const *names, size_t n, size_t *out) {
  for (size_t i = 0; i < n && ffi_is_text(x); i++) {
    if (strcmp(CHAR(STRING_ELT(x, 0)), names[i]) == 0) {
      *out = i;
      return true;
    }
  }
  return false;
}

static bool best_in(SEXP x, ck_best *out) {
  static const char *const names[] = {"none", "lowest", "highest"};
  static const ck_best kinds[] = {CK_BEST_NONE, CK_BEST_LOWEST,
                                  CK_BEST_HIGHEST};
  size_t kind;
  if (!name_in(x, names, 3, &kind)) {
    return false;
  }
  *out = kinds[kind];
  return true;
}

static bool is_numbers(SEXP x, R_xlen_t n) {
  return TYPEOF(x) == REALSXP && XLENGTH(x) == n;
}

SEXP ffi_store_keep(SEXP store, SEXP every, SEXP best, SEXP generations,
                    SEXP times, SEXP values) {
  ck_error err;
  ffi_store *handle = ffi_store_get(store, "keep", &err);
  R_xlen_t n = Rf_xlength(generations);
  ck_policy policy;
  ck_mark *marks;
  if (handle == NULL) {
    return ffi_failure_out(&err);
  }
  if (!is_numbers(every, 1) || !(REAL(every)[0] >= 0) ||
      !best_in(best, &policy.best) || !is_numbers(generations, n) ||
      !is_numbers(times, n) || !is_numbers(values, n)) {
    return ffi_misuse_failure("keep", "a policy and marks are needed");
  }
  policy.every = REAL(every)[0];
  marks = (ck_mark *)R_alloc((size_t)n + 1, sizeof *marks);
  for (R_xlen_t i = 0; i < n; i++) {
    if (!ffi_whole_in(REAL(generations)[i], &marks[i].generation)) {
      return ffi_misuse_failure("keep", "a generation is not a whole number");
    }
    marks[i].time = REAL(times)[i];
    marks[i].value = REAL(values)[i];
    marks[i].kept = false;
  }
  if (ck_writer_settle(handle->writer, &err) != CK_OK ||
      ck_store_keep(handle->store, &policy, marks, (size_t)n, &err) != CK_OK) {
    return ffi_failure_out(&err);
  }
  return R_NilValue;
}

SEXP ffi_best_of(SEXP best, SEXP values) {
  R_xlen_t n = Rf_xlength(values);
  ck_best kind;
  ck_mark *marks, *found;
  if (!best_in(best, &kind) || !is_numbers(values, n)) {
    return ffi_misuse_failure("best", "a kind and values are needed");
  }
  marks = (ck_mark *)R_alloc((size_t)n + 1, sizeof *marks);
  for (R_xlen_t i = 0; i < n; i++) {
    marks[i] = (ck_mark){.value = REAL(values)[i]};
  }
  found = ck_best_of(kind, marks, (size_t)n);
  return Rf_ScalarReal(found == NULL ? 0 : (double)(found - marks + 1));
}

SEXP ffi_store_open_to_read(SEXP dir) {
  ck_writer_options options = {0};
  ffi_store *handle;
  const char *path;
  ck_error err;
  SEXP out;
  if (!ffi_is_text(dir)) {
    return ffi_misuse_failure("open", "a directory is needed");
  }
  path = ffi_path_in(dir);
  out = PROTECT(ffi_owner_new(&store_kind));
  handle = R_ExternalPtrAddr(out);
  if (handle == NULL) {
    UNPROTECT(1);
    return ffi_memory_failure(sizeof *handle);
  }
  handle->pid = ck_process_self();
  /* Without a thread. */
  if (ck_store_open_to_read(&handle->store, ck_vfs_system(), path, &err) !=
          CK_OK ||
      ck_writer_open(&handle->writer, handle->store, &options, &err) != CK_OK) {
    ffi_owner_release(out, &store_kind);
    UNPROTECT(1);
    return ffi_failure_out(&err);
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
    return ffi_failure_out(&err);
  }
  if (!ffi_is_text(tensors) || TYPEOF(sizes) != REALSXP) {
    return ffi_misuse_failure("plan", "a string and sizes are needed");
  }
  text = Rf_translateCharUTF8(STRING_ELT(tensors, 0));
  n = XLENGTH(sizes);
  whole = (uint64_t *)R_alloc((size_t)n + 1, sizeof *whole);
  for (R_xlen_t i = 0; i < n; i++) {
    if (!ffi_whole_in(REAL(sizes)[i], &whole[i])) {
      return ffi_misuse_failure("plan", "a size is not a whole number");
    }
  }
  if (ck_writer_plan(handle->writer, text, strlen(text), whole, (size_t)n,
                     &err) != CK_OK) {
    return ffi_failure_out(&err);
  }
  return R_NilValue;
}

static SEXP commit_out(const ck_commit *commit) {
  static const char *names[] = {"generation", "path",  "bytes",
                                "seconds",    "notes", ""};
  SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
  SET_VECTOR_ELT(out, 0, Rf_ScalarReal((double)commit->generation));
  SET_VECTOR_ELT(out, 1, ffi_path_out(commit->path));
  SET_VECTOR_ELT(out, 2, Rf_ScalarReal((double)commit->bytes));
  SET_VECTOR_ELT(out, 3, Rf_ScalarReal((double)commit->nanoseconds / 1e9));
  SET_VECTOR_ELT(out, 4, ffi_failures_out(&commit->notes));
  UNPROTECT(1);
  return out;
}

SEXP ffi_store_prepare(SEXP store, SEXP bytes) {
  ck_error err;
  ffi_store *handle = ffi_store_get(store, "prepare", &err);
  uint64_t n;
  if (handle == NULL) {
    return ffi_failure_out(&err);
  }
  if (!ffi_is_whole(bytes, &n)) {
    return ffi_misuse_failure("prepare", "a size is not a whole number");
  }
  if (ck_writer_prepare(handle->writer, n, &err) != CK_OK) {
    return ffi_failure_out(&err);
  }
  return R_NilValue;
}

SEXP ffi_store_submit(SEXP store, SEXP addresses, SEXP metadata, SEXP mark) {
  ck_error err;
  ffi_store *handle = ffi_store_get(store, "save", &err);
  const char *text;
  uint64_t *copy;
  bool copied;
  size_t n;
  if (handle == NULL) {
    return ffi_failure_out(&err);
  }
  if (TYPEOF(addresses) != RAWSXP || XLENGTH(addresses) % 8 != 0 ||
      !ffi_is_text(metadata) || !is_numbers(mark, 2)) {
    return ffi_misuse_failure("save", "8 raw bytes an address, a string and "
                                      "a mark are needed");
  }
  text = Rf_translateCharUTF8(STRING_ELT(metadata, 0));
  n = (size_t)XLENGTH(addresses) / 8;
  copy = (uint64_t *)R_alloc(n + 1, sizeof *copy);
  if (n > 0) {
    memcpy(copy, RAW(addresses), 8 * n);
  }
  if (ck_writer_settle(handle->writer, &err) != CK_OK) {
    return ffi_failure_out(&err);
  }
  ck_store_mark(handle->store, REAL(mark)[0], REAL(mark)[1]);
  if (ck_writer_submit(handle->writer, copy, n, text, strlen(text), &copied,
                       &err) != CK_OK) {
    return ffi_failure_out(&err);
  }
  return Rf_ScalarLogical(copied);
}

SEXP ffi_store_wait(SEXP store) {
  ck_error err;
  ffi_store *handle = ffi_store_get(store, "wait", &err);
  const ck_commit *commit;
  if (handle == NULL ||
      ck_writer_wait(handle->writer, &commit, &err) != CK_OK) {
    return ffi_failure_out(&err);
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
    return ffi_failure_out(&err);
  }
  snprintf(address, sizeof address, "%" PRIuPTR,
           (uintptr_t)ck_writer_activity(handle->writer));
  return Rf_mkString(address);
}

SEXP ffi_store_find(SEXP store, SEXP depth) {
  static const char *const names[] = {"header", "verify", "load"};
  static const ck_stream_depth depths[] = {CK_READ_HEADER, CK_READ_VERIFY,
                                           CK_READ_LOAD};
  size_t which;
  ck_error err;
  ffi_store *handle = ffi_store_get(store, "load", &err);
  ck_checkpoint *loaded;
  SEXP owner;
  SEXP out;
  if (handle == NULL) {
    return ffi_failure_out(&err);
  }
  if (!name_in(depth, names, 3, &which)) {
    return ffi_misuse_failure("load", "there is no such depth");
  }
  owner = PROTECT(ffi_owner_new(&ffi_checkpoint_kind));
  loaded = R_ExternalPtrAddr(owner);
  if (loaded == NULL) {
    out = ffi_memory_failure(sizeof *loaded);
  } else if (ck_writer_settle(handle->writer, &err) != CK_OK) {
    out = ffi_failure_out(&err);
  } else if (ck_store_find(handle->store, depths[which], loaded, &err) !=
             CK_OK) {
    out = PROTECT(ffi_failure_out(&err));
    Rf_setAttrib(out, Rf_install("skipped"),
                 PROTECT(ffi_failures_out(&loaded->skipped)));
    UNPROTECT(2);
    ffi_owner_release(owner, &ffi_checkpoint_kind);
  } else if (!loaded->found) {
    out = R_NilValue;
  } else {
    out = ffi_checkpoint_out(owner, loaded);
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
    return ffi_failure_out(&err);
  }
  if (!ffi_is_whole(generation, &which) || TYPEOF(places) != RAWSXP ||
      XLENGTH(places) % 16 != 0) {
    return ffi_misuse_failure("load",
                              "a generation and 16 raw bytes a place are "
                              "needed");
  }
  apart.n = (size_t)XLENGTH(places) / 16;
  apart.addresses = addresses = (uint64_t *)R_alloc(apart.n + 1, 8);
  apart.ends = ends = (uint64_t *)R_alloc(apart.n + 1, 8);
  for (size_t i = 0; i < apart.n; i++) {
    uint64_t place[2]; /* address, size */
    memcpy(place, RAW(places) + 16 * i, sizeof place);
    if (place[1] > UINT64_MAX - end || (place[1] > 0 && place[0] == 0)) {
      return ffi_misuse_failure("load", "a place is missing");
    }
    addresses[i] = place[0];
    ends[i] = end += place[1];
  }
  if (ck_writer_settle(handle->writer, &err) != CK_OK ||
      ck_store_read_into(handle->store, which, &apart, &err) != CK_OK) {
    return ffi_failure_out(&err);
  }
  return R_NilValue;
}

SEXP ffi_store_close(SEXP store) {
  ffi_owner_release(store, &store_kind);
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

SEXP ffi_raw_address(SEXP x) {
  uint64_t address;
  SEXP out;
  if (TYPEOF(x) != RAWSXP) {
    return ffi_misuse_failure("address", "a raw vector is needed");
  }
  address = (uint64_t)(uintptr_t)RAW(x);
  out = PROTECT(Rf_allocVector(RAWSXP, sizeof address));
  memcpy(RAW(out), &address, sizeof address);
  UNPROTECT(1);
  return out;
}
