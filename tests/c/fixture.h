/* fixture.h: directories, tensors and files for tests. A helper that cannot do
 * its work ends the program: that is no result of a test. */
#ifndef KB_FIXTURE_H
#define KB_FIXTURE_H

#include <stdbool.h>

#include "store.h"
#include "vfs_fault.h"

/* A new empty directory, below one that fixture_end() removes. Up to 200. */
const char *fixture_dir(void);
void fixture_end(void);
void fixture_clear(const char *dir);

/* Tensors with content that depends on `seed`. */
typedef struct tensors {
  char *text; /* the header's members */
  size_t n_text;
  uint64_t *sizes;
  uint64_t *addresses;
  size_t n;
  uint8_t *bytes; /* all content, one after the other */
  uint64_t total;
} tensors;

tensors tensors_new(const uint64_t *sizes, size_t n, unsigned seed);
tensors tensors_one(uint64_t size, unsigned seed);
void tensors_free(tensors *t);

#define METADATA "{\"kerasbackup\":\"1\",\"epoch\":\"3\"}"

/* Plan and commit; `commit` may be NULL. */
ck_status tensors_save(ck_store *store, const tensors *t, ck_commit *commit,
                       ck_error *err);

/* Save through a store of its own, which must work. */
void fixture_save(const char *dir, unsigned keep, const tensors *t);

/* Which of `n` candidates the newest checkpoint equals in every byte: its
 * index, -1 for none of them, -2 if nothing loads, -3 for an empty store. */
int fixture_load(const char *dir, const tensors *candidates, size_t n);

/* Whole files. */
uint8_t *file_get(const char *path, size_t *n);
void file_put(const char *path, const void *data, size_t n);
void file_flip(const char *path, uint64_t bit);
void file_copy(const char *from, const char *to);
bool file_exists(const char *path);

/* dir/name, in one of a few static buffers. */
const char *at(const char *dir, const char *name);
const char *at_generation(const char *dir, uint64_t generation);

/* All names of a directory with kind, size and content's checksum, sorted, as
 * one text; to be freed. Equal texts mean that nothing has changed. */
char *directory_state(const char *dir);

/* "1 2 7": the committed generations by name, oldest first. Static. */
const char *generations(const char *dir);
int count_temps(const char *dir, uint64_t generation); /* 0: of any */
int count_descriptors(void);

/* The number of a process that is not there. */
long dead_pid(void);

/* The number of a process that is there until fixture_end(), and is not ours. */
long living_pid(void);

#endif
