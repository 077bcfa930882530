/* What is not exactly what was written is never restored (I5): bits, cuts,
 * zeroed and swapped blocks, random bytes. Each damage is met twice by the
 * store: with a sound older generation, which it must fall back on and say why,
 * and alone, which must be an error that hands out nothing.
 *
 *   KB_TEST_SEED=n    other random bits and bytes; the default is printed
 *   KB_TEST_EVERY=n   only one in n of the large file's damages (valgrind)
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "tap.h"
#include "vfs_memory.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define PAGE (4 * KIB)
#define RANDOM_FLIPS 10000

#define OLDER "backup-000000000001.safetensors"
#define NEWER "backup-000000000002.safetensors"

static uint64_t seed = 20240229;
static size_t every = 1;

/* ---- Random numbers ------------------------------------------------------ */

static uint64_t random_state;

static void random_begin(void) {
  random_state = seed * 2 + UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t random_next(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state * UINT64_C(2685821657736338717);
}

static uint64_t random_below(uint64_t n) {
  return (random_next() >> 11) % n;
}

static void random_fill(uint8_t *bytes, size_t n) {
  for (size_t i = 0; i < n; i++) {
    bytes[i] = (uint8_t)(random_next() >> 56);
  }
}

/* ---- A file, and what the store makes of it ------------------------------ */

/* A committed file's bytes, to be damaged and mended. */
typedef struct subject {
  uint8_t *bytes;
  size_t n;
  size_t data_at;
  size_t data_len;
} subject;

static uint8_t *older_bytes;
static size_t n_older;
static tensors older;

/* The file that a store writes as generation `generation`. */
static uint8_t *file_of(const tensors *t, uint64_t generation, size_t *n) {
  memory_vfs memory;
  ck_store *store;
  ck_error err;
  uint8_t *bytes = NULL;
  memory_init(&memory);
  if (ck_store_open(&store, &memory.vfs, "d", 1, &err) != CK_OK) {
    exit(2);
  }
  for (uint64_t i = 0; i < generation; i++) {
    if (tensors_save(store, t, NULL, &err) != CK_OK) {
      exit(2);
    }
  }
  ck_store_close(store);
  if (memory.n == 1) {
    *n = memory.names[0].inode->size;
    bytes = malloc(*n);
  }
  if (bytes == NULL) {
    exit(2);
  }
  memcpy(bytes, memory.names[0].inode->data, *n);
  memory_clear(&memory);
  return bytes;
}

static subject subject_new(const tensors *t) {
  subject s;
  s.bytes = file_of(t, 2, &s.n);
  s.data_at = CK_LENGTH_SIZE + (size_t)ck_le64_get(s.bytes);
  s.data_len = (size_t)t->total;
  return s;
}

/* Damages met, and what the store did that it must not. */
typedef struct tally {
  size_t n;
  size_t loaded;    /* the damaged file was restored */
  size_t lost;      /* the older one was not */
  size_t silent;    /* nothing was said of the damaged one, or not its name */
  size_t misplaced; /* what was said is not where the damage is */
  size_t kept;      /* an error, and yet there is something in memory */
  size_t alone;     /* only one in so many damages is met alone too; 0: all */
} tally;

static bool is_clean(const tally *t) {
  return t->n > 0 &&
         t->loaded + t->lost + t->silent + t->misplaced + t->kept == 0;
}

static void report(const tally *t, const char *what) {
  note("%s: %zu damages, %zu loaded, %zu without the older one, %zu unsaid, "
       "%zu misplaced, %zu left in memory",
       what, t->n, t->loaded, t->lost, t->silent, t->misplaced, t->kept);
}

/* Whether an error names the file and, if the damage is in the data alone
 * (`at` onwards, `length` bytes of the file), the place: by it R finds the
 * tensors' names. */
static bool names_place(const ck_error *err, const subject *s, size_t at,
                        size_t length) {
  bool in_data =
      length > 0 && at >= s->data_at && at + length <= s->data_at + s->data_len;
  if (!in_data) {
    return true;
  }
  at -= s->data_at;
  return err->offset < at + length && err->offset + err->length > at;
}

/* Restore from `bytes`, `n` of them, that differ from the subject's. */
static void meet(tally *t, const subject *s, const uint8_t *bytes, size_t n,
                 size_t at, size_t length) {
  int rounds = t->alone == 0 || t->n % t->alone == 0 ? 2 : 1;
  t->n++;
  for (int alone = 0; alone < rounds; alone++) {
    memory_vfs memory;
    ck_checkpoint loaded = {0};
    ck_store *store;
    ck_error err;
    ck_status status;
    const ck_error *said = &err;
    memory_init(&memory);
    memory_put(&memory, NEWER, bytes, n);
    if (!alone) {
      memory_put(&memory, OLDER, older_bytes, n_older);
    }
    if (ck_store_open(&store, &memory.vfs, "d", 2, &err) != CK_OK) {
      exit(2);
    }
    memset(&err, 0, sizeof err);
    status = ck_store_find(store, CK_READ_LOAD, &loaded, &err);
    t->loaded += loaded.image.generation == 2 ||
                 (alone ? status == CK_OK : loaded.skipped.n == 0);
    if (alone) {
      t->lost += status != CK_ERR_CORRUPT;
      t->kept += loaded.found || loaded.image.data.data != NULL ||
                 loaded.image.header.data != NULL;
    } else {
      t->lost +=
          status != CK_OK || !loaded.found ||
          loaded.image.layout.data_len != older.total ||
          memcmp(loaded.image.data.data, older.bytes, (size_t)older.total) != 0;
      said = loaded.skipped.n == 1 ? loaded.skipped.items : NULL;
    }
    if (said == NULL || said->status != CK_ERR_CORRUPT ||
        strcmp(said->path, "d/" NEWER) != 0 || said->message[0] == '\0') {
      t->silent++;
    } else {
      t->misplaced += !names_place(said, s, at, length);
    }
    ck_checkpoint_clear(&loaded);
    ck_store_close(store);
    memory_clear(&memory);
  }
}

/* The mended file is restored: what was damage was the damage alone. */
static bool is_sound(const subject *s, const tensors *t) {
  memory_vfs memory;
  ck_checkpoint loaded = {0};
  ck_store *store;
  ck_error err;
  bool sound;
  memory_init(&memory);
  memory_put(&memory, NEWER, s->bytes, s->n);
  memory_put(&memory, OLDER, older_bytes, n_older);
  if (ck_store_open(&store, &memory.vfs, "d", 2, &err) != CK_OK) {
    exit(2);
  }
  sound = ck_store_find(store, CK_READ_LOAD, &loaded, &err) == CK_OK &&
          loaded.found && loaded.image.generation == 2 &&
          loaded.skipped.n == 0 && loaded.image.layout.data_len == t->total &&
          memcmp(loaded.image.data.data, t->bytes, (size_t)t->total) == 0;
  ck_checkpoint_clear(&loaded);
  ck_store_close(store);
  memory_clear(&memory);
  return sound;
}

static void flip(tally *t, subject *s, uint64_t bit) {
  size_t at = (size_t)(bit / 8);
  s->bytes[at] ^= (uint8_t)(1u << (bit % 8));
  meet(t, s, s->bytes, s->n, at, 1);
  s->bytes[at] ^= (uint8_t)(1u << (bit % 8));
}

/* ---- The damages --------------------------------------------------------- */

static void small_file(void) {
  uint64_t sizes[] = {24, 1, 0, 6};
  tensors t = tensors_new(sizes, 4, 3);
  subject s = subject_new(&t);
  tally flips = {0};
  tally cuts = {0};
  for (uint64_t bit = 0; bit < 8 * (uint64_t)s.n; bit++) {
    flip(&flips, &s, bit);
  }
  report(&flips, "every bit of a small file");
  ok(flips.n == 8 * s.n && is_clean(&flips),
     "I5: each of %zu flipped bits of a small file is noticed", flips.n);
  for (size_t n = 0; n < s.n; n++) {
    meet(&cuts, &s, s.bytes, n, 0, 0);
  }
  report(&cuts, "every length of a small file");
  ok(cuts.n == s.n && is_clean(&cuts),
     "I5: each of %zu places to cut a small file is noticed", cuts.n);
  ok(is_sound(&s, &t), "mended, it is restored");
  free(s.bytes);
  tensors_free(&t);
}

/* Two blocks of checksums, the second one short, a tensor across them, and
 * zeros as in an optimizer's first moments. */
static void large_file(void) {
  uint64_t sizes[] = {MIB - 5 * KIB, 9 * KIB, 1, 50 * KIB};
  tensors t = tensors_new(sizes, 4, 4);
  subject s;
  uint8_t *bytes;
  size_t pages;
  size_t equal = 0;
  size_t count = 0;
  tally flips = {0};
  tally zeros = {0};
  tally swaps = {.alone = 16};
  tally cuts = {0};
  memset(t.bytes + MIB / 2, 0, 5 * PAGE);
  s = subject_new(&t);
  bytes = malloc(s.n);
  pages = s.n / PAGE + (s.n % PAGE != 0);

  random_begin();
  for (size_t i = 0; i < RANDOM_FLIPS / every; i++) {
    flip(&flips, &s, random_below(8 * (uint64_t)s.n));
  }
  report(&flips, "random bits of a large file");
  ok(is_clean(&flips),
     "I5: each of %zu random flipped bits of a file of %zu bytes is noticed",
     flips.n, s.n);

  memcpy(bytes, s.bytes, s.n);
  for (size_t i = 0; i < pages; i++) {
    size_t at = i * PAGE;
    size_t n = s.n - at < PAGE ? s.n - at : PAGE;
    memset(bytes + at, 0, n);
    if (memcmp(bytes + at, s.bytes + at, n) == 0) {
      equal++;
    } else {
      meet(&zeros, &s, bytes, s.n, at, n);
    }
    memcpy(bytes + at, s.bytes + at, n);
  }
  report(&zeros, "zeroed blocks of 4 KiB");
  ok(equal >= 4 && zeros.n + equal == pages && is_clean(&zeros),
     "I5: each of %zu zeroed blocks of 4 KiB is noticed (%zu are zero)",
     zeros.n, equal);
  equal = 0;

  /* The short one at the end swaps with no other. */
  for (size_t i = 0; i < s.n / PAGE; i++) {
    for (size_t j = i + 1; j < s.n / PAGE; j++) {
      if (count++ % every != 0) {
        continue;
      }
      if (memcmp(s.bytes + i * PAGE, s.bytes + j * PAGE, PAGE) == 0) {
        equal++;
        continue;
      }
      memcpy(bytes + i * PAGE, s.bytes + j * PAGE, PAGE);
      memcpy(bytes + j * PAGE, s.bytes + i * PAGE, PAGE);
      meet(&swaps, &s, bytes, s.n, i * PAGE, (j - i + 1) * PAGE);
      memcpy(bytes + i * PAGE, s.bytes + i * PAGE, PAGE);
      memcpy(bytes + j * PAGE, s.bytes + j * PAGE, PAGE);
    }
  }
  report(&swaps, "swapped blocks of 4 KiB");
  ok((equal >= 6 || every > 1) && is_clean(&swaps),
     "I5: each of %zu swapped pairs of blocks of 4 KiB is noticed (%zu pairs "
     "are equal)",
     swaps.n, equal);

  for (size_t i = 0; i < pages; i++) {
    meet(&cuts, &s, s.bytes, i * PAGE, 0, 0);
    meet(&cuts, &s, s.bytes, (size_t)random_below(s.n), 0, 0);
  }
  report(&cuts, "lengths of a large file");
  ok(is_clean(&cuts), "I5: each of %zu places to cut a large file is noticed",
     cuts.n);
  ok(memcmp(bytes, s.bytes, s.n) == 0 && is_sound(&s, &t),
     "mended, it is restored");
  free(bytes);
  free(s.bytes);
  tensors_free(&t);
}

/* Random bytes: all through, behind a sound beginning, before a sound end. */
static void random_files(void) {
  tensors t = tensors_one(40 * KIB, 6);
  subject s = subject_new(&t);
  size_t most = MIB + 1;
  uint8_t *bytes = malloc(most);
  tally whole = {0};
  tally parts = {0};
  random_begin();
  for (size_t n = 0; n <= 1024; n++) {
    random_fill(bytes, n);
    meet(&whole, &s, bytes, n, 0, 0);
  }
  for (size_t n = 2 * KIB; n < most; n *= 2) {
    for (size_t i = 0; i < 3; i++) {
      random_fill(bytes, n + i - 1);
      meet(&whole, &s, bytes, n + i - 1, 0, 0);
    }
  }
  report(&whole, "random files");
  ok(is_clean(&whole), "I5: each of %zu files of random bytes is refused",
     whole.n);
  for (size_t i = 0; i < 500; i++) {
    size_t from = (size_t)random_below(s.n);
    size_t n = 1 + (size_t)random_below(s.n - from);
    memcpy(bytes, s.bytes, s.n);
    random_fill(bytes + from, n);
    if (memcmp(bytes, s.bytes, s.n) != 0) {
      meet(&parts, &s, bytes, s.n, from, n);
    }
  }
  report(&parts, "files with a random part");
  ok(is_clean(&parts), "I5: each of %zu files with a random part is refused",
     parts.n);
  free(bytes);
  free(s.bytes);
  tensors_free(&t);
}

int main(void) {
  const char *text = getenv("KB_TEST_SEED");
  if (text != NULL) {
    seed = strtoull(text, NULL, 10);
  }
  text = getenv("KB_TEST_EVERY");
  if (text != NULL && strtoull(text, NULL, 10) > 0) {
    every = (size_t)strtoull(text, NULL, 10);
  }
  note("KB_TEST_SEED=%" PRIu64 " KB_TEST_EVERY=%zu", seed, every);
  older = tensors_one(100, 2);
  older_bytes = file_of(&older, 1, &n_older);
  small_file();
  large_file();
  random_files();
  free(older_bytes);
  tensors_free(&older);
  return done();
}
