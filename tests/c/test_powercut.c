/* Power cuts: every state that a file system may leave, at every point of a
 * series of saves, is recovered (I1, I2, I4).
 *
 * A series of saves runs on a recording vfs. The record is then gone through
 * operation by operation, and after each, all that may be on the disk is built:
 *
 *   data    Of a file not synced, each block of 4 KiB has, independently of the
 *           others, any content it has had since the last sync, or garbage; the
 *           file ends at any length it has had, or at any bound of blocks below
 *           that. A sync that failed secures nothing, nor does one after it:
 * the kernel may have dropped the pages. names   Of a directory not synced,
 * each name stands, independently of the others, for any file that it has stood
 * for since. That is every subset and every order of creations, renames and
 * removals, and half a rename too. removed A file that has no name any more,
 * but whose removal is not on the disk, is whole, empty, or garbage.
 *
 * A file system does less; none does more. Each distinct state is recovered
 * once: opened, swept, loaded, saved to and loaded again. One in some is also
 * put into a real directory, to see that it comes to the same.
 *
 * What must come out: the content of the save that was last reported as done,
 * or of one begun since and not reported as failed; never a mixture, never an
 * error, never a damaged file passed over. And each generation that was kept
 * when a save was reported, and is when the next one is, is whole between them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "posix.h"
#include "tap.h"
#include "vfs_memory.h"
#include "vfs_record.h"

#define DISK_BLOCK 4096
#define FILES_MAX RECORD_FILES_MAX
#define VALUES_MAX 8
#define N_CONTENT 8
#define LATER 6 /* the contents from here on are for after the first cut */
#define GARBAGE 0xa5
#define ON_REAL_DISK 256 /* one distinct state in so many */

/* Outcomes of a recovery beside the index of a content. */
enum {
  MIXTURE = -1,
  FAILED = -2,
  NOTHING = -3,
  PASSED_OVER = -4,
  NOT_SWEPT = -5,
  STUCK = -6
};

static const char *outcome_name(int outcome) {
  static const char *const names[] = {
      "a mixture",       "an error",
      "nothing",         "a damaged file passed over",
      "files not swept", "no save possible",
  };
  static char out[40];
  if (outcome < 0) {
    return names[-outcome - 1];
  }
  snprintf(out, sizeof out, "content %d", outcome);
  return out;
}

enum { MARK_BEGIN, MARK_DONE, MARK_FAILED, MARK_UNSURE };

/* The generations that were kept when the save before mark number i was
 * reported: a bit for each of those that a save was reported as done of. */
#define REPORTS_MAX 16
static unsigned reported[REPORTS_MAX];
static int n_reported;

static tensors
    content[N_CONTENT + 1]; /* the last: what recovery goes on with */

/* ---- Memory and hashes --------------------------------------------------- */

static void *get(size_t n) {
  void *memory = calloc(1, n > 0 ? n : 1);
  if (memory == NULL) {
    perror("test_powercut");
    exit(2);
  }
  return memory;
}

static uint64_t mix(uint64_t x) {
  x ^= x >> 30;
  x *= UINT64_C(0xbf58476d1ce4e5b9);
  x ^= x >> 27;
  x *= UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}

static uint64_t hash_bytes(const void *data, size_t n) {
  const uint8_t *at = data;
  uint64_t h = mix(n + 1);
  for (; n >= 8; n -= 8, at += 8) {
    uint64_t word;
    memcpy(&word, at, 8);
    h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    h ^= h >> 29;
  }
  for (; n > 0; n--, at++) {
    h = mix(h ^ *at);
  }
  return mix(h);
}

/* ---- What one file may hold ---------------------------------------------- */

typedef struct bytes {
  uint8_t *data;
  size_t size;
  uint64_t hash;
} bytes;

typedef struct file_model {
  bytes *past; /* [0] is on the disk for sure; then all it was since */
  size_t n_past;
  bool dropped; /* a sync has failed */
  int names;
  /* What may be found, computed from the above where `stale` */
  bool stale;
  bytes *found;
  size_t n_found;
} file_model;

static void file_forget(file_model *file) {
  for (size_t i = 0; i < file->n_found; i++) {
    free(file->found[i].data);
  }
  free(file->found);
  file->found = NULL;
  file->n_found = 0;
  file->stale = true;
}

static void file_past_clear(file_model *file) {
  for (size_t i = 0; i < file->n_past; i++) {
    free(file->past[i].data);
  }
  file->n_past = 0;
}

/* A new state of the file: `size` bytes, of which `n` at `offset` are new. */
static void file_change(file_model *file, size_t size, size_t offset,
                        const uint8_t *data, size_t n) {
  bytes now = {get(size), size, 0};
  if (file->n_past > 0) {
    const bytes *last = &file->past[file->n_past - 1];
    if (last->size > 0) {
      memcpy(now.data, last->data, last->size);
    }
  }
  if (n > 0) {
    memcpy(now.data + offset, data, n);
  }
  file->past = realloc(file->past, (file->n_past + 1) * sizeof *file->past);
  file->past[file->n_past++] = now;
  file_forget(file);
}

static void file_synced(file_model *file) {
  bytes last;
  if (file->dropped) {
    return;
  }
  last = file->past[--file->n_past];
  file_past_clear(file);
  file->past[file->n_past++] = last;
  file_forget(file);
}

static void found_add(file_model *file, const uint8_t *data, size_t size) {
  uint64_t hash = hash_bytes(data, size);
  for (size_t i = 0; i < file->n_found; i++) {
    if (file->found[i].hash == hash) {
      return;
    }
  }
  file->found = realloc(file->found, (file->n_found + 1) * sizeof(bytes));
  file->found[file->n_found].data = get(size);
  memcpy(file->found[file->n_found].data, data, size);
  file->found[file->n_found].size = size;
  file->found[file->n_found].hash = hash;
  file->n_found++;
}

/* Block `i` of what the file was, zeros behind its end. */
static void block_get(uint8_t out[DISK_BLOCK], const bytes *whole, size_t i) {
  size_t from = i * DISK_BLOCK;
  size_t n = whole->size > from ? whole->size - from : 0;
  n = n < DISK_BLOCK ? n : DISK_BLOCK;
  memset(out, 0, DISK_BLOCK);
  if (n > 0) {
    memcpy(out, whole->data + from, n);
  }
}

typedef struct blocks {
  uint8_t (*versions)[DISK_BLOCK];
  size_t n;
} blocks;

static void blocks_add(blocks *to, const uint8_t block[DISK_BLOCK]) {
  for (size_t i = 0; i < to->n; i++) {
    if (memcmp(to->versions[i], block, DISK_BLOCK) == 0) {
      return;
    }
  }
  memcpy(to->versions[to->n++], block, DISK_BLOCK);
}

/* All ways to fill the file's blocks from `i` on. */
static void fill(file_model *file, const blocks *choice, uint8_t *data,
                 size_t size, size_t i) {
  if (i * DISK_BLOCK >= size) {
    found_add(file, data, size);
    return;
  }
  for (size_t k = 0; k < choice[i].n; k++) {
    memcpy(data + i * DISK_BLOCK, choice[i].versions[k], DISK_BLOCK);
    fill(file, choice, data, size, i + 1);
  }
}

static bool had_size(const file_model *file, size_t size) {
  for (size_t i = 0; i < file->n_past; i++) {
    if (file->past[i].size == size) {
      return true;
    }
  }
  return false;
}

static void file_find(file_model *file) {
  size_t most = 0;
  size_t n_blocks;
  blocks *choice;
  uint8_t *data;
  uint8_t block[DISK_BLOCK];
  if (!file->stale) {
    return;
  }
  file_forget(file);
  for (size_t i = 0; i < file->n_past; i++) {
    most = file->past[i].size > most ? file->past[i].size : most;
  }
  n_blocks = (most + DISK_BLOCK - 1) / DISK_BLOCK;
  choice = get(n_blocks * sizeof *choice);
  data = get(n_blocks * DISK_BLOCK);
  for (size_t b = 0; b < n_blocks; b++) {
    choice[b].versions = get((file->n_past + 1) * DISK_BLOCK);
    for (size_t i = 0; i < file->n_past; i++) {
      block_get(block, &file->past[i], b);
      blocks_add(&choice[b], block);
    }
    if (choice[b].n > 1) {
      memset(block, GARBAGE, sizeof block);
      blocks_add(&choice[b], block);
    }
  }
  for (size_t size = 0; size <= most; size++) {
    if (had_size(file, size) || (size % DISK_BLOCK == 0 && file->n_past > 1)) {
      fill(file, choice, data, size, 0);
    }
  }
  if (file->names == 0) {
    memset(block, GARBAGE, sizeof block);
    found_add(file, block, 0);
    found_add(file, block, sizeof block);
  }
  for (size_t b = 0; b < n_blocks; b++) {
    free(choice[b].versions);
  }
  free(choice);
  free(data);
  file->stale = false;
}

/* ---- What a directory may hold ------------------------------------------- */

typedef struct name_model {
  char text[CK_NAME_CAP];
  uint64_t hash;
  int values[VALUES_MAX]; /* files, -1 for none; [0] is on the disk for sure */
  int n;
} name_model;

typedef struct disk {
  file_model files[FILES_MAX];
  name_model names[FILES_MAX];
  int n_names;
  bool parent_synced;
} disk;

static void name_set(disk *d, const char *text, int file) {
  name_model *name = NULL;
  for (int i = 0; i < d->n_names && name == NULL; i++) {
    name = strcmp(d->names[i].text, text) == 0 ? &d->names[i] : NULL;
  }
  if (name == NULL) {
    name = &d->names[d->n_names++];
    strcpy(name->text, text);
    name->hash = hash_bytes(text, strlen(text));
    name->values[0] = -1;
    name->n = 1;
  }
  if (name->n == VALUES_MAX) {
    fprintf(stderr, "a name had too many files\n");
    exit(2);
  }
  name->values[name->n++] = file;
}

static void names_synced(disk *d) {
  for (int i = 0; i < d->n_names; i++) {
    name_model *name = &d->names[i];
    name->values[0] = name->values[name->n - 1];
    name->n = 1;
  }
}

static void disk_clear(disk *d) {
  for (int i = 0; i < FILES_MAX; i++) {
    file_forget(&d->files[i]);
    file_past_clear(&d->files[i]);
    free(d->files[i].past);
  }
  memset(d, 0, sizeof *d);
}

/* The names or the end of a file have changed. */
static void renamed(disk *d, int file, int more) {
  d->files[file].names += more;
  file_forget(&d->files[file]);
}

static void disk_apply(disk *d, const record_event *event) {
  file_model *file = event->file < 0 ? NULL : &d->files[event->file];
  switch (event->kind) {
  case RECORD_CREATE:
    file_change(file, 0, 0, NULL, 0);
    name_set(d, event->name, event->file);
    renamed(d, event->file, 1);
    break;
  case RECORD_RESERVE:
  case RECORD_WRITE: {
    size_t end = (size_t)(event->offset + event->length);
    size_t size = file->past[file->n_past - 1].size;
    file_change(file, end > size ? end : size, (size_t)event->offset,
                event->data, event->data == NULL ? 0 : (size_t)event->length);
    break;
  }
  case RECORD_SYNC:
    file->dropped = file->dropped || event->failed;
    file_synced(file);
    break;
  case RECORD_RENAME:
    name_set(d, event->name, -1);
    name_set(d, event->other, event->file);
    break;
  case RECORD_UNLINK:
    name_set(d, event->name, -1);
    renamed(d, event->file, -1);
    break;
  case RECORD_SYNC_DIR:
    names_synced(d);
    break;
  case RECORD_SYNC_PARENT:
    d->parent_synced = true;
    break;
  case RECORD_CLOSE:
  case RECORD_MARK:
    break;
  }
}

/* ---- One state, recovered ------------------------------------------------ */

typedef struct state {
  const char *names[FILES_MAX];
  const bytes *files[FILES_MAX];
  int n;
  uint64_t hash;
} state;

static int content_of(const ck_checkpoint *loaded) {
  for (int i = 0; i <= N_CONTENT; i++) {
    if (loaded->image.layout.data_len == content[i].total &&
        memcmp(loaded->image.data.data, content[i].bytes,
               (size_t)content[i].total) == 0) {
      return i;
    }
  }
  return MIXTURE;
}

static int load(ck_store *store) {
  ck_checkpoint loaded = {0};
  ck_error err;
  int outcome = FAILED;
  if (ck_store_find(store, CK_READ_LOAD, &loaded, &err) == CK_OK) {
    outcome = loaded.found ? content_of(&loaded) : NOTHING;
    if (loaded.skipped.n != 0) {
      outcome = PASSED_OVER;
    }
  }
  ck_checkpoint_clear(&loaded);
  return outcome;
}

/* Files of one kind that can be told from somebody else's. What is empty under
 * a committed name, or garbage from its first byte on, cannot, and so stays
 * whatever it is called (I7). */
static size_t count_ours(const memory_vfs *memory, ck_name_kind kind) {
  size_t n = 0;
  for (size_t i = 0; i < memory->n; i++) {
    const memory_inode *file = memory->names[i].inode;
    n += ck_name_parse(memory->names[i].text).kind == kind &&
         (file->size == 0 ? kind == CK_NAME_TEMP : file->data[0] != GARBAGE);
  }
  return n;
}

static void state_put(memory_vfs *memory, const state *s) {
  for (int i = 0; i < s->n; i++) {
    memory_put(memory, s->names[i], s->files[i]->data, s->files[i]->size);
  }
}

/* A bit for each generation that is there, whole. */
static unsigned whole_generations(memory_vfs *memory) {
  unsigned found = 0;
  for (size_t i = 0; i < memory->n; i++) {
    ck_name name = ck_name_parse(memory->names[i].text);
    ck_image image;
    ck_error err;
    if (name.kind == CK_NAME_COMMITTED && name.generation < 32 &&
        ck_checkpoint_read(&memory->vfs, memory->names[i].text, CK_READ_VERIFY,
                           &image, &err) == CK_OK) {
      found |= 1u << name.generation;
      ck_image_release(&image);
    }
  }
  return found;
}

static int recover(const state *s, unsigned *whole) {
  memory_vfs memory;
  ck_store *store;
  ck_error err;
  int outcome = FAILED;
  memory_init(&memory);
  state_put(&memory, s);
  *whole = whole_generations(&memory);
  if (ck_store_open(&store, &memory.vfs, "d", 1, &err) == CK_OK) {
    outcome = load(store);
    if (outcome >= 0 || outcome == NOTHING) {
      if (count_ours(&memory, CK_NAME_TEMP) != 0) {
        outcome = NOT_SWEPT;
      } else if (tensors_save(store, &content[N_CONTENT], NULL, &err) !=
                     CK_OK ||
                 load(store) != N_CONTENT ||
                 count_ours(&memory, CK_NAME_COMMITTED) != 1) {
        outcome = STUCK;
      }
    }
    ck_store_close(store);
  }
  memory_clear(&memory);
  return outcome;
}

static int recover_for_real(const state *s) {
  static const char *dir;
  dir = dir == NULL ? fixture_dir() : dir;
  fixture_clear(dir);
  for (int i = 0; i < s->n; i++) {
    file_put(at(dir, s->names[i]), s->files[i]->data, s->files[i]->size);
  }
  return fixture_load(dir, content, N_CONTENT);
}

/* ---- All states of a record ---------------------------------------------- */

/* Which contents may come out at this point. */
typedef struct promise {
  int done;       /* last reported as done, or NOTHING */
  unsigned begun; /* a bit for each that was begun since */
  int n_reported; /* saves that were reported, however they went */
} promise;

static void promise_update(promise *p, const record_event *event) {
  if (event->mark == MARK_BEGIN) {
    p->begun |= 1u << event->value;
  } else if (event->mark == MARK_FAILED) {
    p->begun &= ~(1u << event->value);
  } else if (event->mark == MARK_DONE) {
    p->done = event->value;
    p->begun = 0;
  }
  p->n_reported += event->mark != MARK_BEGIN;
}

/* The generations that must be there: a bit for each. */
static unsigned keeps_whole(const promise *p) {
  unsigned now = p->n_reported > 0 ? reported[p->n_reported - 1] : 0;
  return p->n_reported < n_reported ? now & reported[p->n_reported] : now;
}

static bool keeps(const promise *p, int outcome) {
  return outcome == p->done ||
         (outcome >= 0 && outcome < N_CONTENT && (p->begun >> outcome & 1));
}

typedef struct known {
  uint64_t hash;
  int outcome;
  unsigned whole;
  bool used;
} known;

typedef struct walk {
  disk disk;
  promise promise;
  size_t point;
  known *table;
  size_t n_known, space;
  int chosen[FILES_MAX]; /* which of what may be found; -1: not chosen yet */
  state state;
  uint64_t n_states, n_bad, n_lost, n_real, n_real_bad;
  unsigned outcomes; /* a bit for each outcome seen, NOTHING's at N_CONTENT */
  char first_bad[1000];
  /* Where not NULL: one state for each set of names and sizes is kept. */
  struct seeds *seeds;
} walk;

typedef struct seeds {
  state *items;
  int *outcomes;
  uint64_t *keys;
  size_t n;
} seeds;

static void seeds_add(seeds *to, const state *s, int outcome) {
  uint64_t key = 0;
  for (int i = 0; i < s->n; i++) {
    /* The names of temporary files are random: only that there is one. */
    bool temp = ck_name_parse(s->names[i]).kind == CK_NAME_TEMP;
    key += mix(temp ? 7 : hash_bytes(s->names[i], strlen(s->names[i]))) *
           (s->files[i]->size + 1);
  }
  for (size_t i = 0; i < to->n; i++) {
    if (to->keys[i] == key) {
      return;
    }
  }
  to->items = realloc(to->items, (to->n + 1) * sizeof *to->items);
  to->outcomes = realloc(to->outcomes, (to->n + 1) * sizeof *to->outcomes);
  to->keys = realloc(to->keys, (to->n + 1) * sizeof *to->keys);
  to->items[to->n] = *s;
  for (int i = 0; i < s->n; i++) {
    char *name = get(CK_NAME_CAP);
    bytes *copy = get(sizeof *copy);
    strcpy(name, s->names[i]);
    *copy = *s->files[i];
    copy->data = get(copy->size);
    memcpy(copy->data, s->files[i]->data, copy->size);
    to->items[to->n].names[i] = name;
    to->items[to->n].files[i] = copy;
  }
  to->outcomes[to->n] = outcome;
  to->keys[to->n] = key;
  to->n++;
}

static void seeds_clear(seeds *all) {
  for (size_t i = 0; i < all->n; i++) {
    for (int k = 0; k < all->items[i].n; k++) {
      free((char *)(uintptr_t)all->items[i].names[k]);
      free(all->items[i].files[k]->data);
      free((bytes *)(uintptr_t)all->items[i].files[k]);
    }
  }
  free(all->items);
  free(all->outcomes);
  free(all->keys);
  memset(all, 0, sizeof *all);
}

static known *known_find(walk *w, uint64_t hash) {
  size_t i = (size_t)hash & (w->space - 1);
  while (w->table[i].used && w->table[i].hash != hash) {
    i = (i + 1) & (w->space - 1);
  }
  return &w->table[i];
}

static void known_grow(walk *w) {
  known *old = w->table;
  size_t n = w->space;
  w->space = n == 0 ? 4096 : 4 * n;
  w->table = get(w->space * sizeof *w->table);
  for (size_t i = 0; i < n; i++) {
    if (old[i].used) {
      *known_find(w, old[i].hash) = old[i];
    }
  }
  free(old);
}

static const known *outcome_of(walk *w, const state *s) {
  known *slot;
  if (w->n_known * 2 >= w->space) {
    known_grow(w);
  }
  slot = known_find(w, s->hash);
  if (!slot->used) {
    slot->used = true;
    slot->hash = s->hash;
    slot->outcome = recover(s, &slot->whole);
    w->n_known++;
    if (w->n_known % ON_REAL_DISK == 0 && slot->outcome >= NOTHING) {
      w->n_real++;
      w->n_real_bad += recover_for_real(s) != slot->outcome;
    }
    if (w->seeds != NULL) {
      seeds_add(w->seeds, s, slot->outcome);
    }
  }
  return slot;
}

static void state_check(walk *w) {
  const known *found = outcome_of(w, &w->state);
  int outcome = found->outcome;
  w->n_lost += (keeps_whole(&w->promise) & ~found->whole) != 0;
  w->n_states++;
  w->outcomes |= 1u << (outcome >= 0 ? outcome : N_CONTENT);
  if (!keeps(&w->promise, outcome)) {
    if (w->n_bad++ == 0) {
      int n = snprintf(w->first_bad, sizeof w->first_bad,
                       "point %zu: %s, where %s was reported:", w->point,
                       outcome_name(outcome),
                       w->promise.done == NOTHING ? "nothing" : "a save");
      for (int i = 0; i < w->state.n && n < 900; i++) {
        n += snprintf(w->first_bad + n, sizeof w->first_bad - (size_t)n,
                      " %s (%zu bytes)", w->state.names[i],
                      w->state.files[i]->size);
      }
    }
  }
}

static void name_choose(walk *w, int i);

/* Give name `i` the file, in each form in which that may be found. */
static void file_choose(walk *w, int i, int value) {
  file_model *file = &w->disk.files[value];
  bool first = w->chosen[value] < 0;
  size_t from = first ? 0 : (size_t)w->chosen[value];
  size_t to;
  file_find(file);
  to = first ? file->n_found : from + 1;
  for (size_t k = from; k < to; k++) {
    uint64_t hash = mix(w->disk.names[i].hash ^ mix(file->found[k].hash));
    w->chosen[value] = (int)k;
    w->state.names[w->state.n] = w->disk.names[i].text;
    w->state.files[w->state.n] = &file->found[k];
    w->state.n++;
    w->state.hash += hash;
    name_choose(w, i + 1);
    w->state.hash -= hash;
    w->state.n--;
  }
  w->chosen[value] = first ? -1 : (int)from;
}

static void name_choose(walk *w, int i) {
  const name_model *name = &w->disk.names[i];
  if (i == w->disk.n_names) {
    state_check(w);
    return;
  }
  for (int k = 0; k < name->n; k++) {
    bool again = false;
    for (int j = 0; j < k; j++) {
      again = again || name->values[j] == name->values[k];
    }
    if (again) {
      continue;
    }
    if (name->values[k] < 0) {
      name_choose(w, i + 1);
    } else {
      file_choose(w, i, name->values[k]);
    }
  }
}

static void record_walk(walk *w, const recorder *record) {
  for (int i = 0; i < FILES_MAX; i++) {
    w->chosen[i] = -1;
  }
  for (w->point = 0; w->point <= record->n; w->point++) {
    if (w->point > 0) {
      const record_event *event = &record->events[w->point - 1];
      if (event->kind == RECORD_MARK) {
        promise_update(&w->promise, event);
      }
      disk_apply(&w->disk, event);
    }
    name_choose(w, 0);
    if (!w->disk.parent_synced) {
      /* The directory itself is not there. */
      w->n_states++;
      if (!keeps(&w->promise, NOTHING) && w->n_bad++ == 0) {
        snprintf(w->first_bad, sizeof w->first_bad, "point %zu: no directory",
                 w->point);
      }
    }
  }
}

/* ---- A series of saves --------------------------------------------------- */

typedef struct series {
  /* 1, 2, 3: open, closing what was open, with so many generations to keep.
   * p: the same, with one and a policy. s: save. The others save too, but the first sync (y), write (w), close
   * (c), rename (r), sync of the directory (d) or removal (u) fails; k: from
   * the second write on nothing works any more, as if killed. */
  const char *steps;
  const char *name;
  uint64_t size;    /* of a content */
  size_t short_max; /* a write moves so many bytes at most; 0: all */
  bool no_reserve;
} series;

static void arm(ck_fault *fault, char step) {
  static const struct {
    char step;
    ck_fault_op op;
    int sys;
  } faults[] = {
      {'y', CK_OP_SYNC, EIO},     {'w', CK_OP_WRITE, ENOSPC},
      {'c', CK_OP_CLOSE, EIO},    {'r', CK_OP_RENAME, EIO},
      {'d', CK_OP_SYNC_DIR, EIO}, {'u', CK_OP_UNLINK, EACCES},
  };
  fault->n_ops = 0;
  fault->fail_at = 0;
  fault->persistent = false;
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    if (faults[i].step == step) {
      fault->only = faults[i].op;
      fault->fail_with = faults[i].sys;
      fault->fail_at = 1;
    }
  }
  if (step == 'k') {
    fault->only = CK_OP_ANY;
    fault->fail_with = EIO;
    fault->fail_at = 5; /* after list, create, reserve and one write */
    fault->persistent = true;
  }
}

static int reserve_unsupported(ck_vfs *vfs, ck_handle handle, uint64_t size) {
  (void)vfs;
  (void)handle;
  (void)size;
  return ENOTSUP;
}

/* What the save of each content counts as. */
static ck_mark mark_of(int i) {
  static const double values[] = {5, 3, 4, 2, 6, 7, 1, 8};
  ck_mark mark = {0, 60.0 * i, values[i], false};
  return mark;
}

/* Opens as the step says. `made`: the content of each generation, -1 where no
 * save of the series made it. */
static ck_status step_open(char step, ck_store **store, ck_vfs *vfs,
                           const char *dir, const int *made, ck_error *err) {
  static const ck_policy policy = {100, CK_BEST_LOWEST};
  unsigned keep = step == 'p' ? 1 : (unsigned)(step - '0');
  ck_mark marks[32];
  size_t n = 0;
  ck_status status = ck_store_open(store, vfs, dir, keep, err);
  for (uint64_t i = 0; i < 32; i++) {
    if (made[i] >= 0) {
      marks[n] = mark_of(made[i]);
      marks[n++].generation = i;
    }
  }
  if (status == CK_OK && step == 'p') {
    status = ck_store_keep(*store, &policy, marks, n, err);
  }
  return status;
}

/* Note which generations that `done` has a bit for are there after a save. */
static void kept_note(ck_vfs *vfs, const char *dir, unsigned done) {
  ck_listing listing = {0};
  ck_error err;
  unsigned there = 0;
  if (ck_directory_list(vfs, dir, &listing, &err) != CK_OK ||
      n_reported == REPORTS_MAX) {
    fprintf(stderr, "the kept ones cannot be noted\n");
    exit(2);
  }
  for (size_t i = 0; i < listing.n; i++) {
    if (listing.items[i].kind == CK_NAME_COMMITTED) {
      there |= 1u << listing.items[i].generation;
    }
  }
  reported[n_reported++] = there & done;
  ck_listing_clear(&listing);
}

/* Run the steps on `record`; whether each ended as it should. */
static bool steps_run(const series *s, recorder *record, const char *dir,
                      ck_fault *fault, int next) {
  ck_store *store = NULL;
  ck_commit commit = {0};
  ck_error err;
  int made[32];
  unsigned done = 0;
  bool right = true;
  memset(made, -1, sizeof made);
  n_reported = 0;
  for (const char *step = s->steps; *step != '\0'; step++) {
    ck_status status;
    ck_mark mark = mark_of(next);
    arm(fault, *step);
    if (strchr("123p", *step) != NULL) {
      ck_store_close(store);
      right =
          step_open(*step, &store, &record->vfs, dir, made, &err) == CK_OK &&
          right;
      continue;
    }
    if (store == NULL) {
      return false;
    }
    record_mark(record, MARK_BEGIN, next);
    ck_store_mark(store, mark.time, mark.value);
    status = tensors_save(store, &content[next], &commit, &err);
    if (status == CK_OK) {
      made[commit.generation] = next;
      done |= 1u << commit.generation;
    }
    kept_note(fault->inner, dir, done);
    record_mark(record,
                status == CK_OK               ? MARK_DONE
                : status == CK_ERR_DURABILITY ? MARK_UNSURE
                                              : MARK_FAILED,
                next);
    right = right && status == (*step == 's' || *step == 'u' ? CK_OK
                                : *step == 'd'               ? CK_ERR_DURABILITY
                                                             : CK_ERR_IO);
    next++;
  }
  ck_store_close(store);
  ck_commit_clear(&commit);
  return right;
}

static void contents_make(uint64_t size) {
  for (unsigned i = 0; i <= N_CONTENT; i++) {
    tensors_free(&content[i]);
    content[i] = tensors_one(size, i + 1);
  }
}

typedef struct totals {
  uint64_t points, states, distinct, real;
} totals;

static totals sum;

/* Everything about one series, from the state `start` (NULL: a new, empty
 * directory) that holds content `have`. Whether all was well. */
static bool series_walk(const series *s, const state *start, int have,
                        seeds *found, walk *w) {
  static recorder record;
  static memory_vfs memory;
  ck_fault fault;
  bool right;
  memset(w, 0, sizeof *w);
  memory_init(&memory);
  if (s->no_reserve) {
    memory.vfs.reserve = reserve_unsupported;
  }
  ck_fault_init(&fault, &memory.vfs);
  fault.short_max = s->short_max;
  record_init(&record, &fault.vfs);
  w->seeds = found;
  w->promise.done = have;
  w->disk.parent_synced = start != NULL;
  for (int i = 0; start != NULL && i < start->n; i++) {
    int file = record_adopt(&record, start->names[i]);
    file_change(&w->disk.files[file], start->files[i]->size, 0,
                start->files[i]->data, start->files[i]->size);
    name_set(&w->disk, start->names[i], file);
    renamed(&w->disk, file, 1);
  }
  names_synced(&w->disk);
  if (start != NULL) {
    state_put(&memory, start);
  }
  right = steps_run(s, &record, "d", &fault, start == NULL ? 0 : LATER);
  right = memory.n_open == 0 && right;
  record_walk(w, &record);
  sum.points += record.n + 1;
  sum.states += w->n_states;
  sum.distinct += w->n_known;
  sum.real += w->n_real;
  record_clear(&record);
  memory_clear(&memory);
  disk_clear(&w->disk);
  free(w->table);
  w->table = NULL;
  return right;
}

static void series_test(const series *s) {
  walk w;
  uint64_t points = sum.points;
  bool right;
  contents_make(s->size);
  right = series_walk(s, NULL, NOTHING, NULL, &w);
  note("%-8s %-38s %4llu points %8llu states %7zu distinct", s->steps, s->name,
       (unsigned long long)(sum.points - points),
       (unsigned long long)w.n_states, w.n_known);
  ok(right && w.n_states > 50, "%s: the saves end as they should", s->name);
  if (!ok(w.n_bad == 0,
          "I1 I2 I4: %s: the last save or the one under way, in "
          "each state",
          s->name)) {
    note("%llu bad; %s", (unsigned long long)w.n_bad, w.first_bad);
  }
  ok(w.n_lost == 0, "I1: ... and each that was kept throughout is whole");
  ok(w.n_real_bad == 0, "... on a real disk as well");
}

/* The states that a cut leaves are where another series begins, and is cut. */
static void cut_twice(const series *s, const series *then) {
  walk w;
  seeds found = {0};
  uint64_t states = sum.states;
  uint64_t distinct = sum.distinct;
  uint64_t bad = 0;
  bool right;
  contents_make(s->size);
  right = series_walk(s, NULL, NOTHING, &found, &w);
  for (size_t i = 0; i < found.n; i++) {
    right = series_walk(then, &found.items[i], found.outcomes[i], NULL, &w) &&
            right;
    if (w.n_bad > 0 && bad == 0) {
      note("%s", w.first_bad);
    }
    bad += w.n_bad + w.n_lost + w.n_real_bad;
  }
  note("%s, cut, %s: from %zu kinds of states %llu states %llu distinct",
       s->steps, then->steps, found.n,
       (unsigned long long)(sum.states - states),
       (unsigned long long)(sum.distinct - distinct));
  ok(right && found.n > 5 && bad == 0,
     "I1 I2: %s, cut, opened, saved to, cut: as after one cut", s->name);
  seeds_clear(&found);
}

/* What is recorded in memory is what is done on a disk. */
static void same_on_disk(void) {
  static recorder records[2];
  static memory_vfs memory;
  const char *dir = fixture_dir();
  const series s = {"2ssys3spss1s", "", 9000, 0, false};
  char *texts[2];
  contents_make(s.size);
  memory_init(&memory);
  for (int i = 0; i < 2; i++) {
    ck_fault fault;
    ck_fault_init(&fault, i == 0 ? &memory.vfs : ck_vfs_system());
    record_init(&records[i], &fault.vfs);
    ok(steps_run(&s, &records[i], dir, &fault, 0), "a series on %s",
       i == 0 ? "memory" : "disk");
    texts[i] = record_text(&records[i], 0);
  }
  if (HAS_POSIX) {
    ok(strlen(texts[0]) > 500 && strcmp(texts[0], texts[1]) == 0,
       "the same operations are asked of memory and of a disk");
  } else {
    skip("the same operations are asked of memory and of a disk",
         "a disk refuses some here that memory does not");
  }
  for (int i = 0; i < 2; i++) {
    free(texts[i]);
    record_clear(&records[i]);
  }
  memory_clear(&memory);
}

int main(void) {
  static const series all[] = {
      {"1s", "the first save", 9000, 0, false},
      {"1ss", "the second", 9000, 0, false},
      {"1sss", "the third, keep 1", 9000, 0, false},
      {"2ssss", "four, keep 2", 9000, 0, false},
      {"1s1ss", "opened again", 9000, 0, false},
      {"2ss1ss", "keep 2, opened again with keep 1", 9000, 0, false},
      {"1sys", "a file's sync fails", 9000, 0, false},
      {"2sysys", "two of those, keep 2", 9000, 0, false},
      {"1sws", "a write fails", 9000, 0, false},
      {"1scs", "a close fails", 9000, 0, false},
      {"1srs", "a rename fails", 9000, 0, false},
      {"1sds", "a directory's sync fails", 9000, 0, false},
      {"2sdd1s", "two of those, opened again", 9000, 0, false},
      {"1suus", "removals fail", 9000, 0, false},
      {"1sk1s", "killed while writing, opened again", 9000, 0, false},
      {"2skk2s1s", "killed twice", 9000, 0, false},
      {"1ss", "short writes", 6000, 1500, false},
      {"1ss", "no space is reserved", 9000, 0, true},
      {"1ss", "six blocks", 21000, 0, false},
      {"2sss", "one block", 100, 0, false},
      {"3sssss", "five, keep 3", 9000, 0, false},
      {"3ssyds1s", "failures, keep 3", 9000, 0, false},
      {"psssss", "five, a policy", 9000, 0, false},
      {"psspsss", "a policy, opened again", 9000, 0, false},
      {"pssyuds", "failures, a policy", 9000, 0, false},
      {"3sssps1s", "keep 3, a policy, keep 1", 9000, 0, false},
      {"psskpss", "killed while writing, a policy", 9000, 0, false},
  };
  static const series then[] = {
      {"1ss", "", 9000, 0, false},
      {"2s", "", 9000, 0, false},
      {"ps", "", 9000, 0, false},
  };
  same_on_disk();
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    series_test(&all[i]);
  }
  cut_twice(&all[1], &then[0]);
  cut_twice(&all[3], &then[1]);
  cut_twice(&all[14], &then[1]);
  cut_twice(&all[22], &then[2]);
  note("%llu points, %llu states, %llu of them distinct and recovered, %llu "
       "of those on a real disk too",
       (unsigned long long)sum.points, (unsigned long long)sum.states,
       (unsigned long long)sum.distinct, (unsigned long long)sum.real);
  for (int i = 0; i <= N_CONTENT; i++) {
    tensors_free(&content[i]);
  }
  fixture_end();
  return done();
}
