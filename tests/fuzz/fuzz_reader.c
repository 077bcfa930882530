/* Fuzzes the reader: arbitrary bytes as a checkpoint (I5).
 *
 * Reads them as they are; then with lengths, trailer entry and checksums made
 * right, so that what lies behind the checksums is reached too; and hands
 * header and footer to the functions that look at them, each in memory of its
 * exact size, so that a byte read beside it is seen. The input's first byte
 * says which of the repairs are left out, the next eight how long the header
 * is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"
#include "store.h"
#include "vfs_memory.h"

#define NAME "backup-000000000001.safetensors"

enum {
  SKIP_LENGTH = 1,
  SKIP_ENTRY = 2,
  SKIP_HEADER_CRC = 4,
  SKIP_TABLE = 8,
  SKIP_FOOTER = 16,
  SKIP_MAGIC = 32
};

static void require(int holds, const char *what) {
  if (!holds) {
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
  }
}

static void *copy_of(const void *bytes, size_t n) {
  uint8_t *copy = malloc(n > 0 ? n : 1);
  if (copy == NULL) {
    exit(2);
  }
  if (n > 0) {
    memcpy(copy, bytes, n);
  }
  return copy;
}

/* Read to places of its own, a file is what it is elsewhere: whole, or no more
 * than its data. */
static void read_apart(ck_store *store, const ck_checkpoint *loaded) {
  uint64_t n = loaded->image.layout.data_len;
  uint8_t *first = malloc((size_t)(n / 3) + 1);
  uint8_t *rest = malloc((size_t)(n - n / 3) + 1);
  uint64_t addresses[] = {(uintptr_t)first, (uintptr_t)rest};
  uint64_t ends[] = {n / 3, n};
  ck_places places = {addresses, ends, 2};
  ck_error err;
  if (first == NULL || rest == NULL) {
    exit(2);
  }
  require(ck_store_read_into(store, 1, &places, &err) == CK_OK,
          "what is loaded is read to any places");
  require(memcmp(first, loaded->image.data.data, (size_t)ends[0]) == 0 &&
              memcmp(rest, loaded->image.data.data + ends[0],
                     (size_t)(n - ends[0])) == 0,
          "and is the same there");
  ends[1]++;
  require(ck_store_read_into(store, 1, &places, &err) == CK_ERR_MISUSE,
          "places that are too large are refused");
  free(first);
  free(rest);
}

/* What the store makes of a file is right, or damage; never more memory than
 * the file has. */
static void read_file(const uint8_t *bytes, size_t n) {
  memory_vfs memory;
  ck_checkpoint loaded = {0};
  ck_image header;
  ck_image verified;
  ck_store *store;
  ck_error err;
  ck_status by_header;
  ck_status by_verify;
  ck_status by_load;
  memory_init(&memory);
  memory_put(&memory, NAME, bytes, n);
  by_header =
      ck_checkpoint_read(&memory.vfs, "d/" NAME, CK_READ_HEADER, &header, &err);
  by_verify = ck_checkpoint_read(&memory.vfs, "d/" NAME, CK_READ_VERIFY,
                                 &verified, &err);
  if (ck_store_open(&store, &memory.vfs, "d", 1, &err) != CK_OK) {
    exit(2);
  }
  by_load = ck_store_find(store, CK_READ_LOAD, &loaded, &err);
  require(by_header == CK_OK || by_header == CK_ERR_CORRUPT,
          "a header is read or is damage");
  require(by_verify == CK_OK || by_verify == CK_ERR_CORRUPT,
          "a file verifies or is damage");
  require(by_load == by_verify, "what verifies is loaded, and only that");
  require(by_verify != CK_OK || by_header == CK_OK,
          "what verifies has a header that does");
  require((by_load == CK_OK) == loaded.found, "it is found where it is loaded");
  if (by_header == CK_OK) {
    const char *text = (const char *)header.header.data + CK_LENGTH_SIZE;
    require(header.layout.file_len == n, "the sizes add up");
    require(strlen(text) == header.layout.header_len,
            "a header is a text without an end in it");
    require(memcmp(header.header.data, bytes, header.layout.data_at) == 0,
            "the header is the file's");
  }
  if (by_load == CK_OK) {
    require(loaded.image.generation == 1, "the generation is the name's");
    require(memcmp(loaded.image.data.data, bytes + loaded.image.layout.data_at,
                   loaded.image.layout.data_len) == 0,
            "the data are the file's");
    read_apart(store, &loaded);
  } else {
    require(loaded.image.data.data == NULL && loaded.image.header.data == NULL,
            "what fails is not kept");
  }
  ck_image_release(&header);
  ck_image_release(&verified);
  ck_checkpoint_clear(&loaded);
  ck_store_close(store);
  require(memory.n_open == 0, "no file is left open");
  memory_clear(&memory);
}

/* A file of `body`, which is taken for header and data, that has everything
 * right but what `skip` says. */
static void read_repaired(const uint8_t *body, size_t n, uint64_t split,
                          unsigned skip) {
  ck_footer footer = {0};
  ck_layout *layout = &footer.layout;
  ck_buffer built = {0};
  ck_error err;
  uint8_t *bytes;
  uint8_t *trailer;
  size_t header_len = n > 0 ? (size_t)(split % (n + 1)) : 0;
  if ((skip & SKIP_ENTRY) == 0) {
    header_len -= (CK_LENGTH_SIZE + header_len) % CK_HEADER_ALIGN;
    if (header_len > n) {
      return;
    }
  }
  if (ck_layout_init(layout, header_len, n - header_len, &err) != CK_OK) {
    return;
  }
  bytes = malloc((size_t)layout->file_len);
  if (bytes == NULL) {
    exit(2);
  }
  ck_le64_put(bytes, (skip & SKIP_LENGTH) ? split : header_len);
  if (n > 0) {
    memcpy(bytes + CK_LENGTH_SIZE, body, n);
  }
  if ((skip & SKIP_MAGIC) == 0 && header_len >= CK_HEADER_MAGIC_SIZE) {
    memcpy(bytes + CK_LENGTH_SIZE, CK_HEADER_MAGIC, CK_HEADER_MAGIC_SIZE);
  }
  /* The trailer's entry as the format builds it, at the header's end. */
  if ((skip & SKIP_ENTRY) == 0 &&
      ck_header_build(&built, CK_METADATA_MAGIC "}", sizeof CK_METADATA_MAGIC,
                      "", 0, layout->data_len, &err) == CK_OK) {
    const uint8_t *entry =
        built.data + CK_LENGTH_SIZE + CK_HEADER_MAGIC_SIZE + 1;
    size_t n_entry =
        (size_t)built.size - CK_LENGTH_SIZE - CK_HEADER_MAGIC_SIZE - 1;
    if (n_entry < header_len) {
      memcpy(bytes + layout->data_at - n_entry, entry, n_entry);
    }
  }
  ck_buffer_release(&built);
  trailer = bytes + layout->table_at;
  memset(trailer, 0, (size_t)layout->table_len);
  for (uint64_t i = 0; i < layout->n_blocks && (skip & SKIP_TABLE) == 0; i++) {
    ck_le32_put(trailer + 4 * i,
                ck_crc32c_update(0, bytes + layout->data_at + i * CK_BLOCK_SIZE,
                                 (size_t)ck_layout_block_size(layout, i)));
  }
  footer.generation = 1;
  footer.header_crc = (skip & SKIP_HEADER_CRC)
                          ? (uint32_t)split
                          : ck_crc32c_update(0, bytes, (size_t)layout->data_at);
  footer.table_crc = ck_crc32c_update(0, trailer, (size_t)layout->table_len);
  ck_footer_encode(&footer, bytes + layout->footer_at);
  if ((skip & SKIP_FOOTER) && n >= 8) {
    /* A footer that lies: one field is what the input says. */
    uint8_t *at = bytes + layout->footer_at;
    memcpy(at + 8 + 8 * (split % 6), body, 8);
    ck_le32_put(at + 60, ck_crc32c_update(0, at, 60));
  }
  read_file(bytes, (size_t)layout->file_len);
  free(bytes);
}

/* The two functions that look at bytes from outside, in exact memory. */
static void look(const uint8_t *body, size_t n, uint64_t split) {
  ck_layout layout;
  ck_footer footer;
  ck_error err;
  if (n >= CK_FOOTER_SIZE) {
    uint8_t *bytes = copy_of(body, CK_FOOTER_SIZE);
    for (int repaired = 0; repaired < 2; repaired++) {
      if (ck_footer_decode(&footer, bytes, split, "f", &err) == CK_OK) {
        require(footer.layout.file_len == split &&
                    footer.layout.header_len <= CK_HEADER_MAX &&
                    footer.layout.data_at + footer.layout.data_len ==
                        footer.layout.table_at &&
                    footer.layout.table_at + footer.layout.table_len ==
                        footer.layout.footer_at,
                "a footer that is accepted adds up");
      }
      memcpy(bytes, CK_FOOTER_MAGIC, 8);
      ck_le32_put(bytes + 60, ck_crc32c_update(0, bytes, 60));
    }
    free(bytes);
  }
  if (n >= CK_LENGTH_SIZE &&
      ck_layout_init(&layout, n - CK_LENGTH_SIZE, split, &err) == CK_OK) {
    uint8_t *bytes = copy_of(body, n);
    ck_le64_put(bytes, layout.header_len);
    (void)ck_header_check(bytes, &layout);
    if (layout.header_len >= CK_HEADER_MAGIC_SIZE) {
      memcpy(bytes + CK_LENGTH_SIZE, CK_HEADER_MAGIC, CK_HEADER_MAGIC_SIZE);
      (void)ck_header_check(bytes, &layout);
    }
    free(bytes);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  read_file(data, size);
  if (size >= 9) {
    uint64_t split = ck_le64_get(data + 1);
    read_repaired(data + 9, size - 9, split, data[0]);
    look(data + 9, size - 9, split);
  }
  return 0;
}
