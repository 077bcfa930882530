/* ffi_values.c: see ffi_values.h. */
#include "ffi_values.h"

#include <stdio.h>
#include <string.h>

/* Doubles hold whole numbers up to here exactly. */
#define WHOLE_MAX 9007199254740992.0

SEXP ffi_text_out(const char *text, cetype_t encoding) {
  return Rf_ScalarString(Rf_mkCharCE(text, encoding));
}

SEXP ffi_path_char(const char *path) {
#ifdef _WIN32
  return Rf_mkCharCE(path, CE_UTF8);
#else
  return Rf_mkCharCE(path, CE_NATIVE);
#endif
}

SEXP ffi_path_out(const char *path) {
  return Rf_ScalarString(path[0] == '\0' ? NA_STRING : ffi_path_char(path));
}

static double number(uint64_t value) {
  return value == CK_UNKNOWN ? NA_REAL : (double)value;
}

SEXP ffi_failure_out(const ck_error *err) {
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
  SET_VECTOR_ELT(out, 2, ffi_path_out(err->path));
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

SEXP ffi_failures_out(const ck_error_list *list) {
  SEXP out = PROTECT(Rf_allocVector(VECSXP, (R_xlen_t)list->n));
  for (size_t i = 0; i < list->n; i++) {
    SET_VECTOR_ELT(out, (R_xlen_t)i, ffi_failure_out(&list->items[i]));
  }
  UNPROTECT(1);
  return out;
}

SEXP ffi_misuse_failure(const char *op, const char *cause) {
  ck_error err;
  ck_error_set(&err, CK_ERR_MISUSE, op, NULL, 0, "%s", cause);
  return ffi_failure_out(&err);
}

SEXP ffi_memory_failure(uint64_t needed) {
  ck_error err;
  ck_error_memory(&err, needed);
  return ffi_failure_out(&err);
}

bool ffi_is_text(SEXP x) {
  return TYPEOF(x) == STRSXP && XLENGTH(x) == 1 &&
         STRING_ELT(x, 0) != NA_STRING;
}

const char *ffi_path_in(SEXP x) {
#ifdef _WIN32
  return Rf_translateCharUTF8(STRING_ELT(x, 0));
#else
  return Rf_translateChar(STRING_ELT(x, 0));
#endif
}

bool ffi_whole_in(double value, uint64_t *out) {
  if (!(value >= 0 && value <= WHOLE_MAX) || value != (double)(uint64_t)value) {
    return false;
  }
  *out = (uint64_t)value;
  return true;
}

bool ffi_is_whole(SEXP x, uint64_t *out) {
  if (XLENGTH(x) != 1 || (TYPEOF(x) != REALSXP && TYPEOF(x) != INTSXP)) {
    return false;
  }
  return ffi_whole_in(Rf_asReal(x), out);
}
