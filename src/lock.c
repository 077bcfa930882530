/* lock.c: see lock.h. Keeps I8, and its part of I7 (no link followed, no file
 * cut off).
 *
 * The lock belongs to an open file. A forked process has that file open too, and
 * would keep the lock for as long as it lives. So all locks are in a list, and
 * the child closes their files before it does anything else.
 */
#include "lock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "os_thread.h"

/* An attempt is repeated only when another process removed or made the file in
 * the middle of it. */
#define ATTEMPTS_MAX 100

struct ck_lock {
  ck_file file;
  char path[CK_PATH_CAP];
  uint64_t pid;
  ck_lock *next;
};

static ck_lock *locks;

/* Held while a file of the list is opened or closed, and around each fork: the
 * child must find every open one in the list. */
static ck_monitor *guard;

static void before_fork(void) {
  ck_monitor_enter(guard);
}

static void after_fork(void) {
  ck_monitor_leave(guard);
}

/* Only closing: a file that was locked by its parent must not be unlocked. */
static void after_fork_in_child(void) {
  ck_error ignored;
  for (ck_lock *lock = locks; lock != NULL; lock = lock->next) {
    (void)ck_file_close(&lock->file, &ignored);
  }
  ck_monitor_leave(guard);
}

static int guard_make(void) {
  int sys;
  if (guard != NULL) {
    return 0;
  }
  sys = ck_monitor_new(&guard);
  if (sys == 0) {
    sys = ck_process_at_fork(before_fork, after_fork, after_fork_in_child);
    if (sys != 0) {
      ck_monitor_free(guard);
      guard = NULL;
    }
  }
  return sys;
}

/* Unlocked first, as systems take their time with a file that is merely closed.
 * Not where no file is open: its number may be another file's by now. And not by
 * a child that got past the list: it would free the lock of its parent. */
static void file_leave(ck_lock *lock) {
  ck_error ignored;
  if (lock->file.is_open && lock->pid == ck_process_self()) {
    (void)ck_file_unlock(&lock->file, &ignored);
  }
  ck_monitor_enter(guard);
  (void)ck_file_close(&lock->file, &ignored);
  ck_monitor_leave(guard);
}

static void list_add(ck_lock *lock) {
  ck_monitor_enter(guard);
  lock->next = locks;
  locks = lock;
  ck_monitor_leave(guard);
}

/* Its file is closed. */
static void list_drop(ck_lock *lock) {
  ck_lock **link = &locks;
  ck_monitor_enter(guard);
  while (*link != lock) {
    link = &(*link)->next;
  }
  *link = lock->next;
  ck_monitor_leave(guard);
}

/* A new, empty file. One that another process has just made serves as well. */
static ck_status file_make(ck_lock *lock, ck_error *err) {
  ck_file file = {0};
  ck_status status = ck_file_create(&file, lock->file.vfs, lock->path, err);
  if (status == CK_OK) {
    return ck_file_close(&file, err);
  }
  return err->sys == EEXIST ? CK_OK : status;
}

static ck_status file_open(ck_lock *lock, ck_error *err) {
  ck_file_info info;
  ck_vfs *vfs = lock->file.vfs;
  ck_status status = ck_path_lookup(vfs, lock->path, &info, err);
  if (status == CK_OK && !info.regular) {
    return ck_error_set(err, CK_ERR_IO, "open", lock->path, 0,
                        "it is a link, a directory or no plain file");
  }
  if (status != CK_OK && err->sys == ENOENT) {
    status = file_make(lock, err);
  }
  CK_TRY(status);
  ck_monitor_enter(guard);
  status = ck_file_open_lock(&lock->file, vfs, lock->path, err);
  ck_monitor_leave(guard);
cleanup:
  return status;
}

/* Whether the file that was opened is a plain one, and still has the name. */
static ck_status has_name(ck_lock *lock, bool *out, ck_error *err) {
  ck_file_info ours;
  ck_file_info named;
  ck_status status;
  *out = false;
  CK_TRY(ck_file_info_get(&lock->file, &ours, err));
  status = ck_path_lookup(lock->file.vfs, lock->path, &named, err);
  if (status != CK_OK && err->sys == ENOENT) {
    return CK_OK;
  }
  CK_TRY(status);
  *out = ours.regular && named.regular && ours.device == named.device &&
         ours.inode == named.inode;
cleanup:
  return status;
}

static ck_status try_once(ck_lock *lock, bool *taken, ck_error *err) {
  ck_status status;
  *taken = false;
  CK_TRY(file_open(lock, err));
  CK_TRY(ck_file_lock(&lock->file, err));
  CK_TRY(has_name(lock, taken, err));
cleanup:
  return status;
}

ck_status ck_lock_take(ck_lock **out, ck_vfs *vfs, const char *path,
                       ck_error *err) {
  ck_lock *lock;
  bool taken = false;
  ck_status status = CK_OK;
  *out = NULL;
  if (strlen(path) >= CK_PATH_CAP) {
    return ck_error_set(err, CK_ERR_IO, "lock", path, ENAMETOOLONG,
                        "the path is too long");
  }
  lock = calloc(1, sizeof *lock);
  if (lock == NULL || guard_make() != 0) {
    free(lock);
    return ck_error_memory(err, sizeof *lock);
  }
  memcpy(lock->path, path, strlen(path) + 1);
  lock->file.vfs = vfs;
  lock->file.path = lock->path;
  lock->pid = ck_process_self();
  list_add(lock);
  for (int i = 0; i < ATTEMPTS_MAX && !taken; i++) {
    status = try_once(lock, &taken, err);
    if (status != CK_OK && err->sys != ENOENT) {
      break;
    }
    if (!taken) {
      file_leave(lock);
    }
  }
  if (taken) {
    *out = lock;
    return CK_OK;
  }
  if (status == CK_OK) {
    status = ck_error_set(err, CK_ERR_IO, "lock", path, EBUSY,
                          "other processes keep making and removing it");
  }
  file_leave(lock);
  list_drop(lock);
  free(lock);
  return status;
}

ck_status ck_lock_is_held(ck_vfs *vfs, const char *path, bool *held,
                          ck_error *err) {
  ck_file file = {0};
  ck_file_info info;
  ck_error ignored;
  ck_status status;
  *held = false;
  status = ck_path_lookup(vfs, path, &info, err);
  if (status == CK_OK && !info.regular) {
    return CK_OK;
  }
  CK_TRY(status);
  CK_TRY(ck_file_open_lock(&file, vfs, path, err));
  CK_TRY(ck_file_lock(&file, err));
  CK_TRY(ck_file_unlock(&file, err));
cleanup:
  (void)ck_file_close(&file, &ignored);
  if (status != CK_OK && (err->sys == EBUSY || err->sys == ENOENT)) {
    *held = err->sys == EBUSY;
    return CK_OK;
  }
  return status;
}

bool ck_lock_holds(ck_lock *lock) {
  bool holds = false;
  ck_error ignored;
  return !lock->file.is_open || has_name(lock, &holds, &ignored) != CK_OK ||
         holds;
}

void ck_lock_release(ck_lock *lock) {
  if (lock == NULL) {
    return;
  }
  file_leave(lock);
  list_drop(lock);
  free(lock);
}
