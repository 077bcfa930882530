/* Every fault: operation 1, 2, 3, ... of a save, a restore and a deletion
 * fails, until a run in which nothing was injected. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "tap.h"

#define OPS_MAX 300

typedef struct fault_case {
  int sys;
  bool persistent;
  size_t short_max;
} fault_case;

static const fault_case cases[] = {
    {ENOSPC, false, 0}, {ENOSPC, true, 0}, {EIO, false, 0}, {EIO, true, 0},
    {EROFS, false, 0},  {EROFS, true, 0},  {EINTR, true, 0}, {EIO, false, 50},
};

#define N_CASES (sizeof cases / sizeof *cases)

static const char *case_name(const fault_case *c) {
  static char out[80];
  snprintf(out, sizeof out, "%s %s%s", ck_errno_name(c->sys),
           c->persistent ? "from then on" : "once",
           c->short_max != 0 ? ", short counts" : "");
  return out;
}

/* Before a faulty session there are generation 1 with content 0, generation 2
 * with content 1, and a stale temporary file. The session saves content 2. */
static tensors content[4];

/* What holds of all runs of a case; counted rather than printed one by one. */
typedef struct tally {
  int runs;
  int bad_i1, bad_i4, bad_i5, bad_temp, bad_leak, bad_next, bad_report;
} tally;

static void stage(const char *dir) {
  char name[100];
  fixture_clear(dir);
  fixture_save(dir, 2, &content[0]);
  fixture_save(dir, 2, &content[1]);
  snprintf(name, sizeof name, "backup-000000000002.%ld-00000000000000aa.tmp",
           (long)getpid());
  file_put(at(dir, name), "", 0);
}

/* One run; whether a fault was injected. */
static bool save_run(const fault_case *c, uint64_t fail_at, const char *dir,
                     tally *sum) {
  ck_fault fault;
  ck_store *store = NULL;
  ck_commit commit = {0};
  ck_error err;
  ck_error *failure = NULL;
  ck_status status;
  bool injected;
  bool unlink_failed = false;
  int which;
  int descriptors = count_descriptors();
  stage(dir);
  ck_fault_init(&fault, ck_vfs_system());
  fault.trace = true;
  fault.short_max = c->short_max;
  fault.fail_at = fail_at;
  fault.fail_with = c->sys;
  fault.persistent = c->persistent;
  status = ck_store_open(&store, &fault.vfs, dir, 2, &err);
  if (status == CK_OK) {
    status = tensors_save(store, &content[2], &commit, &err);
  }
  failure = status == CK_OK ? NULL : &err;
  injected = fault.n_failed > 0;
  for (size_t i = 0; i < fault.n_events; i++) {
    unlink_failed = unlink_failed || (fault.events[i].op == CK_OP_UNLINK &&
                                      fault.events[i].sys != 0);
  }
  sum->runs++;
  /* I4: reported as what it is, and what was there is there. */
  sum->bad_report += failure != NULL && (failure->sys != c->sys ||
                                         failure->op[0] == '\0' ||
                                         failure->path[0] == '\0');
  sum->bad_i4 += !injected && failure != NULL;
  which = fixture_load(dir, content, 3);
  if (status == CK_OK || status == CK_ERR_DURABILITY) {
    sum->bad_i5 += which != 2;
    sum->bad_i4 += commit.generation != 3;
  } else {
    sum->bad_i4 += which != 1 || strcmp(generations(dir), "1 2") != 0;
  }
  if (status == CK_ERR_DURABILITY) {
    sum->bad_i1 += strcmp(generations(dir), "1 2 3") != 0;
  }
  sum->bad_i1 += which < 1;
  sum->bad_temp += count_temps(dir, 3) > unlink_failed;
  /* The next save tries anew. */
  if (store != NULL) {
    fault.fail_at = 0;
    sum->bad_next += tensors_save(store, &content[3], &commit, &err) != CK_OK;
    sum->bad_next += fixture_load(dir, content, 4) != 3;
  }
  ck_store_close(store);
  ck_commit_clear(&commit);
  ck_fault_clear(&fault);
  sum->bad_leak += fault.n_open != 0 || count_descriptors() != descriptors;
  return injected;
}

static void save_faults(void) {
  const char *dir = fixture_dir();
  for (size_t i = 0; i < N_CASES; i++) {
    const fault_case *c = &cases[i];
    tally sum = {0};
    uint64_t n = 1;
    while (n < OPS_MAX && save_run(c, n, dir, &sum)) {
      n++;
    }
    ok(n > 15 && n < OPS_MAX, "save, %s: each of %d operations has failed",
       case_name(c), (int)n - 1);
    ok(sum.bad_i1 == 0, "I1: ... and there was always a checkpoint");
    ok(sum.bad_i4 == 0, "I4: ... a failed save left the last commit alone");
    ok(sum.bad_i5 == 0, "I5: ... a save reported as done is what is loaded");
    ok(sum.bad_report == 0, "I4: ... the report names cause, step and file");
    ok(sum.bad_temp == 0, "I4: ... and there was no temporary file left");
    ok(sum.bad_next == 0, "I4: ... and the next save worked");
    ok(sum.bad_leak == 0, "... and no descriptor was lost");
  }
}

/* A single EINTR, wherever, is not even noticed. */
static void interrupted_once(void) {
  const char *dir = fixture_dir();
  int bad = 0;
  uint64_t n = 1;
  for (; n < OPS_MAX; n++) {
    ck_fault fault;
    ck_store *store;
    ck_commit commit = {0};
    ck_loaded loaded = {0};
    ck_error err;
    bool injected;
    fixture_clear(dir);
    fixture_save(dir, 1, &content[0]);
    ck_fault_init(&fault, ck_vfs_system());
    fault.fail_at = n;
    fault.fail_with = EINTR;
    if (ck_store_open(&store, &fault.vfs, dir, 1, &err) != CK_OK) {
      bad++;
      continue;
    }
    bad += tensors_save(store, &content[2], &commit, &err) != CK_OK ||
           commit.notes.n != 0 || strcmp(generations(dir), "2") != 0;
    bad += ck_store_load(store, &loaded, &err) != CK_OK ||
           loaded.image.generation != 2 || loaded.skipped.n != 0;
    injected = fault.n_failed > 0;
    ck_loaded_clear(&loaded);
    ck_commit_clear(&commit);
    ck_store_close(store);
    if (!injected) {
      break;
    }
  }
  ok(n > 20 && n < OPS_MAX && bad == 0,
     "EINTR at each of %d operations is not noticed", (int)n - 1);
}

static void load_faults(void) {
  const char *dir = fixture_dir();
  fixture_save(dir, 2, &content[0]);
  fixture_save(dir, 2, &content[1]);
  for (size_t i = 0; i < N_CASES; i++) {
    const fault_case *c = &cases[i];
    char *before = directory_state(dir);
    char *after;
    int bad = 0;
    uint64_t n = 1;
    int descriptors = count_descriptors();
    for (; n < OPS_MAX; n++) {
      ck_fault fault;
      ck_store *store;
      ck_loaded loaded = {0};
      ck_error err;
      ck_status status;
      bool injected;
      ck_fault_init(&fault, ck_vfs_system());
      fault.short_max = c->short_max;
      status = ck_store_open(&store, &fault.vfs, dir, 2, &err);
      fault.n_ops = 0;
      fault.fail_at = n;
      fault.fail_with = c->sys;
      fault.persistent = c->persistent;
      status = ck_store_load(store, &loaded, &err);
      injected = fault.n_failed > 0;
      if (status == CK_OK) {
        const tensors *t = &content[loaded.image.generation == 2 ? 1 : 0];
        bad += !loaded.found;
        bad += memcmp(loaded.image.data.data, t->bytes, (size_t)t->total) != 0;
        bad += loaded.skipped.n != (loaded.image.generation == 2 ? 0u : 1u);
        bad += loaded.skipped.n == 1 && loaded.skipped.items[0].sys != c->sys;
      } else {
        bad += loaded.found || loaded.image.data.data != NULL ||
               err.sys != c->sys;
      }
      bad += !injected && loaded.image.generation != 2;
      ck_loaded_clear(&loaded);
      ck_store_close(store);
      bad += fault.n_open != 0;
      if (!injected) {
        break;
      }
    }
    after = directory_state(dir);
    ok(n > 5 && n < OPS_MAX && bad == 0,
       "I5: load, %s at each of %d operations: right content or an error",
       case_name(c), (int)n - 1);
    ok(strcmp(before, after) == 0 && count_descriptors() == descriptors,
       "I5: ... no file was changed, no descriptor lost");
    free(before);
    free(after);
  }
}

static void count_committed(void *context, const char *path) {
  *(int *)context +=
      ck_name_parse(ck_name_of_path(path)).kind == CK_NAME_COMMITTED;
}

static void delete_faults(void) {
  const char *dir = fixture_dir();
  for (size_t i = 0; i < N_CASES; i++) {
    const fault_case *c = &cases[i];
    int bad = 0;
    uint64_t n = 1;
    for (; n < OPS_MAX; n++) {
      ck_fault fault;
      ck_error err;
      ck_status status;
      int n_removed = 0;
      int which;
      stage(dir);
      ck_fault_init(&fault, ck_vfs_system());
      fault.short_max = c->short_max;
      fault.fail_at = n;
      fault.fail_with = c->sys;
      fault.persistent = c->persistent;
      status = ck_directory_delete(&fault.vfs, dir, count_committed,
                                   &n_removed, &err);
      which = fixture_load(dir, content, 3);
      /* A failure may have been about the temporary file alone. */
      bad += which != -3 && (status == CK_OK || which != 1);
      bad += n_removed != 2 - (int)((strlen(generations(dir)) + 1) / 2);
      bad += fault.n_open != 0;
      if (fault.n_failed == 0) {
        bad += status != CK_OK;
        break;
      }
    }
    ok(n > 10 && n < OPS_MAX && bad == 0,
       "delete, %s at each of %d operations: what is gone is reported, what "
       "is left is sound",
       case_name(c), (int)n - 1);
  }
}

/* kill -9 in front of each operation of a save. */
static void kills(void) {
  const char *dir = fixture_dir();
  int bad = 0;
  int bad_sweep = 0;
  uint64_t n = 1;
  for (; n < OPS_MAX; n++) {
    int status;
    int which;
    pid_t child;
    fixture_clear(dir);
    fixture_save(dir, 1, &content[0]);
    child = fork();
    if (child == 0) {
      ck_fault fault;
      ck_store *store;
      ck_error err;
      ck_fault_init(&fault, ck_vfs_system());
      fault.kill_at = n;
      status = ck_store_open(&store, &fault.vfs, dir, 1, &err) != CK_OK ||
               tensors_save(store, &content[1], NULL, &err) != CK_OK;
      ck_store_close(store);
      _exit(status);
    }
    if (waitpid(child, &status, 0) != child) {
      exit(2);
    }
    which = fixture_load(dir, content, 2);
    bad += which < 0;
    bad_sweep += count_temps(dir, 0) != 0; /* fixture_load() opened a store */
    if (WIFEXITED(status)) {
      bad += WEXITSTATUS(status) != 0 || which != 1;
      break;
    }
  }
  ok(n > 15 && n < OPS_MAX && bad == 0,
     "I1 I2: killed in front of each of %d operations, the old or the new "
     "checkpoint is there",
     (int)n - 1);
  ok(bad_sweep == 0, "... and the next session sweeps what was left");
}

int main(void) {
  uint64_t sizes[] = {40, 0, 33};
  for (unsigned i = 0; i < 4; i++) {
    content[i] = tensors_new(sizes, 3, i + 1);
  }
  save_faults();
  interrupted_once();
  load_faults();
  delete_faults();
  kills();
  for (int i = 0; i < 4; i++) {
    tensors_free(&content[i]);
  }
  fixture_end();
  return done();
}
