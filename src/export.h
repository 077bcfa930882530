/* export.h: writes a plain safetensors file, which is no checkpoint.
 *
 * The file appears under its name when all of it is on the disk, and no other
 * file of that name is replaced. On failure nothing is left of it.
 */
#ifndef CK_EXPORT_H
#define CK_EXPORT_H

#include "status.h"
#include "os_vfs.h"

/* A piece of the data. */
typedef struct ck_piece {
  const uint8_t *data;
  uint64_t size;
} ck_piece;

/* Write `header`, JSON without its length, and then the pieces. CK_ERR_IO with
 * EEXIST where the name is taken, whatever has it. */
ck_status ck_export(ck_vfs *vfs, const char *path, const char *header,
                    size_t n_header, const ck_piece *pieces, size_t n,
                    ck_error *err);

#endif
