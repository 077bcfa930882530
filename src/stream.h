/* stream.h: writes and reads a checkpoint through an open file, in one pass.
 *
 * Checksums are computed on the way. Keeps a part of I5: nothing is returned
 * before it is verified.
 */
#ifndef CK_STREAM_H
#define CK_STREAM_H

#include "buffer.h"
#include "file.h"
#include "format.h"
#include "reader.h"

/* The tensors' bytes, one after the other, wherever they are. Borrowed. */
typedef struct ck_source {
  const uint64_t *addresses;
  const uint64_t *sizes;
  size_t n;
  /* If they are all in one place where nothing changes them; else NULL. */
  const uint8_t *copy;
} ck_source;

/* Copy all of them to `out`, one after the other. */
void ck_source_copy(const ck_source *source, uint8_t *out);

/* Memory that is reused from save to save. Zeroed is valid. */
typedef struct ck_scratch {
  ck_buffer header; /* from ck_header_build() */
  ck_buffer block;
  ck_buffer table; /* the checksums, then the footer */
} ck_scratch;

void ck_scratch_release(ck_scratch *scratch);

/* Write header, data and trailer to `file`, which is empty. Data that are not
 * in a copy are copied block by block before they are summed, so that a tensor
 * changed meanwhile cannot make the file invalid. */
ck_status ck_stream_write(ck_file *file, const ck_layout *layout,
                          const ck_source *source, uint64_t generation,
                          ck_scratch *scratch, ck_error *err);

typedef enum ck_stream_depth {
  CK_READ_HEADER, /* footer and header, verified */
  CK_READ_VERIFY, /* all, verified, data not kept */
  CK_READ_LOAD    /* all, verified, data kept */
} ck_stream_depth;

/* A checkpoint in memory. A zeroed one is empty. Owns its buffers. */
typedef struct ck_image {
  uint64_t generation;
  ck_layout layout;
  ck_buffer header;   /* with the length in front, and a NUL behind */
  ck_buffer data;     /* CK_READ_LOAD, or a part */
  uint64_t data_from; /* the place of its first byte in the file's data */
} ck_image;

/* Read and verify. `generation` is what the file must say it is, 0 for any.
 * On failure `image` is empty; damage in the data is CK_ERR_CORRUPT with the
 * damaged block's offset and length. */
ck_status ck_stream_read(ck_file *file, ck_stream_depth depth,
                         uint64_t generation, ck_image *image, ck_error *err);

/* Read and verify header and footer, and of the data only the blocks that have
 * the bytes from `begin` to before `end`. CK_ERR_MISUSE where there are no such
 * bytes. */
ck_status ck_stream_read_part(ck_file *file, uint64_t generation,
                              uint64_t begin, uint64_t end, ck_image *image,
                              ck_error *err);

/* Read and verify, as above, with the data to these places. CK_ERR_MISUSE where
 * they are not as large as the data. */
ck_status ck_stream_read_into(ck_file *file, uint64_t generation,
                              const ck_places *places, ck_error *err);

void ck_image_release(ck_image *image);

#endif
