/* writer.h: saves handed over and waited for.
 *
 * Owns: the save that is under way, its outcome, the error that stays until it
 * is reported (the sticky error). May not touch: R, policy, files but through
 * the store. Keeps I9 and the reporting half of I4.
 *
 * A writer uses its store alone: nobody else may touch the store between
 * ck_writer_submit() and ck_writer_wait(). All functions are called by the one
 * thread that made the writer. The save is done inside ck_writer_submit().
 */
#ifndef CK_WRITER_H
#define CK_WRITER_H

#include "store.h"

typedef struct ck_writer ck_writer;

/* `store` is borrowed and must outlive the writer. On failure `*out` is NULL.
 */
ck_status ck_writer_open(ck_writer **out, ck_store *store, ck_error *err);

/* Waits for a save still under way. Its error, if not yet reported, is lost:
 * call ck_writer_wait() first. NULL is allowed. */
void ck_writer_close(ck_writer *writer);

/* Save the tensors at `addresses`. When it returns, they may change or go. An
 * error returned here is about the arguments, or about memory, and nothing was
 * started; what goes wrong afterwards is for ck_writer_wait(). An error not
 * yet reported stays, and does not keep this save from being made. */
ck_status ck_writer_submit(ck_writer *writer, const uint64_t *addresses,
                           size_t n, const char *metadata, size_t n_metadata,
                           ck_error *err);

/* Wait until nothing is under way. Returns the first error since the last
 * call, which is then forgotten. `*last` is what the last save committed, NULL
 * if it committed nothing; it belongs to the writer and is valid until the next
 * submit. */
ck_status ck_writer_wait(ck_writer *writer, const ck_commit **last,
                         ck_error *err);

#endif
