/* Every fault: operation 1, 2, 3, ... of a save, a restore, a verification, a
 * deletion and an opening fails, with each cause, once and from then on, until
 * a run in which nothing was injected. Which operation that is does not matter:
 * it may be a write, a close, a sync of the file or of the directory. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "posix.h"
#include "tap.h"

#define OPS_MAX 300

typedef struct fault_case {
  int sys;
  bool persistent;
  size_t short_max; /* each read and write moves so much at most */
} fault_case;

static const fault_case cases[] = {
    {ENOSPC, false, 0}, {ENOSPC, true, 0},  {EDQUOT, false, 0},
    {EDQUOT, true, 0},  {EIO, false, 0},    {EIO, true, 0},
    {EROFS, false, 0},  {EROFS, true, 0},   {EACCES, false, 0},
    {EACCES, true, 0},  {EMFILE, false, 0}, {EMFILE, true, 0},
    {EINTR, true, 0},   {EIO, false, 50},   {ENOSPC, true, 50},
};

#define N_CASES (sizeof cases / sizeof *cases)

static uint64_t n_injected;

static const char *case_name(const fault_case *c) {
  static char out[80];
  snprintf(out, sizeof out, "%s %s%s", ck_errno_name(c->sys),
           c->persistent ? "from then on" : "once",
           c->short_max != 0 ? ", short counts" : "");
  return out;
}

/* From now on: let operation `fail_at` fail. */
static void inject(ck_fault *fault, const fault_case *c, uint64_t fail_at) {
  fault->short_max = c->short_max;
  fault->n_ops = 0;
  fault->fail_at = fail_at;
  fault->fail_with = c->sys;
  fault->persistent = c->persistent;
}

#define N_CONTENT 5

static tensors content[N_CONTENT];

static const char *stale_path(const char *dir) {
  char name[100];
  snprintf(name, sizeof name, "backup-000000000002.%ld-00000000000000aa.tmp",
           (long)getpid());
  return at(dir, name);
}

/* Checkpoints 1 to `n` with contents 0 to n - 1, and a temporary file that an
 * earlier process with our number left. */
static void stage(const char *dir, int n) {
  fixture_clear(dir);
  for (int i = 0; i < n; i++) {
    fixture_save(dir, (unsigned)n, &content[i]);
  }
  file_put(stale_path(dir), "", 0);
}

static int unlinks_failed(const ck_fault *fault) {
  int n = 0;
  for (size_t i = 0; i < fault->n_events; i++) {
    n += fault->events[i].op == CK_OP_UNLINK && fault->events[i].sys != 0;
  }
  return n;
}

/* The committed files among those that directory_state() lists. */
static char *committed_state(const char *dir) {
  char *state = directory_state(dir);
  char *to = state;
  for (char *line = state; *line != '\0';) {
    char *end = strchr(line, '\n') + 1;
    if (strstr(line, ".safetensors ") == strchr(line, '.')) {
      memmove(to, line, (size_t)(end - line));
      to += end - line;
    }
    line = end;
  }
  *to = '\0';
  return state;
}

typedef struct save_case {
  const char *name;
  int before; /* checkpoints there are */
  unsigned keep;
  int least;   /* operations that it takes, at least */
  bool policy; /* that keeps the first of those as the best */
} save_case;

static const save_case saves[] = {
    {"the first save", 0, 1, 15, false},
    {"the second save", 1, 1, 20, false},
    {"the third save, keep 1", 2, 1, 25, false},
    {"the third save, keep 2", 2, 2, 20, false},
    {"the fourth save, keep 3", 3, 3, 20, false},
    {"the fourth save, with a policy", 3, 1, 25, true},
};

/* Opens the store of a case. Its policy has a mark for each checkpoint. */
static ck_status save_open(ck_store **store, ck_fault *fault, const char *dir,
                           const save_case *s, ck_error *err) {
  static const ck_policy policy = {0, CK_BEST_LOWEST};
  static const ck_mark marks[] = {
      {1, 0, 1, false}, {2, 0, 2, false}, {3, 0, 3, false}};
  ck_status status = ck_store_open(store, &fault->vfs, dir, s->keep, err);
  if (status == CK_OK && s->policy) {
    status = ck_store_keep(*store, &policy, marks, 3, err);
    ck_store_mark(*store, 0, 4);
  }
  return status;
}

#define N_SAVES (sizeof saves / sizeof *saves)

/* What holds of all runs of a case; counted rather than printed one by one. */
typedef struct tally {
  int bad_i1, bad_i4, bad_i5, bad_temp, bad_leak, bad_next, bad_report;
  int bad_kept;
} tally;

/* One run; whether a fault was injected. */
static bool save_run(const save_case *s, const fault_case *c, uint64_t fail_at,
                     const char *dir, tally *sum) {
  ck_fault fault;
  ck_store *store = NULL;
  ck_commit commit = {0};
  ck_error err;
  ck_error *failure = NULL;
  ck_status status;
  bool injected;
  char *before;
  char *after;
  int temps;
  int which;
  int descriptors = count_descriptors();
  stage(dir, s->before);
  before = committed_state(dir);
  ck_fault_init(&fault, ck_vfs_system());
  fault.trace = true;
  inject(&fault, c, fail_at);
  status = save_open(&store, &fault, dir, s, &err);
  if (status == CK_OK) {
    status = tensors_save(store, &content[3], &commit, &err);
  }
  failure = status == CK_OK ? NULL : &err;
  injected = fault.n_failed > 0;
  n_injected += fault.n_failed;
  after = committed_state(dir);
  temps = count_temps(dir, 0) - file_exists(stale_path(dir));
  /* I4: reported as what it is. */
  sum->bad_report +=
      failure != NULL && (failure->sys != c->sys || failure->op[0] == '\0' ||
                          failure->path[0] == '\0');
  sum->bad_i4 += !injected && failure != NULL;
  sum->bad_temp += temps > (unlinks_failed(&fault) > 0);
  /* This opens a store without faults, which sweeps. */
  which = fixture_load(dir, content, 4);
  sum->bad_temp += count_temps(dir, 0) != 0;
  sum->bad_kept += s->policy && !file_exists(at_generation(dir, 1));
  if (status == CK_OK || status == CK_ERR_DURABILITY) {
    const char *path = status == CK_OK ? commit.path : err.path;
    sum->bad_i5 += which != 3 || !file_exists(path);
    /* I2: the commit says that it is one, or nothing. */
    sum->bad_i5 += status == CK_OK ? commit.generation <= (uint64_t)s->before
                                   : commit.generation != 0;
  } else {
    /* I4: what was there is there, bit for bit, and no more. */
    sum->bad_i4 += strcmp(before, after) != 0;
    sum->bad_i4 += which != (s->before == 0 ? -3 : s->before - 1);
    sum->bad_i4 += commit.generation != 0;
  }
  if (status == CK_ERR_DURABILITY) {
    /* I1: none of the older ones may go. */
    sum->bad_i1 += strncmp(before, after, strlen(before)) != 0;
  }
  sum->bad_i1 += s->before > 0 && which < 0;
  /* The next save tries again. */
  if (store != NULL) {
    fault.fail_at = 0;
    sum->bad_next += tensors_save(store, &content[4], &commit, &err) != CK_OK;
    sum->bad_next += fixture_load(dir, content, 5) != 4;
    sum->bad_kept += s->policy && !file_exists(at_generation(dir, 1));
  }
  ck_store_close(store);
  ck_commit_clear(&commit);
  ck_fault_clear(&fault);
  sum->bad_leak += fault.n_open != 0 || count_descriptors() != descriptors;
  free(before);
  free(after);
  return injected;
}

static void save_faults(void) {
  const char *dir = fixture_dir();
  for (size_t k = 0; k < N_SAVES; k++) {
    tally sum = {0};
    uint64_t injected = n_injected;
    int runs = 0;
    bool all = true;
    for (size_t i = 0; i < N_CASES; i++) {
      uint64_t n = 1;
      while (n < OPS_MAX && save_run(&saves[k], &cases[i], n, dir, &sum)) {
        n++;
      }
      runs += (int)n;
      all = all && n > (uint64_t)saves[k].least && n < OPS_MAX;
    }
    note("%s: %d runs, %" PRIu64 " faults injected", saves[k].name, runs,
         n_injected - injected);
    ok(all, "%s: each operation has failed for each of %zu reasons",
       saves[k].name, N_CASES);
    ok(sum.bad_i1 == 0, "I1: ... and there was always a checkpoint");
    ok(sum.bad_i4 == 0, "I4: ... a failed save left the files bit for bit");
    ok(sum.bad_i5 == 0, "I5: ... a save reported as done is what is loaded");
    ok(sum.bad_report == 0, "I4: ... the report names cause, step and file");
    ok(sum.bad_temp == 0, "I4: ... no temporary file is left; where it could "
                          "not be removed, the next opening does");
    ok(sum.bad_next == 0, "I4: ... and the next save worked");
    ok(sum.bad_kept == 0, "... and what the policy keeps was there throughout");
    ok(sum.bad_leak == 0, "... and no descriptor was lost");
  }
}

/* Opening: sweeps, or fails, and touches nothing else. */
static void open_faults(void) {
  const char *dir = fixture_dir();
  uint64_t injected = n_injected;
  int bad = 0;
  int bad_sweep = 0;
  bool all = true;
  int descriptors = count_descriptors();
  for (size_t i = 0; i < N_CASES; i++) {
    uint64_t n = 1;
    for (; n < OPS_MAX; n++) {
      ck_fault fault;
      ck_store *store;
      ck_error err;
      ck_status status;
      char *before;
      char *after;
      stage(dir, 2);
      before = committed_state(dir);
      ck_fault_init(&fault, ck_vfs_system());
      inject(&fault, &cases[i], n);
      status = ck_store_open(&store, &fault.vfs, dir, 2, &err);
      bad += status != CK_OK &&
             (err.sys != cases[i].sys || store != NULL || err.path[0] == '\0');
      ck_store_close(store);
      after = committed_state(dir);
      bad += strcmp(before, after) != 0 || fault.n_open != 0;
      n_injected += fault.n_failed;
      bad_sweep += fault.n_failed == 0 && count_temps(dir, 0) != 0;
      bad_sweep += fixture_load(dir, content, 3) != 1;
      bad_sweep += count_temps(dir, 0) != 0;
      free(before);
      free(after);
      if (fault.n_failed == 0) {
        bad += status != CK_OK;
        break;
      }
    }
    all = all && n > 6 && n < OPS_MAX;
  }
  note("open: %" PRIu64 " faults injected", n_injected - injected);
  ok(all && bad == 0 && count_descriptors() == descriptors,
     "I4: open, each operation fails: it opens, or says why; no checkpoint "
     "is touched, no descriptor lost");
  ok(bad_sweep == 0, "... and if the sweep failed, the next one does it");
}

static void verify_faults(void) {
  const char *dir = fixture_dir();
  uint64_t injected = n_injected;
  int bad = 0;
  bool all = true;
  char path[1200];
  int descriptors = count_descriptors();
  fixture_save(dir, 1, &content[0]);
  strcpy(path, at_generation(dir, 1));
  for (size_t i = 0; i < N_CASES * 3; i++) {
    const fault_case *c = &cases[i / 3];
    ck_stream_depth depth = (ck_stream_depth)(i % 3);
    uint64_t n = 1;
    for (; n < OPS_MAX; n++) {
      ck_fault fault;
      ck_image image;
      ck_error err;
      ck_status status;
      ck_fault_init(&fault, ck_vfs_system());
      inject(&fault, c, n);
      status = ck_checkpoint_read(&fault.vfs, path, depth, &image, &err);
      n_injected += fault.n_failed;
      if (status == CK_OK) {
        /* Only the close may have failed, after all was read and compared. */
        bad += image.header.data == NULL || image.generation != 1;
        bad +=
            depth == CK_READ_LOAD && memcmp(image.data.data, content[0].bytes,
                                            (size_t)content[0].total) != 0;
      } else {
        bad += status != CK_ERR_IO || err.sys != c->sys ||
               strcmp(err.path, path) != 0 || image.header.data != NULL ||
               image.data.data != NULL;
      }
      bad += fault.n_open != 0;
      ck_image_release(&image);
      if (fault.n_failed == 0) {
        bad += status != CK_OK;
        break;
      }
    }
    all = all && n > 4 && n < OPS_MAX;
  }
  note("verify: %" PRIu64 " faults injected", n_injected - injected);
  ok(all && bad == 0 && count_descriptors() == descriptors,
     "I5: verify, each operation fails: an error that says why, never damage, "
     "and nothing handed out");
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
    ck_checkpoint loaded = {0};
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
    bad += ck_store_find(store, CK_READ_LOAD, &loaded, &err) != CK_OK ||
           loaded.image.generation != 2 || loaded.skipped.n != 0;
    injected = fault.n_failed > 0;
    ck_checkpoint_clear(&loaded);
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
      ck_checkpoint loaded = {0};
      ck_error err;
      ck_status status;
      bool injected;
      ck_fault_init(&fault, ck_vfs_system());
      status = ck_store_open(&store, &fault.vfs, dir, 2, &err);
      inject(&fault, c, n);
      status = ck_store_find(store, CK_READ_LOAD, &loaded, &err);
      injected = fault.n_failed > 0;
      n_injected += fault.n_failed;
      if (status == CK_OK) {
        const tensors *t = &content[loaded.image.generation == 2 ? 1 : 0];
        bad += !loaded.found;
        bad += memcmp(loaded.image.data.data, t->bytes, (size_t)t->total) != 0;
        bad += loaded.skipped.n != (loaded.image.generation == 2 ? 0u : 1u);
        bad += loaded.skipped.n == 1 && loaded.skipped.items[0].sys != c->sys;
      } else {
        bad +=
            loaded.found || loaded.image.data.data != NULL || err.sys != c->sys;
      }
      bad += !injected && loaded.image.generation != 2;
      ck_checkpoint_clear(&loaded);
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
      stage(dir, 2);
      ck_fault_init(&fault, ck_vfs_system());
      inject(&fault, c, n);
      status = ck_directory_delete(&fault.vfs, dir, count_committed, &n_removed,
                                   &err);
      which = fixture_load(dir, content, 3);
      /* A failure may have been about the temporary file alone. */
      bad += which != -3 && (status == CK_OK || which != 1);
      bad += n_removed != 2 - (int)((strlen(generations(dir)) + 1) / 2);
      bad += fault.n_open != 0;
      n_injected += fault.n_failed;
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

/* The save that is killed in front of operation `n`, in a process of its own. */
static int killed_save(const char *dir, uint64_t n) {
  ck_fault fault;
  ck_store *store;
  ck_error err;
  int status;
  ck_fault_init(&fault, ck_vfs_system());
  fault.kill_at = n;
  status = ck_store_open(&store, &fault.vfs, dir, 1, &err) != CK_OK ||
           tensors_save(store, &content[1], NULL, &err) != CK_OK;
  ck_store_close(store);
  return status;
}

/* Its exit status, -1 if it was killed. */
#if HAS_FORK
static int process_run(const char *dir, uint64_t n) {
  int status;
  pid_t child = fork();
  if (child == 0) {
    _exit(killed_save(dir, n));
  }
  if (waitpid(child, &status, 0) != child) {
    exit(2);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
#else
static int process_run(const char *dir, uint64_t n) {
  char arguments[1200];
  int status;
  snprintf(arguments, sizeof arguments, "%" PRIu64 " \"%s\"", n, dir);
  status = posix_run_self(arguments);
  return status == 137 ? -1 : status;
}
#endif

/* kill -9 in front of each operation of a save. */
static void kills(void) {
  const char *dir = fixture_dir();
  int bad = 0;
  int bad_sweep = 0;
  uint64_t n = 1;
  for (; n < OPS_MAX; n++) {
    int status;
    int which;
    fixture_clear(dir);
    fixture_save(dir, 1, &content[0]);
    status = process_run(dir, n);
    which = fixture_load(dir, content, 2);
    bad += which < 0;
    bad_sweep += count_temps(dir, 0) != 0; /* fixture_load() opened a store */
    if (status >= 0) {
      bad += status != 0 || which != 1;
      break;
    }
  }
  ok(n > 15 && n < OPS_MAX && bad == 0,
     "I1 I2: killed in front of each of %d operations, the old or the new "
     "checkpoint is there",
     (int)n - 1);
  ok(bad_sweep == 0, "... and the next session sweeps what was left");
}

int main(int argc, char **argv) {
  uint64_t sizes[] = {40, 0, 33};
  for (unsigned i = 0; i < N_CONTENT; i++) {
    content[i] = tensors_new(sizes, 3, i + 1);
  }
  if (argc == 3) {
    return killed_save(argv[2], strtoull(argv[1], NULL, 10));
  }
  save_faults();
  interrupted_once();
  open_faults();
  load_faults();
  verify_faults();
  delete_faults();
  kills();
  note("%" PRIu64 " faults injected in all", n_injected);
  for (int i = 0; i < N_CONTENT; i++) {
    tensors_free(&content[i]);
  }
  fixture_end();
  return done();
}
