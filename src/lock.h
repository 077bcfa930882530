/* lock.h: a file that one process at a time has.
 *
 * Owns: making the lock file, locking it, and that the file locked is the one
 * that has the name. May not touch: what the lock is for, what is in the file.
 * Nothing is ever written to it.
 *
 * The system frees the lock when its process ends, however it does. A process
 * that is forked from it has no part in it, and its life does not prolong it.
 * All functions are called by one thread; others may fork at any time.
 */
#ifndef CK_LOCK_H
#define CK_LOCK_H

#include "file.h"

typedef struct ck_lock ck_lock;

/* Lock the file, which is made where it is missing. A link is not followed.
 * CK_ERR_IO with EBUSY: somebody has it, in this process or in another one; with
 * "lock" as operation and ENOLCK, ENOSYS, ENOTSUP or EOPNOTSUPP: this file
 * system has no locks. On failure `*out` is NULL. `vfs` must outlive the lock. */
ck_status ck_lock_take(ck_lock **out, ck_vfs *vfs, const char *path,
                       ck_error *err);

/* The file stays. In a forked process this leaves the lock to its owner. NULL is
 * allowed. */
void ck_lock_release(ck_lock *lock);

#endif
