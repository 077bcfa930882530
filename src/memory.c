/* memory.c: see memory.h. */
#include "memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_CAP 4096
#define SMALL_CAP 16384
#define MOUNTS_CAP ((size_t)1 << 20)

typedef struct source {
  ck_text_reader *read;
  void *context;
  char *text;   /* MOUNTS_CAP bytes, for one file at a time */
  char *groups; /* SMALL_CAP bytes: the groups of the process */
} source;

/* The two versions of groups: their files, and how to know them. */
typedef struct version {
  const char *type;       /* of the file system */
  const char *controller; /* that the line of the group names; "": none */
  const char *limits[2];
  const char *used[2];
  const char *cached;    /* in memory.stat, of the group and those below */
  const char *places[2]; /* where they are mounted mostly; "": no more */
} version;

static const version versions[] = {
    {
        "cgroup2",
        "",
        {"memory.max", "memory.high"},
        {"memory.current", "memory.current"},
        "inactive_file ",
        {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"},
    },
    {
        "cgroup",
        "memory",
        {"memory.limit_in_bytes", "memory.memsw.limit_in_bytes"},
        {"memory.usage_in_bytes", "memory.memsw.usage_in_bytes"},
        "total_inactive_file ",
        {"/sys/fs/cgroup/memory", ""},
    },
};

static uint64_t smaller(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

uint64_t ck_memory_number(const char *text, const char *key) {
  uint64_t number;
  size_t n = strlen(key);
  while (text != NULL) {
    if (strncmp(text, key, n) == 0 &&
        sscanf(text + n, "%" SCNu64, &number) == 1) {
      return number;
    }
    text = n == 0 ? NULL : strchr(text, '\n');
    text = text == NULL ? NULL : text + 1;
  }
  return UINT64_MAX;
}

/* The number in a file of a group; UINT64_MAX for "max", and where there is no
 * such file. */
static uint64_t file_number(source *from, const char *dir, const char *name,
                            const char *key) {
  char path[PATH_CAP + 64];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  return from->read(from->context, path, from->text, SMALL_CAP)
             ? ck_memory_number(from->text, key)
             : UINT64_MAX;
}

/* ---- One group ----------------------------------------------------------- */

static uint64_t group_left(source *from, const version *kind, const char *dir) {
  uint64_t left = UINT64_MAX;
  for (int i = 0; i < 2; i++) {
    uint64_t most = file_number(from, dir, kind->limits[i], "");
    uint64_t used = file_number(from, dir, kind->used[i], "");
    uint64_t cached;
    if (most == UINT64_MAX || used == UINT64_MAX) {
      continue;
    }
    cached = file_number(from, dir, "memory.stat", kind->cached);
    used -= cached != UINT64_MAX && cached < used ? cached : 0;
    left = smaller(left, used < most ? most - used : 0);
  }
  return left;
}

/* The group at `path` below the mount point, and all above it. Some may not be
 * seen from here. */
static uint64_t groups_left(source *from, const version *kind,
                            const char *point, const char *path) {
  char dir[PATH_CAP];
  size_t top = strlen(point);
  size_t n = top + strlen(path);
  uint64_t left = UINT64_MAX;
  if (n >= sizeof dir) {
    return left;
  }
  memcpy(dir, point, top);
  memcpy(dir + top, path, n - top);
  for (;;) {
    while (n > top && dir[n - 1] == '/') {
      n--;
    }
    dir[n] = '\0';
    left = smaller(left, group_left(from, kind, dir));
    if (n == top) {
      return left;
    }
    while (n > top && dir[n - 1] != '/') {
      n--;
    }
  }
}

/* ---- Which group, and where it is ---------------------------------------- */

/* Whether `word` is one of those that commas separate, up to `end`. */
static bool has_word(const char *text, const char *end, const char *word) {
  size_t n = strlen(word);
  while (text < end) {
    const char *comma = memchr(text, ',', (size_t)(end - text));
    const char *stop = comma == NULL ? end : comma;
    if ((size_t)(stop - text) == n && memcmp(text, word, n) == 0) {
      return true;
    }
    text = stop + 1;
  }
  return n == 0;
}

/* The process's group of that version: lines are "number:controllers:path". */
static bool group_find(const source *from, const version *kind, char *out) {
  const char *line = from->groups;
  while (line != NULL && *line != '\0') {
    const char *end = strchr(line, '\n');
    const char *controllers = strchr(line, ':');
    const char *path;
    size_t n;
    end = end == NULL ? line + strlen(line) : end;
    path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (path != NULL && path < end) {
      bool is_ours = kind->controller[0] == '\0'
                         ? path == controllers + 1
                         : has_word(controllers + 1, path, kind->controller);
      n = (size_t)(end - path) - 1;
      if (is_ours && n < PATH_CAP) {
        memcpy(out, path + 1, n);
        out[n] = '\0';
        return true;
      }
    }
    line = *end == '\0' ? NULL : end + 1;
  }
  return false;
}

/* A word of a line of mountinfo, with what stands there as "\040" put back; the
 * rest of the line, or NULL where there is no word or no room for it. */
static const char *word_read(const char *text, char *out, size_t cap) {
  size_t n = 0;
  while (*text == ' ') {
    text++;
  }
  while (*text != ' ' && *text != '\0' && *text != '\n') {
    unsigned code;
    if (n + 1 >= cap) {
      return NULL;
    }
    if (text[0] == '\\' && sscanf(text + 1, "%3o", &code) == 1 && code < 256) {
      out[n++] = (char)code;
      text += 4;
    } else {
      out[n++] = *text++;
    }
  }
  out[n] = '\0';
  return n == 0 ? NULL : text;
}

/* The part of the path below the mounted root. A container may have its own group
 * mounted as the root while its path is the one on the host. */
static const char *below(const char *path, const char *root) {
  size_t n = strlen(root);
  while (n > 0 && root[n - 1] == '/') {
    n--;
  }
  if (strncmp(path, "/..", 3) == 0 || strncmp(path, root, n) != 0 ||
      (path[n] != '/' && path[n] != '\0')) {
    return "";
  }
  return path + n;
}

typedef struct mount {
  char root[PATH_CAP];
  char point[PATH_CAP];
  char type[32];
  char options[1024];
} mount;

/* "36 35 98:0 /root /point options optional fields - type source options" */
static bool mount_read(const char *line, mount *out) {
  char ignored[PATH_CAP];
  const char *at = line;
  const char *dash;
  const char *end = strchr(line, '\n');
  for (int i = 0; i < 3 && at != NULL; i++) {
    at = word_read(at, ignored, sizeof ignored);
  }
  at = at == NULL ? NULL : word_read(at, out->root, sizeof out->root);
  at = at == NULL ? NULL : word_read(at, out->point, sizeof out->point);
  dash = at == NULL ? NULL : strstr(at, " - ");
  if (dash == NULL || (end != NULL && dash > end)) {
    return false;
  }
  at = word_read(dash + 3, out->type, sizeof out->type);
  at = at == NULL ? NULL : word_read(at, ignored, sizeof ignored);
  at = at == NULL ? NULL : word_read(at, out->options, sizeof out->options);
  return at != NULL;
}

/* By the mount points that the system lists; `*found` says whether there is one.
 * `one` is room for a line of that list, which is long. */
static uint64_t mounted_left(source *from, const version *kind,
                             const char *path, mount *one, bool *found) {
  uint64_t left = UINT64_MAX;
  char *mounts;
  const char *line;
  *found = false;
  if (!from->read(from->context, "/proc/self/mountinfo", from->text,
                  MOUNTS_CAP)) {
    return left;
  }
  /* Other files are read to `text` meanwhile. */
  mounts = malloc(strlen(from->text) + 1);
  if (mounts == NULL) {
    return left;
  }
  memcpy(mounts, from->text, strlen(from->text) + 1);
  for (line = mounts; line != NULL && *line != '\0';) {
    const char *end = strchr(line, '\n');
    if (mount_read(line, one) && strcmp(one->type, kind->type) == 0 &&
        has_word(one->options, one->options + strlen(one->options),
                 kind->controller)) {
      *found = true;
      left = smaller(
          left, groups_left(from, kind, one->point, below(path, one->root)));
    }
    line = end == NULL ? NULL : end + 1;
  }
  free(mounts);
  return left;
}

static uint64_t version_left(source *from, const version *kind, mount *one) {
  char path[PATH_CAP];
  bool found;
  uint64_t left;
  if (!group_find(from, kind, path)) {
    return UINT64_MAX;
  }
  left = mounted_left(from, kind, path, one, &found);
  for (int i = 0; i < 2 && !found && kind->places[i][0] != '\0'; i++) {
    left = smaller(left, groups_left(from, kind, kind->places[i], path));
  }
  return left;
}

uint64_t ck_memory_left(ck_text_reader *read, void *context) {
  source from = {read, context, malloc(MOUNTS_CAP), malloc(SMALL_CAP)};
  mount *one = malloc(sizeof *one);
  uint64_t left = UINT64_MAX;
  if (from.text != NULL && from.groups != NULL && one != NULL) {
    uint64_t kib = file_number(&from, "/proc", "meminfo", "MemAvailable:");
    left = kib > UINT64_MAX / 1024 ? UINT64_MAX : 1024 * kib;
    if (read(context, "/proc/self/cgroup", from.groups, SMALL_CAP)) {
      for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        left = smaller(left, version_left(&from, &versions[i], one));
      }
    }
  }
  free(one);
  free(from.groups);
  free(from.text);
  return left;
}
