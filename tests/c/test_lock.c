/* Locks: who has one, for how long, and what a directory that others write to
 * can do about it. */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "lock.h"
#include "note.h"
#include "posix.h"
#include "tap.h"
#include "vfs_fault.h"

static ck_status take(const char *path, ck_lock **out, int *sys) {
  ck_error err;
  ck_status status = ck_lock_take(out, ck_vfs_system(), path, &err);
  *sys = status == CK_OK ? 0 : err.sys;
  return status;
}

/* Whether the lock can be had, by a new handle. */
static bool is_free(const char *path) {
  ck_lock *lock;
  int sys;
  bool found = take(path, &lock, &sys) == CK_OK;
  ck_lock_release(lock);
  if (!found && sys != EBUSY) {
    note("not free, but for %d", sys);
  }
  return found || sys != EBUSY;
}

static bool is_size(const char *path, size_t size) {
  size_t n;
  free(file_get(path, &n));
  return n == size;
}

static void one_holder(void) {
  const char *path = at(fixture_dir(), "lock");
  ck_lock *first;
  ck_lock *second;
  int sys;
  size_t n;
  int before = count_descriptors();
  ok(take(path, &first, &sys) == CK_OK && is_size(path, 0),
     "a lock is had on a file that was missing, and that is empty");
  ok(take(path, &second, &sys) == CK_ERR_IO && sys == EBUSY && second == NULL,
     "I8: only one has it");
  /* What copies a directory does. */
  free(file_get(path, &n));
  file_copy(path, at(fixture_dir(), "copy"));
  ok(!is_free(path), "I8: to open and close the file changes nothing");
  ck_lock_release(first);
  ok(is_free(path) && file_exists(path),
     "it is free when it is released, and its file stays");
  ck_lock_release(NULL);
  if (HAS_POSIX && take(path, &first, &sys) == CK_OK) {
    ok(ck_lock_holds(first), "who has the lock holds it");
    ok(rename(path, at(fixture_dir(), "away")) == 0 && !ck_lock_holds(first),
       "I8: not any more where its file was moved away");
    ok(take(path, &second, &sys) == CK_OK && ck_lock_holds(second) &&
           !ck_lock_holds(first),
       "I8: nor where another one has the name");
    ck_lock_release(second);
    ck_lock_release(first);
  } else {
    skip("a lock whose file is moved", "an open file cannot be moved here");
  }
  ok(before == count_descriptors(), "no file is left open");
}

static void names(void) {
  const char *dir = fixture_dir();
  char target[1200];
  ck_handle handle;
  ck_lock *lock;
  ck_error err;
  char path[CK_PATH_CAP + 10];
  int sys;
  file_put(at(dir, "full"), "mine", 4);
  ok(take(at(dir, "full"), &lock, &sys) == CK_OK && is_size(at(dir, "full"), 4),
     "I7: a file with something in it is locked, and keeps that");
  ck_lock_release(lock);
  snprintf(target, sizeof target, "%s/target", dir);
  file_put(target, "mine", 4);
  if (symlink(target, at(dir, "link")) == 0 &&
      symlink(at(dir, "nothing"), at(dir, "dangling")) == 0) {
    ok(take(at(dir, "link"), &lock, &sys) == CK_ERR_IO && sys != EBUSY &&
           take(at(dir, "dangling"), &lock, &sys) == CK_ERR_IO &&
           !file_exists(at(dir, "nothing")) && is_size(target, 4),
       "I7: no link is followed");
    ok(ck_vfs_system()->open_lock(ck_vfs_system(), at(dir, "link"), &handle) !=
           0,
       "I7: nor by the system, where one comes after the look");
  } else {
    skip("I7: no link is followed", "links cannot be made here");
  }
  if (mkfifo(at(dir, "pipe"), 0666) == 0) {
    ok(take(at(dir, "pipe"), &lock, &sys) == CK_ERR_IO && sys != EBUSY,
       "a pipe is not waited for");
  } else {
    skip("a pipe is not waited for", "pipes cannot be made here");
  }
  ok(mkdir(at(dir, "directory"), 0777) == 0 &&
         take(at(dir, "directory"), &lock, &sys) == CK_ERR_IO && sys != EBUSY,
     "a directory is none");
  ok(take(at(dir, "none/lock"), &lock, &sys) == CK_ERR_IO && sys == ENOENT,
     "nor is one made where there is no directory");
  memset(path, 'x', sizeof path - 1);
  path[sizeof path - 1] = '\0';
  ok(ck_lock_take(&lock, ck_vfs_system(), path, &err) == CK_ERR_IO &&
         err.sys == ENAMETOOLONG && strcmp(err.op, "lock") == 0,
     "no path is longer than paths can be");
}

/* What others do to the directory between two steps of ours. */
typedef struct race_vfs {
  ck_vfs vfs; /* first: a pointer to it is a pointer to this struct */
  const char *path;
  const char *target;
  int times;
  int n_open;  /* lock files that are open */
  int n_stray; /* calls to lock or unlock while none is */
} race_vfs;

static race_vfs *race_of(ck_vfs *vfs) {
  race_vfs *race = (race_vfs *)(void *)vfs;
  race->times--;
  return race;
}

static int create_after_link(ck_vfs *vfs, const char *path, ck_handle *out) {
  race_vfs *race = race_of(vfs);
  if (race->times >= 0 && symlink(race->target, race->path) != 0) {
    exit(2);
  }
  return ck_vfs_system()->create(ck_vfs_system(), path, out);
}

static int create_after_other(ck_vfs *vfs, const char *path, ck_handle *out) {
  (void)vfs;
  file_put(path, "", 0);
  return ck_vfs_system()->create(ck_vfs_system(), path, out);
}

static int open_after_link(ck_vfs *vfs, const char *path, ck_handle *out) {
  race_vfs *race = race_of(vfs);
  if (race->times >= 0 &&
      (unlink(race->path) != 0 || symlink(race->target, race->path) != 0)) {
    exit(2);
  }
  return ck_vfs_system()->open_lock(ck_vfs_system(), path, out);
}

static int open_read_after_pipe(ck_vfs *vfs, const char *path, ck_handle *out) {
  race_vfs *race = race_of(vfs);
  if (unlink(race->path) != 0 || mkfifo(race->path, 0666) != 0) {
    exit(2);
  }
  return ck_vfs_system()->open(ck_vfs_system(), path, out);
}

/* As a training that ends does, whose lock was waited for. */
static int lock_after_removal(ck_vfs *vfs, ck_handle handle, bool exclusive) {
  race_vfs *race = race_of(vfs);
  if (exclusive && race->times >= 0) {
    if (unlink(race->path) != 0) {
      exit(2);
    }
    if (race->times % 2 == 0) {
      file_put(race->path, "", 0);
    }
  }
  return ck_vfs_system()->lock(ck_vfs_system(), handle, exclusive);
}

static int open_after_removal(ck_vfs *vfs, const char *path, ck_handle *out) {
  race_vfs *race = race_of(vfs);
  int sys;
  if (race->times >= 0 && unlink(race->path) != 0) {
    exit(2);
  }
  sys = ck_vfs_system()->open_lock(ck_vfs_system(), path, out);
  race->n_open += sys == 0;
  return sys;
}

static int lock_counted(ck_vfs *vfs, ck_handle handle, bool exclusive) {
  race_vfs *race = (race_vfs *)(void *)vfs;
  race->n_stray += race->n_open == 0;
  return ck_vfs_system()->lock(ck_vfs_system(), handle, exclusive);
}

static void races(void) {
  const char *dir = fixture_dir();
  race_vfs race = {
      *ck_vfs_system(), at(dir, "lock"), at(dir, "target"), 1, 0, 0};
  ck_vfs system = race.vfs;
  ck_lock *lock;
  ck_error err;
  ck_buffer text = {0};
  bool found;
  char before[10];
  int descriptors = count_descriptors();
  int i;
  file_put(race.target, "mine", 4);
  if (!HAS_POSIX) {
    skip("I7: a link that comes in between", "links cannot be made here");
    return;
  }
  race.vfs.create = create_after_link;
  ok(ck_lock_take(&lock, &race.vfs, race.path, &err) == CK_ERR_IO &&
         is_size(race.target, 4),
     "I7: a link that comes before the lock file is made is not followed");
  (void)unlink(race.path);
  race.times = 1;
  ok(ck_note_write(&race.vfs, race.path, "text", &err) == CK_ERR_IO &&
         err.sys == EEXIST && is_size(race.target, 4),
     "I7: nor is one before a note is written");
  (void)unlink(race.path);
  file_put(race.path, "", 0);
  race.vfs = system;
  race.vfs.open_lock = open_after_link;
  race.times = 1;
  ok(ck_lock_take(&lock, &race.vfs, race.path, &err) == CK_ERR_IO &&
         is_size(race.target, 4),
     "I7: nor one before the lock file is opened");
  (void)unlink(race.path);
  file_put(race.path, "text", 4);
  race.vfs = system;
  race.vfs.open = open_read_after_pipe;
  ok(ck_note_read(&race.vfs, race.path, &text, &found, &err) == CK_OK &&
         !found && text.data == NULL,
     "a pipe that comes before a note is read is not waited for");
  (void)unlink(race.path);
  race.vfs = system;
  race.vfs.lock = lock_after_removal;
  for (i = 0; i < 2; i++) {
    /* The name goes to another file, or to none. */
    race.times = 1 + i;
    ok(ck_lock_take(&lock, &race.vfs, race.path, &err) == CK_OK &&
           race.times < 0 && !is_free(race.path),
       "I8: a lock on a file that lost its name is none (%d)", i);
    ck_lock_release(lock);
  }
  race.vfs = system;
  race.vfs.create = create_after_other;
  (void)unlink(race.path);
  ok(ck_lock_take(&lock, &race.vfs, race.path, &err) == CK_OK &&
         !is_free(race.path),
     "a lock file that another process makes first is as good");
  ck_lock_release(lock);
  race.vfs = system;
  race.vfs.open_lock = open_after_removal;
  race.vfs.lock = lock_counted;
  race.times = 2;
  ok(ck_lock_take(&lock, &race.vfs, race.path, &err) == CK_OK &&
         !is_free(race.path),
     "a lock file that is removed before it is opened is made again");
  ok(race.n_stray == 0, "and no other open file is unlocked meanwhile");
  ck_lock_release(lock);
  race.vfs = system;
  race.vfs.lock = lock_after_removal;
  race.times = 1000;
  ok(ck_lock_take(&lock, &race.vfs, race.path, &err) == CK_ERR_IO,
     "who loses it again and again gives up");
  snprintf(before, sizeof before, "%d", err.sys);
  note("with errno %s", before);
  ok(descriptors == count_descriptors(), "no attempt leaves a file open");
}

static void failures(void) {
  const char *path = at(fixture_dir(), "lock");
  ck_fault fault;
  ck_lock *lock;
  ck_error err;
  int n_ok = 0;
  ck_fault_init(&fault, ck_vfs_system());
  fault.only = CK_OP_LOCK;
  fault.fail_at = 1;
  fault.fail_with = ENOLCK;
  ok(ck_lock_take(&lock, &fault.vfs, path, &err) == CK_ERR_IO &&
         err.sys == ENOLCK && strcmp(err.op, "lock") == 0 && lock == NULL,
     "that there are no locks is told");
  for (int at = 1; at < 8; at++) {
    ck_fault_clear(&fault);
    ck_fault_init(&fault, ck_vfs_system());
    (void)unlink(path);
    fault.fail_at = (uint64_t)at;
    fault.fail_with = EIO;
    if (ck_lock_take(&lock, &fault.vfs, path, &err) == CK_OK) {
      n_ok++;
      ck_lock_release(lock);
    } else if (err.sys != EIO) {
      ok(false, "another error than the one met: %d", err.sys);
    }
    if (fault.n_open != 0) {
      ok(false, "a file stays open where operation %d fails", at);
    }
    if (!is_free(path)) {
      ok(false, "it stays locked where operation %d fails", at);
    }
  }
  ok(n_ok == 0 && fault.n_failed == 1, "every failure is told, nothing stays");
  ck_fault_clear(&fault);
}

#if HAS_FORK

/* What `run(path)` in a process of its own exits with. */
static int in_fork(int (*run)(const char *path), const char *path) {
  int status = 0;
  pid_t child = fork();
  if (child == 0) {
    _exit(run(path));
  }
  (void)waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int is_free_here(const char *path) {
  return is_free(path) ? 1 : 0;
}

static ck_lock *inherited;

static int releases(const char *path) {
  ck_lock_release(inherited);
  return is_free(path) ? 1 : 0;
}

static int takes_another(const char *path) {
  char other[1200];
  ck_lock *lock;
  int sys;
  bool had;
  snprintf(other, sizeof other, "%s.other", path);
  had = take(other, &lock, &sys) == CK_OK && !is_free(other);
  ck_lock_release(lock);
  return had && is_free(other) ? 1 : 0;
}

/* Takes the lock, forks a child that runs on, and is killed. The child writes
 * its number to `out`: from then on it is past what is called around a fork. */
static void dies_with_child(const char *path, int out) {
  ck_lock *lock;
  int sys;
  pid_t child;
  if (take(path, &lock, &sys) != CK_OK) {
    _exit(1);
  }
  child = fork();
  if (child == 0) {
    child = getpid();
    if (write(out, &child, sizeof child) != (ssize_t)sizeof child) {
      _exit(1);
    }
    for (;;) {
      (void)pause();
    }
  }
  (void)kill(getpid(), SIGKILL);
}

static void forks(void) {
  const char *path = at(fixture_dir(), "lock");
  int ends[2];
  pid_t parent;
  pid_t child = 0;
  int sys;
  if (take(path, &inherited, &sys) != CK_OK || pipe(ends) != 0) {
    exit(2);
  }
  ok(in_fork(is_free_here, path) == 0, "I8: a forked process has no lock");
  ok(in_fork(releases, path) == 0 && !is_free(path),
     "I8: nothing that it does frees the lock of its parent");
  ok(in_fork(takes_another, path) == 1, "it has locks of its own");
  ck_lock_release(inherited);
  ok(is_free(path), "and the parent's is free when that releases it");

  parent = fork();
  if (parent == 0) {
    (void)close(ends[0]);
    dies_with_child(path, ends[1]);
    _exit(1);
  }
  (void)close(ends[1]);
  if (read(ends[0], &child, sizeof child) != (ssize_t)sizeof child) {
    child = 0;
  }
  (void)waitpid(parent, &sys, 0);
  ok(child > 0 && WIFSIGNALED(sys) && kill(child, 0) == 0 && is_free(path),
     "I8: a killed owner's lock is free, though a child of it goes on");
  if (child > 0) {
    (void)kill(child, SIGKILL);
  }
  (void)close(ends[0]);
}

/* The locks of the versions before, which were the process's. */
static int old_lock(const char *path) {
  struct flock whole;
  int fd = open(path, O_RDWR);
  memset(&whole, 0, sizeof whole);
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return fd >= 0 && fcntl(fd, F_SETLK, &whole) == 0 ? 1 : 0;
}

static int other_takes(const char *path) {
  int status = old_lock(path);
  return status == 1 && in_fork(is_free_here, path) == 0 ? 1 : 0;
}

static void old_locks(void) {
#ifdef F_OFD_SETLK
  const char *path = at(fixture_dir(), "lock");
  ck_lock *lock;
  int sys;
  if (take(path, &lock, &sys) != CK_OK) {
    exit(2);
  }
  ok(in_fork(old_lock, path) == 0,
     "I8: a process that locks as older versions do is refused");
  ck_lock_release(lock);
  ok(in_fork(other_takes, path) == 1, "I8: and refuses one that does not");
#else
  (void)other_takes;
  skip("I8: locks of older versions", "this system has other locks");
#endif
}

#else
static void forks(void) {
  skip("forked processes", "there are none here");
}
static void old_locks(void) {
  skip("I8: locks of older versions", "they are the same here");
}
#endif

/* "yes", "no", or what went wrong. */
static const char *held(ck_vfs *vfs, const char *path) {
  bool found;
  ck_error err;
  if (ck_lock_is_held(vfs, path, &found, &err) != CK_OK) {
    return ck_errno_name(err.sys);
  }
  return found ? "yes" : "no";
}

static void looks(void) {
  const char *dir = fixture_dir();
  const char *path = at(dir, "lock");
  ck_vfs *vfs = ck_vfs_system();
  ck_fault fault;
  ck_lock *lock;
  int sys;
  int before = count_descriptors();
  ok(strcmp(held(vfs, path), "no") == 0 && !file_exists(path),
     "a lock file that is missing is held by nobody, and not made");
  ok(take(path, &lock, &sys) == CK_OK && strcmp(held(vfs, path), "yes") == 0 &&
         ck_lock_holds(lock) && !is_free(path),
     "who has the lock is seen, and keeps it");
  ck_lock_release(lock);
  ok(strcmp(held(vfs, path), "no") == 0 && is_free(path),
     "a look takes no lock");
  if (symlink(path, at(dir, "link")) == 0) {
    ok(strcmp(held(vfs, at(dir, "link")), "no") == 0, "no link is followed");
  } else {
    skip("no link is followed", "links cannot be made here");
  }
  ck_fault_init(&fault, vfs);
  fault.only = CK_OP_LOCK;
  fault.fail_at = 1;
  fault.fail_with = ENOLCK;
  ok(strcmp(held(&fault.vfs, path), "ENOLCK") == 0 && fault.n_open == 0,
     "a file system without locks does not tell");
  ck_fault_clear(&fault);
  ok(before == count_descriptors(), "no file is left open");
}

static void notes(void) {
  const char *path = at(fixture_dir(), "note");
  char long_text[CK_NOTE_MAX + 2];
  ck_vfs *vfs = ck_vfs_system();
  ck_buffer text = {0};
  ck_fault fault;
  ck_error err;
  bool found = true;
  ok(ck_note_read(vfs, path, &text, &found, &err) == CK_OK && !found,
     "there is no note");
  ok(ck_note_write(vfs, path, "a b", &err) == CK_OK &&
         ck_note_read(vfs, path, &text, &found, &err) == CK_OK && found &&
         text.size == 3 && strcmp((const char *)text.data, "a b") == 0,
     "a note is read as it was written");
  ok(ck_note_write(vfs, path, "c", &err) == CK_ERR_IO && err.sys == EEXIST &&
         is_size(path, 3),
     "I7: what is there is not written to");
  file_put(path, "", 0);
  ok(ck_note_read(vfs, path, &text, &found, &err) == CK_OK && found &&
         text.size == 0,
     "it may be empty");
  memset(long_text, 'x', sizeof long_text);
  file_put(path, long_text, CK_NOTE_MAX);
  ok(ck_note_read(vfs, path, &text, &found, &err) == CK_OK && found &&
         text.size == CK_NOTE_MAX,
     "or long");
  file_put(path, long_text, CK_NOTE_MAX + 1);
  ok(ck_note_read(vfs, path, &text, &found, &err) == CK_OK && !found,
     "but nobody wrote one without end");
  (void)unlink(path);
  for (int at = 1; at < 4; at++) {
    ck_fault_init(&fault, vfs);
    fault.fail_at = (uint64_t)at;
    fault.fail_with = ENOSPC;
    ok(ck_note_write(&fault.vfs, path, "a b", &err) == CK_ERR_IO &&
           err.sys == ENOSPC && fault.n_open == 0 && !file_exists(path),
       "nothing is left of one that failed at operation %d", at);
    ck_fault_clear(&fault);
  }
  ck_buffer_release(&text);
}

int main(void) {
  one_holder();
  names();
  races();
  failures();
  forks();
  old_locks();
  looks();
  notes();
  fixture_end();
  return done();
}
