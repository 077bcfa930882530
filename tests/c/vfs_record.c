/* vfs_record.c: see vfs_record.h. */
#include "vfs_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((noreturn)) static void stop(const char *what) {
  fprintf(stderr, "vfs_record: %s\n", what);
  exit(2);
}

static recorder *recorder_of(ck_vfs *vfs) {
  return (recorder *)(void *)vfs;
}

static void text_set(char out[CK_NAME_CAP], const char *path) {
  const char *text = ck_name_of_path(path);
  if (strlen(text) >= CK_NAME_CAP) {
    stop("a long name");
  }
  strcpy(out, text);
}

static record_event *event_add(recorder *record, record_kind kind, int file) {
  record_event *events =
      realloc(record->events, (record->n + 1) * sizeof *events);
  if (events == NULL) {
    stop("no memory");
  }
  record->events = events;
  memset(&events[record->n], 0, sizeof *events);
  events[record->n].kind = kind;
  events[record->n].file = file;
  return &events[record->n++];
}

static size_t name_at(const recorder *record, const char *path) {
  const char *text = ck_name_of_path(path);
  size_t i = 0;
  while (i < record->n_names && strcmp(record->names[i].text, text) != 0) {
    i++;
  }
  return i;
}

int record_adopt(recorder *record, const char *name) {
  if (record->n_names == RECORD_FILES_MAX) {
    stop("too many files");
  }
  text_set(record->names[record->n_names].text, name);
  record->names[record->n_names].file = record->n_files;
  record->n_names++;
  return record->n_files++;
}

static struct record_handle *handle_at(recorder *record, ck_handle handle) {
  for (size_t i = 0; i < sizeof record->handles / sizeof *record->handles;
       i++) {
    if (record->handles[i].used && record->handles[i].handle == handle) {
      return &record->handles[i];
    }
  }
  stop("an unknown handle");
}

static void handle_add(recorder *record, ck_handle handle, int file) {
  for (size_t i = 0; i < sizeof record->handles / sizeof *record->handles;
       i++) {
    if (!record->handles[i].used) {
      record->handles[i].used = true;
      record->handles[i].handle = handle;
      record->handles[i].file = file;
      record->handles[i].at = 0;
      return;
    }
  }
  stop("too many handles");
}

static int record_create(ck_vfs *vfs, const char *path, ck_handle *out) {
  recorder *record = recorder_of(vfs);
  int sys = record->inner->create(record->inner, path, out);
  if (sys == 0) {
    int file = record_adopt(record, path);
    handle_add(record, *out, file);
    text_set(event_add(record, RECORD_CREATE, file)->name, path);
  }
  return sys;
}

static int record_open(ck_vfs *vfs, const char *path, ck_handle *out) {
  recorder *record = recorder_of(vfs);
  int sys = record->inner->open(record->inner, path, out);
  if (sys == 0) {
    size_t i = name_at(record, path);
    handle_add(record, *out, i < record->n_names ? record->names[i].file : -1);
  }
  return sys;
}

static int record_reserve(ck_vfs *vfs, ck_handle handle, uint64_t size) {
  recorder *record = recorder_of(vfs);
  int sys = record->inner->reserve(record->inner, handle, size);
  if (sys == 0) {
    event_add(record, RECORD_RESERVE, handle_at(record, handle)->file)->length =
        size;
  }
  return sys;
}

static int record_write(ck_vfs *vfs, ck_handle handle, const void *data,
                        size_t n, size_t *done) {
  recorder *record = recorder_of(vfs);
  int sys = record->inner->write(record->inner, handle, data, n, done);
  if (sys == 0) {
    struct record_handle *known = handle_at(record, handle);
    record_event *event = event_add(record, RECORD_WRITE, known->file);
    event->offset = known->at;
    event->length = *done;
    event->data = malloc(*done + 1);
    if (event->data == NULL) {
      stop("no memory");
    }
    memcpy(event->data, data, *done);
    known->at += *done;
  }
  return sys;
}

static int record_read(ck_vfs *vfs, ck_handle handle, uint64_t offset,
                       void *data, size_t n, size_t *done) {
  recorder *record = recorder_of(vfs);
  return record->inner->read(record->inner, handle, offset, data, n, done);
}

static int record_sync(ck_vfs *vfs, ck_handle handle) {
  recorder *record = recorder_of(vfs);
  int sys = record->inner->sync(record->inner, handle);
  event_add(record, RECORD_SYNC, handle_at(record, handle)->file)->failed =
      sys != 0;
  return sys;
}

static int record_close(ck_vfs *vfs, ck_handle handle) {
  recorder *record = recorder_of(vfs);
  struct record_handle *known = handle_at(record, handle);
  known->used = false;
  (void)event_add(record, RECORD_CLOSE, known->file);
  return record->inner->close(record->inner, handle);
}

static int record_info(ck_vfs *vfs, ck_handle handle, ck_file_info *out) {
  recorder *record = recorder_of(vfs);
  return record->inner->info(record->inner, handle, out);
}

static int record_lookup(ck_vfs *vfs, const char *path, ck_file_info *out) {
  recorder *record = recorder_of(vfs);
  return record->inner->lookup(record->inner, path, out);
}

static int record_rename(ck_vfs *vfs, const char *from, const char *to) {
  recorder *record = recorder_of(vfs);
  int sys = record->inner->rename(record->inner, from, to);
  size_t i = name_at(record, from);
  if (sys == 0 && i < record->n_names) {
    record_event *event =
        event_add(record, RECORD_RENAME, record->names[i].file);
    text_set(event->name, from);
    text_set(event->other, to);
    text_set(record->names[i].text, to);
  }
  return sys;
}

static int record_unlink(ck_vfs *vfs, const char *path) {
  recorder *record = recorder_of(vfs);
  int sys = record->inner->unlink(record->inner, path);
  size_t i = name_at(record, path);
  if (sys == 0 && i < record->n_names) {
    text_set(event_add(record, RECORD_UNLINK, record->names[i].file)->name,
             path);
    record->names[i] = record->names[--record->n_names];
  }
  return sys;
}

static int record_list(ck_vfs *vfs, const char *dir, ck_name_visitor *visit,
                       void *context) {
  recorder *record = recorder_of(vfs);
  return record->inner->list(record->inner, dir, visit, context);
}

static int record_sync_dir(ck_vfs *vfs, const char *dir) {
  recorder *record = recorder_of(vfs);
  int sys = record->inner->sync_dir(record->inner, dir);
  if (sys == 0) {
    bool parent = strcmp(ck_name_of_path(dir), "..") == 0;
    (void)event_add(record, parent ? RECORD_SYNC_PARENT : RECORD_SYNC_DIR, -1);
  }
  return sys;
}

static int record_space(ck_vfs *vfs, const char *dir, uint64_t *available) {
  recorder *record = recorder_of(vfs);
  return record->inner->space(record->inner, dir, available);
}

/* No part of a save. */
static int record_make_dir(ck_vfs *vfs, const char *path) {
  recorder *record = recorder_of(vfs);
  return record->inner->make_dir(record->inner, path);
}

static int record_open_lock(ck_vfs *vfs, const char *path, ck_handle *out) {
  recorder *record = recorder_of(vfs);
  return record->inner->open_lock(record->inner, path, out);
}

static int record_lock(ck_vfs *vfs, ck_handle handle, bool exclusive) {
  recorder *record = recorder_of(vfs);
  return record->inner->lock(record->inner, handle, exclusive);
}

/* Promises nothing, so there is nothing that a power cut could break. */
static void record_start_sync(ck_vfs *vfs, ck_handle handle) {
  recorder *record = recorder_of(vfs);
  record->inner->start_sync(record->inner, handle);
}

void record_init(recorder *record, ck_vfs *inner) {
  static const ck_vfs operations = {
      record_create,   record_open,       record_reserve,  record_write,
      record_read,     record_sync,       record_close,    record_info,
      record_lookup,   record_rename,     record_unlink,   record_list,
      record_sync_dir, record_space,      record_make_dir, record_open_lock,
      record_lock,     record_start_sync, false,
  };
  memset(record, 0, sizeof *record);
  record->vfs = operations;
  record->inner = inner;
}

void record_clear(recorder *record) {
  for (size_t i = 0; i < record->n; i++) {
    free(record->events[i].data);
  }
  free(record->events);
  record->events = NULL;
  record->n = 0;
}

void record_mark(recorder *record, int mark, int value) {
  record_event *event = event_add(record, RECORD_MARK, -1);
  event->mark = mark;
  event->value = value;
}

char *record_text(const recorder *record, size_t from) {
  static const char *const kinds[] = {
      "create", "reserve", "write",    "sync",        "close",
      "rename", "unlink",  "sync_dir", "sync_parent", "mark",
  };
  char *out = malloc(120 * (record->n + 1));
  size_t used = 0;
  if (out == NULL) {
    stop("no memory");
  }
  out[0] = '\0';
  for (size_t i = from; i < record->n; i++) {
    const record_event *event = &record->events[i];
    if (event->kind == RECORD_MARK) {
      continue;
    }
    used += (size_t)sprintf(out + used, "%s%s %d %" PRIu64 " %" PRIu64,
                            used == 0 ? "" : "|", kinds[event->kind],
                            event->file, event->offset, event->length);
  }
  return out;
}
