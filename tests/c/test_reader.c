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
  unreadable();
  fixture_end();
  return done();
}
