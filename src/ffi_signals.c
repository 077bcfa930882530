/* ffi_signals.c: watching signals for R. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <R_ext/Utils.h>

#include "ffi.h"
#include "ffi_values.h"
#include "os_signals.h"

SEXP ffi_signals_bits(SEXP names) {
  SEXP out;
  if (TYPEOF(names) != STRSXP) {
    return ffi_misuse_failure("signal", "names are needed");
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
  if (!ffi_is_whole(bits, &which)) {
    return ffi_misuse_failure("signal", "bits of signals are needed");
  }
  memcpy(&host, &function, sizeof host);
  sys = ck_signals_watch((unsigned)which, host);
  if (sys != 0) {
    ck_error_set(&err, CK_ERR_IO, "signal", NULL, sys,
                 "the signal cannot be watched");
    return ffi_failure_out(&err);
  }
  return R_NilValue;
}

SEXP ffi_signals_release(SEXP bits) {
  uint64_t which;
  if (!ffi_is_whole(bits, &which)) {
    return ffi_misuse_failure("signal", "bits of signals are needed");
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
