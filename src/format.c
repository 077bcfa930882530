/* format.c: see format.h. */
#include "format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "crc32c.h"

/* Where the footer's fields are. The rest of its 64 bytes is zero. */
enum {
  AT_MAGIC = 0,
  AT_VERSION = 8,
  AT_BLOCK_LOG2 = 12,
  AT_HEADER_LEN = 16,
  AT_DATA_LEN = 24,
  AT_GENERATION = 32,
  AT_N_BLOCKS = 40,
  AT_HEADER_CRC = 48,
  AT_TABLE_CRC = 52,
  AT_RESERVED = 56,
  AT_FOOTER_CRC = 60
};

/* No file is larger: offsets are signed 64-bit numbers in every interface. */
#define FILE_MAX ((uint64_t)INT64_MAX)

#define ENTRY_CAP 192

uint32_t ck_le32_get(const uint8_t *at) {
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
         (uint32_t)at[3] << 24;
}

uint64_t ck_le64_get(const uint8_t *at) {
  return (uint64_t)ck_le32_get(at) | (uint64_t)ck_le32_get(at + 4) << 32;
}

void ck_le32_put(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++) {
    at[i] = (uint8_t)(value >> (8 * i));
  }
}

void ck_le64_put(uint8_t *at, uint64_t value) {
  ck_le32_put(at, (uint32_t)value);
  ck_le32_put(at + 4, (uint32_t)(value >> 32));
}

static uint64_t block_count(uint64_t data_len) {
  return data_len / CK_BLOCK_SIZE + (data_len % CK_BLOCK_SIZE != 0);
}

/* An even number of entries, so that the trailer is a multiple of 8 long. */
static uint64_t table_size(uint64_t n_blocks) {
  return 4 * (n_blocks + n_blocks % 2);
}

uint64_t ck_trailer_size(uint64_t data_len) {
  if (data_len > FILE_MAX) {
    return CK_UNKNOWN;
  }
  return table_size(block_count(data_len)) + CK_FOOTER_SIZE;
}

ck_status ck_layout_init(ck_layout *out, uint64_t header_len, uint64_t data_len,
                         ck_error *err) {
  uint64_t trailer_len = ck_trailer_size(data_len);
  if (header_len > CK_HEADER_MAX) {
    return ck_error_set(err, CK_ERR_TOO_LARGE, "layout", NULL, 0,
                        "the header has %" PRIu64 " bytes, more than %u",
                        header_len, CK_HEADER_MAX);
  }
  if (trailer_len == CK_UNKNOWN ||
      data_len > FILE_MAX - CK_LENGTH_SIZE - header_len - trailer_len) {
    return ck_error_set(err, CK_ERR_TOO_LARGE, "layout", NULL, 0,
                        "the data do not fit in a file");
  }
  out->header_len = header_len;
  out->data_len = data_len;
  out->n_blocks = block_count(data_len);
  out->table_len = table_size(out->n_blocks);
  out->trailer_len = trailer_len;
  out->data_at = CK_LENGTH_SIZE + header_len;
  out->table_at = out->data_at + data_len;
  out->footer_at = out->table_at + out->table_len;
  out->file_len = out->footer_at + CK_FOOTER_SIZE;
  return CK_OK;
}

uint64_t ck_layout_block_size(const ck_layout *layout, uint64_t i) {
  uint64_t left = layout->data_len - i * CK_BLOCK_SIZE;
  return left < CK_BLOCK_SIZE ? left : CK_BLOCK_SIZE;
}

/* The trailer's entry, with which every header ends but for the padding. */
static size_t entry_build(char out[ENTRY_CAP], uint64_t data_len,
                          uint64_t trailer_len) {
  int n = snprintf(out, ENTRY_CAP,
                   ",\"kerasbackup.trailer\":{\"dtype\":\"U8\","
                   "\"shape\":[%" PRIu64 "],"
                   "\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}}",
                   trailer_len, data_len, data_len + trailer_len);
  return (size_t)n;
}

static ck_status text_error(ck_error *err, const char *cause) {
  return ck_error_set(err, CK_ERR_MISUSE, "header", NULL, 0, "%s", cause);
}

static ck_status header_too_large(ck_error *err, uint64_t size) {
  return ck_error_set(err, CK_ERR_TOO_LARGE, "header", NULL, 0,
                      "the names and the metadata have %" PRIu64
                      " bytes, and %u is the most",
                      size, CK_HEADER_MAX);
}

ck_status ck_header_build(ck_buffer *out, const char *metadata,
                          size_t n_metadata, const char *tensors,
                          size_t n_tensors, uint64_t data_len, ck_error *err) {
  static const char opening[] = "{\"__metadata__\":";
  const size_t n_opening = sizeof opening - 1;
  const size_t n_magic = sizeof CK_METADATA_MAGIC - 1;
  uint64_t trailer_len = ck_trailer_size(data_len);
  char entry[ENTRY_CAP];
  size_t n_entry;
  uint64_t text_len;
  uint64_t padded;
  uint8_t *at;
  ck_status status;
  if (n_metadata < n_magic + 1 ||
      memcmp(metadata, CK_METADATA_MAGIC, n_magic) != 0 ||
      metadata[n_metadata - 1] != '}') {
    return text_error(err, "the metadata are not ours");
  }
  if (n_tensors != 0 && (tensors[0] != '"' || tensors[n_tensors - 1] != '}')) {
    return text_error(err, "the tensors' text is not a list of members");
  }
  if (n_metadata > CK_HEADER_MAX || n_tensors > CK_HEADER_MAX) {
    return header_too_large(err, (uint64_t)n_metadata + n_tensors);
  }
  if (trailer_len == CK_UNKNOWN || data_len > FILE_MAX - trailer_len) {
    return ck_error_set(err, CK_ERR_TOO_LARGE, "header", NULL, 0,
                        "the data do not fit in a file");
  }
  n_entry = entry_build(entry, data_len, trailer_len);
  text_len = n_opening + n_metadata + (n_tensors != 0) + n_tensors + n_entry;
  padded = CK_LENGTH_SIZE + text_len + CK_HEADER_ALIGN - 1;
  padded -= padded % CK_HEADER_ALIGN;
  if (padded - CK_LENGTH_SIZE > CK_HEADER_MAX) {
    return header_too_large(err, padded - CK_LENGTH_SIZE);
  }
  status = ck_buffer_reserve(out, padded, err);
  if (status != CK_OK) {
    return status;
  }
  at = out->data;
  ck_le64_put(at, padded - CK_LENGTH_SIZE);
  at += CK_LENGTH_SIZE;
  memcpy(at, opening, n_opening);
  at += n_opening;
  memcpy(at, metadata, n_metadata);
  at += n_metadata;
  if (n_tensors != 0) {
    *at++ = ',';
    memcpy(at, tensors, n_tensors);
    at += n_tensors;
  }
  memcpy(at, entry, n_entry);
  at += n_entry;
  memset(at, ' ', (size_t)(padded - CK_LENGTH_SIZE - text_len));
  return CK_OK;
}

bool ck_header_check(const uint8_t *header, const ck_layout *layout) {
  char entry[ENTRY_CAP];
  uint64_t end = layout->data_at;
  size_t n_entry = entry_build(entry, layout->data_len, layout->trailer_len);
  if (ck_le64_get(header) != layout->header_len || end % CK_HEADER_ALIGN != 0 ||
      layout->header_len < CK_HEADER_MAGIC_SIZE + 1 + n_entry ||
      memcmp(header + CK_LENGTH_SIZE, CK_HEADER_MAGIC, CK_HEADER_MAGIC_SIZE) !=
          0) {
    return false;
  }
  /* Whoever takes it for a string must see all of it. */
  if (memchr(header + CK_LENGTH_SIZE, '\0', (size_t)layout->header_len) !=
      NULL) {
    return false;
  }
  while (header[end - 1] == ' ' && layout->data_at - end < CK_HEADER_ALIGN) {
    end--;
  }
  /* Where it is all spaces behind the magic, there is no room for an entry. */
  if (end < CK_LENGTH_SIZE + CK_HEADER_MAGIC_SIZE + n_entry) {
    return false;
  }
  return memcmp(header + end - n_entry, entry, n_entry) == 0;
}

void ck_footer_encode(const ck_footer *footer, uint8_t out[CK_FOOTER_SIZE]) {
  memset(out, 0, CK_FOOTER_SIZE);
  memcpy(out + AT_MAGIC, CK_FOOTER_MAGIC, 8);
  ck_le32_put(out + AT_VERSION, CK_FORMAT_VERSION);
  ck_le32_put(out + AT_BLOCK_LOG2, CK_BLOCK_LOG2);
  ck_le64_put(out + AT_HEADER_LEN, footer->layout.header_len);
  ck_le64_put(out + AT_DATA_LEN, footer->layout.data_len);
  ck_le64_put(out + AT_GENERATION, footer->generation);
  ck_le64_put(out + AT_N_BLOCKS, footer->layout.n_blocks);
  ck_le32_put(out + AT_HEADER_CRC, footer->header_crc);
  ck_le32_put(out + AT_TABLE_CRC, footer->table_crc);
  ck_le32_put(out + AT_FOOTER_CRC, ck_crc32c_update(0, out, AT_FOOTER_CRC));
}

static ck_status footer_error(ck_error *err, const char *path,
                              const char *cause) {
  return ck_error_set(err, CK_ERR_CORRUPT, "verify", path, 0, "%s", cause);
}

ck_status ck_footer_decode(ck_footer *out, const uint8_t in[CK_FOOTER_SIZE],
                           uint64_t file_len, const char *path, ck_error *err) {
  ck_error ignored;
  if (memcmp(in + AT_MAGIC, CK_FOOTER_MAGIC, 8) != 0) {
    return footer_error(
        err, path,
        "no footer at the end: cut off, or not written by kerasbackup");
  }
  if (ck_crc32c_update(0, in, AT_FOOTER_CRC) !=
      ck_le32_get(in + AT_FOOTER_CRC)) {
    return footer_error(err, path, "the footer's checksum does not match");
  }
  if (ck_le32_get(in + AT_VERSION) != CK_FORMAT_VERSION) {
    return ck_error_set(err, CK_ERR_CORRUPT, "verify", path, 0,
                        "format version %" PRIu32 ", this package reads %u",
                        ck_le32_get(in + AT_VERSION), CK_FORMAT_VERSION);
  }
  if (ck_le32_get(in + AT_BLOCK_LOG2) != CK_BLOCK_LOG2 ||
      ck_le32_get(in + AT_RESERVED) != 0) {
    return footer_error(err, path, "the footer has unknown fields");
  }
  if (ck_layout_init(&out->layout, ck_le64_get(in + AT_HEADER_LEN),
                     ck_le64_get(in + AT_DATA_LEN), &ignored) != CK_OK ||
      out->layout.n_blocks != ck_le64_get(in + AT_N_BLOCKS)) {
    return footer_error(err, path, "the footer's sizes are impossible");
  }
  if (out->layout.file_len != file_len) {
    return ck_error_set(err, CK_ERR_CORRUPT, "verify", path, 0,
                        "%" PRIu64 " bytes long, should have %" PRIu64,
                        file_len, out->layout.file_len);
  }
  out->generation = ck_le64_get(in + AT_GENERATION);
  out->header_crc = ck_le32_get(in + AT_HEADER_CRC);
  out->table_crc = ck_le32_get(in + AT_TABLE_CRC);
  return CK_OK;
}
