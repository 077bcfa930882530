/* stream.c: see stream.h. */
#include "stream.h"

#include <inttypes.h>
#include <string.h>

#include "copy.h"
#include "crc32c.h"

/* How many blocks are written before the disk is told to begin. */
#define START_SYNC_BLOCKS 16

void ck_scratch_release(ck_scratch *scratch) {
  ck_buffer_release(&scratch->header);
  ck_buffer_release(&scratch->block);
  ck_buffer_release(&scratch->table);
}

void ck_source_copy(const ck_source *source, uint8_t *out) {
  for (size_t i = 0; i < source->n; i++) {
    if (source->sizes[i] != 0) {
      ck_copy_past_cache(out, (const uint8_t *)(uintptr_t)source->addresses[i],
                         (size_t)source->sizes[i]);
      out += source->sizes[i];
    }
  }
}

/* Where the next byte of a source is. */
typedef struct cursor {
  size_t tensor;
  uint64_t offset;
} cursor;

static void source_copy(const ck_source *source, cursor *at, uint8_t *out,
                        uint64_t n) {
  while (n > 0) {
    uint64_t left = source->sizes[at->tensor] - at->offset;
    uint64_t take = left < n ? left : n;
    if (take > 0) {
      const uint8_t *from =
          (const uint8_t *)(uintptr_t)source->addresses[at->tensor];
      memcpy(out, from + at->offset, (size_t)take);
    }
    out += take;
    n -= take;
    at->offset += take;
    if (at->offset == source->sizes[at->tensor]) {
      at->tensor++;
      at->offset = 0;
    }
  }
}

ck_status ck_stream_write(ck_file *file, const ck_layout *layout,
                          const ck_source *source, uint64_t generation,
                          ck_scratch *scratch, ck_error *err) {
  ck_status status;
  cursor at = {0, 0};
  ck_footer footer;
  uint8_t *table;
  CK_TRY(ck_buffer_reserve(&scratch->block, CK_BLOCK_SIZE, err));
  CK_TRY(ck_buffer_reserve(&scratch->table, layout->trailer_len, err));
  table = scratch->table.data;
  memset(table, 0, (size_t)layout->table_len);

  CK_TRY(
      ck_file_write(file, scratch->header.data, (size_t)layout->data_at, err));
  for (uint64_t i = 0; i < layout->n_blocks; i++) {
    size_t n = (size_t)ck_layout_block_size(layout, i);
    const uint8_t *block = scratch->block.data;
    if (source->copy != NULL) {
      block = source->copy + i * CK_BLOCK_SIZE;
    } else {
      source_copy(source, &at, scratch->block.data, n);
    }
    ck_le32_put(table + 4 * i, ck_crc32c_update(0, block, n));
    CK_TRY(ck_file_write(file, block, n, err));
    if (i % START_SYNC_BLOCKS == START_SYNC_BLOCKS - 1) {
      ck_file_start_sync(file);
    }
  }

  footer.layout = *layout;
  footer.generation = generation;
  footer.header_crc =
      ck_crc32c_update(0, scratch->header.data, (size_t)layout->data_at);
  footer.table_crc = ck_crc32c_update(0, table, (size_t)layout->table_len);
  ck_footer_encode(&footer, table + layout->table_len);
  CK_TRY(ck_file_write(file, table, (size_t)layout->trailer_len, err));

cleanup:
  return status;
}

static ck_status damage(ck_error *err, const ck_file *file, const char *cause) {
  return ck_error_set(err, CK_ERR_CORRUPT, "verify", file->path, 0, "%s",
                      cause);
}

static ck_status footer_read(ck_file *file, uint64_t generation,
                             ck_footer *footer, ck_error *err) {
  ck_file_info info;
  uint8_t bytes[CK_FOOTER_SIZE];
  ck_status status;
  CK_TRY(ck_file_info_get(file, &info, err));
  if (!info.regular) {
    status = damage(err, file, "not a regular file");
    goto cleanup;
  }
  if (info.size < CK_LENGTH_SIZE + CK_FOOTER_SIZE) {
    status =
        damage(err, file, "too short: cut off, or not written by kerasbackup");
    goto cleanup;
  }
  CK_TRY(
      ck_file_read(file, info.size - CK_FOOTER_SIZE, bytes, sizeof bytes, err));
  CK_TRY(ck_footer_decode(footer, bytes, info.size, file->path, err));
  if (generation != 0 && footer->generation != generation) {
    status = ck_error_set(err, CK_ERR_CORRUPT, "verify", file->path, 0,
                          "holds generation %" PRIu64 ", not the one it is "
                          "named for",
                          footer->generation);
  }
cleanup:
  return status;
}

static ck_status header_read(ck_file *file, const ck_footer *footer,
                             ck_buffer *header, ck_error *err) {
  const ck_layout *layout = &footer->layout;
  size_t n = (size_t)layout->data_at;
  ck_status status;
  CK_TRY(ck_buffer_reserve(header, layout->data_at + 1, err));
  CK_TRY(ck_file_read(file, 0, header->data, n, err));
  header->data[n] = '\0';
  if (ck_crc32c_update(0, header->data, n) != footer->header_crc) {
    status = damage(err, file, "the header's checksum does not match");
  } else if (!ck_header_check(header->data, layout)) {
    status = damage(err, file, "the header was not written by kerasbackup");
  }
cleanup:
  return status;
}

static ck_status data_read(ck_file *file, const ck_footer *footer,
                           const ck_places *places, uint64_t first,
                           uint64_t end, ck_error *err) {
  const ck_layout *layout = &footer->layout;
  ck_buffer table = {0};
  ck_status status;
  CK_TRY(ck_buffer_reserve(&table, layout->table_len, err));
  CK_TRY(ck_file_read(file, layout->table_at, table.data,
                      (size_t)layout->table_len, err));
  if (ck_crc32c_update(0, table.data, (size_t)layout->table_len) !=
      footer->table_crc) {
    status = damage(err, file, "the checksum table is damaged");
    goto cleanup;
  }
  CK_TRY(ck_reader_data(file, layout, table.data, places, first, end, err));
cleanup:
  ck_buffer_release(&table);
  return status;
}

ck_status ck_stream_read(ck_file *file, ck_stream_depth depth,
                         uint64_t generation, ck_image *image, ck_error *err) {
  ck_footer footer = {0};
  uint64_t address;
  ck_places places = {&address, &footer.layout.data_len, 0};
  ck_status status;
  memset(image, 0, sizeof *image);
  CK_TRY(footer_read(file, generation, &footer, err));
  CK_TRY(header_read(file, &footer, &image->header, err));
  if (depth == CK_READ_LOAD) {
    CK_TRY(ck_buffer_reserve(&image->data, footer.layout.data_len, err));
    address = (uintptr_t)image->data.data;
    places.n = 1;
  }
  if (depth != CK_READ_HEADER) {
    CK_TRY(data_read(file, &footer, &places, 0, footer.layout.n_blocks, err));
  }
  image->generation = footer.generation;
  image->layout = footer.layout;
cleanup:
  if (status != CK_OK) {
    ck_image_release(image);
  }
  return status;
}

ck_status ck_stream_read_part(ck_file *file, uint64_t generation,
                              uint64_t begin, uint64_t end, ck_image *image,
                              ck_error *err) {
  ck_footer footer = {0};
  uint64_t first = begin / CK_BLOCK_SIZE;
  uint64_t behind = end / CK_BLOCK_SIZE + (end % CK_BLOCK_SIZE != 0);
  uint64_t address;
  ck_places places = {&address, &footer.layout.data_len, 1};
  ck_status status;
  memset(image, 0, sizeof *image);
  CK_TRY(footer_read(file, generation, &footer, err));
  if (begin > end || end > footer.layout.data_len) {
    status =
        ck_error_set(err, CK_ERR_MISUSE, "read", file->path, 0,
                     "the data have %" PRIu64 " bytes", footer.layout.data_len);
    goto cleanup;
  }
  CK_TRY(header_read(file, &footer, &image->header, err));
  if (begin < end) {
    image->data_from = first * CK_BLOCK_SIZE;
    CK_TRY(
        ck_buffer_reserve(&image->data, (behind - first) * CK_BLOCK_SIZE, err));
    /* Where the first byte of all data would be. */
    address = (uintptr_t)image->data.data - image->data_from;
    CK_TRY(data_read(file, &footer, &places, first, behind, err));
  }
  image->generation = footer.generation;
  image->layout = footer.layout;
cleanup:
  if (status != 0) {
    ck_image_release(image);
  }
  return status;
}

ck_status ck_stream_read_into(ck_file *file, uint64_t generation,
                              const ck_places *places, ck_error *err) {
  ck_footer footer = {0};
  ck_buffer header = {0};
  uint64_t room;
  ck_status status;
  CK_TRY(footer_read(file, generation, &footer, err));
  room = places->n == 0 ? 0 : places->ends[places->n - 1];
  if (room != footer.layout.data_len) {
    status = ck_error_set(err, CK_ERR_MISUSE, "read", file->path, 0,
                          "the data have %" PRIu64 " bytes, their places "
                          "%" PRIu64,
                          footer.layout.data_len, room);
    goto cleanup;
  }
  CK_TRY(header_read(file, &footer, &header, err));
  CK_TRY(data_read(file, &footer, places, 0, footer.layout.n_blocks, err));
cleanup:
  ck_buffer_release(&header);
  return status;
}

void ck_image_release(ck_image *image) {
  ck_buffer_release(&image->header);
  ck_buffer_release(&image->data);
  memset(image, 0, sizeof *image);
}
