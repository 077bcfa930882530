/* What a policy keeps beside the newest generations: the pure functions, and
 * the store that rotates by them. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "tap.h"

/* "1 4": the generations of the marks that are kept. Static. */
static const char *kept(const ck_mark *marks, size_t n) {
  static char out[200];
  out[0] = '\0';
  for (size_t i = 0; i < n; i++) {
    if (marks[i].kept) {
      snprintf(out + strlen(out), sizeof out - strlen(out), "%s%d",
               out[0] == '\0' ? "" : " ", (int)marks[i].generation);
    }
  }
  return out;
}

/* Generations 1 to `n`; the policy's result must not depend on `kept` before. */
static const char *applied(ck_policy policy, const double *times,
                           const double *values, size_t n) {
  ck_mark marks[10];
  for (size_t i = 0; i < n; i++) {
    marks[i].generation = i + 1;
    marks[i].time = times == NULL ? (double)i : times[i];
    marks[i].value = values == NULL ? NAN : values[i];
    marks[i].kept = i % 2 == 0;
  }
  ck_policy_apply(&policy, marks, n);
  return kept(marks, n);
}

static void every(void) {
  const ck_policy ten = {10, CK_BEST_NONE};
  const double times[] = {3, 12, 13, 14, 22.5, 23, 99};
  const double back[] = {100, 99, 95, 90, 95, 81, 80};
  const double unknown[] = {NAN, 3, NAN, 12, 13};
  ok(strcmp(applied((ck_policy){0}, times, times, 7), "") == 0,
     "no policy keeps nothing");
  ok(ck_policy_is_set(&ten) && !ck_policy_is_set(&(ck_policy){0}) &&
         ck_policy_is_set(&(ck_policy){0, CK_BEST_HIGHEST}),
     "either rule is a policy");
  ok(strcmp(applied(ten, times, NULL, 7), "1 3 6 7") == 0,
     "every: the oldest, and each that is so far from the one kept before");
  ok(strcmp(applied(ten, back, NULL, 7), "1 4 7") == 0,
     "every: a clock that was set back counts in both directions");
  ok(strcmp(applied(ten, unknown, NULL, 5), "2 5") == 0,
     "every: what has no time does not count");
  ok(strcmp(applied(ten, NULL, NULL, 0), "") == 0, "every: nothing is there");
}

static void best(void) {
  const ck_policy low = {0, CK_BEST_LOWEST};
  const ck_policy high = {0, CK_BEST_HIGHEST};
  const double values[] = {NAN, 2, 1, 1, 3, 3, INFINITY, -INFINITY};
  const double none[] = {NAN, NAN};
  ok(strcmp(applied(low, NULL, values, 7), "3") == 0,
     "best: the lowest, and of equal ones the oldest");
  ok(strcmp(applied(high, NULL, values, 6), "5") == 0,
     "best: the highest, and of equal ones the oldest");
  ok(strcmp(applied(high, NULL, values, 8), "7") == 0 &&
         strcmp(applied(low, NULL, values, 8), "8") == 0,
     "best: infinite values count");
  ok(strcmp(applied(low, NULL, none, 2), "") == 0,
     "best: what has no value does not count");
  ok(strcmp(applied((ck_policy){3, CK_BEST_LOWEST}, NULL, values, 6),
            "1 3 4") == 0,
     "every and best: what either keeps");
}

/* What is kept for its time stays so when the others are gone. */
static void stable(void) {
  uint64_t random = 88172645463325252u;
  int bad = 0;
  for (int round = 0; round < 2000; round++) {
    const ck_policy policy = {10, CK_BEST_LOWEST};
    ck_mark all[12];
    ck_mark left[12];
    size_t n_left = 0;
    for (size_t i = 0; i < 12; i++) {
      random ^= random << 13;
      random ^= random >> 7;
      random ^= random << 17;
      all[i].generation = i + 1;
      all[i].time = (double)(random % 40);
      all[i].value = (double)(random / 64 % 5);
      ck_policy_apply(&policy, all, i + 1);
      left[n_left++] = all[i];
      ck_policy_apply(&policy, left, n_left);
      /* Of what was left, those go that are not kept now, but the newest. */
      for (size_t k = n_left; k-- > 0;) {
        if (!left[k].kept && k + 1 < n_left) {
          memmove(left + k, left + k + 1, (n_left - k - 1) * sizeof *left);
          n_left--;
        }
      }
    }
    for (size_t i = 0; i + 1 < 12; i++) {
      bool there = false;
      for (size_t k = 0; k < n_left; k++) {
        there = there || left[k].generation == all[i].generation;
      }
      bad += all[i].kept != there;
    }
  }
  ok(bad == 0, "rotated save by save, what is left is what the policy keeps "
               "of all that were ever saved");
}

/* ---- The store ------------------------------------------------------------ */

static tensors one;

static ck_store *open_store(ck_vfs *vfs, const char *dir, unsigned last,
                            ck_policy policy, const ck_mark *marks, size_t n) {
  ck_store *store;
  ck_error err;
  if (ck_store_open(&store, vfs, dir, last, &err) != CK_OK ||
      ck_store_keep(store, &policy, marks, n, &err) != CK_OK) {
    fprintf(stderr, "cannot open: %s\n", err.message);
    exit(2);
  }
  return store;
}

static ck_status save(ck_store *store, double time, double value) {
  ck_error err;
  ck_store_mark(store, time, value);
  return tensors_save(store, &one, NULL, &err);
}

static void last(void) {
  const char *dir = fixture_dir();
  ck_store *store =
      open_store(ck_vfs_system(), dir, 3, (ck_policy){0}, NULL, 0);
  for (int i = 0; i < 5; i++) {
    (void)save(store, i, i);
  }
  ok(strcmp(generations(dir), "3 4 5") == 0, "keep = 3 keeps three");
  ck_store_close(store);
  store = open_store(ck_vfs_system(), dir, 100, (ck_policy){0}, NULL, 0);
  (void)save(store, 0, 0);
  (void)save(store, 0, 0);
  ok(strcmp(generations(dir), "3 4 5 6 7") == 0, "keep = 100 keeps all");
  file_put(at_generation(dir, 6), "not ours", 8);
  ck_store_close(store);
  store = open_store(ck_vfs_system(), dir, 3, (ck_policy){0}, NULL, 0);
  (void)save(store, 0, 0);
  ok(strcmp(generations(dir), "5 6 7 8") == 0,
     "I7: a file that is not ours is none of the three, and stays");
  ck_store_close(store);
}

static void rotation(void) {
  const char *dir = fixture_dir();
  const ck_policy policy = {10, CK_BEST_LOWEST};
  const ck_mark marks[] = {
      {5, 24, 7, false}, {1, 0, 5, false}, {3, 12, 4, false}};
  ck_store *store = open_store(ck_vfs_system(), dir, 1, policy, NULL, 0);
  (void)save(store, 0, 5);
  (void)save(store, 6, 3);
  ok(strcmp(generations(dir), "1 2") == 0,
     "a policy keeps the first one and the best");
  (void)save(store, 12, 4);
  ok(strcmp(generations(dir), "1 2 3") == 0,
     "... the next one in time, beside the best");
  (void)save(store, 18, 2);
  ok(strcmp(generations(dir), "1 3 4") == 0,
     "... and no longer what was the best");
  (void)save(store, 24, 7);
  ok(strcmp(generations(dir), "1 3 4 5") == 0, "the newest is kept always");
  (void)save(store, NAN, NAN);
  (void)save(store, 25, NAN);
  ok(strcmp(generations(dir), "1 3 4 5 7") == 0,
     "what has neither time nor value goes when it is not the newest");
  ck_store_close(store);

  store = open_store(ck_vfs_system(), dir, 1, policy, marks, 3);
  (void)save(store, 26, NAN);
  ok(strcmp(generations(dir), "1 3 4 5 7 8") == 0,
     "opened again: by the marks, in any order; what has none stays");
  (void)tensors_save(store, &one, NULL, &(ck_error){0});
  ok(strcmp(generations(dir), "1 3 4 5 7 9") == 0,
     "a mark is that of one save only");
  ck_store_close(store);

  store = open_store(ck_vfs_system(), dir, 2, (ck_policy){0, CK_BEST_HIGHEST},
                     marks, 3);
  remove(at_generation(dir, 5));
  (void)save(store, 30, 1);
  ok(strcmp(generations(dir), "1 4 7 9 10") == 0,
     "another policy: by its own rules, and what has gone does not count");
  ck_store_close(store);
  store = open_store(ck_vfs_system(), dir, 1, (ck_policy){0}, NULL, 0);
  (void)save(store, 40, 1);
  ok(strcmp(generations(dir), "11") == 0, "without a policy: the newest");
  ck_store_close(store);
}

/* A policy keeps no checkpoint that did not verify, and none is worse than it. */
static void damaged(void) {
  const char *dir = fixture_dir();
  const ck_policy policy = {0, CK_BEST_LOWEST};
  const ck_mark marks[] = {
      {1, 0, 3, false}, {2, 0, 1, false}, {3, 0, 2, false}};
  ck_store *store =
      open_store(ck_vfs_system(), dir, 3, (ck_policy){0}, NULL, 0);
  ck_checkpoint loaded = {0};
  ck_error err;
  for (int i = 0; i < 3; i++) {
    (void)save(store, 0, 0);
  }
  ck_store_close(store);
  file_flip(at_generation(dir, 2), 8 * 250);
  file_flip(at_generation(dir, 3), 8 * 250);
  store = open_store(ck_vfs_system(), dir, 1, policy, marks, 3);
  ok(ck_store_find(store, CK_READ_LOAD, &loaded, &err) == CK_OK &&
         loaded.image.generation == 1 && loaded.skipped.n == 2,
     "I5: a restore falls back through all that are kept");
  ck_checkpoint_clear(&loaded);
  (void)save(store, 12, 4);
  ok(strcmp(generations(dir), "1 4") == 0,
     "what did not verify is kept by no rule, and the best is another one");
  ck_store_close(store);
}

static void failures(void) {
  const char *dir = fixture_dir();
  const ck_policy policy = {0, CK_BEST_LOWEST};
  ck_fault fault;
  ck_store *store;
  ck_fault_init(&fault, ck_vfs_system());
  store = open_store(&fault.vfs, dir, 1, policy, NULL, 0);
  (void)save(store, 0, 2);
  fault.only = CK_OP_SYNC;
  fault.n_ops = 0;
  fault.fail_at = 1;
  fault.fail_with = EIO;
  ok(save(store, 1, 1) == CK_ERR_IO && strcmp(generations(dir), "1") == 0,
     "I4: a save that failed removes nothing");
  (void)tensors_save(store, &one, NULL, &(ck_error){0});
  (void)save(store, 3, 4);
  ok(strcmp(generations(dir), "1 3") == 0,
     "... and its value is not that of the next one");
  fault.only = CK_OP_SYNC_DIR;
  fault.n_ops = 0;
  fault.fail_at = 1;
  ok(save(store, 4, 0) == CK_ERR_DURABILITY &&
         strncmp(generations(dir), "1 3 4", 5) == 0,
     "I1: for one that may not survive a power cut, none goes");
  (void)save(store, 5, 5);
  ok(strcmp(generations(dir), "1 5") == 0,
     "... and it does not count as the best");
  ck_store_close(store);
}

int main(void) {
  one = tensors_one(100, 1);
  every();
  best();
  stable();
  last();
  rotation();
  damaged();
  failures();
  tensors_free(&one);
  fixture_end();
  return done();
}
