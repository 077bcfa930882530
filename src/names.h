/* names.h: the names of our files. There are two patterns:
 *   backup-<12 digits>.safetensors                   a committed generation
 *   backup-<12 digits>.<pid>-<16 hex digits>.tmp     one being written
 *
 * These are pure functions. They keep a part of I7: a name that differs in one
 * character is not ours.
 */
#ifndef CK_NAMES_H
#define CK_NAMES_H

#include <stdint.h>

#define CK_NAME_CAP 80
#define CK_GENERATION_MAX UINT64_C(999999999999)

typedef enum ck_name_kind {
  CK_NAME_FOREIGN = 0,
  CK_NAME_COMMITTED,
  CK_NAME_TEMP
} ck_name_kind;

typedef struct ck_name {
  ck_name_kind kind;
  uint64_t generation; /* 1 and up; 0 for a foreign name */
  uint64_t pid;        /* temporary files only */
  uint64_t nonce;
} ck_name;

ck_name ck_name_parse(const char *text);

/* The text of a name that is not foreign. */
void ck_name_format(char out[CK_NAME_CAP], const ck_name *name);

/* The last component of a path. */
const char *ck_name_of_path(const char *path);

#endif
