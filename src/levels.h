/* levels.h: creates a directory and its missing parents.
 *
 * Each name is on stable storage before the next one is created.
 */
#ifndef CK_LEVELS_H
#define CK_LEVELS_H

#include "file.h"

/* Make the directory at `path`, and all above it, where they are missing.
 * `*made` says whether the last one was. On CK_OK every name of the path that
 * was made here survives a power cut (I2), also where an earlier process was
 * killed while it made some: all but the last one's, if that was there. Something
 * else under the last name is no failure. */
ck_status ck_levels_make(ck_vfs *vfs, const char *path, bool *made,
                         ck_error *err);

#endif
