/* ffi_owner.h: external pointers, which own what the core allocates for R.
 *
 * No jump of R's leaks: a pointer is made, with its finalizer, before what it
 * owns is filled.
 */
#ifndef FFI_OWNER_H
#define FFI_OWNER_H

#include <stddef.h>

#define R_NO_REMAP
#include <Rinternals.h>

/* What a pointer may own. */
typedef struct ffi_kind {
  const char *tag;              /* the pointer's tag and its class in R */
  size_t size;                  /* of the struct that it owns */
  void (*release)(void *owned); /* frees the struct and all in it */
  R_CFinalizer_t finalize;      /* ffi_owner_release() for this kind */
} ffi_kind;

/* A new pointer with a zeroed struct of that kind, or with none when there is
 * no memory. */
SEXP ffi_owner_new(const ffi_kind *kind);

/* What a pointer of that kind owns; NULL for anything else, or after release. */
void *ffi_owner_get(SEXP pointer, const ffi_kind *kind);

/* Free what it owns; doing so again does nothing. */
void ffi_owner_release(SEXP pointer, const ffi_kind *kind);

#endif
