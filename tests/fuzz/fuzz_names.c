/* Fuzzes the names of files, and what is done to files by their names (I7).
 *
 * The input is lines, each a name; its first byte is what the file holds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"
#include "vfs_memory.h"

#define NAMES 24

static void require(int holds, const char *what, const char *name) {
  if (!holds) {
    fprintf(stderr, "does not hold: %s: \"%s\"\n", what, name);
    abort();
  }
}

/* A name is ours exactly if it is what we would write. */
static void parse(const char *text) {
  ck_name name = ck_name_parse(text);
  char again[CK_NAME_CAP];
  const char *last = ck_name_of_path(text);
  require(strchr(last, '/') == NULL && strchr(last, '\\') == NULL &&
              strcmp(text + strlen(text) - strlen(last), last) == 0,
          "the last component is the end of the path", text);
  if (name.kind == CK_NAME_FOREIGN) {
    require(name.generation == 0, "a foreign name has no generation", text);
    return;
  }
  ck_name_format(again, &name);
  require(strcmp(again, text) == 0, "a name of ours is written as read", text);
  require(name.generation >= 1 && name.generation <= CK_GENERATION_MAX,
          "a generation has 12 digits", text);
}

static void visit(void *context, const char *path) {
  (void)context;
  require(ck_name_parse(ck_name_of_path(path)).kind != CK_NAME_FOREIGN,
          "what was deleted had a name of ours", path);
}

static bool has(const memory_vfs *memory, const char *name) {
  for (size_t i = 0; i < memory->n; i++) {
    if (strcmp(memory->names[i].text, name) == 0) {
      return true;
    }
  }
  return false;
}

/* A checkpoint of no tensors; a header's beginning; zeros; anything. */
static const uint8_t *content(unsigned which, size_t *n) {
  static const uint8_t start[] = "\x38\0\0\0\0\0\0\0" CK_HEADER_MAGIC "}";
  static const uint8_t zeros[64];
  static const uint8_t letters[] =
      "someone else's, and longer than the beginning of a file of ours is: "
      "so that all of it is looked at";
  *n = which % 4 == 0   ? sizeof start - 1
       : which % 4 == 1 ? sizeof zeros
       : which % 4 == 2 ? sizeof letters - 1
                        : 0;
  return which % 4 == 0 ? start : which % 4 == 1 ? zeros : letters;
}

static void use(char names[NAMES][CK_NAME_CAP], size_t n, unsigned contents) {
  memory_vfs memory;
  ck_store *store;
  ck_checkpoint loaded = {0};
  ck_error err;
  ck_status status;
  memory_init(&memory);
  for (size_t i = 0; i < n; i++) {
    size_t size;
    const uint8_t *bytes = content(contents + (unsigned)i, &size);
    memory_put(&memory, names[i], bytes, size);
  }
  if (ck_store_open(&store, &memory.vfs, "d", 2, &err) == CK_OK) {
    status = ck_store_find(store, CK_READ_LOAD, &loaded, &err);
    require(!loaded.found && (status == CK_OK || status == CK_ERR_CORRUPT),
            "none of these is a checkpoint", "");
    ck_checkpoint_clear(&loaded);
    if (ck_store_plan(store, "", 0, NULL, 0, &err) == CK_OK) {
      ck_commit commit = {0};
      status = ck_store_commit(store, NULL, 0, CK_METADATA_MAGIC "}",
                               sizeof CK_METADATA_MAGIC, &commit, &err);
      require(status == CK_OK || status == CK_ERR_EXHAUSTED,
              "a save is done, or the numbers are used up", err.message);
      ck_commit_clear(&commit);
    }
    ck_store_close(store);
  }
  (void)ck_directory_delete(&memory.vfs, "d", visit, NULL, &err);
  for (size_t i = 0; i < n; i++) {
    size_t size;
    content(contents + (unsigned)i, &size);
    require(ck_name_parse(names[i]).kind != CK_NAME_FOREIGN ||
                has(&memory, names[i]),
            "a foreign file stays", names[i]);
    /* The letters: not ours, whatever the name. */
    require((contents + i) % 4 != 2 || has(&memory, names[i]),
            "a file that is not ours stays", names[i]);
  }
  require(memory.n_open == 0, "no file is left open", "");
  memory_clear(&memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char names[NAMES][CK_NAME_CAP];
  size_t n = 0;
  const uint8_t *end = data + size;
  const uint8_t *at = data + 1;
  if (size < 2) {
    return 0;
  }
  while (at < end) {
    const uint8_t *stop = memchr(at, '\n', (size_t)(end - at));
    size_t length = (size_t)((stop != NULL ? stop : end) - at);
    /* In memory of its exact size, so that a byte read beside it is seen. */
    char *text = malloc(length + 1);
    bool taken = false;
    if (text == NULL) {
      exit(2);
    }
    memcpy(text, at, length);
    text[length] = '\0';
    parse(text);
    for (size_t i = 0; i < n; i++) {
      taken = taken || strcmp(names[i], text) == 0;
    }
    if (n < NAMES && text[0] != '\0' && strlen(text) < CK_NAME_CAP && !taken &&
        ck_name_of_path(text) == text) {
      strcpy(names[n++], text);
    }
    free(text);
    at += length + 1;
  }
  use(names, n, data[0]);
  return 0;
}
