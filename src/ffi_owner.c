/* ffi_owner.c: see ffi_owner.h. */
#include "ffi_owner.h"

#include <stdlib.h>

SEXP ffi_owner_new(const ffi_kind *kind) {
  SEXP tag = Rf_install(kind->tag);
  SEXP pointer = PROTECT(R_MakeExternalPtr(NULL, tag, R_NilValue));
  R_RegisterCFinalizerEx(pointer, kind->finalize, TRUE);
  Rf_setAttrib(pointer, R_ClassSymbol, PROTECT(Rf_mkString(kind->tag)));
  R_SetExternalPtrAddr(pointer, calloc(1, kind->size));
  UNPROTECT(2);
  return pointer;
}

void *ffi_owner_get(SEXP pointer, const ffi_kind *kind) {
  if (TYPEOF(pointer) != EXTPTRSXP ||
      R_ExternalPtrTag(pointer) != Rf_install(kind->tag)) {
    return NULL;
  }
  return R_ExternalPtrAddr(pointer);
}

void ffi_owner_release(SEXP pointer, const ffi_kind *kind) {
  void *owned = ffi_owner_get(pointer, kind);
  if (owned != NULL) {
    R_ClearExternalPtr(pointer);
    kind->release(owned);
  }
}
