/* note.h: reads, writes and removes a small text file beside the checkpoints.
 *
 * Other users may be able to put something else under its name at any moment. To
 * keep its part of I7, it follows no link, waits for no pipe and does not write
 * to a file that exists already.
 */
#ifndef CK_NOTE_H
#define CK_NOTE_H

#include "buffer.h"
#include "file.h"

/* The longest one that is read. */
#define CK_NOTE_MAX ((uint64_t)1 << 16)

/* Its text, ended by a zero. `*found` is false where there is no such plain
 * file, or one that is longer than any note; then `out` is as it was. */
ck_status ck_note_read(ck_vfs *vfs, const char *path, ck_buffer *out,
                       bool *found, ck_error *err);

/* A new file with this text. CK_ERR_IO with EEXIST where the name is taken,
 * whatever has it. On failure nothing is left of it. */
ck_status ck_note_write(ck_vfs *vfs, const char *path, const char *text,
                        ck_error *err);

#endif
