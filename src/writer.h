/* writer.h: makes saves in the background, and waits for them.
 *
 * A writer has the thread, the snapshot of the state that it writes from, and the
 * error of a failed save, which stays until it is reported. It keeps I9 and the
 * reporting half of I4.
 *
 * The store may be used by others only right after ck_writer_settle() or
 * ck_writer_wait(). All functions are called by the thread that created the
 * writer. A forked process has the memory but not the thread, so there all are
 * refused, and ck_writer_close() does nothing.
 */
#ifndef CK_WRITER_H
#define CK_WRITER_H

#include <stdatomic.h>

#include "store.h"

typedef struct ck_writer ck_writer;

/* Any thread may read this at any time, without a lock. */
typedef struct ck_activity {
  _Atomic uint64_t saving;      /* 1 while a save is under way, else 0 */
  _Atomic uint64_t nanoseconds; /* that the last one in the background took */
} ck_activity;

typedef struct ck_writer_options {
  bool background;   /* else saves are made inside ck_writer_submit() */
  uint64_t copy_max; /* the most bytes the copy may have; 0: no such limit */
} ck_writer_options;

/* `store` is borrowed and must outlive the writer. On failure `*out` is NULL.
 */
ck_status ck_writer_open(ck_writer **out, ck_store *store,
                         const ck_writer_options *options, ck_error *err);

/* Waits for a save still under way, and for the thread to end. An error not
 * yet reported is lost: call ck_writer_wait() first. NULL is allowed. */
void ck_writer_close(ck_writer *writer);

/* Make memory for saves of about so many bytes, in the background. A hint:
 * what cannot be had is found out by the save. */
ck_status ck_writer_prepare(ck_writer *writer, uint64_t bytes, ck_error *err);

/* As ck_store_plan(), and makes the memory that the plan needs, in the
 * background. */
ck_status ck_writer_plan(ck_writer *writer, const char *tensors,
                         size_t n_tensors, const uint64_t *sizes,
                         size_t n_sizes, ck_error *err);

/* Save the tensors at `addresses`, once the save before is done. When it
 * returns, they may change or go. An error returned here is about the
 * arguments, and nothing was started; what goes wrong afterwards is for
 * ck_writer_wait(). An error not yet reported stays, and does not keep this
 * save from being made.
 * `*copied` says whether the save goes on in the background. Where there is no
 * memory for a copy, or no thread, it is made at once from the tensors. */
ck_status ck_writer_submit(ck_writer *writer, const uint64_t *addresses,
                           size_t n, const char *metadata, size_t n_metadata,
                           bool *copied, ck_error *err);

/* Belongs to the writer. What the thread notes there it notes before it counts
 * as done, so ck_writer_settle() is followed by `saving == 0`. */
const ck_activity *ck_writer_activity(const ck_writer *writer);

/* Wait until nothing is under way; reports nothing. */
ck_status ck_writer_settle(ck_writer *writer, ck_error *err);

/* The same. Returns the first error since the last call, which is then
 * forgotten. `*last` is what the last save committed, NULL if it committed
 * nothing, be it that a complete file is there: only what is returned here may be
 * reported as done (I2). It belongs to the writer and is valid until the next submit. */
ck_status ck_writer_wait(ck_writer *writer, const ck_commit **last,
                         ck_error *err);

#endif
