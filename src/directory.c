/* directory.c: see directory.h. */
#include "directory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"

/* What a file of ours begins with: the header's length, then the magic. */
#define START_SIZE (CK_LENGTH_SIZE + CK_HEADER_MAGIC_SIZE)

typedef struct collector {
  ck_listing *listing;
  bool no_memory;
} collector;

static void collect(void *context, const char *text) {
  collector *to = context;
  ck_listing *listing = to->listing;
  ck_name name = ck_name_parse(text);
  ck_name *items;
  if (name.kind == CK_NAME_FOREIGN || to->no_memory) {
    return;
  }
  items = realloc(listing->items, (listing->n + 1) * sizeof *items);
  if (items == NULL) {
    to->no_memory = true;
    return;
  }
  items[listing->n] = name;
  listing->items = items;
  listing->n++;
}

static int newest_first(const void *a, const void *b) {
  uint64_t x = ((const ck_name *)a)->generation;
  uint64_t y = ((const ck_name *)b)->generation;
  return x < y ? 1 : x > y ? -1 : 0;
}

ck_status ck_directory_list(ck_vfs *vfs, const char *dir, ck_listing *out,
                            ck_error *err) {
  ck_status status;
  int attempts = 100;
  do {
    /* A listing that was interrupted starts again from nothing. */
    collector to = {out, false};
    ck_listing_clear(out);
    status = ck_path_list(vfs, dir, collect, &to, err);
    if (status == CK_OK && to.no_memory) {
      status = ck_error_memory(err, (out->n + 1) * sizeof *out->items);
    }
  } while (status == CK_ERR_IO && err->sys == EINTR && --attempts > 0);
  if (status != CK_OK) {
    ck_listing_clear(out);
    return status;
  }
  if (out->n > 1) {
    qsort(out->items, out->n, sizeof *out->items, newest_first);
  }
  return CK_OK;
}

void ck_listing_clear(ck_listing *listing) {
  free(listing->items);
  listing->items = NULL;
  listing->n = 0;
}

ck_status ck_directory_path(char *out, const char *dir, const ck_name *name,
                            ck_error *err) {
  char text[CK_NAME_CAP];
  ck_name_format(text, name);
  return ck_path_join(out, dir, text, err);
}

/* Whether a header that we write may begin with these first bytes of its
 * length: there is a largest header, and every one ends on a boundary. */
static bool length_may_begin(const uint8_t *bytes, size_t n) {
  uint8_t whole[CK_LENGTH_SIZE] = {0};
  uint64_t length;
  memcpy(whole, bytes, n < sizeof whole ? n : sizeof whole);
  length = ck_le64_get(whole);
  return length <= CK_HEADER_MAX &&
         (n == 0 || (length + CK_LENGTH_SIZE) % CK_HEADER_ALIGN == 0);
}

/* Whether a write of ours that was cut off may have left this beginning: so
 * much of what every file of ours begins with, be it nothing, and behind it
 * nothing, or the zeros of space that was reserved. */
static bool may_be_cut_off(const uint8_t *start, size_t n) {
  size_t written = n;
  size_t magic;
  while (written > 0 && start[written - 1] == 0) {
    written--;
  }
  if (written <= CK_LENGTH_SIZE) {
    /* The length itself ends with zeros. */
    return length_may_begin(start, written);
  }
  magic = written - CK_LENGTH_SIZE;
  return length_may_begin(start, CK_LENGTH_SIZE) &&
         magic <= CK_HEADER_MAGIC_SIZE &&
         memcmp(start + CK_LENGTH_SIZE, CK_HEADER_MAGIC, magic) == 0;
}

static ck_status content_is_ours(ck_file *file, uint64_t size, bool temp,
                                 bool *ours, ck_error *err) {
  uint8_t start[START_SIZE];
  uint8_t footer[CK_FOOTER_SIZE];
  size_t n = size < sizeof start ? (size_t)size : sizeof start;
  ck_status status;
  CK_TRY(ck_file_read(file, 0, start, n, err));
  if (n == sizeof start && memcmp(start + CK_LENGTH_SIZE, CK_HEADER_MAGIC,
                                  CK_HEADER_MAGIC_SIZE) == 0) {
    *ours = true;
  } else if (temp) {
    *ours = may_be_cut_off(start, n);
  } else if (size >= sizeof footer) {
    CK_TRY(
        ck_file_read(file, size - sizeof footer, footer, sizeof footer, err));
    *ours = memcmp(footer, CK_FOOTER_MAGIC, 8) == 0;
  }
cleanup:
  return status;
}

ck_status ck_path_is_ours(ck_vfs *vfs, const char *path, bool temp, bool *ours,
                          ck_error *err) {
  ck_file file = {0};
  ck_file_info info;
  ck_error ignored;
  ck_status status;
  *ours = false;
  status = ck_path_lookup(vfs, path, &info, err);
  if (status != CK_OK) {
    return err->sys == ENOENT ? CK_OK : status;
  }
  if (!info.regular) {
    return CK_OK;
  }
  CK_TRY(ck_file_open(&file, vfs, path, err));
  CK_TRY(ck_file_info_get(&file, &info, err));
  if (info.regular) {
    CK_TRY(content_is_ours(&file, info.size, temp, ours, err));
  }
cleanup:
  (void)ck_file_close(&file, &ignored);
  if (status != CK_OK) {
    *ours = false;
  }
  return status;
}

ck_status ck_directory_owns(ck_vfs *vfs, const char *dir, const ck_name *name,
                            bool *ours, ck_error *err) {
  char path[CK_PATH_CAP];
  ck_status status = ck_directory_path(path, dir, name, err);
  *ours = false;
  if (status != CK_OK) {
    return status;
  }
  return ck_path_is_ours(vfs, path, name->kind == CK_NAME_TEMP, ours, err);
}

ck_status ck_directory_remove(ck_vfs *vfs, const char *dir, const ck_name *name,
                              bool *removed, ck_error *err) {
  char path[CK_PATH_CAP];
  bool ours = false;
  ck_status status;
  *removed = false;
  CK_TRY(ck_directory_path(path, dir, name, err));
  CK_TRY(ck_path_is_ours(vfs, path, name->kind == CK_NAME_TEMP, &ours, err));
  if (ours) {
    CK_TRY(ck_path_unlink(vfs, path, err));
    *removed = true;
  }
cleanup:
  return status;
}

bool ck_name_is_stale(const ck_name *name) {
  return name->kind == CK_NAME_TEMP &&
         (name->pid == ck_process_self() || !ck_process_alive(name->pid));
}
