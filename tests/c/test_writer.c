/* The writer: saves in the background. What training waits for, what it may do
 * meanwhile, and that no failure is lost (I4, I9). */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "gate.h"
#include "posix.h"
#include "tap.h"
#include "writer.h"

#if HAS_FORK
#include <sys/resource.h>
#endif

#define MIB ((uint64_t)1 << 20)
#define OPS_MAX 300

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define COUNTS_FAULTS false /* its own memory has faults too */
#endif
#endif
#if !HAS_FORK
#define COUNTS_FAULTS false /* nobody counts them for a thread */
#endif
#ifndef COUNTS_FAULTS
#define COUNTS_FAULTS true
#endif

typedef struct session {
  ck_store *store;
  ck_writer *writer;
  const ck_commit *last;
  bool copied;
  ck_error err;
} session;

static void begin_with(session *s, ck_vfs *vfs, const char *dir, unsigned keep,
                       const ck_writer_options *options) {
  memset(s, 0, sizeof *s);
  if (ck_store_open(&s->store, vfs, dir, keep, &s->err) != CK_OK ||
      ck_writer_open(&s->writer, s->store, options, &s->err) != CK_OK) {
    fprintf(stderr, "cannot begin: %s\n", s->err.message);
    exit(2);
  }
}

static void begin(session *s, ck_vfs *vfs, const char *dir, unsigned keep) {
  ck_writer_options options = {.background = true};
  begin_with(s, vfs, dir, keep, &options);
}

static void end(session *s) {
  ck_writer_close(s->writer);
  ck_store_close(s->store);
}

static ck_status plan(session *s, const tensors *t) {
  return ck_writer_plan(s->writer, t->text, t->n_text, t->sizes, t->n, &s->err);
}

static ck_status submit(session *s, const tensors *t) {
  return ck_writer_submit(s->writer, t->addresses, t->n, METADATA,
                          strlen(METADATA), &s->copied, &s->err);
}

static ck_status await(session *s) {
  return ck_writer_wait(s->writer, &s->last, &s->err);
}

static void scribble(tensors *t) {
  memset(t->bytes, 0x55, (size_t)t->total);
}

static void training_goes_on(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(3 * MIB + 17, 1);
  tensors same = tensors_one(3 * MIB + 17, 1);
  gate g;
  session s;
  gate_init(&g, ck_vfs_system());
  begin(&s, &g.vfs, dir, 1);
  ok(await(&s) == CK_OK && s.last == NULL,
     "a new writer has nothing to wait for");
  ok(plan(&s, &t) == CK_OK && submit(&s, &t) == CK_OK && s.copied &&
         g.n_own == 0,
     "I9: a save is handed over to another thread");
  ok(strcmp(generations(dir), "") == 0,
     "I9: training goes on before anything is committed");
  scribble(&t);
  gate_open(&g);
  ok(await(&s) == CK_OK && s.last != NULL && s.last->generation == 1 &&
         strcmp(generations(dir), "1") == 0,
     "I2: what is waited for is committed");
  ok(fixture_load(dir, &same, 1) == 0,
     "I9: the tensors may be overwritten as soon as they are handed over");
  end(&s);
  gate_free(&g);
  tensors_free(&t);
  tensors_free(&same);
}

static void activity_is_told(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(1000, 1);
  const ck_activity *activity;
  uint64_t started;
  uint64_t most;
  gate g;
  session s;
  gate_init(&g, ck_vfs_system());
  begin(&s, &g.vfs, dir, 1);
  activity = ck_writer_activity(s.writer);
  (void)plan(&s, &t);
  (void)ck_writer_settle(s.writer, &s.err);
  ok(activity->saving == 0 && activity->nanoseconds == 0,
     "making memory ready is no save");
  started = ck_clock();
  (void)submit(&s, &t);
  ok(activity->saving == 1, "everyone may see that a save is under way");
  gate_open(&g);
  (void)ck_writer_settle(s.writer, &s.err);
  most = ck_clock() - started;
  ok(activity->saving == 0, "and that it is not any more");
  ok(activity->nanoseconds > 0 && activity->nanoseconds <= most,
     "and how long it took");
  end(&s);
  gate_free(&g);
  tensors_free(&t);
}

static void next_save_waits(void) {
  const char *dir = fixture_dir();
  tensors t[2] = {tensors_one(8 * MIB, 1), tensors_one(8 * MIB, 2)};
  gate g;
  session s;
  gate_init(&g, ck_vfs_system());
  begin(&s, &g.vfs, dir, 2);
  (void)plan(&s, &t[0]);
  (void)submit(&s, &t[0]);
  gate_open_soon(&g);
  gate_expect(&g);
  ok(submit(&s, &t[1]) == CK_OK && s.copied &&
         file_exists(at_generation(dir, 1)),
     "I9: the next save waits for the one under way");
  ok(await(&s) == CK_OK && s.last != NULL && s.last->generation == 2,
     "and both are made");
  ok(fixture_load(dir, t, 2) == 1, "the second has what was handed over then");
  (void)unlink(at_generation(dir, 2));
  ok(fixture_load(dir, t, 2) == 0, "and so has the first");
  end(&s);
  gate_free(&g);
  tensors_free(&t[0]);
  tensors_free(&t[1]);
}

static void next_plan_waits(void) {
  const char *dir = fixture_dir();
  tensors first = tensors_one(2 * MIB, 1);
  uint64_t sizes[3] = {100, 200, 300};
  tensors other = tensors_new(sizes, 3, 2);
  gate g;
  session s;
  gate_init(&g, ck_vfs_system());
  begin(&s, &g.vfs, dir, 2);
  (void)plan(&s, &first);
  (void)submit(&s, &first);
  gate_open_soon(&g);
  gate_expect(&g);
  ok(plan(&s, &other) == CK_OK && file_exists(at_generation(dir, 1)) &&
         fixture_load(dir, &first, 1) == 0,
     "a new plan waits for the save that has the old one");
  ok(submit(&s, &other) == CK_OK && await(&s) == CK_OK &&
         fixture_load(dir, &other, 1) == 0,
     "and holds for the next save");
  end(&s);
  gate_free(&g);
  tensors_free(&first);
  tensors_free(&other);
}

static void close_waits(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(1000, 1);
  gate g;
  session s;
  gate_init(&g, ck_vfs_system());
  begin(&s, &g.vfs, dir, 1);
  (void)plan(&s, &t);
  (void)submit(&s, &t);
  gate_open_soon(&g);
  gate_expect(&g);
  end(&s);
  ok(fixture_load(dir, &t, 1) == 0, "I10: closing waits for the last save");
  gate_free(&g);
  tensors_free(&t);
}

static void errors_stay(bool background) {
  const char *dir = fixture_dir();
  const char *how = background ? "in the background" : "at once";
  ck_writer_options options = {.background = background};
  tensors t = tensors_one(500, 1);
  ck_fault fault;
  session s;
  ck_fault_init(&fault, ck_vfs_system());
  begin_with(&s, &fault.vfs, dir, 1, &options);
  (void)plan(&s, &t);
  fault.only = CK_OP_SYNC;
  fault.n_ops = 0;
  fault.fail_at = 1;
  fault.fail_with = EIO;
  ok(submit(&s, &t) == CK_OK && s.copied == background,
     "%s: handing over succeeds although the save fails", how);
  ok(submit(&s, &t) == CK_OK, "%s: I4: the next save is made", how);
  ok(await(&s) == CK_ERR_IO && s.err.sys == EIO &&
         strcmp(s.err.op, "fsync") == 0,
     "%s: I4: the error stays until it is asked for", how);
  ok(await(&s) == CK_OK && s.last != NULL && s.last->generation == 1 &&
         strcmp(generations(dir), "1") == 0,
     "%s: and is reported once", how);
  ok(submit(&s, &(tensors){.n = 0}) == CK_ERR_MISUSE && await(&s) == CK_OK,
     "%s: wrong arguments are refused at once", how);
  fault.n_ops = 0;
  (void)submit(&s, &t);
  (void)ck_writer_settle(s.writer, &s.err);
  fault.n_ops = 0;
  fault.fail_with = ENOSPC;
  ok(submit(&s, &t) == CK_OK && await(&s) == CK_ERR_IO && s.err.sys == EIO &&
         await(&s) == CK_OK,
     "%s: I4: of two errors the first is the one reported", how);
  fault.n_ops = 0;
  fault.persistent = true;
  ok(submit(&s, &t) == CK_OK && await(&s) == CK_ERR_IO && s.last == NULL &&
         await(&s) == CK_OK && s.last == NULL,
     "%s: a save that failed has committed nothing", how);
  end(&s);
  tensors_free(&t);
}

/* Where the whole blocks of the save came from. */
static int blocks_of_save(session *s, gate *g, const tensors *t,
                          const void **out) {
  if (submit(s, t) != CK_OK || await(s) != CK_OK) {
    return -1;
  }
  memcpy(out, g->blocks, sizeof g->blocks);
  return g->n_blocks;
}

static void memory_is_reused(void) {
  const char *dir = fixture_dir();
  tensors big = tensors_one(3 * MIB, 1);
  tensors small = tensors_one(2 * MIB, 2);
  const void *first[GATE_BLOCKS];
  const void *again[GATE_BLOCKS];
  gate g;
  session s;
  gate_init(&g, ck_vfs_system());
  gate_open(&g);
  begin(&s, &g.vfs, dir, 1);
  (void)plan(&s, &big);
  ok(blocks_of_save(&s, &g, &big, first) == 3 &&
         (const char *)first[2] - (const char *)first[0] == 2 * (long)MIB,
     "what is written is the copy, and no second one");
  ok((uintptr_t)first[0] % CK_BUFFER_ALIGN == 0, "it is aligned to a page");
  ok(blocks_of_save(&s, &g, &big, again) == 3 && again[0] == first[0],
     "the next save has the same memory");
  (void)plan(&s, &small);
  ok(blocks_of_save(&s, &g, &small, again) == 2 && again[0] == first[0],
     "also where it needs less");
  end(&s);
  gate_free(&g);
  tensors_free(&big);
  tensors_free(&small);
}

#if HAS_FORK
static long page_faults(void) {
  struct rusage usage;
  if (getrusage(RUSAGE_THREAD, &usage) != 0) {
    exit(2);
  }
  return usage.ru_minflt;
}
#else
static long page_faults(void) {
  return 0;
}
#endif

static void first_save_is_warm(bool planned) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(8 * MIB, 1);
  gate g;
  session s;
  long faults;
  gate_init(&g, ck_vfs_system());
  begin(&s, &g.vfs, dir, 1);
  if (!planned) {
    (void)ck_writer_prepare(s.writer, t.total, &s.err);
    (void)ck_writer_settle(s.writer, &s.err);
  }
  (void)plan(&s, &t);
  (void)ck_writer_settle(s.writer, &s.err);
  faults = page_faults();
  (void)submit(&s, &t);
  faults = page_faults() - faults;
  note("%ld pages of 2048", faults);
  ok(s.copied && (faults < 1024 || !COUNTS_FAULTS),
     "I9: memory is ready before the first save, from the %s on",
     planned ? "plan" : "hint");
  gate_open(&g);
  ok(await(&s) == CK_OK && fixture_load(dir, &t, 1) == 0, "which is made");
  end(&s);
  gate_free(&g);
  tensors_free(&t);
}

static void no_memory(void) {
  const char *dir = fixture_dir();
  ck_writer_options options = {.background = true, .copy_max = MIB};
  tensors big = tensors_one(MIB + 1, 1);
  tensors small = tensors_one(MIB, 2);
  gate g;
  session s;
  gate_init(&g, ck_vfs_system());
  begin_with(&s, &g.vfs, dir, 1, &options);
  ok(plan(&s, &big) == CK_OK && submit(&s, &big) == CK_OK && !s.copied &&
         g.n_own == 1 && fixture_load(dir, &big, 1) == 0,
     "without memory for a copy the save is made at once");
  ok(await(&s) == CK_OK && s.last != NULL && s.last->generation == 1,
     "and reported as any other");
  gate_open(&g);
  ok(plan(&s, &small) == CK_OK && submit(&s, &small) == CK_OK && s.copied &&
         await(&s) == CK_OK && fixture_load(dir, &small, 1) == 0,
     "and in the background as soon as there is");
  end(&s);
  gate_free(&g);
  tensors_free(&big);
  tensors_free(&small);
}

static void nothing_to_save(void) {
  const char *dir = fixture_dir();
  tensors none = tensors_new(NULL, 0, 1);
  session s;
  begin(&s, ck_vfs_system(), dir, 1);
  ok(plan(&s, &none) == CK_OK && submit(&s, &none) == CK_OK && s.copied &&
         await(&s) == CK_OK && fixture_load(dir, &none, 1) == 0,
     "no tensors at all are saved in the background too");
  end(&s);
  tensors_free(&none);
}

#if HAS_FORK

/* In a child that was forked while a save was under way. */
static int forked(session *s, const tensors *t) {
  int refused =
      submit(s, t) == CK_ERR_FORKED && await(s) == CK_ERR_FORKED &&
      s->last == NULL && plan(s, t) == CK_ERR_FORKED &&
      ck_writer_prepare(s->writer, 5 * MIB, &s->err) == CK_ERR_FORKED &&
      strstr(s->err.message, "forked") != NULL;
  ck_writer_close(s->writer);
  return refused ? 0 : 1;
}

static void fork_is_harmless(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(1000, 1);
  gate g;
  session s;
  pid_t child;
  int status = -1;
  gate_init(&g, ck_vfs_system());
  begin(&s, &g.vfs, dir, 1);
  (void)plan(&s, &t);
  (void)submit(&s, &t);
  child = fork();
  if (child == 0) {
    alarm(20);
    _exit(forked(&s, &t));
  }
  if (child < 0 || waitpid(child, &status, 0) != child) {
    exit(2);
  }
  ok(WIFEXITED(status) && WEXITSTATUS(status) == 0,
     "I8: a forked process is refused, and does not hang");
  ok(strcmp(generations(dir), "") == 0, "it writes nothing");
  gate_open(&g);
  ok(await(&s) == CK_OK && fixture_load(dir, &t, 1) == 0,
     "and the save goes on as if it were not there");
  end(&s);
  gate_free(&g);
  tensors_free(&t);
}

static volatile sig_atomic_t n_signals;

static void count_signal(int number) {
  (void)number;
  n_signals++;
}

static void signals_are_for_others(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(1000, 1);
  struct sigaction action = {.sa_handler = count_signal};
  sigset_t usr1;
  sigset_t before;
  gate g;
  session s;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  if (sigaction(SIGUSR1, &action, NULL) != 0) {
    exit(2);
  }
  gate_init(&g, ck_vfs_system());
  begin(&s, &g.vfs, dir, 1);
  (void)plan(&s, &t);
  (void)submit(&s, &t);
  ok(pthread_sigmask(SIG_BLOCK, &usr1, &before) == 0 &&
         sigismember(&before, SIGUSR1) == 0,
     "who hands over goes on receiving signals");
  (void)kill(getpid(), SIGUSR1);
  gate_open(&g);
  end(&s);
  ok(n_signals == 0, "the thread receives no signals");
  pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
  ok(n_signals == 1, "they are for the threads that want them");
  gate_free(&g);
  tensors_free(&t);
}

#else

static void fork_is_harmless(void) {
  skip("I8: a forked process is refused", "no process can be forked");
}

static void signals_are_for_others(void) {
  skip("the thread receives no signals", "there are none here");
}

#endif

/* What holds of all runs with one errno value. */
typedef struct tally {
  int runs, bad_submit, bad_report, bad_state, bad_next, bad_leak;
} tally;

/* One session whose operation `fail_at` fails; whether there is such a one. */
static bool faulty_run(const char *dir, const tensors *content,
                       uint64_t fail_at, int sys, bool persistent,
                       bool background, tally *sum) {
  ck_writer_options options = {.background = background};
  ck_fault fault;
  session s;
  ck_status status;
  bool injected;
  int descriptors = count_descriptors();
  fixture_clear(dir);
  fixture_save(dir, 2, &content[0]);
  ck_fault_init(&fault, ck_vfs_system());
  begin_with(&s, &fault.vfs, dir, 2, &options);
  sum->bad_submit += plan(&s, &content[1]) != CK_OK;
  fault.n_ops = 0;
  fault.fail_at = fail_at;
  fault.fail_with = sys;
  fault.persistent = persistent;
  sum->bad_submit += submit(&s, &content[1]) != CK_OK || s.copied != background;
  status = await(&s);
  injected = fault.n_failed > 0;
  sum->runs++;
  if (status == CK_OK) {
    sum->bad_state += fixture_load(dir, content, 2) != 1;
  } else if (status == CK_ERR_DURABILITY) {
    sum->bad_state += strcmp(generations(dir), "1 2") != 0;
  } else {
    sum->bad_state += fixture_load(dir, content, 2) != 0;
  }
  /* I2: done or failed, and that is what it stays. */
  sum->bad_report += status == CK_OK
                         ? s.last == NULL
                         : s.err.sys != sys || !injected || s.last != NULL;
  sum->bad_report +=
      await(&s) != CK_OK || (s.last != NULL) != (status == CK_OK);
  fault.fail_at = 0;
  sum->bad_next += submit(&s, &content[1]) != CK_OK || await(&s) != CK_OK ||
                   fixture_load(dir, content, 2) != 1;
  end(&s);
  ck_fault_clear(&fault);
  sum->bad_leak += fault.n_open != 0 || count_descriptors() != descriptors;
  return injected;
}

static void every_fault(void) {
  static const int causes[] = {ENOSPC, EIO};
  const char *dir = fixture_dir();
  tensors content[2] = {tensors_one(70, 1), tensors_one(70, 2)};
  for (size_t i = 0; i < 8; i++) {
    tally sum = {0};
    uint64_t n = 1;
    while (n < OPS_MAX && faulty_run(dir, content, n, causes[i / 2 % 2],
                                     i % 2 != 0, i < 4, &sum)) {
      n++;
    }
    ok(n > 10 && n < OPS_MAX, "%s %s, %s: each of %d operations has failed",
       ck_errno_name(causes[i / 2 % 2]), i % 2 != 0 ? "from then on" : "once",
       i < 4 ? "in the background" : "at once", (int)n - 1);
    ok(sum.bad_submit == 0, "I9: ... and nothing of it was met by training");
    ok(sum.bad_report == 0,
       "I2 I4: ... but it was reported, once, and nothing as done");
    ok(sum.bad_state == 0, "I1 I4: ... with the last commit as it was");
    ok(sum.bad_next == 0, "I4: ... and the next save worked");
    ok(sum.bad_leak == 0, "... and no descriptor was lost");
  }
  tensors_free(&content[0]);
  tensors_free(&content[1]);
}

int main(void) {
  int descriptors = count_descriptors();
  training_goes_on();
  activity_is_told();
  next_save_waits();
  next_plan_waits();
  close_waits();
  errors_stay(true);
  errors_stay(false);
  memory_is_reused();
  first_save_is_warm(true);
  first_save_is_warm(false);
  no_memory();
  nothing_to_save();
  fork_is_harmless();
  signals_are_for_others();
  every_fault();
  ok(count_descriptors() == descriptors, "no descriptor was lost");
  fixture_end();
  return done();
}
