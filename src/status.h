/* status.h: how every function of the core reports a failure: the status codes,
 * the error struct, and the names of errno values. Safe on any thread.
 *
 * Contract of every function that returns ck_status: on CK_OK the error struct
 * is untouched; on anything else it is filled and belongs to the caller. The
 * struct owns no memory, so it may be copied and dropped freely.
 */
#ifndef CK_STATUS_H
#define CK_STATUS_H

#include <stddef.h>
#include <stdint.h>

typedef enum ck_status {
  CK_OK = 0,
  CK_ERR_IO,         /* the operating system refused */
  CK_ERR_CORRUPT,    /* the bytes are not what was written */
  CK_ERR_MISUSE,     /* a fault of the code that calls: users cannot cause it */
  CK_ERR_NOMEM,      /* no memory */
  CK_ERR_DURABILITY, /* complete under its name; a power cut may undo it */
  CK_ERR_TOO_LARGE,  /* more than the format or an interface can hold */
  CK_ERR_EXHAUSTED,  /* no generation number is left in the directory */
  CK_ERR_FORKED      /* asked for in a process that was forked */
} ck_status;

/* The longest path the core handles, with its end. */
#define CK_PATH_CAP 4096

/* For sizes and offsets in ck_error that do not apply. */
#define CK_UNKNOWN UINT64_MAX

typedef struct ck_error {
  ck_status status;
  int sys;                /* errno value, 0 if no system call failed */
  char op[16];            /* the operation: "open", "fsync", "verify", ... */
  char path[CK_PATH_CAP]; /* the file, "" if none */
  char message[200];      /* terse cause, for people, in English */
  uint64_t offset;        /* damaged bytes, counted in the data section */
  uint64_t length;
  uint64_t needed; /* bytes of disk or memory, when those ran out */
  uint64_t available;
} ck_error;

/* A growing list of errors that did not fail the whole. Owns its items. */
typedef struct ck_error_list {
  ck_error *items;
  size_t n;
} ck_error_list;

#if defined(__MINGW32__)
#define CK_PRINTF(a, b) __attribute__((format(gnu_printf, a, b)))
#elif defined(__GNUC__)
#define CK_PRINTF(a, b) __attribute__((format(printf, a, b)))
#else
#define CK_PRINTF(a, b)
#endif

/* Leave a function through its only exit as soon as a step fails. Needs a
 * `ck_status status` and a label `cleanup` in the function. */
#define CK_TRY(step)                                                           \
  do {                                                                         \
    if ((status = (step)) != CK_OK) {                                          \
      goto cleanup;                                                            \
    }                                                                          \
  } while (0)

/* Fill `err`; returns `status`, so that `return ck_error_set(...)` reads well.
 * `path` may be NULL. Sizes and offsets are set to CK_UNKNOWN. */
ck_status ck_error_set(ck_error *err, ck_status status, const char *op,
                       const char *path, int sys, const char *format, ...)
    CK_PRINTF(6, 7);

/* Out of memory for `needed` bytes. */
ck_status ck_error_memory(ck_error *err, uint64_t needed);

/* Append a copy. Where there is no memory for it the item is dropped: these
 * are remarks, and must not fail what they remark on. */
void ck_error_list_add(ck_error_list *list, const ck_error *err);
void ck_error_list_clear(ck_error_list *list);

/* "io", "corrupt", "misuse", "nomem", "durability", "too_large",
 * "exhausted", "forked"; "ok" for CK_OK. */
const char *ck_status_name(ck_status status);

/* "ENOSPC" for ENOSPC; NULL for a value without a name here, and for 0. */
const char *ck_errno_name(int sys);

#endif
