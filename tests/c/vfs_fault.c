/* vfs_fault.c: see vfs_fault.h. */
#if defined(__linux__)
#define _GNU_SOURCE /* kill */
#endif
#include "vfs_fault.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <windows.h>
#else
#include <unistd.h>
#endif

static const char *const op_names[] = {
    "any",   "create",   "open",      "reserve", "write",  "read", "sync",
    "close", "info",     "lookup",    "rename",  "unlink", "list", "sync_dir",
    "space", "make_dir", "open_lock", "lock",    "unlock",
};

#define N_OPS (sizeof op_names / sizeof op_names[0])

const char *ck_fault_op_name(ck_fault_op op) {
  return (size_t)op < N_OPS ? op_names[op] : "any";
}

bool ck_fault_op_parse(const char *name, ck_fault_op *out) {
  for (size_t i = 0; i < N_OPS; i++) {
    if (strcmp(op_names[i], name) == 0) {
      *out = (ck_fault_op)i;
      return true;
    }
  }
  return false;
}

static ck_fault *fault_of(ck_vfs *vfs) {
  return (ck_fault *)(void *)vfs;
}

static void name_copy(char *out, size_t cap, const char *path) {
  const char *slash = strrchr(path, '/');
  const char *name = slash == NULL ? path : slash + 1;
  size_t n = strlen(name);
  n = n < cap ? n : cap - 1;
  memcpy(out, name, n);
  out[n] = '\0';
}

static ck_fault_handle *handle_find(ck_fault *fault, ck_handle handle) {
  for (size_t i = 0; i < sizeof fault->handles / sizeof *fault->handles; i++) {
    if (fault->handles[i].used && fault->handles[i].handle == handle) {
      return &fault->handles[i];
    }
  }
  return NULL;
}

static void handle_opened(ck_fault *fault, ck_handle handle, const char *path) {
  fault->n_open++;
  for (size_t i = 0; i < sizeof fault->handles / sizeof *fault->handles; i++) {
    ck_fault_handle *slot = &fault->handles[i];
    if (!slot->used) {
      slot->used = true;
      slot->handle = handle;
      slot->offset = 0;
      name_copy(slot->name, sizeof slot->name, path);
      return;
    }
  }
}

/* As kill -9. */
static void kill_self(void) {
#ifdef _WIN32
  (void)TerminateProcess(GetCurrentProcess(), 137);
#else
  (void)kill(getpid(), SIGKILL);
  for (;;) {
    (void)pause();
  }
#endif
}

/* Count the operation; the errno value to fail with, or 0 to go on. */
static int fault_next(ck_fault *fault, ck_fault_op op) {
  if (fault->only != CK_OP_ANY && fault->only != op) {
    return 0;
  }
  fault->n_ops++;
  if (fault->kill_at != 0 && fault->n_ops == fault->kill_at) {
    kill_self();
  }
  if (fault->fail_at == 0 || fault->n_ops < fault->fail_at ||
      (fault->n_ops > fault->fail_at && !fault->persistent)) {
    return 0;
  }
  fault->n_failed++;
  return fault->fail_with;
}

/* Note what was asked and what came back; returns `sys`. Without memory the
 * trace ends early, which a test that reads it will notice. */
static int fault_note(ck_fault *fault, ck_fault_event event, int sys) {
  ck_fault_event *events;
  if (!fault->trace) {
    return sys;
  }
  events = realloc(fault->events, (fault->n_events + 1) * sizeof *events);
  if (events == NULL) {
    return sys;
  }
  event.sys = sys;
  events[fault->n_events] = event;
  fault->events = events;
  fault->n_events++;
  return sys;
}

static int note_path(ck_fault *fault, ck_fault_op op, const char *path,
                     int sys) {
  ck_fault_event event = {.op = op};
  name_copy(event.name, sizeof event.name, path);
  return fault_note(fault, event, sys);
}

static int note_handle(ck_fault *fault, ck_fault_op op, ck_handle handle,
                       uint64_t offset, uint64_t length, int sys) {
  ck_fault_event event = {.op = op, .offset = offset, .length = length};
  const ck_fault_handle *known = handle_find(fault, handle);
  if (known != NULL) {
    memcpy(event.name, known->name, sizeof event.name);
  }
  return fault_note(fault, event, sys);
}

static int fault_create(ck_vfs *vfs, const char *path, ck_handle *out) {
  ck_fault *fault = fault_of(vfs);
  int sys = fault_next(fault, CK_OP_CREATE);
  if (sys == 0) {
    sys = fault->inner->create(fault->inner, path, out);
    if (sys == 0) {
      handle_opened(fault, *out, path);
    }
  }
  return note_path(fault, CK_OP_CREATE, path, sys);
}

static int fault_open(ck_vfs *vfs, const char *path, ck_handle *out) {
  ck_fault *fault = fault_of(vfs);
  int sys = fault_next(fault, CK_OP_OPEN);
  if (sys == 0) {
    sys = fault->inner->open(fault->inner, path, out);
    if (sys == 0) {
      handle_opened(fault, *out, path);
    }
  }
  return note_path(fault, CK_OP_OPEN, path, sys);
}

static int fault_reserve(ck_vfs *vfs, ck_handle handle, uint64_t size) {
  ck_fault *fault = fault_of(vfs);
  int sys = fault_next(fault, CK_OP_RESERVE);
  if (sys == 0) {
    sys = fault->inner->reserve(fault->inner, handle, size);
  }
  return note_handle(fault, CK_OP_RESERVE, handle, 0, size, sys);
}

static size_t shorten(const ck_fault *fault, size_t n) {
  return fault->short_max != 0 && n > fault->short_max ? fault->short_max : n;
}

static int fault_write(ck_vfs *vfs, ck_handle handle, const void *data,
                       size_t n, size_t *done) {
  ck_fault *fault = fault_of(vfs);
  ck_fault_handle *known = handle_find(fault, handle);
  uint64_t offset = known == NULL ? 0 : known->offset;
  int sys = fault_next(fault, CK_OP_WRITE);
  if (sys == 0) {
    sys = fault->inner->write(fault->inner, handle, data, shorten(fault, n),
                              done);
    if (sys == 0 && known != NULL) {
      known->offset += *done;
    }
  }
  return note_handle(fault, CK_OP_WRITE, handle, offset, sys == 0 ? *done : n,
                     sys);
}

static int fault_read(ck_vfs *vfs, ck_handle handle, uint64_t offset,
                      void *data, size_t n, size_t *done) {
  ck_fault *fault = fault_of(vfs);
  int sys = fault_next(fault, CK_OP_READ);
  if (sys == 0) {
    sys = fault->inner->read(fault->inner, handle, offset, data,
                             shorten(fault, n), done);
  }
  return note_handle(fault, CK_OP_READ, handle, offset, sys == 0 ? *done : n,
                     sys);
}

static int fault_sync(ck_vfs *vfs, ck_handle handle) {
  ck_fault *fault = fault_of(vfs);
  int sys = fault_next(fault, CK_OP_SYNC);
  if (sys == 0) {
    sys = fault->inner->sync(fault->inner, handle);
  }
  return note_handle(fault, CK_OP_SYNC, handle, 0, 0, sys);
}

static int fault_close(ck_vfs *vfs, ck_handle handle) {
  ck_fault *fault = fault_of(vfs);
  ck_fault_handle *known = handle_find(fault, handle);
  int sys = fault_next(fault, CK_OP_CLOSE);
  /* A close that fails closes all the same. */
  int real = fault->inner->close(fault->inner, handle);
  sys = note_handle(fault, CK_OP_CLOSE, handle, 0, 0, sys != 0 ? sys : real);
  fault->n_open--;
  if (known != NULL) {
    known->used = false;
  }
  return sys;
}

static int fault_info(ck_vfs *vfs, ck_handle handle, ck_file_info *out) {
  ck_fault *fault = fault_of(vfs);
  int sys = fault_next(fault, CK_OP_INFO);
  if (sys == 0) {
    sys = fault->inner->info(fault->inner, handle, out);
  }
  return note_handle(fault, CK_OP_INFO, handle, 0, 0, sys);
}

static int fault_lookup(ck_vfs *vfs, const char *path, ck_file_info *out) {
  ck_fault *fault = fault_of(vfs);
  int sys = fault_next(fault, CK_OP_LOOKUP);
  if (sys == 0) {
    sys = fault->inner->lookup(fault->inner, path, out);
  }
  return note_path(fault, CK_OP_LOOKUP, path, sys);
}

static int fault_rename(ck_vfs *vfs, const char *from, const char *to) {
  ck_fault *fault = fault_of(vfs);
  ck_fault_event event = {.op = CK_OP_RENAME};
  int sys = fault_next(fault, CK_OP_RENAME);
  if (sys == 0) {
    sys = fault->inner->rename(fault->inner, from, to);
  }
  name_copy(event.name, sizeof event.name, from);
  name_copy(event.other, sizeof event.other, to);
  return fault_note(fault, event, sys);
}

static int fault_unlink(ck_vfs *vfs, const char *path) {
  ck_fault *fault = fault_of(vfs);
  int sys = fault_next(fault, CK_OP_UNLINK);
  if (sys == 0) {
    sys = fault->inner->unlink(fault->inner, path);
  }
  return note_path(fault, CK_OP_UNLINK, path, sys);
}

static int fault_list(ck_vfs *vfs, const char *dir, ck_name_visitor *visit,
                      void *context) {
  ck_fault *fault = fault_of(vfs);
  int sys = fault_next(fault, CK_OP_LIST);
  if (sys == 0) {
    sys = fault->inner->list(fault->inner, dir, visit, context);
  }
  return note_path(fault, CK_OP_LIST, dir, sys);
}

static int fault_sync_dir(ck_vfs *vfs, const char *dir) {
  ck_fault *fault = fault_of(vfs);
  int sys = fault_next(fault, CK_OP_SYNC_DIR);
  if (sys == 0) {
    sys = fault->inner->sync_dir(fault->inner, dir);
  }
  return note_path(fault, CK_OP_SYNC_DIR, dir, sys);
}

static int fault_space(ck_vfs *vfs, const char *dir, uint64_t *available) {
  ck_fault *fault = fault_of(vfs);
  int sys = fault_next(fault, CK_OP_SPACE);
  if (sys == 0) {
    sys = fault->inner->space(fault->inner, dir, available);
  }
  return note_path(fault, CK_OP_SPACE, dir, sys);
}

static int fault_make_dir(ck_vfs *vfs, const char *path) {
  ck_fault *fault = fault_of(vfs);
  int sys = fault_next(fault, CK_OP_MAKE_DIR);
  if (sys == 0) {
    sys = fault->inner->make_dir(fault->inner, path);
  }
  return note_path(fault, CK_OP_MAKE_DIR, path, sys);
}

static int fault_open_lock(ck_vfs *vfs, const char *path, ck_handle *out) {
  ck_fault *fault = fault_of(vfs);
  int sys = fault_next(fault, CK_OP_OPEN_LOCK);
  if (sys == 0) {
    sys = fault->inner->open_lock(fault->inner, path, out);
    if (sys == 0) {
      handle_opened(fault, *out, path);
    }
  }
  return note_path(fault, CK_OP_OPEN_LOCK, path, sys);
}

static int fault_lock(ck_vfs *vfs, ck_handle handle, bool exclusive) {
  ck_fault *fault = fault_of(vfs);
  ck_fault_op op = exclusive ? CK_OP_LOCK : CK_OP_UNLOCK;
  int sys = fault_next(fault, op);
  if (sys == 0) {
    sys = fault->inner->lock(fault->inner, handle, exclusive);
  }
  return note_handle(fault, op, handle, 0, 0, sys);
}

/* A hint cannot fail, so it is no operation. */
static void fault_start_sync(ck_vfs *vfs, ck_handle handle) {
  ck_fault *fault = fault_of(vfs);
  fault->inner->start_sync(fault->inner, handle);
}

void ck_fault_init(ck_fault *fault, ck_vfs *inner) {
  static const ck_vfs operations = {
      fault_create,   fault_open,       fault_reserve,  fault_write,
      fault_read,     fault_sync,       fault_close,    fault_info,
      fault_lookup,   fault_rename,     fault_unlink,   fault_list,
      fault_sync_dir, fault_space,      fault_make_dir, fault_open_lock,
      fault_lock,     fault_start_sync, false,
  };
  memset(fault, 0, sizeof *fault);
  fault->vfs = operations;
  fault->inner = inner;
}

void ck_fault_clear(ck_fault *fault) {
  free(fault->events);
  fault->events = NULL;
  fault->n_events = 0;
}
