/* ffi_values.h: values of R's to C, and back.
 *
 * "in" and "is" look at a value of R's, "out" makes one. Nothing here raises an
 * R error but R's own allocation.
 */
#ifndef FFI_VALUES_H
#define FFI_VALUES_H

#include <stdbool.h>

#define R_NO_REMAP
#include <Rinternals.h>

#include "status.h"

/* A character vector of one string that is not NA. */
bool ffi_is_text(SEXP x);

/* The path in such a string, as the core takes it. */
const char *ffi_path_in(SEXP x);

/* False where it is no whole number, or more than a double holds exactly. */
bool ffi_whole_in(double value, uint64_t *out);
bool ffi_is_whole(SEXP x, uint64_t *out);

SEXP ffi_text_out(const char *text, cetype_t encoding);

/* A path of the core's as a string; as a vector, "" becomes NA. */
SEXP ffi_path_char(const char *path);
SEXP ffi_path_out(const char *path);

/* A list of class "kb_failure", see R/store.R, and a list of such lists. */
SEXP ffi_failure_out(const ck_error *err);
SEXP ffi_failures_out(const ck_error_list *list);

/* Failures that arise on R's side. */
SEXP ffi_misuse_failure(const char *op, const char *cause);
SEXP ffi_memory_failure(uint64_t needed);

#endif
