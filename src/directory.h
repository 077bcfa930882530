/* directory.h: lists the files in a directory that are ours, and deletes them.
 *
 * Tests whether a file is ours by its name and its first and last bytes, and
 * sweeps temporary files that a dead process left. Which generations are kept is
 * decided elsewhere. Keeps I7. To delete, the caller must hold the directory's
 * lock (I8).
 */
#ifndef CK_DIRECTORY_H
#define CK_DIRECTORY_H

#include "file.h"
#include "names.h"

/* Our names in a directory, newest generation first. Owns `items`. */
typedef struct ck_listing {
  ck_name *items;
  size_t n;
} ck_listing;

/* `out` must be zeroed or hold an earlier listing, which is replaced. On
 * failure it is empty. Names only: nothing is opened. */
ck_status ck_directory_list(ck_vfs *vfs, const char *dir, ck_listing *out,
                            ck_error *err);
void ck_listing_clear(ck_listing *listing);

/* The path of `name` in `dir`, into `out` (CK_PATH_CAP bytes). */
ck_status ck_directory_path(char *out, const char *dir, const ck_name *name,
                            ck_error *err);

/* Delete the file if it is ours: a regular file that begins as our headers do
 * or ends with our footer's magic; a temporary file also if a write that was cut
 * off can have left its beginning: nothing, or a part of what our headers begin
 * with, and zeros behind it, as space that was reserved has. Otherwise, and
 * where there is no such file, `removed` is false and nothing is touched. */
ck_status ck_directory_remove(ck_vfs *vfs, const char *dir, const ck_name *name,
                              bool *removed, ck_error *err);

/* Whether it is ours in that sense. */
ck_status ck_directory_owns(ck_vfs *vfs, const char *dir, const ck_name *name,
                            bool *ours, ck_error *err);

/* The same of any path, as a committed file or a temporary one. */
ck_status ck_path_is_ours(ck_vfs *vfs, const char *path, bool temp, bool *ours,
                          ck_error *err);

/* Whether a temporary file's writer is gone. Under the lock a name with our
 * own pid is stale too: it is from an earlier process with the same number,
 * which is common in containers. */
bool ck_name_is_stale(const ck_name *name);

#endif
