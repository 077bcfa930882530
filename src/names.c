/* names.c: see names.h. */
#include "names.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Read up to `max` digits of the base; how many there were. */
static int digits_read(const char *text, int base, int max, uint64_t *out) {
  int n = 0;
  uint64_t value = 0;
  for (; n < max; n++) {
    char c = text[n];
    unsigned digit;
    if (c >= '0' && c <= '9') {
      digit = (unsigned)(c - '0');
    } else if (base == 16 && c >= 'a' && c <= 'f') {
      digit = (unsigned)(c - 'a') + 10;
    } else {
      break;
    }
    value = value * (unsigned)base + digit;
  }
  *out = value;
  return n;
}

ck_name ck_name_parse(const char *text) {
  static const ck_name foreign = {CK_NAME_FOREIGN, 0, 0, 0};
  ck_name name = foreign;
  int n;
  if (strncmp(text, "backup-", 7) != 0 ||
      digits_read(text + 7, 10, 12, &name.generation) != 12 ||
      name.generation == 0) {
    return foreign;
  }
  text += 7 + 12;
  if (strcmp(text, ".safetensors") == 0) {
    name.kind = CK_NAME_COMMITTED;
    return name;
  }
  if (text[0] != '.' || text[1] == '0') {
    return foreign;
  }
  n = digits_read(text + 1, 10, 10, &name.pid);
  text += 1 + n;
  if (n == 0 || text[0] != '-' ||
      digits_read(text + 1, 16, 16, &name.nonce) != 16 ||
      strcmp(text + 17, ".tmp") != 0) {
    return foreign;
  }
  name.kind = CK_NAME_TEMP;
  return name;
}

void ck_name_format(char out[CK_NAME_CAP], const ck_name *name) {
  if (name->kind == CK_NAME_COMMITTED) {
    snprintf(out, CK_NAME_CAP, "backup-%012" PRIu64 ".safetensors",
             name->generation);
  } else {
    snprintf(out, CK_NAME_CAP,
             "backup-%012" PRIu64 ".%" PRIu64 "-%016" PRIx64 ".tmp",
             name->generation, name->pid, name->nonce);
  }
}

const char *ck_name_of_path(const char *path) {
  const char *name = path;
  for (; *path != '\0'; path++) {
    if (*path == '/' || *path == '\\') {
      name = path + 1;
    }
  }
  return name;
}
