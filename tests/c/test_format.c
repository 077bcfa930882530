/* The bytes of a file: what is written is read, and what is not exactly what
 * was written is noticed (I5). */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"
#include "fixture.h"
#include "posix.h"
#include "tap.h"

#define MIB ((uint64_t)1 << 20)

static bool image_equals(const ck_image *image, const tensors *t) {
  return image->layout.data_len == t->total &&
         memcmp(image->data.data, t->bytes, (size_t)t->total) == 0 &&
         (uintptr_t)image->data.data % 4096 == 0;
}

static void round_trip(const uint64_t *sizes, size_t n, const char *name) {
  const char *dir = fixture_dir();
  tensors t = tensors_new(sizes, n, (unsigned)n);
  ck_image image;
  ck_error err;
  size_t n_file;
  uint8_t *bytes;
  char *json;
  uint64_t header_len;
  fixture_save(dir, 1, &t);
  ok(ck_checkpoint_read(ck_vfs_system(), at_generation(dir, 1), CK_READ_LOAD,
                        &image, &err) == CK_OK &&
         image_equals(&image, &t),
     "%s: read back, page-aligned", name);
  bytes = file_get(at_generation(dir, 1), &n_file);
  header_len = ck_le64_get(bytes);
  json = (char *)image.header.data + CK_LENGTH_SIZE;
  ok((8 + header_len) % 64 == 0 && json[header_len] == '\0' &&
         strlen(json) == header_len &&
         n_file == 8 + header_len + t.total + ck_trailer_size(t.total),
     "%s: data at a multiple of 64, sizes add up", name);
  ok(strncmp(json, "{\"__metadata__\":" METADATA, 16 + strlen(METADATA)) == 0 &&
         (n == 0 || strstr(json, t.text) != NULL) &&
         strstr(json, ",\"kerasbackup.trailer\":{") != NULL,
     "%s: the header holds the texts given", name);
  ok(ck_trailer_size(t.total) % 8 == 0, "%s: trailer a multiple of 8", name);
  ck_image_release(&image);
  ok(ck_checkpoint_read(ck_vfs_system(), at_generation(dir, 1), CK_READ_VERIFY,
                        &image, &err) == CK_OK &&
         image.data.data == NULL,
     "%s: verifies, keeping nothing", name);
  ck_image_release(&image);
  free(bytes);
  tensors_free(&t);
}

static void round_trips(void) {
  uint64_t many[10000];
  uint64_t few[] = {0, 5, 0, MIB, 0, 3 * MIB + 7, 1, 0};
  uint64_t size;
  round_trip(NULL, 0, "no tensors");
  size = 0;
  round_trip(&size, 1, "one empty tensor");
  size = 1;
  round_trip(&size, 1, "1 byte");
  size = MIB - 1;
  round_trip(&size, 1, "1 MiB - 1");
  size = MIB;
  round_trip(&size, 1, "1 MiB");
  size = MIB + 1;
  round_trip(&size, 1, "1 MiB + 1");
  round_trip(few, sizeof few / sizeof *few, "across blocks, with empties");
  for (size_t i = 0; i < 10000; i++) {
    many[i] = i % 700;
  }
  round_trip(many, 10000, "10,000 tensors");
}

static ck_status verify(const char *path, ck_error *err) {
  ck_image image;
  ck_status status =
      ck_checkpoint_read(ck_vfs_system(), path, CK_READ_VERIFY, &image, err);
  ck_image_release(&image);
  return status;
}

static void every_bit(void) {
  const char *dir = fixture_dir();
  uint64_t sizes[] = {24, 1, 6};
  tensors t = tensors_new(sizes, 3, 3);
  const char *path = at_generation(dir, 1);
  uint64_t missed = 0;
  uint64_t loaded = 0;
  size_t n;
  ck_error err;
  ck_image image;
  char copy[1200];
  strcpy(copy, path);
  fixture_save(dir, 1, &t);
  free(file_get(copy, &n));
  for (uint64_t bit = 0; bit < 8 * n; bit++) {
    file_flip(copy, bit);
    missed += verify(copy, &err) != CK_ERR_CORRUPT;
    loaded += ck_checkpoint_read(ck_vfs_system(), copy, CK_READ_LOAD, &image,
                                 &err) == CK_OK;
    loaded += image.data.data != NULL || image.header.data != NULL;
    file_flip(copy, bit);
  }
  ok(n > 300 && missed == 0,
     "I5: each of %zu flipped bits is damage to verify (%" PRIu64 " missed)",
     8 * n, missed);
  ok(loaded == 0, "I5: no file with a flipped bit is loaded, even in part");
  ok(verify(copy, &err) == CK_OK, "flipped back, the file verifies");
  tensors_free(&t);
}

static void damage_is_located(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(2 * MIB + 100, 4);
  char path[1200];
  uint64_t data_at;
  size_t n;
  uint8_t *bytes;
  ck_error err;
  strcpy(path, at_generation(dir, 1));
  fixture_save(dir, 1, &t);
  bytes = file_get(path, &n);
  data_at = 8 + ck_le64_get(bytes);
  free(bytes);
  file_flip(path, 8 * (data_at + MIB + 5));
  ok(verify(path, &err) == CK_ERR_CORRUPT && err.offset == MIB &&
         err.length == MIB && strcmp(err.path, path) == 0,
     "damage in the second block is named by its range and file");
  file_flip(path, 8 * (data_at + MIB + 5));
  file_flip(path, 8 * (data_at + 2 * MIB + 99) + 7);
  ok(verify(path, &err) == CK_ERR_CORRUPT && err.offset == 2 * MIB &&
         err.length == 100,
     "damage in the last, short block has its short range");
  file_flip(path, 8 * (data_at + 2 * MIB + 99) + 7);
  file_flip(path, 8 * (data_at - 1));
  ok(verify(path, &err) == CK_ERR_CORRUPT && err.offset == CK_UNKNOWN,
     "damage outside of the data has no range");
  tensors_free(&t);
}

static void cut_and_grown(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(40, 5);
  char path[1200];
  uint64_t missed = 0;
  size_t n;
  uint8_t *bytes;
  ck_error err;
  strcpy(path, at_generation(dir, 1));
  fixture_save(dir, 1, &t);
  bytes = file_get(path, &n);
  for (size_t i = 0; i < n; i++) {
    file_put(path, bytes, i);
    missed += verify(path, &err) != CK_ERR_CORRUPT;
  }
  ok(missed == 0, "a file cut at any of %zu places is damage", n);
  bytes = realloc(bytes, n + 64);
  memset(bytes + n, 0, 64);
  file_put(path, bytes, n + 1);
  ok(verify(path, &err) == CK_ERR_CORRUPT, "one byte more is damage");
  memcpy(bytes + n, bytes + n - 64, 64);
  file_put(path, bytes, n + 64);
  ok(verify(path, &err) == CK_ERR_CORRUPT, "a second footer is damage");
  memmove(bytes + 1, bytes, n);
  file_put(path, bytes, n + 1);
  ok(verify(path, &err) == CK_ERR_CORRUPT, "one byte in front is damage");
  free(bytes);
  tensors_free(&t);
}

static void other_name(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(40, 6);
  ck_error err;
  fixture_save(dir, 1, &t);
  file_copy(at_generation(dir, 1), at_generation(dir, 2));
  ok(verify(at_generation(dir, 2), &err) == CK_ERR_CORRUPT,
     "a file under another generation's name is damage");
  file_copy(at_generation(dir, 1), at(dir, "copy.safetensors"));
  ok(verify(at(dir, "copy.safetensors"), &err) == CK_OK,
     "a copy under a name without a generation is not");
  ok(verify(at(dir, "none.safetensors"), &err) == CK_ERR_IO &&
         err.sys == ENOENT && strcmp(err.op, "open") == 0,
     "no file is an I/O error");
  if (symlink(at_generation(dir, 1), at(dir, "link.safetensors")) == 0) {
    ok(verify(at(dir, "link.safetensors"), &err) == CK_ERR_CORRUPT &&
           strcmp(err.op, "identify") == 0 && strstr(err.message, "link"),
       "I7: a link is not followed, and is named as what it is");
  }
  ok(verify(dir, &err) == CK_ERR_CORRUPT && strcmp(err.op, "identify") == 0,
     "a directory is no checkpoint");
  tensors_free(&t);
}

/* Footers that are sound in themselves and lie: each field in turn. */
static void lying_footers(void) {
  uint8_t good[CK_FOOTER_SIZE];
  ck_footer footer = {0};
  ck_footer read;
  ck_error err;
  struct lie {
    const char *what;
    int at;
    uint64_t value;
    int width;
  } lies[] = {
      {"a newer version", 8, 2, 4},
      {"another block size", 12, 12, 4},
      {"a block size of 2^64", 12, 64, 4},
      {"a longer header", 16, 120, 8},
      {"a header beyond the cap", 16, CK_HEADER_MAX + 1u, 8},
      {"a header of 2^64 - 1", 16, UINT64_MAX, 8},
      {"a header that wraps around", 16, UINT64_MAX - 7, 8},
      {"more data", 24, 11, 8},
      {"data of 2^64 - 1", 24, UINT64_MAX, 8},
      {"data of 2^63", 24, (uint64_t)1 << 63, 8},
      {"data of 2^63 - 1", 24, ((uint64_t)1 << 63) - 1, 8},
      {"more blocks", 40, 2, 8},
      {"blocks of 2^62, whose table wraps", 40, (uint64_t)1 << 62, 8},
      {"a reserved field that is used", 56, 1, 4},
      {"another magic", 0, 0x1122334455667788, 8},
  };
  (void)ck_layout_init(&footer.layout, 56, 10, &err);
  footer.generation = 3;
  ck_footer_encode(&footer, good);
  ok(ck_footer_decode(&read, good, footer.layout.file_len, "f", &err) ==
             CK_OK &&
         read.generation == 3 && read.layout.data_len == 10 &&
         read.layout.file_len == 64 + 10 + 8 + 64,
     "a sound footer is read");
  for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
    uint8_t bad[CK_FOOTER_SIZE];
    memcpy(bad, good, sizeof bad);
    if (lies[i].width == 8) {
      ck_le64_put(bad + lies[i].at, lies[i].value);
    } else {
      ck_le32_put(bad + lies[i].at, (uint32_t)lies[i].value);
    }
    ck_le32_put(bad + 60, ck_crc32c_update(0, bad, 60));
    /* What an earlier, sound footer has left there makes no other sound. */
    read = footer;
    ok(ck_footer_decode(&read, bad, footer.layout.file_len, "f", &err) ==
           CK_ERR_CORRUPT,
       "a footer with %s is refused", lies[i].what);
  }
}

/* A file whose checksums are all right but whose header is not ours. */
static void foreign_header(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(16, 8);
  char path[1200];
  size_t n;
  uint8_t *bytes;
  uint8_t *footer;
  uint64_t data_at;
  ck_error err;
  strcpy(path, at_generation(dir, 1));
  fixture_save(dir, 1, &t);
  bytes = file_get(path, &n);
  footer = bytes + n - 64;
  data_at = 8 + ck_le64_get(bytes);
  bytes[8 + 18] = 'K';
  ck_le32_put(footer + 48, ck_crc32c_update(0, bytes, (size_t)data_at));
  ck_le32_put(footer + 60, ck_crc32c_update(0, footer, 60));
  file_put(path, bytes, n);
  ok(verify(path, &err) == CK_ERR_CORRUPT,
     "a header without the magic is refused");
  bytes[8 + 18] = 'k';
  strcpy((char *)bytes + data_at - 8, "        ");
  bytes[data_at - 1] = '\n';
  memcpy(bytes + data_at, t.bytes, 16);
  ck_le32_put(footer + 48, ck_crc32c_update(0, bytes, (size_t)data_at));
  ck_le32_put(footer + 60, ck_crc32c_update(0, footer, 60));
  file_put(path, bytes, n);
  ok(verify(path, &err) == CK_ERR_CORRUPT,
     "a header that does not end with the trailer's entry is refused");
  free(bytes);
  tensors_free(&t);
}

/* Whether a header that was built is ours with more spaces at its end. */
static bool is_ours_resized(const ck_buffer *built, size_t size) {
  ck_layout layout = {0};
  ck_error err;
  uint8_t *header = malloc(size);
  bool ours;
  (void)ck_layout_init(&layout, size - CK_LENGTH_SIZE, 0, &err);
  memset(header, ' ', size);
  memcpy(header, built->data, (size_t)built->size);
  ck_le64_put(header, size - CK_LENGTH_SIZE);
  ours = ck_header_check(header, &layout);
  free(header);
  return ours;
}

/* Headers that begin as ours do, in memory of their exact size. */
static void odd_headers(void) {
  ck_layout layout = {0};
  ck_error err;
  uint8_t *header;
  size_t n = 0;
  ck_buffer built = {0};
  (void)ck_header_build(&built, METADATA, strlen(METADATA), "", 0, 0, &err);
  n = (size_t)built.size;
  (void)ck_layout_init(&layout, n - CK_LENGTH_SIZE, 0, &err);
  header = malloc(n);
  memcpy(header, built.data, n);
  ok(ck_header_check(header, &layout), "a header as it is built is ours");
  header[CK_LENGTH_SIZE + CK_HEADER_MAGIC_SIZE] = '\0';
  ok(!ck_header_check(header, &layout), "one with a zero byte in it is not");
  memcpy(header, built.data, n);
  ck_le64_put(header, n - CK_LENGTH_SIZE - CK_HEADER_ALIGN);
  ok(!ck_header_check(header, &layout),
     "one that says another length than the footer is not");
  free(header);
  ok(!is_ours_resized(&built, n + 1), "one that ends off a boundary is not");
  ok(!is_ours_resized(&built, n + 2 * CK_HEADER_ALIGN),
     "one with more spaces at its end than a boundary takes is not");
  ck_buffer_release(&built);
  (void)ck_layout_init(&layout, 120, 0, &err);
  header = malloc(128);
  memset(header, ' ', 128);
  ck_le64_put(header, 120);
  memcpy(header + CK_LENGTH_SIZE, CK_HEADER_MAGIC, CK_HEADER_MAGIC_SIZE);
  ok(!ck_header_check(header, &layout),
     "one of spaces behind the magic is not; nothing before it is read");
  free(header);
}

static bool builds(const char *metadata, const char *text, uint64_t data_len) {
  ck_buffer out = {0};
  ck_error err;
  ck_status status = ck_header_build(&out, metadata, strlen(metadata), text,
                                     strlen(text), data_len, &err);
  ck_buffer_release(&out);
  return status == CK_OK;
}

static void bad_texts(void) {
  static const char around[] = "}{\"kerasbackup\":\"1\"}";
  ck_buffer out = {0};
  ck_error err;
  ok(builds(METADATA, "", 0), "a header without tensors is built");
  ok(builds("{\"kerasbackup\":\"1\"}", "\"a\":{}", 0),
     "the smallest metadata are accepted");
  ok(!builds("", "", 0) && !builds("{}", "", 0) &&
         !builds("{\"kerasbackup\":\"2\"}", "", 0) &&
         !builds(" {\"kerasbackup\":\"1\"}", "", 0) &&
         !builds("{\"kerasbackup\": \"1\"}", "", 0) &&
         !builds("{\"kerasbackup\":\"1\"", "", 0) &&
         !builds("{\"kerasbackup\":\"1\",\"a\":\"b\"", "", 0),
     "metadata without the magic or cut off are refused");
  ok(ck_header_build(&out, &around[1], 0, "", 0, 0, &err) == CK_ERR_MISUSE,
     "metadata of no length are refused, whatever stands around them");
  ok(!builds(METADATA, "x", 0) && !builds(METADATA, "\"a\":{},", 0) &&
         !builds(METADATA, ",\"a\":{}", 0),
     "tensors that are no members are refused");
  ok(!builds(METADATA, "", UINT64_MAX) &&
         !builds(METADATA, "", (uint64_t)INT64_MAX),
     "data beyond any file are refused");
}

static bool lays_out(uint64_t header_len, uint64_t data_len) {
  ck_layout layout;
  ck_error err;
  return ck_layout_init(&layout, header_len, data_len, &err) == CK_OK;
}

static void limits(void) {
  uint64_t most = (uint64_t)INT64_MAX;
  ok(lays_out(CK_HEADER_MAX, 0) && !lays_out(CK_HEADER_MAX + 1u, 0) &&
         !lays_out(UINT64_MAX, 0),
     "the header has a cap");
  ok(!lays_out(56, most) && !lays_out(56, most + 1) &&
         !lays_out(56, UINT64_MAX) && !lays_out(56, most - 200) &&
         lays_out(56, most - (most >> 17)),
     "what does not fit in a file is refused");
  ok(ck_trailer_size(most + 1) == CK_UNKNOWN &&
         ck_trailer_size(UINT64_MAX) == CK_UNKNOWN &&
         ck_trailer_size(0) == 64 && ck_trailer_size(1) == 72 &&
         ck_trailer_size(2 * MIB) == 72 && ck_trailer_size(2 * MIB + 1) == 80,
     "the trailer's size");
}

static void buffers(void) {
  ck_buffer buffer = {0};
  ck_error err;
  uint64_t space;
  ok(ck_buffer_reserve(&buffer, UINT64_MAX, &err) == CK_ERR_NOMEM &&
         buffer.data == NULL,
     "a buffer larger than all memory is refused");
  ok(ck_buffer_reserve(&buffer, 10000, &err) == CK_OK &&
         (uintptr_t)buffer.data % CK_BUFFER_ALIGN == 0,
     "one that is not is made, where it is aligned");
  space = buffer.space;
  ok(ck_buffer_reserve(&buffer, 50, &err) == CK_OK && buffer.size == 50 &&
         buffer.space == space,
     "and serves for less without being made anew");
  ck_buffer_release(&buffer);
}

static void large_header(void) {
  size_t n = CK_HEADER_MAX;
  char *text = malloc(n + 1);
  ck_buffer out = {0};
  ck_error err;
  memset(text, ' ', n);
  text[0] = '"';
  text[n - 1] = '}';
  ok(ck_header_build(&out, METADATA, strlen(METADATA), text, n, 0, &err) ==
         CK_ERR_TOO_LARGE,
     "a header over 100 MB is refused");
  text[n - 1000] = '}';
  ok(ck_header_build(&out, METADATA, strlen(METADATA), text, n - 999, 0,
                     &err) == CK_OK,
     "one just below is built");
  ck_buffer_release(&out);
  free(text);
}

int main(void) {
  round_trips();
  every_bit();
  damage_is_located();
  cut_and_grown();
  other_name();
  lying_footers();
  foreign_header();
  odd_headers();
  bad_texts();
  limits();
  buffers();
  large_header();
  fixture_end();
  return done();
}
