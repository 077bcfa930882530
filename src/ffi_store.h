/* ffi_store.h: what a store of R's is in C, and how one is made.
 *
 * For ffi_store.c, and for the library of the tests (tests/c/ffi_fault.c), which
 * opens stores whose operations fail on demand.
 */
#ifndef FFI_STORE_H
#define FFI_STORE_H

#define R_NO_REMAP
#include <Rinternals.h>

#include "writer.h"

typedef struct ffi_store ffi_store;
struct ffi_store {
  uint64_t pid;  /* a forked child must not write: it shares the descriptors */
  uint64_t told; /* the newest generation that ffi_store_wait() has returned */
  ck_store *store;
  ck_writer *writer;
  ffi_store *next; /* in the list of those that ffi_stores_stop() ends */
};

/* A new store on `vfs`, which must outlive it, or a failure. The copy of the
 * state may have `copy_max` bytes; 0: no limit. The store is in no list. */
SEXP ffi_store_on(ck_vfs *vfs, uint64_t copy_max, SEXP dir, SEXP keep,
                  SEXP async);

/* An open store of this process, or NULL and why not. */
ffi_store *ffi_store_get(SEXP x, const char *op, ck_error *err);

#endif
