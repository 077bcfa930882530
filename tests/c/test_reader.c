/* A large file is read by two threads (I5): all of it, and the first damage is
 * found whichever of them meets it. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fixture.h"
#include "names.h"
#include "reader.h"
#include "tap.h"

#define SIZE (CK_READER_LARGE + 3 * CK_BLOCK_SIZE + 77)

/* The system's, but a thread that reads data waits until another one reads
 * too: so it does not depend on luck whether there are two. Where there is no
 * other it gives up at last. */
typedef struct meeting {
  ck_vfs vfs; /* first: a pointer to it is a pointer to this struct */
  pthread_mutex_t lock;
  pthread_cond_t changed;
  pthread_t first;
  bool has_first;
  bool met;
  bool alone;         /* nobody came: nobody is waited for again */
  uint64_t fail_from; /* offset from which reads of whole blocks fail */
} meeting;

static void meet(meeting *m) {
  struct timespec until;
  int sys = 0;
  (void)clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 20;
  (void)pthread_mutex_lock(&m->lock);
  if (!m->has_first) {
    m->has_first = true;
    m->first = pthread_self();
  } else if (!pthread_equal(m->first, pthread_self())) {
    m->met = true;
    (void)pthread_cond_broadcast(&m->changed);
  }
  while (!m->met && !m->alone && sys == 0) {
    sys = pthread_cond_timedwait(&m->changed, &m->lock, &until);
  }
  m->alone = m->alone || sys != 0;
  (void)pthread_mutex_unlock(&m->lock);
}

static int meeting_read(ck_vfs *vfs, ck_handle handle, uint64_t offset,
                        void *data, size_t n, size_t *done) {
  meeting *m = (meeting *)(void *)vfs;
  ck_vfs *inner = ck_vfs_system();
  if (n == CK_BLOCK_SIZE) {
    meet(m);
    if (offset >= m->fail_from) {
      return EIO;
    }
  }
  return inner->read(inner, handle, offset, data, n, done);
}

static void meeting_init(meeting *m) {
  memset(m, 0, sizeof *m);
  m->vfs = *ck_vfs_system();
  m->vfs.read = meeting_read;
  m->fail_from = UINT64_MAX;
  (void)pthread_mutex_init(&m->lock, NULL);
  (void)pthread_cond_init(&m->changed, NULL);
}

static void meeting_clear(meeting *m) {
  (void)pthread_mutex_destroy(&m->lock);
  (void)pthread_cond_destroy(&m->changed);
}

/* Where the data begin in a file. */
static uint64_t data_begin(const char *path) {
  uint8_t start[8];
  FILE *file = fopen(path, "rb");
  if (file == NULL || fread(start, 1, 8, file) != 8) {
    exit(2);
  }
  (void)fclose(file);
  return 8 + ck_le64_get(start);
}

/* A large file, and a meeting to read it with. `path` is static. */
static tensors saved(meeting *m, unsigned seed, const char **path) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(SIZE, seed);
  meeting_init(m);
  fixture_save(dir, 1, &t);
  *path = at_generation(dir, 1);
  return t;
}

static ck_status read_with(meeting *m, const char *path, ck_image *image,
                           ck_error *err) {
  m->has_first = m->met = false;
  return ck_checkpoint_read(&m->vfs, path, CK_READ_LOAD, image, err);
}

static void whole(void) {
  meeting m;
  const char *path;
  tensors t = saved(&m, 7, &path);
  ck_image image;
  ck_image header;
  ck_error err;
  ok(read_with(&m, path, &image, &err) == CK_OK && m.met,
     "two threads read a large file");
  ok(image.data.size == t.total &&
         memcmp(image.data.data, t.bytes, (size_t)t.total) == 0,
     "and every byte is where it belongs");
  ck_image_release(&image);
  m.has_first = m.met = false;
  ok(ck_checkpoint_read(&m.vfs, path, CK_READ_VERIFY, &header, &err) == CK_OK &&
         m.met,
     "two threads verify it");
  ck_image_release(&header);
  meeting_clear(&m);
  tensors_free(&t);
}

/* Damage in each of some blocks, alone and with a later one. */
static void damaged(void) {
  meeting m;
  const char *path;
  tensors t = saved(&m, 8, &path);
  uint64_t blocks[] = {0, 3, 4, 7, 9, SIZE / CK_BLOCK_SIZE};
  uint64_t last = SIZE / CK_BLOCK_SIZE;
  bool alone = true;
  bool both = true;
  uint64_t begin;
  ck_image image;
  ck_error err;
  begin = data_begin(path);
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
    uint64_t bit = 8 * (begin + blocks[i] * CK_BLOCK_SIZE + 5);
    uint64_t later = 8 * (begin + last * CK_BLOCK_SIZE + 9);
    file_flip(path, bit);
    alone = alone && read_with(&m, path, &image, &err) == CK_ERR_CORRUPT &&
            err.offset == blocks[i] * CK_BLOCK_SIZE && image.data.data == NULL;
    file_flip(path, later);
    both = both && read_with(&m, path, &image, &err) == CK_ERR_CORRUPT &&
           err.offset == blocks[i] * CK_BLOCK_SIZE;
    file_flip(path, later);
    /* The end of one thread's piece and the begin of the other's. */
    later = bit + (uint64_t)8 * CK_BLOCK_SIZE;
    if (blocks[i] < last) {
      file_flip(path, later);
      both = both && read_with(&m, path, &image, &err) == CK_ERR_CORRUPT &&
             err.offset == blocks[i] * CK_BLOCK_SIZE;
      file_flip(path, later);
    }
    file_flip(path, bit);
  }
  ok(alone, "damage is found and located, whichever thread meets it");
  ok(both, "of two damaged blocks the first is told");
  ok(read_with(&m, path, &image, &err) == CK_OK, "undamaged it is read again");
  ck_image_release(&image);
  meeting_clear(&m);
  tensors_free(&t);
}

/* The data cut into parts, each with guards around it. */
typedef struct parts {
  uint8_t **memory;
  uint64_t *addresses;
  uint64_t *ends;
  ck_places places;
} parts;

#define GUARD 16

/* Parts of up to `largest` bytes, some of them of none. */
static parts parts_new(uint64_t total, size_t largest) {
  size_t most = (size_t)(total / 1000) + 100;
  parts p = {malloc(most * sizeof *p.memory),
             malloc(most * 8),
             malloc(most * 8),
             {NULL, NULL, 0}};
  uint64_t end = 0;
  if (p.memory == NULL || p.addresses == NULL || p.ends == NULL) {
    exit(2);
  }
  while (end < total) {
    size_t n = rand() % 5 == 0 ? 0 : 1000 + (size_t)rand() % largest;
    n = n < total - end ? n : (size_t)(total - end);
    if (p.places.n == most - 1) {
      n = (size_t)(total - end);
    }
    p.memory[p.places.n] = malloc(n + (size_t)2 * GUARD);
    if (p.memory[p.places.n] == NULL) {
      exit(2);
    }
    memset(p.memory[p.places.n], 0x5a, n + (size_t)2 * GUARD);
    p.addresses[p.places.n] = (uintptr_t)p.memory[p.places.n] + GUARD;
    end += n;
    p.ends[p.places.n] = end;
    p.places.n++;
  }
  p.places.addresses = p.addresses;
  p.places.ends = p.ends;
  return p;
}

/* Whether each part has its bytes, and its guards are whole. */
static bool parts_hold(const parts *p, const uint8_t *bytes) {
  bool hold = true;
  uint64_t begin = 0;
  for (size_t i = 0; i < p->places.n; i++) {
    size_t n = (size_t)(p->ends[i] - begin);
    hold = hold && memcmp(p->memory[i] + GUARD, bytes + begin, n) == 0;
    for (size_t j = 0; j < GUARD; j++) {
      hold = hold && p->memory[i][j] == 0x5a &&
             p->memory[i][GUARD + n + j] == 0x5a;
    }
    begin = p->ends[i];
  }
  return hold;
}

static void parts_free(parts *p) {
  for (size_t i = 0; i < p->places.n; i++) {
    free(p->memory[i]);
  }
  free(p->memory);
  free(p->addresses);
  free(p->ends);
}

/* Parts smaller and larger than a block. */
static void apart(void) {
  static const size_t largest[] = {300, 70000, 3000000, SIZE};
  meeting m;
  const char *path;
  tensors t = saved(&m, 10, &path);
  bool two = true;
  bool right = true;
  bool found = true;
  bool refused = true;
  uint64_t begin = data_begin(path);
  char dir[CK_PATH_CAP];
  ck_store *store;
  ck_error err;
  srand(5);
  snprintf(dir, sizeof dir, "%.*s", (int)(ck_name_of_path(path) - path - 1),
           path);
  if (ck_store_open(&store, &m.vfs, dir, 1, &err) != CK_OK) {
    exit(2);
  }
  for (size_t i = 0; i < sizeof largest / sizeof *largest; i++) {
    parts p = parts_new(t.total, largest[i]);
    m.has_first = m.met = false;
    right = right && ck_store_read_into(store, 1, &p.places, &err) == CK_OK &&
            parts_hold(&p, t.bytes);
    two = two && m.met;
    file_flip(path, 8 * (begin + 6 * CK_BLOCK_SIZE + 1));
    found = found &&
            ck_store_read_into(store, 1, &p.places, &err) == CK_ERR_CORRUPT &&
            err.offset == 6 * CK_BLOCK_SIZE;
    file_flip(path, 8 * (begin + 6 * CK_BLOCK_SIZE + 1));
    p.ends[p.places.n - 1]--;
    refused = refused &&
              ck_store_read_into(store, 1, &p.places, &err) == CK_ERR_MISUSE;
    p.ends[p.places.n - 1] += 2;
    refused = refused &&
              ck_store_read_into(store, 1, &p.places, &err) == CK_ERR_MISUSE;
    p.ends[p.places.n - 1]--;
    parts_free(&p);
  }
  ok(right, "every byte goes to its part, and no other byte anywhere");
  ok(two, "two threads read them");
  ok(found, "I5: damage is found there too, and located");
  ok(refused, "parts that are not as large as the data are refused");
  ok(ck_store_read_into(store, 1, &(ck_places){NULL, NULL, 0}, &err) ==
         CK_ERR_MISUSE,
     "so are none");
  {
    parts p = parts_new(t.total, SIZE);
    file_flip(path, 8 * 20);
    ok(ck_store_read_into(store, 1, &p.places, &err) == CK_ERR_CORRUPT,
       "I5: damage of the header is found");
    parts_free(&p);
  }
  ok(ck_store_read_into(store, 2, &(ck_places){NULL, NULL, 0}, &err) ==
         CK_ERR_IO,
     "another generation is not there");
  ck_store_close(store);
  meeting_clear(&m);
  tensors_free(&t);
}

static void unreadable(void) {
  meeting m;
  const char *path;
  tensors t = saved(&m, 9, &path);
  uint64_t begin;
  bool told = true;
  ck_image image;
  ck_error err;
  begin = data_begin(path);
  for (uint64_t block = 0; block < 9; block++) {
    m.fail_from = begin + block * CK_BLOCK_SIZE;
    told = told && read_with(&m, path, &image, &err) == CK_ERR_IO &&
           err.sys == EIO && image.data.data == NULL;
  }
  ok(told, "a block that cannot be read is an error, in either thread");
  meeting_clear(&m);
  tensors_free(&t);
}

int main(void) {
  whole();
  damaged();
  apart();
  unreadable();
  fixture_end();
  return done();
}
