/* lock.h: a lock file, which one process at a time can lock.
 *
 * It makes the file, locks it, and checks that the locked file is the one that has
 * the name. It never writes to the file.
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
 * CK_ERR_IO with EBUSY: it is locked, in this process or in another one; with
 * "lock" as operation and ENOLCK, ENOSYS, ENOTSUP or EOPNOTSUPP: this file
 * system has no locks. On failure `*out` is NULL. `vfs` must outlive the lock. */
ck_status ck_lock_take(ck_lock **out, ck_vfs *vfs, const char *path,
                       ck_error *err);

/* Whether somebody has the lock, in this process or in another one. Changes
 * nothing: a file that is missing stays so, and nobody has its lock. (For some
 * microseconds the lock is held here; a training that begins tries again.) */
ck_status ck_lock_is_held(ck_vfs *vfs, const char *path, bool *held,
                          ck_error *err);

/* Whether the file that is locked still has the name: where it was moved or
 * removed, another process may lock a new one. True where one cannot know. */
bool ck_lock_holds(ck_lock *lock);

/* The file stays. In a forked process this leaves the lock to its owner. NULL is
 * allowed. */
void ck_lock_release(ck_lock *lock);

#endif
