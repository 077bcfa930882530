/* ffi_checkpoint.h: a checkpoint that was read, as R has it. */
#ifndef FFI_CHECKPOINT_H
#define FFI_CHECKPOINT_H

#include "ffi_owner.h"
#include "store.h"

/* Owns a ck_checkpoint: its data, for R. */
extern const ffi_kind ffi_checkpoint_kind;

/* The checkpoint as a list; `owner` owns its data, if any, from here on. The
 * header's copy is released: R has its own. */
SEXP ffi_checkpoint_out(SEXP owner, ck_checkpoint *loaded);

#endif
