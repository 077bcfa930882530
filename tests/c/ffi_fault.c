/* ffi_fault.c: stores of R's whose operations fail on demand.
 *
 * tests/testthat/helper-faults.R compiles it, with vfs_fault.c and the package's
 * own sources, into a library beside the one that users load. It only opens such
 * a store: the package's functions take it like any other.
 */
#include <stdlib.h>
#include <string.h>

#include <R_ext/Rdynload.h>
#include <R_ext/Visibility.h>

#include "ffi_store.h"
#include "vfs_fault.h"

/* The greatest value that an errno can have on the systems there are. */
#define ERRNO_MAX 255

/* Kept until the process ends: the finalizer of a store may run after any other,
 * and its thread uses the fault until then. */
typedef struct kept_fault kept_fault;
struct kept_fault {
  ck_fault fault;
  kept_fault *next;
};

static kept_fault *faults;

static ck_fault *fault_new(void) {
  kept_fault *kept = calloc(1, sizeof *kept);
  if (kept == NULL) {
    return NULL;
  }
  ck_fault_init(&kept->fault, ck_vfs_system());
  kept->next = faults;
  faults = kept;
  return &kept->fault;
}

static SEXP list_get(SEXP list, const char *name) {
  SEXP names = Rf_getAttrib(list, R_NamesSymbol);
  for (R_xlen_t i = 0; i < Rf_xlength(names); i++) {
    if (strcmp(CHAR(STRING_ELT(names, i)), name) == 0) {
      return VECTOR_ELT(list, i);
    }
  }
  return R_NilValue;
}

/* The three leave `out` as it is where there is no such field, and return false
 * where it is not what it should be. */
static bool number_in(SEXP list, const char *name, uint64_t *out) {
  SEXP x = list_get(list, name);
  double value;
  if (x == R_NilValue) {
    return true;
  }
  value = Rf_asReal(x);
  if (!(value >= 0 && value <= UINT32_MAX)) {
    return false;
  }
  *out = (uint64_t)value;
  return true;
}

static bool op_in(SEXP list, ck_fault_op *out) {
  SEXP x = list_get(list, "op");
  return x == R_NilValue || (TYPEOF(x) == STRSXP && XLENGTH(x) == 1 &&
                             ck_fault_op_parse(CHAR(STRING_ELT(x, 0)), out));
}

static bool errno_in(SEXP list, int *out) {
  SEXP x = list_get(list, "errno");
  if (x == R_NilValue) {
    return true;
  }
  for (int sys = 1; sys <= ERRNO_MAX; sys++) {
    const char *name = ck_errno_name(sys);
    if (name != NULL && strcmp(name, CHAR(Rf_asChar(x))) == 0) {
      *out = sys;
      return true;
    }
  }
  return false;
}

static bool fault_in(SEXP list, ck_fault *fault, uint64_t *copy_max) {
  SEXP persistent = list_get(list, "persistent");
  uint64_t short_max = 0;
  fault->persistent = persistent != R_NilValue && Rf_asLogical(persistent) == 1;
  if (!op_in(list, &fault->only) || !errno_in(list, &fault->fail_with) ||
      !number_in(list, "at", &fault->fail_at) ||
      !number_in(list, "kill", &fault->kill_at) ||
      !number_in(list, "short", &short_max) ||
      !number_in(list, "copy_max", copy_max)) {
    return false;
  }
  fault->short_max = (size_t)short_max;
  return fault->fail_at == 0 || fault->fail_with != 0;
}

/* A store, a failure, or "" where the list is not understood. */
static SEXP fault_store_open(SEXP dir, SEXP keep, SEXP async, SEXP list) {
  ck_fault *fault = fault_new();
  uint64_t copy_max = 0;
  SEXP out;
  if (fault == NULL || !fault_in(list, fault, &copy_max)) {
    return Rf_mkString("");
  }
  out = PROTECT(ffi_store_on(&fault->vfs, copy_max, dir, keep, async));
  if (TYPEOF(out) == EXTPTRSXP) {
    R_SetExternalPtrProtected(
        out, PROTECT(R_MakeExternalPtr(fault, R_NilValue, R_NilValue)));
    UNPROTECT(1);
  }
  UNPROTECT(1);
  return out;
}

/* How many operations were counted; NA for a store of another kind. */
static SEXP fault_store_ops(SEXP store) {
  ck_error err;
  ffi_store *handle = ffi_store_get(store, "ops", &err);
  SEXP fault;
  if (handle == NULL || ck_writer_settle(handle->writer, &err) != CK_OK) {
    return Rf_mkString("");
  }
  fault = R_ExternalPtrProtected(store);
  return Rf_ScalarReal(
      TYPEOF(fault) == EXTPTRSXP
          ? (double)((ck_fault *)R_ExternalPtrAddr(fault))->n_ops
          : NA_REAL);
}

#define ENTRY(name, n) {#name, (DL_FUNC)(void (*)(void)) & (name), n}

static const R_CallMethodDef entries[] = {
    ENTRY(fault_store_open, 4),
    ENTRY(fault_store_ops, 1),
    {NULL, NULL, 0},
};

attribute_visible void R_init_kbfaults(DllInfo *dll) {
  R_registerRoutines(dll, NULL, entries, NULL, NULL);
  R_useDynamicSymbols(dll, FALSE);
}
