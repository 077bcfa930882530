/* The store: the order of a commit, rotation, what is restored, and what is
 * left alone. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "format.h"
#include "posix.h"
#include "tap.h"

static ck_vfs custom; /* the system's, but for what a test changes */

static ck_store *open_store(ck_vfs *vfs, const char *dir, unsigned keep) {
  ck_store *store;
  ck_error err;
  if (ck_store_open(&store, vfs, dir, keep, &err) != CK_OK) {
    fprintf(stderr, "cannot open: %s\n", err.message);
    exit(2);
  }
  return store;
}

/* From now on, let operation number 1 of this kind fail. */
static void arm(ck_fault *fault, ck_fault_op op, int sys) {
  fault->only = op;
  fault->n_ops = 0;
  fault->fail_at = 1;
  fault->fail_with = sys;
}

/* Where space cannot be reserved, as under wine, it is counted instead. */
static void space_ignore(char *text) {
  static const char wanted[] = "|reserve T|space|";
  char *found = HAS_POSIX ? NULL : strstr(text, wanted);
  if (found != NULL) {
    char *from = found + strlen("|reserve T|space");
    memmove(found + strlen("|reserve T"), from, strlen(from) + 1);
  }
}

/* "create T|write T|..." with T for the temporary file and the generation for
 * a committed one; repeated operations once. */
static const char *trace_text(const ck_fault *fault, size_t from) {
  static char out[4000];
  char last[200] = "";
  out[0] = '\0';
  for (size_t i = from; i < fault->n_events; i++) {
    const ck_fault_event *event = &fault->events[i];
    const char *names[2] = {event->name, event->other};
    char text[200];
    int n = snprintf(text, sizeof text, "%s", ck_fault_op_name(event->op));
    for (int k = 0; k < 2; k++) {
      ck_name name = ck_name_parse(names[k]);
      if (name.kind == CK_NAME_TEMP) {
        n += snprintf(text + n, sizeof text - (size_t)n, " T");
      } else if (name.kind == CK_NAME_COMMITTED) {
        n += snprintf(text + n, sizeof text - (size_t)n, " %" PRIu64,
                      name.generation);
      }
    }
    if (strcmp(text, last) != 0) {
      snprintf(out + strlen(out), sizeof out - strlen(out), "%s%s",
               out[0] == '\0' ? "" : "|", text);
    }
    strcpy(last, text);
  }
  space_ignore(out);
  return out;
}

static void commit_order(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(3000000, 1);
  ck_fault fault;
  ck_store *store;
  ck_commit commit = {0};
  ck_error err;
  const char *text;
  size_t from;
  uint64_t written = 0;
  ck_fault_init(&fault, ck_vfs_system());
  fault.trace = true;
  store = open_store(&fault.vfs, dir, 1);
  ok(tensors_save(store, &t, &commit, &err) == CK_OK &&
         commit.generation == 1 && commit.notes.n == 0 &&
         strcmp(commit.path, at_generation(dir, 1)) == 0,
     "the first save is generation 1");
  from = fault.n_events;
  ok(tensors_save(store, &t, &commit, &err) == CK_OK, "the second is done");
  text = trace_text(&fault, from);
  note("%s", text);
  ok(strcmp(text,
            "list|create T|reserve T|write T|sync T|close T|rename T 2|"
            "sync_dir|lookup 1|open 1|info 1|read 1|close 1|unlink 1") == 0,
     "I1 I2 I3: the order of a commit is create, reserve, write, sync, close, "
     "rename, sync of the directory, removal of the old");
  for (size_t i = from; i < fault.n_events; i++) {
    const ck_fault_event *event = &fault.events[i];
    if (event->op == CK_OP_WRITE) {
      if (event->offset != written) {
        written = UINT64_MAX / 2;
      }
      written += event->length;
    }
  }
  ok(written == commit.bytes, "the file is written in one pass, once");
  for (size_t i = from; i < fault.n_events; i++) {
    if (fault.events[i].op == CK_OP_RESERVE) {
      ok(fault.events[i].length == commit.bytes,
         "exactly the file's size is reserved");
    }
  }
  ok(fault.n_open == 0, "no file stays open");
  ck_store_close(store);
  ck_commit_clear(&commit);
  ck_fault_clear(&fault);
  tensors_free(&t);
}

static void rotation(void) {
  const char *one = fixture_dir();
  const char *two = fixture_dir();
  char name[200];
  tensors t = tensors_one(100, 1);
  ck_error err;
  ck_store *store = open_store(ck_vfs_system(), one, 1);
  for (int i = 0; i < 4; i++) {
    (void)tensors_save(store, &t, NULL, &err);
  }
  ck_store_close(store);
  ok(strcmp(generations(one), "4") == 0, "keep = 1 keeps the newest");
  store = open_store(ck_vfs_system(), two, 2);
  for (int i = 0; i < 4; i++) {
    (void)tensors_save(store, &t, NULL, &err);
  }
  ck_store_close(store);
  ok(strcmp(generations(two), "3 4") == 0, "keep = 2 keeps two");
  store = open_store(ck_vfs_system(), two, 1);
  ok(strcmp(generations(two), "3 4") == 0, "opening removes no checkpoint");
  (void)tensors_save(store, &t, NULL, &err);
  ck_store_close(store);
  ok(strcmp(generations(two), "5") == 0, "keep = 1 after keep = 2 tidies up");
  store = open_store(ck_vfs_system(), two, 1);
  unlink(at_generation(two, 5));
  (void)tensors_save(store, &t, NULL, &err);
  ok(strcmp(generations(two), "1") == 0, "an empty directory begins at 1");
  unlink(at_generation(two, 1));
  (void)tensors_save(store, &t, NULL, &err);
  ok(strcmp(generations(two), "2") == 0,
     "I3: a number used by this store is not used again");
  file_put(at_generation(two, 41), "not ours", 8);
  (void)tensors_save(store, &t, NULL, &err);
  ok(strcmp(generations(two), "41 42") == 0,
     "I3: the next number is above any that a name in the directory has");
  snprintf(name, sizeof name, "backup-000000000090.%ld-0123456789abcdef.tmp",
           living_pid());
  file_put(at(two, name), "x", 1);
  (void)tensors_save(store, &t, NULL, &err);
  ok(strcmp(generations(two), "41 91") == 0, "temporary names count as well");
  ck_store_close(store);
  tensors_free(&t);
}

/* A file that is not ours cannot use up the numbers. */
static void numbers(void) {
  const uint64_t high = CK_GENERATION_MAX - 9;
  const char *dir = fixture_dir();
  char name[200];
  tensors t[2] = {tensors_one(100, 1), tensors_one(100, 2)};
  ck_checkpoint loaded = {0};
  ck_error err;
  ck_fault fault;
  ck_store *store;
  fixture_save(dir, 1, &t[0]);
  snprintf(name, sizeof name, "backup-%" PRIu64 ".%ld-0123456789abcdef.tmp",
           CK_GENERATION_MAX, living_pid());
  file_put(at(dir, name), "", 0);
  file_put(at_generation(dir, CK_GENERATION_MAX), "not ours", 8);
  if (mkdir(at_generation(dir, CK_GENERATION_MAX - 1), 0777) != 0) {
    exit(2);
  }
  fixture_save(dir, 2, &t[1]);
  ok(strcmp(generations(dir), "1 2 999999999998 999999999999") == 0,
     "I7: a file that is not ours does not use up the numbers");
  ok(fixture_load(dir, t, 2) == 1, "the newest of ours is what is loaded");
  store = open_store(ck_vfs_system(), dir, 1);
  ok(ck_store_find(store, CK_READ_VERIFY, &loaded, &err) == CK_OK &&
         loaded.found && loaded.skipped.n == 0,
     "I7: and no other file is called a newer one that was skipped");
  ck_checkpoint_clear(&loaded);
  ck_store_close(store);

  /* Ours do count, and taken names are passed over. */
  fixture_clear(dir);
  fixture_save(dir, 1, &t[0]);
  file_copy(at_generation(dir, 1), at_generation(dir, high));
  file_flip(at_generation(dir, high), 8 * 150);
  file_put(at_generation(dir, high + 1), "not ours", 8);
  file_put(at_generation(dir, high + 2), "", 0);
  fixture_save(dir, 1, &t[1]);
  ok(strcmp(generations(dir), "999999999991 999999999992 999999999993") == 0,
     "I3: the next number is above that of a damaged one of ours, and free");

  /* It may be ours where it cannot be read. */
  file_put(at_generation(dir, high + 4), "not ours", 8);
  ck_fault_init(&fault, ck_vfs_system());
  store = open_store(&fault.vfs, dir, 1);
  arm(&fault, CK_OP_LOOKUP, EMFILE);
  ok(tensors_save(store, &t[0], NULL, &err) == CK_ERR_IO && err.sys == EMFILE &&
         fixture_load(dir, t, 2) == 1,
     "where lack of descriptors keeps from knowing, the save fails");
  arm(&fault, CK_OP_LOOKUP, EACCES);
  ok(tensors_save(store, &t[0], NULL, &err) == CK_OK &&
         file_exists(at_generation(dir, high + 5)),
     "I3: what cannot be read counts");
  ck_store_close(store);

  file_copy(at_generation(dir, high + 5),
            at_generation(dir, CK_GENERATION_MAX));
  store = open_store(ck_vfs_system(), dir, 1);
  ok(tensors_save(store, &t[1], NULL, &err) == CK_ERR_EXHAUSTED &&
         strcmp(err.path, dir) == 0 && count_temps(dir, 0) == 0 &&
         file_exists(at_generation(dir, high + 5)),
     "when ours have used up the numbers a save fails, and says so");
  ck_store_close(store);
  tensors_free(&t[0]);
  tensors_free(&t[1]);
}

static void fallback(void) {
  const char *dir = fixture_dir();
  tensors t[3] = {tensors_one(5000, 1), tensors_one(5000, 2),
                  tensors_one(5000, 3)};
  ck_store *store;
  ck_checkpoint loaded = {0};
  ck_error err;
  fixture_save(dir, 2, &t[0]);
  fixture_save(dir, 2, &t[1]);
  ok(fixture_load(dir, t, 3) == 1, "I5: the newest is loaded");
  file_flip(at_generation(dir, 2), 8 * 2000);
  store = open_store(ck_vfs_system(), dir, 2);
  ok(ck_store_find(store, CK_READ_LOAD, &loaded, &err) == CK_OK &&
         loaded.found && loaded.image.generation == 1 &&
         strcmp(loaded.path, at_generation(dir, 1)) == 0 &&
         memcmp(loaded.image.data.data, t[0].bytes, 5000) == 0,
     "I5: a damaged newest falls back to the one before");
  ok(loaded.skipped.n == 1 &&
         loaded.skipped.items[0].status == CK_ERR_CORRUPT &&
         strcmp(loaded.skipped.items[0].path, at_generation(dir, 2)) == 0 &&
         loaded.skipped.items[0].offset == 0 &&
         loaded.skipped.items[0].length == 5000,
     "I5: the damaged one is named with the range of the damage");
  ck_checkpoint_clear(&loaded);
  ok(strcmp(generations(dir), "1 2") == 0, "I5: loading changes nothing");
  (void)tensors_save(store, &t[2], NULL, &err);
  ok(strcmp(generations(dir), "1 3") == 0,
     "one found damaged does not count as kept: keep = 2 keeps 1 and 3");
  ck_store_close(store);
  for (int i = 0; i < 3; i++) {
    tensors_free(&t[i]);
  }
}

static void nothing_verifies(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(5000, 1);
  ck_store *store;
  ck_checkpoint loaded = {0};
  ck_error err;
  char *before;
  char *after;
  store = open_store(ck_vfs_system(), dir, 2);
  ok(ck_store_find(store, CK_READ_LOAD, &loaded, &err) == CK_OK &&
         !loaded.found,
     "I5: an empty directory is nothing to load, not an error");
  ck_checkpoint_clear(&loaded);
  fixture_save(dir, 2, &t);
  fixture_save(dir, 2, &t);
  file_flip(at_generation(dir, 1), 8 * 2000);
  file_flip(at_generation(dir, 2), 0);
  before = directory_state(dir);
  ok(ck_store_find(store, CK_READ_LOAD, &loaded, &err) == CK_ERR_CORRUPT &&
         !loaded.found && loaded.image.data.data == NULL &&
         loaded.skipped.n == 2 && strcmp(err.path, at_generation(dir, 2)) == 0,
     "I5: if none verifies it is an error that names the newest");
  after = directory_state(dir);
  ok(strcmp(before, after) == 0, "I5: and no file is changed");
  free(before);
  free(after);
  ck_checkpoint_clear(&loaded);
  ck_store_close(store);
  tensors_free(&t);
}

/* A resource that this process lacks says nothing about the newest file. */
static void no_fallback_for_lack(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(50, 1);
  ck_fault fault;
  ck_store *store;
  ck_checkpoint loaded = {0};
  ck_error err;
  fixture_save(dir, 2, &t);
  fixture_save(dir, 2, &t);
  ck_fault_init(&fault, ck_vfs_system());
  store = open_store(&fault.vfs, dir, 2);
  arm(&fault, CK_OP_OPEN, EMFILE);
  ok(ck_store_find(store, CK_READ_LOAD, &loaded, &err) == CK_ERR_IO &&
         err.sys == EMFILE,
     "I5: too many open files do not fall back to an older generation");
  ck_checkpoint_clear(&loaded);
  arm(&fault, CK_OP_OPEN, EIO);
  ok(ck_store_find(store, CK_READ_LOAD, &loaded, &err) == CK_OK &&
         loaded.image.generation == 1 && loaded.skipped.n == 1 &&
         loaded.skipped.items[0].sys == EIO,
     "I5: a file that the disk cannot read does");
  ck_checkpoint_clear(&loaded);
  ck_store_close(store);
  tensors_free(&t);
}

static void things_that_are_no_files(void) {
  const char *dir = fixture_dir();
  const char *outside = fixture_dir();
  tensors t = tensors_one(50, 1);
  ck_store *store;
  ck_checkpoint loaded = {0};
  ck_error err;
  if (!HAS_POSIX) {
    skip("I7: links and pipes", "there are none here");
    tensors_free(&t);
    return;
  }
  fixture_save(dir, 1, &t);
  fixture_save(outside, 1, &t);
  if (symlink(at_generation(outside, 1), at_generation(dir, 2)) != 0 ||
      mkdir(at_generation(dir, 3), 0777) != 0 ||
      mkfifo(at_generation(dir, 4), 0666) != 0) {
    exit(2);
  }
  store = open_store(ck_vfs_system(), dir, 1);
  ok(ck_store_find(store, CK_READ_LOAD, &loaded, &err) == CK_OK &&
         loaded.image.generation == 1 && loaded.skipped.n == 3,
     "I7: a link, a directory and a pipe are skipped; the pipe does not hang");
  ck_checkpoint_clear(&loaded);
  ok(tensors_save(store, &t, NULL, &err) == CK_OK &&
         strcmp(generations(dir), "2 3 4 5") == 0 &&
         file_exists(at_generation(outside, 1)),
     "I7: rotation removes none of them, nor what a link points at");
  ck_store_close(store);
  tensors_free(&t);
}

static void removed(void *context, const char *path) {
  char *out = context;
  strcat(out, ck_name_of_path(path));
  strcat(out, "\n");
}

static void foreign_files(void) {
  static const char *const look_alikes[] = {
      "backup-00000000001.safetensors",
      "backup-0000000000001.safetensors",
      "backup-000000000000.safetensors",
      "backup-000000000001.safetensors.bak",
      "backup-000000000001.safetensor",
      "Backup-000000000001.safetensors",
      " backup-000000000001.safetensors",
      "backup-00000000001x.safetensors",
      "backup-000000000001.keras",
      "model.weights.safetensors",
      "backup-000000000001.tmp",
      "backup-000000000001.-0123456789abcdef.tmp",
      "backup-000000000001.1234-0123456789abcde.tmp",
      "backup-000000000001.1234-0123456789ABCDEF.tmp",
      "backup-000000000001.01234-0123456789abcdef.tmp",
      "backup-000000000001.1234-0123456789abcdef.tmp2",
      "backup-000000000001.12345678901-0123456789abcdef.tmp",
      "notes.txt",
      ".hidden",
  };
  const char *dir = fixture_dir();
  const char *source = fixture_dir();
  tensors t = tensors_one(500, 1);
  long pid = dead_pid();
  char name[200];
  char *before;
  char *after;
  char gone[2000] = "";
  char wanted[200];
  ck_error err;
  /* Real checkpoints under names that are not quite ours: only the name can
   * save them. And under our names, what we did not write. */
  fixture_save(source, 1, &t);
  for (size_t i = 0; i < sizeof look_alikes / sizeof *look_alikes; i++) {
    file_copy(at_generation(source, 1), at(dir, look_alikes[i]));
  }
  file_put(at_generation(dir, 3), "someone else's", 14);
  file_put(at_generation(dir, 2), "", 0);
  snprintf(name, sizeof name, "backup-000000000004.%ld-0123456789abcdef.tmp",
           pid);
  file_put(at(dir, name), "someone else's", 14);
  snprintf(name, sizeof name, "backup-000000000004.%ld-0000000000000000.tmp",
           pid);
  if ((HAS_POSIX && (symlink(at_generation(source, 1), at(dir, name)) != 0 ||
                     symlink("/nowhere", at(dir, "dangling")) != 0)) ||
      mkdir(at(dir, "subdirectory"), 0777) != 0) {
    exit(2);
  }
  snprintf(name, sizeof name, "backup-000000000004.%ld-0123456789abcdef.tmp",
           living_pid());
  file_copy(at_generation(source, 1), at(dir, name));
  before = directory_state(dir);
  for (int i = 0; i < 3; i++) {
    fixture_save(dir, 1, &t);
  }
  ok(ck_directory_delete(ck_vfs_system(), dir, removed, gone, &err) == CK_OK,
     "everything of ours is deleted");
  after = directory_state(dir);
  ok(strcmp(before, after) == 0,
     "I7: after saves, rotation and deletion all foreign files are as before");
  snprintf(wanted, sizeof wanted, "%s\n", "backup-000000000007.safetensors");
  ok(strcmp(gone, wanted) == 0, "the deleted file is reported, and only it");
  ok(file_exists(at_generation(source, 1)), "I7: no link was followed");
  free(before);
  free(after);
  tensors_free(&t);
}

/* What makes a file ours is its content, at one end or the other. */
static void ours_by_content(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(500, 1);
  char letters[300];
  size_t n;
  memset(letters, 'x', sizeof letters);
  fixture_save(dir, 1, &t);
  file_put(at_generation(dir, 2), letters, sizeof letters);
  fixture_save(dir, 2, &t);
  ok(strcmp(generations(dir), "1 2 3") == 0,
     "I1 I7: a foreign file under our name is not removed and does not count "
     "as kept");
  file_flip(at_generation(dir, 1), 8 * 10);
  free(file_get(at_generation(dir, 3), &n));
  file_flip(at_generation(dir, 3), 8 * (n - 64));
  fixture_save(dir, 1, &t);
  ok(strcmp(generations(dir), "2 4") == 0,
     "files of ours that are damaged at either end are removed");
  tensors_free(&t);
}

/* Such a file must be told from a damaged checkpoint: what to do differs. */
static void foreign_is_named(void) {
  static const struct {
    const char *content;
    size_t n;
    const char *op;
    const char *cause;
  } cases[] = {
      {"", 0, "identify", "empty"},
      {"someone else's", 14, "identify", "neither begins nor ends"},
      {NULL, 0, "identify", "a directory"},
  };
  static const char letters[200] = "someone else's";
  tensors t = tensors_one(500, 1);
  ck_checkpoint loaded = {0};
  ck_fault fault;
  ck_store *store;
  ck_error err;
  const char *dir;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    dir = fixture_dir();
    if (cases[i].content != NULL) {
      file_put(at_generation(dir, 3), cases[i].content, cases[i].n);
    } else if (mkdir(at_generation(dir, 3), 0777) != 0) {
      exit(2);
    }
    store = open_store(ck_vfs_system(), dir, 1);
    ok(ck_store_find(store, CK_READ_LOAD, &loaded, &err) == CK_ERR_CORRUPT &&
           strcmp(err.op, cases[i].op) == 0 &&
           strstr(err.message, cases[i].cause) != NULL &&
           strcmp(err.path, at_generation(dir, 3)) == 0,
       "I5: what has a checkpoint's name and is none is named: %s",
       cases[i].cause);
    ck_checkpoint_clear(&loaded);
    ck_store_close(store);
  }
  dir = fixture_dir();
  file_put(at_generation(dir, 3), letters, sizeof letters);
  ck_fault_init(&fault, ck_vfs_system());
  store = open_store(&fault.vfs, dir, 1);
  arm(&fault, CK_OP_READ, EIO);
  ok(ck_store_find(store, CK_READ_LOAD, &loaded, &err) == CK_ERR_IO &&
         err.sys == EIO,
     "what cannot be read may be anything");
  ck_checkpoint_clear(&loaded);
  ck_store_close(store);
  dir = fixture_dir();
  fixture_save(dir, 1, &t);
  file_flip(at_generation(dir, 1), 8 * 600);
  store = open_store(ck_vfs_system(), dir, 1);
  ok(ck_store_find(store, CK_READ_LOAD, &loaded, &err) == CK_ERR_CORRUPT &&
         strcmp(err.op, "verify") == 0,
     "a damaged checkpoint of ours is told from that");
  ck_checkpoint_clear(&loaded);
  ck_store_close(store);
  tensors_free(&t);
}

static int info_changed(ck_vfs *vfs, ck_handle handle, ck_file_info *out) {
  int sys = ck_vfs_system()->info(vfs, handle, out);
  out->regular = false;
  return sys;
}

/* A file that is another one when it is opened than when it was looked at. */
static void exchanged(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(500, 1);
  ck_name name = {CK_NAME_COMMITTED, 1, 0, 0};
  ck_error err;
  bool removed = true;
  fixture_save(dir, 1, &t);
  custom = *ck_vfs_system();
  custom.info = info_changed;
  ok(ck_directory_remove(&custom, dir, &name, &removed, &err) == CK_OK &&
         !removed && strcmp(generations(dir), "1") == 0,
     "I7: what is no plain file when it is opened is not removed");
  name.generation = 9;
  removed = true;
  ok(ck_directory_remove(ck_vfs_system(), dir, &name, &removed, &err) ==
             CK_OK &&
         !removed,
     "and what is gone already is no failure");
  tensors_free(&t);
}

static int reads_before_end;

static int read_shorter(ck_vfs *vfs, ck_handle handle, uint64_t offset,
                        void *data, size_t n, size_t *done) {
  if (reads_before_end-- > 0) {
    return ck_vfs_system()->read(vfs, handle, offset, data, n, done);
  }
  *done = 0;
  return 0;
}

/* A file that somebody cuts off while it is read. */
static void shrunk(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(500, 1);
  ck_image image;
  ck_error err;
  int bad = 0;
  int n = 0;
  fixture_save(dir, 1, &t);
  custom = *ck_vfs_system();
  custom.read = read_shorter;
  for (; n < 20; n++) {
    reads_before_end = n;
    if (ck_checkpoint_read(&custom, at_generation(dir, 1), CK_READ_LOAD, &image,
                           &err) == CK_OK) {
      ck_image_release(&image);
      break;
    }
    bad += err.status != CK_ERR_CORRUPT || strcmp(err.op, "read") != 0;
  }
  ok(n > 2 && n < 20 && bad == 0,
     "I5: a file that ends while it is read is damaged, wherever that is");
  tensors_free(&t);
}

static void hard_links(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(500, 1);
  ck_error err;
  char gone[2000] = "";
  size_t n;
  size_t n_after;
  uint8_t *before;
  uint8_t *after;
  fixture_save(dir, 1, &t);
  if (link(at_generation(dir, 1), at(dir, "mine.safetensors")) != 0) {
    exit(2);
  }
  before = file_get(at(dir, "mine.safetensors"), &n);
  fixture_save(dir, 1, &t);
  (void)ck_directory_delete(ck_vfs_system(), dir, removed, gone, &err);
  after = file_get(at(dir, "mine.safetensors"), &n_after);
  ok(n == n_after && memcmp(before, after, n) == 0 &&
         strcmp(generations(dir), "") == 0,
     "I3 I7: a hard link to a checkpoint outlives it, unchanged");
  free(before);
  free(after);
  tensors_free(&t);
}

static void sweep(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(500, 1);
  long pid = dead_pid();
  char name[200];
  uint8_t zeros[4096] = {0};
  ck_store *store;
  fixture_save(dir, 1, &t);
  snprintf(name, sizeof name, "backup-000000000002.%ld-0000000000000001.tmp",
           pid);
  file_put(at(dir, name), "", 0);
  snprintf(name, sizeof name, "backup-000000000002.%ld-0000000000000002.tmp",
           pid);
  file_put(at(dir, name), zeros, sizeof zeros);
  snprintf(name, sizeof name, "backup-000000000002.%ld-0000000000000003.tmp",
           pid);
  file_copy(at_generation(dir, 1), at(dir, name));
  snprintf(name, sizeof name, "backup-000000000002.%ld-0000000000000004.tmp",
           (long)getpid());
  file_copy(at_generation(dir, 1), at(dir, name));
  ok(count_temps(dir, 0) == 4, "four temporary files are left over");
  store = open_store(ck_vfs_system(), dir, 1);
  ok(count_temps(dir, 0) == 0 && strcmp(generations(dir), "1") == 0,
     "opening sweeps those of dead processes and of our own number: empty, "
     "only reserved, and half written");
  ck_store_close(store);
  tensors_free(&t);
}

/* A temporary file of a dead process, with these first bytes of `start` and so
 * many zeros behind them. Whether opening a store sweeps it. */
static bool is_swept(const char *dir, const uint8_t *start, size_t n,
                     size_t zeros) {
  char name[200];
  uint8_t bytes[4096 + 64] = {0};
  ck_store *store;
  fixture_clear(dir);
  snprintf(name, sizeof name, "backup-000000000002.%ld-0000000000000001.tmp",
           dead_pid());
  memcpy(bytes, start, n);
  file_put(at(dir, name), bytes, n + zeros);
  store = open_store(ck_vfs_system(), dir, 1);
  ck_store_close(store);
  return !file_exists(at(dir, name));
}

static void cut_off(void) {
  const char *dir = fixture_dir();
  const char *source = fixture_dir();
  tensors t = tensors_one(500, 1);
  size_t n_start = CK_LENGTH_SIZE + CK_HEADER_MAGIC_SIZE;
  size_t n;
  uint8_t *start;
  int stayed = 0;
  int gone = 0;
  fixture_save(source, 1, &t);
  start = file_get(at_generation(source, 1), &n);
  for (size_t k = 0; k <= n_start; k++) {
    stayed += !is_swept(dir, start, k, 0);
    stayed += !is_swept(dir, start, k, 4096);
  }
  ok(stayed == 0,
     "temporary files that were cut off within their first bytes are swept");
  for (size_t k = 0; k < n_start; k++) {
    uint8_t right = start[k];
    /* The bytes 1 and 2 are part of a length, and may be any. */
    if (k == 1 || k == 2) {
      continue;
    }
    start[k] ^= 0x80 | 1;
    gone += is_swept(dir, start, k + 1, 0);
    gone += is_swept(dir, start, k + 1, 4096);
    /* A whole magic is enough by itself, half of it is not. */
    gone += is_swept(dir, start, n_start - (k < CK_LENGTH_SIZE), 0);
    start[k] = right;
  }
  ok(gone == 0, "I7: those that begin otherwise in one byte are not");
  start[3] = 6;
  ok(!is_swept(dir, start, 4, 0),
     "I7: nor is one with a longer header than there can be");
  free(start);
  tensors_free(&t);
}

static void old_cannot_go(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(500, 1);
  ck_fault fault;
  ck_store *store;
  ck_commit commit = {0};
  ck_error err;
  fixture_save(dir, 1, &t);
  ck_fault_init(&fault, ck_vfs_system());
  store = open_store(&fault.vfs, dir, 1);
  arm(&fault, CK_OP_UNLINK, EACCES);
  ok(tensors_save(store, &t, &commit, &err) == CK_OK && commit.notes.n == 1 &&
         strcmp(commit.notes.items[0].op, "unlink") == 0 &&
         commit.notes.items[0].sys == EACCES &&
         strcmp(commit.notes.items[0].path, at_generation(dir, 1)) == 0,
     "an old one that cannot be removed is a note, not a failure");
  ok(strcmp(generations(dir), "1 2") == 0, "it is still there");
  ok(tensors_save(store, &t, &commit, &err) == CK_OK && commit.notes.n == 0 &&
         strcmp(generations(dir), "3") == 0,
     "the next save removes it");
  ck_commit_clear(&commit);
  ck_store_close(store);
  tensors_free(&t);
}

/* What a killed process, or a save that failed, left and cannot be removed. */
static void temporary_cannot_go(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(500, 1);
  char name[200];
  ck_fault fault;
  ck_store *store;
  ck_commit commit = {0};
  ck_error err;
  snprintf(name, sizeof name, "backup-000000000001.%ld-0123456789abcdef.tmp",
           dead_pid());
  file_put(at(dir, name), "", 0);
  ck_fault_init(&fault, ck_vfs_system());
  arm(&fault, CK_OP_UNLINK, EACCES);
  store = open_store(&fault.vfs, dir, 1);
  arm(&fault, CK_OP_ANY, EIO);
  fault.fail_at = 3;
  fault.persistent = true;
  ok(tensors_save(store, &t, &commit, &err) == CK_ERR_IO &&
         commit.notes.n == 0 && count_temps(dir, 0) == 2,
     "a temporary file that cannot be removed stays");
  fault.persistent = false;
  ok(tensors_save(store, &t, &commit, &err) == CK_OK && commit.notes.n == 2 &&
         strcmp(commit.notes.items[0].path, at(dir, name)) == 0 &&
         commit.notes.items[0].sys == EACCES &&
         strcmp(commit.notes.items[1].op, "unlink") == 0 &&
         commit.notes.items[1].sys == EIO,
     "and is a note of the next commit");
  ok(tensors_save(store, &t, &commit, &err) == CK_OK && commit.notes.n == 0,
     "once");
  ck_commit_clear(&commit);
  ck_store_close(store);
  tensors_free(&t);
}

static void directory_sync_fails(void) {
  const char *dir = fixture_dir();
  tensors t[2] = {tensors_one(500, 1), tensors_one(500, 2)};
  ck_fault fault;
  ck_store *store;
  ck_commit commit = {0};
  ck_error err;
  fixture_save(dir, 1, &t[0]);
  ck_fault_init(&fault, ck_vfs_system());
  store = open_store(&fault.vfs, dir, 1);
  arm(&fault, CK_OP_SYNC_DIR, EIO);
  ok(tensors_save(store, &t[1], &commit, &err) == CK_ERR_DURABILITY &&
         err.status == CK_ERR_DURABILITY && err.sys == EIO &&
         strcmp(err.op, "fsync") == 0 &&
         strcmp(err.path, at_generation(dir, 2)) == 0,
     "I2: a directory that cannot be synced is its own status");
  ok(commit.generation == 0 && commit.path[0] == '\0' &&
         commit.nanoseconds == 0,
     "I2: then nothing counts as committed");
  ok(strcmp(generations(dir), "1 2") == 0 && count_temps(dir, 0) == 0,
     "I1: then the older generation stays");
  ck_store_close(store);
  store = open_store(&fault.vfs, dir, 2);
  arm(&fault, CK_OP_SYNC_DIR, EIO);
  ok(tensors_save(store, &t[0], &commit, &err) == CK_ERR_DURABILITY &&
         strcmp(generations(dir), "1 2 3") == 0,
     "I1: be it one of two that are kept");
  arm(&fault, CK_OP_ANY, 0);
  ok(tensors_save(store, &t[1], &commit, &err) == CK_OK &&
         commit.generation == 4 && strcmp(generations(dir), "2 4") == 0,
     "I1: the next commit does not count it as kept");
  ck_commit_clear(&commit);
  ck_store_close(store);
  tensors_free(&t[0]);
  tensors_free(&t[1]);
}

static void directories_take_no_sync(void) {
  static const int causes[] = {EINVAL, ENOSYS, ENOTSUP};
  const char *dir = fixture_dir();
  tensors t[2] = {tensors_one(500, 1), tensors_one(500, 2)};
  ck_fault fault;
  ck_store *store;
  ck_commit commit = {0};
  ck_error err;
  fixture_save(dir, 1, &t[0]);
  ck_fault_init(&fault, ck_vfs_system());
  store = open_store(&fault.vfs, dir, 1);
  for (int i = 0; i < 3; i++) {
    arm(&fault, CK_OP_SYNC_DIR, causes[i]);
    ok(tensors_save(store, &t[i % 2], &commit, &err) == CK_OK &&
           commit.generation == (uint64_t)i + 2 &&
           fixture_load(dir, t, 2) == i % 2 && count_temps(dir, 0) == 0 &&
           !file_exists(at_generation(dir, (uint64_t)i + 1)),
       "%s: where directories cannot be synced at all, that is no failure",
       ck_errno_name(causes[i]));
    ok(commit.notes.n == 1 &&
           commit.notes.items[0].status == CK_ERR_DURABILITY &&
           commit.notes.items[0].sys == causes[i] &&
           strcmp(commit.notes.items[0].path, dir) == 0,
       "I2: but it is noted");
  }
  ck_commit_clear(&commit);
  ck_store_close(store);
  tensors_free(&t[0]);
  tensors_free(&t[1]);
}

static void failed_sync(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(500, 1);
  ck_fault fault;
  ck_store *store;
  ck_error err;
  size_t from;
  fixture_save(dir, 1, &t);
  ck_fault_init(&fault, ck_vfs_system());
  fault.trace = true;
  store = open_store(&fault.vfs, dir, 1);
  from = fault.n_events;
  arm(&fault, CK_OP_SYNC, EIO);
  ok(tensors_save(store, &t, NULL, &err) == CK_ERR_IO && err.sys == EIO &&
         strcmp(err.op, "fsync") == 0,
     "I4: a failed fsync fails the save");
  ok(strcmp(trace_text(&fault, from),
            "list|create T|reserve T|write T|sync T|close T|unlink T") == 0,
     "I4: and the file is thrown away, not synced again");
  ck_store_close(store);
  ck_fault_clear(&fault);
  tensors_free(&t);
}

static void failed_close(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(500, 1);
  ck_fault fault;
  ck_store *store;
  ck_error err;
  fixture_save(dir, 1, &t);
  ck_fault_init(&fault, ck_vfs_system());
  store = open_store(&fault.vfs, dir, 1);
  arm(&fault, CK_OP_CLOSE, EIO);
  ok(tensors_save(store, &t, NULL, &err) == CK_ERR_IO && err.sys == EIO &&
         strcmp(err.op, "close") == 0 && strcmp(generations(dir), "1") == 0,
     "I4: a failed close fails the save");
  ck_store_close(store);
  tensors_free(&t);
}

static int reserve_unsupported(ck_vfs *vfs, ck_handle handle, uint64_t size) {
  (void)vfs;
  (void)handle;
  (void)size;
  return ENOTSUP;
}

static uint64_t space_left;

static int space_small(ck_vfs *vfs, const char *dir, uint64_t *available) {
  (void)vfs;
  (void)dir;
  *available = space_left;
  return 0;
}

static void space_without_reserve(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(500, 1);
  ck_store *store;
  ck_commit commit = {0};
  ck_error err;
  custom = *ck_vfs_system();
  custom.reserve = reserve_unsupported;
  custom.space = space_small;
  store = open_store(&custom, dir, 1);
  space_left = 600;
  ok(tensors_save(store, &t, NULL, &err) == CK_ERR_IO && err.sys == ENOSPC &&
         err.available == 600 && err.needed > 600 && count_temps(dir, 0) == 0,
     "where space cannot be reserved, too little of it fails the save before "
     "anything is written");
  space_left = err.needed;
  ok(tensors_save(store, &t, &commit, &err) == CK_OK &&
         commit.bytes == space_left,
     "just enough of it is enough");
  ck_commit_clear(&commit);
  ck_store_close(store);
  tensors_free(&t);
}

static int reserve_nothing(ck_vfs *vfs, ck_handle handle, uint64_t size) {
  (void)vfs;
  (void)handle;
  (void)size;
  return 0;
}

/* A disk that is found full although space was reserved: the file system said
 * so at least, as not all of them can (wine's cannot). */
static void space_runs_out(void) {
  static const int causes[] = {ENOSPC, EDQUOT, EIO};
  static const ck_fault_op ops[] = {CK_OP_WRITE, CK_OP_SYNC, CK_OP_CREATE};
  const char *dir = fixture_dir();
  tensors t = tensors_one(500, 1);
  ck_commit commit = {0};
  ck_fault fault;
  ck_store *store;
  ck_error err;
  custom = *ck_vfs_system();
  custom.reserve = reserve_nothing;
  custom.space = space_small;
  space_left = 77;
  ck_fault_init(&fault, &custom);
  store = open_store(&fault.vfs, dir, 1);
  ok(tensors_save(store, &t, &commit, &err) == CK_OK, "a save");
  for (size_t i = 0; i < 3; i++) {
    for (size_t j = 0; j < 3; j++) {
      bool full = causes[i] != EIO;
      arm(&fault, ops[j], causes[i]);
      ok(tensors_save(store, &t, NULL, &err) == CK_ERR_IO &&
             err.sys == causes[i] &&
             err.needed == (full ? commit.bytes : CK_UNKNOWN) &&
             err.available == (full ? 77 : CK_UNKNOWN),
         "I4: %s of %s says %s", ck_errno_name(causes[i]),
         ck_fault_op_name(ops[j]),
         full ? "how much is needed and free" : "nothing of space");
      fault.fail_at = 0;
    }
  }
  arm(&fault, CK_OP_RESERVE, EFBIG);
  ok(tensors_save(store, &t, NULL, &err) == CK_ERR_IO && err.sys == EFBIG &&
         err.needed == commit.bytes && err.available == CK_UNKNOWN,
     "I4: a file that may not be so large says how large, not what is free");
  ck_commit_clear(&commit);
  ck_store_close(store);
  ck_fault_clear(&fault);
  tensors_free(&t);
}

static int write_nothing(ck_vfs *vfs, ck_handle handle, const void *data,
                         size_t n, size_t *done) {
  (void)vfs;
  (void)handle;
  (void)data;
  (void)n;
  *done = 0;
  return 0;
}

static void no_progress(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(500, 1);
  ck_store *store;
  ck_error err;
  custom = *ck_vfs_system();
  custom.write = write_nothing;
  store = open_store(&custom, dir, 1);
  ok(tensors_save(store, &t, NULL, &err) == CK_ERR_IO && err.sys == EIO &&
         strcmp(err.op, "write") == 0,
     "I4: a write that moves nothing is an error, not a loop or a success");
  ck_store_close(store);
  tensors_free(&t);
}

static int lists_left_to_interrupt;

static int list_interrupted(ck_vfs *vfs, const char *dir,
                            ck_name_visitor *visit, void *context) {
  int sys = ck_vfs_system()->list(vfs, dir, visit, context);
  return sys == 0 && lists_left_to_interrupt-- > 0 ? EINTR : sys;
}

static void listing_starts_again(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(500, 1);
  ck_listing listing = {0};
  ck_error err;
  fixture_save(dir, 2, &t);
  fixture_save(dir, 2, &t);
  file_put(at(dir, "notes.txt"), "mine", 4); /* no name of ours */
  custom = *ck_vfs_system();
  custom.list = list_interrupted;
  lists_left_to_interrupt = 3;
  ok(ck_directory_list(&custom, dir, &listing, &err) == CK_OK &&
         listing.n == 2 && listing.items[0].generation == 2,
     "an interrupted listing starts again from nothing");
  ck_listing_clear(&listing);
  tensors_free(&t);
}

/* The order in which all is deleted, and which failure is told. */
static void deletion(void) {
  const char *dir = fixture_dir();
  const char *stale = "backup-000000000003.999999999-0123456789abcdef.tmp";
  tensors t = tensors_one(500, 1);
  ck_fault fault;
  ck_error err;
  char gone[400] = "";
  const char *text;
  fixture_save(dir, 1, &t);
  file_put(at(dir, stale), "", 0);
  ck_fault_init(&fault, ck_vfs_system());
  arm(&fault, CK_OP_UNLINK, EACCES);
  fault.persistent = true;
  ok(ck_directory_delete(&fault.vfs, dir, removed, gone, &err) == CK_ERR_IO &&
         strcmp(err.path, at_generation(dir, 1)) == 0 &&
         file_exists(at(dir, stale)) && gone[0] == '\0',
     "I10: of several failures of a deletion the first is told");
  ck_fault_clear(&fault);
  ck_fault_init(&fault, ck_vfs_system());
  fault.trace = true;
  ok(ck_directory_delete(&fault.vfs, dir, removed, gone, &err) == CK_OK,
     "then all goes");
  text = trace_text(&fault, 0);
  note("%s", text);
  ok(strcmp(text, "list|lookup 1|open 1|info 1|read 1|close 1|unlink 1|"
                  "lookup T|open T|info T|close T|unlink T|sync_dir") == 0,
     "I10: the directory is synced behind what went");
  ck_fault_clear(&fault);
  tensors_free(&t);
}

static void arguments(void) {
  const char *dir = fixture_dir();
  tensors t = tensors_one(500, 1);
  ck_store *store;
  ck_commit commit = {0};
  ck_error err;
  char long_dir[CK_PATH_CAP - 8];
  char joined[CK_PATH_CAP + 8];
  uint64_t none = 0;
  static const char empty[] =
      "\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}";
  uint64_t huge[2] = {UINT64_MAX, 2};
  ok(ck_store_open(&store, ck_vfs_system(), dir, 0, &err) == CK_ERR_MISUSE &&
         store == NULL,
     "at least one generation is kept");
  ok(ck_store_open(&store, ck_vfs_system(), at(dir, "none"), 1, &err) ==
             CK_ERR_IO &&
         err.sys == ENOENT,
     "a directory that is not there is an error");
  memset(joined, 'x', sizeof joined - 1);
  joined[sizeof joined - 1] = '\0';
  ok(ck_store_open(&store, ck_vfs_system(), "", 1, &err) == CK_ERR_IO &&
         err.sys == ENOENT &&
         ck_store_open(&store, ck_vfs_system(), joined, 1, &err) == CK_ERR_IO &&
         err.sys == ENAMETOOLONG && store == NULL,
     "a directory without a path, or with one too long, is refused");
  memset(long_dir, 'x', sizeof long_dir - 1);
  long_dir[sizeof long_dir - 1] = '\0';
  ok(ck_path_join(joined, long_dir, "12345678", &err) == CK_ERR_IO &&
         err.sys == ENAMETOOLONG &&
         ck_path_join(joined, long_dir, "1234567", &err) == CK_OK &&
         strlen(joined) == CK_PATH_CAP - 1,
     "a path is refused as soon as it does not fit");
  store = open_store(ck_vfs_system(), dir, 1);
  ok(ck_store_commit(store, NULL, 0, METADATA, strlen(METADATA), &commit,
                     &err) == CK_ERR_MISUSE,
     "a save without a plan is refused");
  (void)ck_store_plan(store, t.text, t.n_text, t.sizes, t.n, &err);
  ok(ck_store_commit(store, t.addresses, 0, METADATA, strlen(METADATA), &commit,
                     &err) == CK_ERR_MISUSE &&
         ck_store_commit(store, &none, 1, METADATA, strlen(METADATA), &commit,
                         &err) == CK_ERR_MISUSE,
     "so are too few addresses and the address 0");
  ok(ck_store_plan(store, "\"a\":{}", 6, huge, 2, &err) == CK_ERR_TOO_LARGE,
     "a plan that no file can hold is refused as that");
  ok(ck_store_plan(store, "", 0, t.sizes, 1, &err) == CK_ERR_MISUSE &&
         ck_store_plan(store, "\"a\":{}", 6, NULL, 0, &err) == CK_ERR_MISUSE,
     "so are plans that cannot be");
  ok(ck_store_commit(store, t.addresses, t.n, METADATA, strlen(METADATA),
                     &commit, &err) == CK_OK,
     "and the plan before them still stands");
  ok(strcmp(generations(dir), "1") == 0, "nothing else was written");
  (void)ck_store_plan(store, empty, sizeof empty - 1, &none, 1, &err);
  ok(ck_store_commit(store, &none, 1, METADATA, strlen(METADATA), &commit,
                     &err) == CK_OK &&
         commit.generation == 2,
     "a tensor without elements needs no address");
  ck_commit_clear(&commit);
  ck_store_close(store);
  tensors_free(&t);
}

static void to_read(void) {
  const char *dir = fixture_dir();
  tensors t[2] = {tensors_one(100, 1), tensors_one(100, 2)};
  ck_checkpoint found = {0};
  ck_store *store;
  ck_error err;
  char name[100];
  char *before;
  char *after;
  fixture_save(dir, 2, &t[0]);
  fixture_save(dir, 2, &t[1]);
  snprintf(name, sizeof name, "backup-000000000003.%ld-00000000000000aa.tmp",
           (long)getpid());
  file_put(at(dir, name), "", 0);
  before = directory_state(dir);
  ok(ck_store_open_to_read(&store, ck_vfs_system(), dir, &err) == CK_OK &&
         ck_store_find(store, CK_READ_LOAD, &found, &err) == CK_OK &&
         found.found && found.image.generation == 2,
     "a store that is opened to read finds the newest");
  ok(ck_store_plan(store, t[0].text, t[0].n_text, t[0].sizes, t[0].n, &err) ==
         CK_ERR_MISUSE,
     "and takes no plan");
  ck_checkpoint_clear(&found);
  ck_store_close(store);
  after = directory_state(dir);
  ok(strcmp(before, after) == 0,
     "I7: it sweeps nothing, as it does not have the lock");
  ok(ck_store_open_to_read(&store, ck_vfs_system(), "", &err) == CK_ERR_IO &&
         store == NULL,
     "it needs a directory");
  free(before);
  free(after);
  tensors_free(&t[0]);
  tensors_free(&t[1]);
}

int main(void) {
  int descriptors = count_descriptors();
  commit_order();
  rotation();
  numbers();
  fallback();
  nothing_verifies();
  no_fallback_for_lack();
  things_that_are_no_files();
  foreign_files();
  ours_by_content();
  foreign_is_named();
  hard_links();
  exchanged();
  shrunk();
  sweep();
  cut_off();
  old_cannot_go();
  temporary_cannot_go();
  directory_sync_fails();
  directories_take_no_sync();
  failed_sync();
  failed_close();
  no_progress();
  listing_starts_again();
  space_without_reserve();
  space_runs_out();
  deletion();
  arguments();
  to_read();
  ok(count_descriptors() == descriptors, "no descriptor was lost");
  fixture_end();
  return done();
}
