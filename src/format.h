/* format.h: the bytes of a checkpoint file (the contract is inst/FORMAT.md).
 *
 * Computes and validates sizes, offsets, the text of the header and the footer of
 * the trailer. These are pure functions without access to files, safe on any
 * thread. All integers in a file are little-endian.
 */
#ifndef CK_FORMAT_H
#define CK_FORMAT_H

#include <stdbool.h>

#include "buffer.h"
#include "status.h"

#define CK_FORMAT_VERSION 1u
#define CK_BLOCK_LOG2 20u
#define CK_BLOCK_SIZE ((uint64_t)1 << CK_BLOCK_LOG2)
#define CK_FOOTER_SIZE 64u
#define CK_FOOTER_MAGIC "KBFOOTER" /* 8 bytes, at the footer's beginning */
#define CK_LENGTH_SIZE 8u          /* the header's length, in front of it */
#define CK_HEADER_ALIGN 64u
#define CK_HEADER_MAX 100000000u /* as in the safetensors library */

/* What the metadata begins with, and so what each file of ours has at byte 8. */
#define CK_METADATA_MAGIC "{\"kerasbackup\":\"1\""
#define CK_HEADER_MAGIC "{\"__metadata__\":" CK_METADATA_MAGIC
#define CK_HEADER_MAGIC_SIZE (sizeof CK_HEADER_MAGIC - 1)

/* The whole geometry of a file. */
typedef struct ck_layout {
  uint64_t header_len; /* the JSON text with its padding */
  uint64_t data_len;
  uint64_t n_blocks;    /* of the data, the last one may be short */
  uint64_t table_len;   /* their checksums, padded to a multiple of 8 */
  uint64_t trailer_len; /* table and footer */
  uint64_t data_at;     /* offsets in the file */
  uint64_t table_at;
  uint64_t footer_at;
  uint64_t file_len;
} ck_layout;

typedef struct ck_footer {
  ck_layout layout;
  uint64_t generation;
  uint32_t header_crc; /* over the length, the header and its padding */
  uint32_t table_crc;
} ck_footer;

/* Everything that follows from the two lengths. CK_ERR_TOO_LARGE if a sum
 * does not fit or the header is larger than allowed. */
ck_status ck_layout_init(ck_layout *out, uint64_t header_len, uint64_t data_len,
                         ck_error *err);

/* The size of block `i`, which must exist. */
uint64_t ck_layout_block_size(const ck_layout *layout, uint64_t i);

/* The trailer's length for so many data bytes; CK_UNKNOWN if that is more than
 * a file can have. */
uint64_t ck_trailer_size(uint64_t data_len);

/* Build length, header and padding in `out`. `tensors` are the JSON members
 * (may be ""), `metadata` a JSON object that begins with CK_METADATA_MAGIC.
 * The texts are joined, never read. CK_ERR_MISUSE if they cannot be right,
 * CK_ERR_TOO_LARGE if the format has no room for them. */
ck_status ck_header_build(ck_buffer *out, const char *metadata,
                          size_t n_metadata, const char *tensors,
                          size_t n_tensors, uint64_t data_len, ck_error *err);

/* Whether `header` (length included) is what ck_header_build() makes for this
 * layout: length, magic, trailer entry, padding. */
bool ck_header_check(const uint8_t *header, const ck_layout *layout);

void ck_footer_encode(const ck_footer *footer, uint8_t out[CK_FOOTER_SIZE]);

/* Read a footer of a file of `file_len` bytes. CK_ERR_CORRUPT, with `path` in
 * the message's struct, unless every field is right and the sizes add up. */
ck_status ck_footer_decode(ck_footer *out, const uint8_t in[CK_FOOTER_SIZE],
                           uint64_t file_len, const char *path, ck_error *err);

uint32_t ck_le32_get(const uint8_t *at);
uint64_t ck_le64_get(const uint8_t *at);
void ck_le32_put(uint8_t *at, uint32_t value);
void ck_le64_put(uint8_t *at, uint64_t value);

#endif
