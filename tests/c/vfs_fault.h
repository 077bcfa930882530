/* vfs_fault.h: a vfs that fails on demand, for tests.
 *
 * Owns: the count of operations, the trace of them, the fault to inject. May
 * not touch: anything but through the inner vfs. One thread at a time.
 */
#ifndef KB_VFS_FAULT_H
#define KB_VFS_FAULT_H

#include "status.h"
#include "os_vfs.h"

typedef enum ck_fault_op {
  CK_OP_ANY = 0,
  CK_OP_CREATE,
  CK_OP_OPEN,
  CK_OP_RESERVE,
  CK_OP_WRITE,
  CK_OP_READ,
  CK_OP_SYNC,
  CK_OP_CLOSE,
  CK_OP_INFO,
  CK_OP_LOOKUP,
  CK_OP_RENAME,
  CK_OP_UNLINK,
  CK_OP_LIST,
  CK_OP_SYNC_DIR,
  CK_OP_SPACE,
  CK_OP_MAKE_DIR,
  CK_OP_OPEN_LOCK,
  CK_OP_LOCK,
  CK_OP_UNLOCK
} ck_fault_op;

/* One operation as it was asked for. `name` and `other` are last components of
 * paths; an operation on a handle has the name of the file it belongs to. */
typedef struct ck_fault_event {
  ck_fault_op op;
  char name[96];
  char other[96];
  uint64_t offset; /* writes and reads */
  uint64_t length;
  int sys; /* what was returned */
} ck_fault_event;

typedef struct ck_fault_handle {
  ck_handle handle;
  uint64_t offset;
  char name[96];
  bool used;
} ck_fault_handle;

typedef struct ck_fault {
  ck_vfs vfs; /* first: a pointer to it is a pointer to this struct */
  ck_vfs *inner;

  /* What to do. All zero: only count. May be changed between operations. */
  ck_fault_op only; /* count and fail only these; CK_OP_ANY for all */
  uint64_t fail_at; /* the operation, counted from 1, that fails; 0: none */
  int fail_with;    /* errno value it fails with */
  bool persistent;  /* and all operations (of that kind) after it */
  uint64_t kill_at; /* die in front of this operation, as by kill -9 */
  size_t short_max; /* move at most so many bytes at once; 0: no limit */
  bool trace;       /* keep events */

  /* What happened. */
  uint64_t n_ops;    /* operations counted, see `only` */
  uint64_t n_failed; /* faults injected */
  int64_t n_open;    /* handles open now */
  ck_fault_event *events;
  size_t n_events;
  ck_fault_handle handles[8];
} ck_fault;

/* `inner` must outlive the fault layer. */
void ck_fault_init(ck_fault *fault, ck_vfs *inner);

/* Free the trace. Nothing else is owned. */
void ck_fault_clear(ck_fault *fault);

/* "write", "sync_dir", ...; "any" for CK_OP_ANY. */
const char *ck_fault_op_name(ck_fault_op op);

/* The reverse; false for an unknown name. */
bool ck_fault_op_parse(const char *name, ck_fault_op *out);

#endif
