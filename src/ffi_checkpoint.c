/* ffi_checkpoint.c: checkpoints by their path, without a store, and their data
 * in memory. */
#include "ffi_checkpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <R_ext/Utils.h>

#include "export.h"
#include "ffi.h"
#include "ffi_values.h"

static void checkpoint_free(void *owned) {
  ck_checkpoint_clear(owned);
  free(owned);
}

static void checkpoint_finalize(SEXP pointer) {
  ffi_owner_release(pointer, &ffi_checkpoint_kind);
}

const ffi_kind ffi_checkpoint_kind = {"kb_buffer", sizeof(ck_checkpoint),
                                      checkpoint_free, checkpoint_finalize};

static void listing_free(void *owned) {
  ck_listing_clear(owned);
  free(owned);
}

static const ffi_kind listing_kind;

static void listing_finalize(SEXP pointer) {
  ffi_owner_release(pointer, &listing_kind);
}

static const ffi_kind listing_kind = {"kb_listing", sizeof(ck_listing),
                                      listing_free, listing_finalize};

typedef struct text_list {
  char **items;
  size_t n;
} text_list;

static void text_list_free(void *owned) {
  text_list *list = owned;
  for (size_t i = 0; i < list->n; i++) {
    free(list->items[i]);
  }
  free(list->items);
  free(list);
}

static const ffi_kind texts_kind;

static void text_list_finalize(SEXP pointer) {
  ffi_owner_release(pointer, &texts_kind);
}

static const ffi_kind texts_kind = {"kb_texts", sizeof(text_list),
                                    text_list_free, text_list_finalize};

static SEXP header_out(const ck_image *image) {
  SEXP text =
      PROTECT(Rf_mkCharLenCE((const char *)image->header.data + CK_LENGTH_SIZE,
                             (int)image->layout.header_len, CE_UTF8));
  SEXP out = Rf_ScalarString(text);
  UNPROTECT(1);
  return out;
}

SEXP ffi_checkpoint_out(SEXP owner, ck_checkpoint *loaded) {
  static const char *names[] = {"generation", "path",    "header", "data_bytes",
                                "buffer",     "skipped", ""};
  SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
  SET_VECTOR_ELT(out, 0, Rf_ScalarReal((double)loaded->image.generation));
  SET_VECTOR_ELT(out, 1, ffi_path_out(loaded->path));
  SET_VECTOR_ELT(out, 2, header_out(&loaded->image));
  SET_VECTOR_ELT(out, 3, Rf_ScalarReal((double)loaded->image.layout.data_len));
  SET_VECTOR_ELT(out, 4, owner);
  SET_VECTOR_ELT(out, 5, ffi_failures_out(&loaded->skipped));
  ck_buffer_release(&loaded->image.header);
  UNPROTECT(1);
  return out;
}

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
  if (!ffi_is_text(dir)) {
    return ffi_misuse_failure("list", "a directory is needed");
  }
  base = ffi_path_in(dir);
  owner = PROTECT(ffi_owner_new(&listing_kind));
  listing = R_ExternalPtrAddr(owner);
  if (listing == NULL) {
    UNPROTECT(1);
    return ffi_memory_failure(sizeof *listing);
  }
  if (ck_directory_list(vfs, base, listing, &err) != CK_OK) {
    UNPROTECT(1);
    return ffi_failure_out(&err);
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
    SET_STRING_ELT(paths, n, ffi_path_char(path));
    REAL(generations)[n] = (double)name->generation;
    REAL(bytes)[n] = (double)info.size;
    n++;
  }
  SET_VECTOR_ELT(out, 0, Rf_xlengthgets(paths, n));
  SET_VECTOR_ELT(out, 1, Rf_xlengthgets(generations, n));
  SET_VECTOR_ELT(out, 2, Rf_xlengthgets(bytes, n));
  ffi_owner_release(owner, &listing_kind);
  UNPROTECT(2);
  return out;
}

/* A vfs whose reads end when the user interrupts R. Only R's own thread may ask
 * R for that, and a second one may read too. */
typedef struct interruptible {
  ck_vfs vfs; /* first: what the core has is a pointer to it */
  ck_vfs *system;
  bool interrupted;
} interruptible;

static _Thread_local bool is_thread_of_r = false;

static void check_interrupt(void *unused) {
  (void)unused;
  R_CheckUserInterrupt();
}

static int read_or_stop(ck_vfs *vfs, ck_handle handle, uint64_t offset,
                        void *data, size_t n, size_t *done) {
  interruptible *self = (interruptible *)vfs;
  /* The jump to R's top level ends here. */
  if (is_thread_of_r && R_ToplevelExec(check_interrupt, NULL) == FALSE) {
    self->interrupted = true;
    return ECANCELED;
  }
  return self->system->read(self->system, handle, offset, data, n, done);
}

/* What part of a file's data is to be read. */
typedef struct wanted {
  ck_stream_depth depth;
  bool is_part;
  uint64_t begin;
  uint64_t end;
} wanted;

static ck_status read_wanted(ck_vfs *vfs, ck_checkpoint *loaded,
                             const wanted *what, ck_error *err) {
  if (what->is_part) {
    return ck_checkpoint_read_part(vfs, loaded->path, what->begin, what->end,
                                   &loaded->image, err);
  }
  return ck_checkpoint_read(vfs, loaded->path, what->depth, &loaded->image,
                            err);
}

/* What the entry points that read one file have in common: NULL and the image
 * in `owner`, or a failure, or TRUE if the user has interrupted it. */
static SEXP checkpoint_read(SEXP owner, SEXP path, const wanted *what,
                            bool may_stop) {
  ck_vfs *system = ck_vfs_system();
  interruptible asking = {*system, system, false};
  ck_status status;
  ck_checkpoint *loaded = R_ExternalPtrAddr(owner);
  const char *text;
  ck_error err;
  if (loaded == NULL) {
    return ffi_memory_failure(sizeof *loaded);
  }
  if (!ffi_is_text(path)) {
    return ffi_misuse_failure("open", "a path is needed");
  }
  text = ffi_path_in(path);
  if (strlen(text) >= sizeof loaded->path) {
    ck_error_set(&err, CK_ERR_IO, "open", NULL, ENAMETOOLONG,
                 "the path is too long");
    return ffi_failure_out(&err);
  }
  memcpy(loaded->path, text, strlen(text) + 1);
  asking.vfs.read = read_or_stop;
  is_thread_of_r = true;
  status = read_wanted(may_stop ? &asking.vfs : system, loaded, what, &err);
  is_thread_of_r = false;
  if (asking.interrupted) {
    return Rf_ScalarLogical(TRUE);
  }
  return status == CK_OK ? R_NilValue : ffi_failure_out(&err);
}

SEXP ffi_checkpoint_header(SEXP path) {
  SEXP owner = PROTECT(ffi_owner_new(&ffi_checkpoint_kind));
  const wanted header = {.depth = CK_READ_HEADER};
  SEXP out = PROTECT(checkpoint_read(owner, path, &header, false));
  if (out == R_NilValue) {
    out = header_out(&((ck_checkpoint *)R_ExternalPtrAddr(owner))->image);
  }
  ffi_owner_release(owner, &ffi_checkpoint_kind);
  UNPROTECT(2);
  return out;
}

SEXP ffi_checkpoint_verify(SEXP path, SEXP may_stop) {
  SEXP owner = PROTECT(ffi_owner_new(&ffi_checkpoint_kind));
  const wanted all = {.depth = CK_READ_VERIFY};
  SEXP out =
      PROTECT(checkpoint_read(owner, path, &all, Rf_asLogical(may_stop) == 1));
  ffi_owner_release(owner, &ffi_checkpoint_kind);
  UNPROTECT(2);
  return out;
}

SEXP ffi_checkpoint_read(SEXP path, SEXP may_stop) {
  SEXP owner = PROTECT(ffi_owner_new(&ffi_checkpoint_kind));
  const wanted all = {.depth = CK_READ_LOAD};
  SEXP out =
      PROTECT(checkpoint_read(owner, path, &all, Rf_asLogical(may_stop) == 1));
  if (out == R_NilValue) {
    out = ffi_checkpoint_out(owner, R_ExternalPtrAddr(owner));
  } else {
    ffi_owner_release(owner, &ffi_checkpoint_kind);
  }
  UNPROTECT(2);
  return out;
}

SEXP ffi_checkpoint_read_part(SEXP path, SEXP begin, SEXP end, SEXP may_stop) {
  SEXP owner = PROTECT(ffi_owner_new(&ffi_checkpoint_kind));
  wanted part = {.is_part = true};
  const ck_image *image;
  SEXP out;
  if (!ffi_is_whole(begin, &part.begin) || !ffi_is_whole(end, &part.end)) {
    UNPROTECT(1);
    return ffi_misuse_failure("read", "places are needed");
  }
  out =
      PROTECT(checkpoint_read(owner, path, &part, Rf_asLogical(may_stop) == 1));
  if (out == R_NilValue) {
    UNPROTECT(1);
    out = PROTECT(Rf_allocVector(RAWSXP, (R_xlen_t)(part.end - part.begin)));
    image = &((ck_checkpoint *)R_ExternalPtrAddr(owner))->image;
    if (part.end > part.begin) {
      memcpy(RAW(out), image->data.data + (part.begin - image->data_from),
             (size_t)(part.end - part.begin));
    }
  }
  ffi_owner_release(owner, &ffi_checkpoint_kind);
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
  if (!ffi_is_text(dir)) {
    return ffi_misuse_failure("delete", "a directory is needed");
  }
  owner = PROTECT(ffi_owner_new(&texts_kind));
  list = R_ExternalPtrAddr(owner);
  if (list == NULL) {
    UNPROTECT(1);
    return ffi_memory_failure(sizeof *list);
  }
  if (ck_directory_delete(ck_vfs_system(), ffi_path_in(dir), text_collect, list,
                          &err) != CK_OK) {
    out = ffi_failure_out(&err);
  } else {
    out = PROTECT(Rf_allocVector(STRSXP, (R_xlen_t)list->n));
    for (size_t i = 0; i < list->n; i++) {
      SET_STRING_ELT(out, (R_xlen_t)i, ffi_path_char(list->items[i]));
    }
    UNPROTECT(1);
  }
  PROTECT(out);
  ffi_owner_release(owner, &texts_kind);
  UNPROTECT(2);
  return out;
}

SEXP ffi_buffer_read(SEXP buffer, SEXP offset, SEXP nbytes) {
  ck_checkpoint *loaded = ffi_owner_get(buffer, &ffi_checkpoint_kind);
  uint64_t from;
  uint64_t n;
  SEXP out;
  if (loaded == NULL) {
    return ffi_misuse_failure("read", "the buffer was released");
  }
  if (!ffi_is_whole(offset, &from) || !ffi_is_whole(nbytes, &n) ||
      from > loaded->image.data.size || n > loaded->image.data.size - from) {
    return ffi_misuse_failure("read", "outside of the buffer");
  }
  out = PROTECT(Rf_allocVector(RAWSXP, (R_xlen_t)n));
  if (n > 0) {
    memcpy(RAW(out), loaded->image.data.data + from, (size_t)n);
  }
  UNPROTECT(1);
  return out;
}

/* The bytes [begin, begin + size) of a buffer; false where they are not in it. */
static bool piece_in(const ck_checkpoint *loaded, double begin, double size,
                     ck_piece *out) {
  uint64_t from;
  if (!ffi_whole_in(begin, &from) || !ffi_whole_in(size, &out->size) ||
      from > loaded->image.data.size ||
      out->size > loaded->image.data.size - from) {
    return false;
  }
  out->data = loaded->image.data.data + from;
  return true;
}

SEXP ffi_buffer_export(SEXP buffer, SEXP path, SEXP header, SEXP begins,
                       SEXP sizes) {
  ck_checkpoint *loaded = ffi_owner_get(buffer, &ffi_checkpoint_kind);
  ck_piece *pieces;
  const char *to;
  const char *text;
  R_xlen_t n;
  ck_error err;
  if (loaded == NULL) {
    return ffi_misuse_failure("write", "the buffer was released");
  }
  if (!ffi_is_text(path) || !ffi_is_text(header) || TYPEOF(begins) != REALSXP ||
      TYPEOF(sizes) != REALSXP || XLENGTH(begins) != XLENGTH(sizes)) {
    return ffi_misuse_failure("write",
                              "a path, a header and places are needed");
  }
  n = XLENGTH(begins);
  pieces = (ck_piece *)R_alloc((size_t)n + 1, sizeof *pieces);
  for (R_xlen_t i = 0; i < n; i++) {
    if (!piece_in(loaded, REAL(begins)[i], REAL(sizes)[i], &pieces[i])) {
      return ffi_misuse_failure("write", "outside of the buffer");
    }
  }
  text = Rf_translateCharUTF8(STRING_ELT(header, 0));
  to = ffi_path_in(path);
  if (ck_export(ck_vfs_system(), to, text, strlen(text), pieces, (size_t)n,
                &err) != CK_OK) {
    return ffi_failure_out(&err);
  }
  return R_NilValue;
}

SEXP ffi_buffer_release(SEXP buffer) {
  ffi_owner_release(buffer, &ffi_checkpoint_kind);
  return R_NilValue;
}

SEXP ffi_trailer_size(SEXP data_bytes) {
  uint64_t n;
  if (!ffi_is_whole(data_bytes, &n)) {
    return ffi_misuse_failure("plan", "a size is not a whole number");
  }
  return Rf_ScalarReal((double)ck_trailer_size(n));
}
