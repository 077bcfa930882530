/* status.c: see status.h. */
#include "status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void text_copy(char *out, size_t cap, const char *text) {
  size_t n = strlen(text);
  if (n >= cap) {
    n = cap - 1;
  }
  memcpy(out, text, n);
  out[n] = '\0';
}

ck_status ck_error_set(ck_error *err, ck_status status, const char *op,
                       const char *path, int sys, const char *format, ...) {
  va_list args;
  err->status = status;
  err->sys = sys;
  text_copy(err->op, sizeof err->op, op);
  text_copy(err->path, sizeof err->path, path == NULL ? "" : path);
  err->offset = CK_UNKNOWN;
  err->length = CK_UNKNOWN;
  err->needed = CK_UNKNOWN;
  err->available = CK_UNKNOWN;
  va_start(args, format);
  vsnprintf(err->message, sizeof err->message, format, args);
  va_end(args);
  return status;
}

ck_status ck_error_memory(ck_error *err, uint64_t needed) {
  ck_error_set(err, CK_ERR_NOMEM, "allocate", NULL, ENOMEM, "out of memory");
  err->needed = needed;
  return CK_ERR_NOMEM;
}

void ck_error_list_add(ck_error_list *list, const ck_error *err) {
  ck_error *items = realloc(list->items, (list->n + 1) * sizeof *items);
  if (items == NULL) {
    return;
  }
  items[list->n] = *err;
  list->items = items;
  list->n++;
}

void ck_error_list_clear(ck_error_list *list) {
  free(list->items);
  list->items = NULL;
  list->n = 0;
}

const char *ck_status_name(ck_status status) {
  switch (status) {
  case CK_OK:
    return "ok";
  case CK_ERR_IO:
    return "io";
  case CK_ERR_CORRUPT:
    return "corrupt";
  case CK_ERR_MISUSE:
    return "misuse";
  case CK_ERR_NOMEM:
    return "nomem";
  case CK_ERR_DURABILITY:
    return "durability";
  case CK_ERR_TOO_LARGE:
    return "too_large";
  case CK_ERR_EXHAUSTED:
    return "exhausted";
  case CK_ERR_FORKED:
    return "forked";
  }
  return "misuse";
}

typedef struct errno_entry {
  int value;
  const char *name;
} errno_entry;

static const errno_entry errno_table[] = {
    {EPERM, "EPERM"},
    {ENOENT, "ENOENT"},
    {EINTR, "EINTR"},
    {EIO, "EIO"},
    {ENXIO, "ENXIO"},
    {EBADF, "EBADF"},
    {EAGAIN, "EAGAIN"},
    {ENOMEM, "ENOMEM"},
    {EACCES, "EACCES"},
    {EBUSY, "EBUSY"},
    {EEXIST, "EEXIST"},
    {EXDEV, "EXDEV"},
    {ENODEV, "ENODEV"},
    {ENOTDIR, "ENOTDIR"},
    {EISDIR, "EISDIR"},
    {EINVAL, "EINVAL"},
    {ENFILE, "ENFILE"},
    {EMFILE, "EMFILE"},
    {EFBIG, "EFBIG"},
    {ENOSPC, "ENOSPC"},
    {EROFS, "EROFS"},
    {EMLINK, "EMLINK"},
    {ENOLCK, "ENOLCK"},
    {EPIPE, "EPIPE"},
    {ENAMETOOLONG, "ENAMETOOLONG"},
    {ENOSYS, "ENOSYS"},
    {ENOTEMPTY, "ENOTEMPTY"},
#ifdef ELOOP
    {ELOOP, "ELOOP"},
#endif
#ifdef ENOTSUP
    {ENOTSUP, "ENOTSUP"},
#endif
#ifdef EOPNOTSUPP
    {EOPNOTSUPP, "EOPNOTSUPP"},
#endif
#ifdef EOVERFLOW
    {EOVERFLOW, "EOVERFLOW"},
#endif
#ifdef ETIMEDOUT
    {ETIMEDOUT, "ETIMEDOUT"},
#endif
#ifdef ETXTBSY
    {ETXTBSY, "ETXTBSY"},
#endif
#ifdef EDQUOT
    {EDQUOT, "EDQUOT"},
#endif
#ifdef ESTALE
    {ESTALE, "ESTALE"},
#endif
};

static const size_t errno_count = sizeof errno_table / sizeof errno_table[0];

const char *ck_errno_name(int sys) {
  for (size_t i = 0; i < errno_count; i++) {
    if (errno_table[i].value == sys) {
      return errno_table[i].name;
    }
  }
  return NULL;
}
