/* reader.h: reads the data of a checkpoint, and verifies the checksums.
 *
 * Blocks are read on one thread or two. Keeps a part of I5: if a function returns
 * CK_OK, the data are what was written.
 */
#ifndef CK_READER_H
#define CK_READER_H

#include "buffer.h"
#include "file.h"
#include "format.h"

/* With so many bytes of data, and a vfs that allows it, two threads read:
 * filling memory that was never touched costs more than reading into it, and
 * one processor does not use all the memory's speed. */
#define CK_READER_LARGE ((uint64_t)16 << 20)

/* Where the data go that are read: a place for each of some parts of them, one
 * part behind the other. Borrowed. */
typedef struct ck_places {
  const uint64_t *addresses;
  const uint64_t *ends; /* of the parts, within the data; never smaller */
  size_t n;             /* 0: the data are not kept */
} ck_places;

/* Read the blocks from `first` to before `end`, and compare each with `table`, one
 * checksum of 4 bytes a block of the file. The last part must end where the data
 * do. Damage is CK_ERR_CORRUPT with offset and length of a damaged block, the
 * first one; what is in the places is of no use after a failure. */
ck_status ck_reader_data(ck_file *file, const ck_layout *layout,
                         const uint8_t *table, const ck_places *places,
                         uint64_t first, uint64_t end, ck_error *err);

#endif
