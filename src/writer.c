/* writer.c: see writer.h.
 *
 * Two threads share a ck_writer, but never at the same time. While `job` is
 * JOB_NONE, all of it belongs to the owner. From the hand-over until the job is
 * done, all but `job` and `monitor` belongs to the thread. So only `job` needs
 * the lock, which also orders the memory accesses to the rest. `activity` is
 * atomic, because other threads read it.
 */
#include "writer.h"

#include <stdlib.h>
#include <string.h>

#include "os_thread.h"

/* What is asked for before the plan is known is about as much as is needed. */
#define HINT_SLACK(bytes) ((bytes) / 64 + ((uint64_t)1 << 20))

typedef enum job { JOB_NONE, JOB_PREPARE, JOB_COMMIT, JOB_QUIT } job;

struct ck_writer {
  ck_store *store;
  ck_writer_options options;
  uint64_t pid;
  ck_monitor *monitor;
  ck_thread *thread; /* NULL until there is something for it to do */
  job job;

  uint64_t wanted; /* bytes; for JOB_PREPARE */
  ck_buffer copy;  /* for JOB_COMMIT, these two */
  ck_buffer metadata;
  ck_commit commit;
  ck_error sticky; /* status CK_OK: none */
  ck_activity activity;
};

/* ---- Both threads -------------------------------------------------------- */

/* Memory for a copy. Some of what is free must stay so: training needs more
 * than it has before its first step. */
static bool copy_reserve(ck_writer *writer, uint64_t bytes, bool touch) {
  uint64_t most = writer->options.copy_max;
  uint64_t available;
  ck_error ignored;
  if (writer->copy.data == NULL || bytes > writer->copy.space) {
    /* Given back first, so that it counts as available. */
    ck_buffer_release(&writer->copy);
    available = ck_memory_available();
    if ((most != 0 && bytes > most) || bytes > available - available / 4) {
      return false;
    }
    if (ck_buffer_reserve(&writer->copy, bytes, &ignored) != CK_OK) {
      return false;
    }
    if (touch) {
      ck_buffer_touch(&writer->copy);
    }
  }
  writer->copy.size = bytes;
  return true;
}

static void keep_error(ck_writer *writer, ck_status status,
                       const ck_error *failure) {
  if (status != CK_OK && writer->sticky.status == CK_OK) {
    writer->sticky = *failure;
  }
}

/* ---- The thread ---------------------------------------------------------- */

static void commit_copy(ck_writer *writer) {
  uint64_t started = ck_clock();
  ck_error failure;
  ck_status status = ck_store_commit_copy(
      writer->store, writer->copy.data, (const char *)writer->metadata.data,
      (size_t)writer->metadata.size, &writer->commit, &failure);
  keep_error(writer, status, &failure);
  writer->activity.nanoseconds = ck_clock() - started;
  writer->activity.saving = 0;
}

static void work(void *context) {
  ck_writer *writer = context;
  job todo;
  ck_monitor_enter(writer->monitor);
  for (;;) {
    while (writer->job == JOB_NONE) {
      ck_monitor_wait(writer->monitor);
    }
    todo = writer->job;
    if (todo == JOB_QUIT) {
      break;
    }
    ck_monitor_leave(writer->monitor);
    if (todo == JOB_COMMIT) {
      commit_copy(writer);
    } else {
      (void)copy_reserve(writer, writer->wanted, true);
    }
    ck_monitor_enter(writer->monitor);
    writer->job = JOB_NONE;
    ck_monitor_wake(writer->monitor);
  }
  ck_monitor_leave(writer->monitor);
}

/* ---- The owner ----------------------------------------------------------- */

static bool thread_ready(ck_writer *writer) {
  if (writer->options.background && writer->thread == NULL) {
    (void)ck_thread_start(&writer->thread, work, writer);
  }
  return writer->thread != NULL;
}

/* Only while there is no job. */
static void hand_over(ck_writer *writer, job todo) {
  ck_monitor_enter(writer->monitor);
  writer->job = todo;
  ck_monitor_wake(writer->monitor);
  ck_monitor_leave(writer->monitor);
}

const ck_activity *ck_writer_activity(const ck_writer *writer) {
  return &writer->activity;
}

ck_status ck_writer_settle(ck_writer *writer, ck_error *err) {
  if (writer->pid != ck_process_self()) {
    return ck_error_set(err, CK_ERR_FORKED, "save", NULL, 0,
                        "the store belongs to the process that this one was "
                        "forked from");
  }
  if (writer->thread != NULL) {
    ck_monitor_enter(writer->monitor);
    while (writer->job != JOB_NONE) {
      ck_monitor_wait(writer->monitor);
    }
    ck_monitor_leave(writer->monitor);
  }
  return CK_OK;
}

ck_status ck_writer_open(ck_writer **out, ck_store *store,
                         const ck_writer_options *options, ck_error *err) {
  ck_writer *writer = calloc(1, sizeof *writer);
  *out = NULL;
  if (writer == NULL || ck_monitor_new(&writer->monitor) != 0) {
    free(writer);
    return ck_error_memory(err, sizeof *writer);
  }
  writer->store = store;
  writer->options = *options;
  writer->pid = ck_process_self();
  writer->job = JOB_NONE;
  *out = writer;
  return CK_OK;
}

void ck_writer_close(ck_writer *writer) {
  ck_error ignored;
  /* In a forked process the lock may be held, and memory be half passed on, by
   * a thread that is not there. It goes with the process. */
  if (writer == NULL || ck_writer_settle(writer, &ignored) != CK_OK) {
    return;
  }
  if (writer->thread != NULL) {
    hand_over(writer, JOB_QUIT);
    ck_thread_join(writer->thread);
  }
  ck_monitor_free(writer->monitor);
  ck_buffer_release(&writer->copy);
  ck_buffer_release(&writer->metadata);
  ck_commit_clear(&writer->commit);
  free(writer);
}

ck_status ck_writer_prepare(ck_writer *writer, uint64_t bytes, ck_error *err) {
  ck_status status;
  CK_TRY(ck_writer_settle(writer, err));
  if (bytes > writer->copy.space && thread_ready(writer)) {
    writer->wanted = bytes + HINT_SLACK(bytes);
    hand_over(writer, JOB_PREPARE);
  }
cleanup:
  return status;
}

ck_status ck_writer_plan(ck_writer *writer, const char *tensors,
                         size_t n_tensors, const uint64_t *sizes,
                         size_t n_sizes, ck_error *err) {
  ck_status status;
  CK_TRY(ck_writer_settle(writer, err));
  CK_TRY(ck_store_plan(writer->store, tensors, n_tensors, sizes, n_sizes, err));
  CK_TRY(ck_writer_prepare(writer, ck_store_bytes(writer->store), err));
cleanup:
  return status;
}

/* Take the state over. False where it must be written from where it is. */
static bool take_copy(ck_writer *writer, const uint64_t *addresses,
                      const char *metadata, size_t n_metadata) {
  ck_error ignored;
  if (!thread_ready(writer) ||
      !copy_reserve(writer, ck_store_bytes(writer->store), false) ||
      ck_buffer_reserve(&writer->metadata, n_metadata, &ignored) != CK_OK) {
    return false;
  }
  memcpy(writer->metadata.data, metadata, n_metadata);
  ck_store_copy(writer->store, addresses, writer->copy.data);
  return true;
}

ck_status ck_writer_submit(ck_writer *writer, const uint64_t *addresses,
                           size_t n, const char *metadata, size_t n_metadata,
                           bool *copied, ck_error *err) {
  ck_error failure;
  ck_status status;
  *copied = false;
  CK_TRY(ck_writer_settle(writer, err));
  CK_TRY(
      ck_store_check(writer->store, addresses, n, metadata, n_metadata, err));
  *copied = take_copy(writer, addresses, metadata, n_metadata);
  if (*copied) {
    writer->activity.saving = 1;
    hand_over(writer, JOB_COMMIT);
  } else {
    keep_error(writer,
               ck_store_commit(writer->store, addresses, n, metadata,
                               n_metadata, &writer->commit, &failure),
               &failure);
  }
cleanup:
  return status;
}

ck_status ck_writer_wait(ck_writer *writer, const ck_commit **last,
                         ck_error *err) {
  ck_status status;
  *last = NULL;
  CK_TRY(ck_writer_settle(writer, err));
  *last = writer->commit.generation == 0 ? NULL : &writer->commit;
  status = writer->sticky.status;
  if (status != CK_OK) {
    *err = writer->sticky;
    writer->sticky.status = CK_OK;
  }
cleanup:
  return status;
}
