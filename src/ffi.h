/* ffi.h: the entry points that R calls, for registration in ffi_init.c.
 *
 * Each returns its result, or on failure a list of class "kb_failure" (see
 * R/store.R, which turns it into a condition). None raises an R error but those
 * of R's own allocation.
 */
#ifndef FFI_H
#define FFI_H

#define R_NO_REMAP
#include <Rinternals.h>

SEXP ffi_store_open(SEXP dir, SEXP keep, SEXP async);
SEXP ffi_store_keep(SEXP store, SEXP every, SEXP best, SEXP generations,
                    SEXP times, SEXP values);
SEXP ffi_best_of(SEXP best, SEXP values);
SEXP ffi_store_open_to_read(SEXP dir);
SEXP ffi_store_plan(SEXP store, SEXP tensors, SEXP sizes);
SEXP ffi_store_prepare(SEXP store, SEXP bytes);
SEXP ffi_store_submit(SEXP store, SEXP addresses, SEXP metadata, SEXP mark);
SEXP ffi_store_wait(SEXP store);
SEXP ffi_store_activity(SEXP store);
SEXP ffi_store_find(SEXP store, SEXP depth);
SEXP ffi_store_read_into(SEXP store, SEXP generation, SEXP places);
SEXP ffi_store_close(SEXP store);
SEXP ffi_store_is_open(SEXP store);
SEXP ffi_store_stop_all(void);
SEXP ffi_checkpoint_list(SEXP dir);
SEXP ffi_checkpoint_header(SEXP path);
SEXP ffi_checkpoint_verify(SEXP path, SEXP may_stop);
SEXP ffi_checkpoint_read(SEXP path, SEXP may_stop);
SEXP ffi_checkpoint_read_part(SEXP path, SEXP begin, SEXP end, SEXP may_stop);
SEXP ffi_checkpoint_delete(SEXP dir);
SEXP ffi_buffer_read(SEXP buffer, SEXP offset, SEXP nbytes);
SEXP ffi_buffer_export(SEXP buffer, SEXP path, SEXP header, SEXP begins,
                       SEXP sizes);
SEXP ffi_buffer_release(SEXP buffer);
SEXP ffi_raw_address(SEXP x);
SEXP ffi_trailer_size(SEXP data_bytes);
SEXP ffi_path_is_file(SEXP path);
SEXP ffi_path_is_ours(SEXP path);
SEXP ffi_file_id(SEXP path);
SEXP ffi_signals_bits(SEXP names);
SEXP ffi_signals_watch(SEXP bits);
SEXP ffi_signals_release(SEXP bits);
SEXP ffi_signals_release_all(void);
SEXP ffi_signals_arrived(void);
SEXP ffi_signals_address(void);
SEXP ffi_directory_make(SEXP path);
SEXP ffi_directory_unmake(SEXP path);
SEXP ffi_lock_take(SEXP path);
SEXP ffi_lock_holds(SEXP lock);
SEXP ffi_lock_is_held(SEXP path);
SEXP ffi_lock_release(SEXP lock);
SEXP ffi_note_read(SEXP path);
SEXP ffi_note_write(SEXP path, SEXP text);
SEXP ffi_path_unlink(SEXP path);
SEXP ffi_path_rename(SEXP from, SEXP to);
SEXP ffi_call_without_jump(SEXP call, SEXP env);
SEXP ffi_call_without_handlers(SEXP call, SEXP env);

/* Ends every background thread, after the saves under way; their stores count
 * as closed. For when the package goes. */
void ffi_stores_stop(void);

/* Puts every signal handler back that was there before ours. */
void ffi_signals_stop(void);

#endif
