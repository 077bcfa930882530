/* ffi_init.c: registration of the entry points. */
#include <R_ext/Rdynload.h>
#include <R_ext/Visibility.h>

#include "ffi.h"

/* By way of void (*)(void), which compilers take for "any function". */
#define ENTRY(name, n) {#name, (DL_FUNC)(void (*)(void)) & (name), n}

static const R_CallMethodDef entries[] = {
    ENTRY(ffi_store_open, 3),
    ENTRY(ffi_store_keep, 6),
    ENTRY(ffi_best_of, 2),
    ENTRY(ffi_store_open_to_read, 1),
    ENTRY(ffi_store_plan, 3),
    ENTRY(ffi_store_prepare, 2),
    ENTRY(ffi_store_submit, 4),
    ENTRY(ffi_store_wait, 1),
    ENTRY(ffi_store_activity, 1),
    ENTRY(ffi_store_find, 2),
    ENTRY(ffi_store_read_into, 3),
    ENTRY(ffi_store_close, 1),
    ENTRY(ffi_store_is_open, 1),
    ENTRY(ffi_store_stop_all, 0),
    ENTRY(ffi_checkpoint_list, 1),
    ENTRY(ffi_checkpoint_header, 1),
    ENTRY(ffi_checkpoint_verify, 2),
    ENTRY(ffi_checkpoint_read, 2),
    ENTRY(ffi_checkpoint_read_part, 4),
    ENTRY(ffi_checkpoint_delete, 1),
    ENTRY(ffi_buffer_read, 3),
    ENTRY(ffi_buffer_export, 5),
    ENTRY(ffi_buffer_release, 1),
    ENTRY(ffi_raw_address, 1),
    ENTRY(ffi_trailer_size, 1),
    ENTRY(ffi_path_is_file, 1),
    ENTRY(ffi_path_is_ours, 1),
    ENTRY(ffi_file_id, 1),
    ENTRY(ffi_signals_bits, 1),
    ENTRY(ffi_signals_watch, 1),
    ENTRY(ffi_signals_release, 1),
    ENTRY(ffi_signals_release_all, 0),
    ENTRY(ffi_signals_arrived, 0),
    ENTRY(ffi_signals_address, 0),
    ENTRY(ffi_directory_make, 1),
    ENTRY(ffi_directory_unmake, 1),
    ENTRY(ffi_lock_take, 1),
    ENTRY(ffi_lock_holds, 1),
    ENTRY(ffi_lock_is_held, 1),
    ENTRY(ffi_lock_release, 1),
    ENTRY(ffi_note_read, 1),
    ENTRY(ffi_note_write, 2),
    ENTRY(ffi_path_unlink, 1),
    ENTRY(ffi_path_rename, 2),
    ENTRY(ffi_call_without_jump, 2),
    ENTRY(ffi_call_without_handlers, 2),
    {NULL, NULL, 0},
};

attribute_visible void R_init_kerasbackup(DllInfo *dll) {
  R_registerRoutines(dll, NULL, entries, NULL, NULL);
  R_useDynamicSymbols(dll, FALSE);
  R_forceSymbols(dll, TRUE);
}

attribute_visible void R_unload_kerasbackup(DllInfo *dll) {
  (void)dll;
  ffi_stores_stop();
  ffi_signals_stop();
}
