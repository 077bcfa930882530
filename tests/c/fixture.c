/* fixture.c: see fixture.h. */
#define _GNU_SOURCE
#ifdef _WIN32
#define _WIN32_WINNT 0x0601
#endif
#include "fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
#include <windows.h>
#endif

#include "crc32c.h"
#include "posix.h"

#ifndef O_BINARY
#define O_BINARY 0
#endif

static char root[512];
static char dirs[200][600];
static int n_dirs;

__attribute__((noreturn)) static void stop(const char *what) {
  perror(what);
  exit(2);
}

static void *get(size_t n) {
  void *memory = malloc(n > 0 ? n : 1);
  if (memory == NULL) {
    stop("malloc");
  }
  return memory;
}

const char *fixture_dir(void) {
  if (root[0] == '\0') {
    const char *base = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/kb test XXXXXX",
             base != NULL ? base : "/tmp");
    if (mkdtemp(root) == NULL) {
      stop("mkdtemp");
    }
  }
  if (n_dirs == 200) {
    stop("too many directories");
  }
  snprintf(dirs[n_dirs], sizeof dirs[0], "%s/%d", root, n_dirs);
  if (mkdir(dirs[n_dirs], 0777) != 0) {
    stop("mkdir");
  }
  return dirs[n_dirs++];
}

void fixture_clear(const char *dir) {
  DIR *stream = opendir(dir);
  struct dirent *entry;
  char path[1200];
  while (stream != NULL && (entry = readdir(stream)) != NULL) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
      continue;
    }
    snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
    if (unlink(path) != 0) {
      fixture_clear(path);
      (void)rmdir(path);
    }
  }
  if (stream != NULL) {
    closedir(stream);
  }
}

#ifdef _WIN32
static HANDLE suspended;
#endif

void fixture_end(void) {
#ifdef _WIN32
  if (suspended != NULL) {
    TerminateProcess(suspended, 0);
    CloseHandle(suspended);
    suspended = NULL;
  }
#endif
  if (root[0] != '\0') {
    fixture_clear(root);
    (void)rmdir(root);
  }
}

tensors tensors_new(const uint64_t *sizes, size_t n, unsigned seed) {
  tensors t = {0};
  uint64_t state = 88172645463325252u + seed;
  uint64_t offset = 0;
  t.n = n;
  t.sizes = get(n * sizeof *t.sizes);
  t.addresses = get(n * sizeof *t.addresses);
  t.text = get(n * 160 + 1);
  for (size_t i = 0; i < n; i++) {
    t.total += sizes[i];
  }
  t.bytes = get((size_t)t.total);
  for (uint64_t i = 0; i < t.total; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    t.bytes[i] = (uint8_t)(state >> 32);
  }
  for (size_t i = 0; i < n; i++) {
    t.sizes[i] = sizes[i];
    t.addresses[i] = (uint64_t)(uintptr_t)(t.bytes + offset);
    t.n_text += (size_t)sprintf(
        t.text + t.n_text,
        "%s\"t%05zu\":{\"dtype\":\"U8\",\"shape\":[%" PRIu64 "],"
        "\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}",
        i == 0 ? "" : ",", i, sizes[i], offset, offset + sizes[i]);
    offset += sizes[i];
  }
  return t;
}

tensors tensors_one(uint64_t size, unsigned seed) {
  return tensors_new(&size, 1, seed);
}

void tensors_free(tensors *t) {
  free(t->text);
  free(t->sizes);
  free(t->addresses);
  free(t->bytes);
  memset(t, 0, sizeof *t);
}

ck_status tensors_save(ck_store *store, const tensors *t, ck_commit *commit,
                       ck_error *err) {
  ck_commit own = {0};
  ck_status status =
      ck_store_plan(store, t->text, t->n_text, t->sizes, t->n, err);
  if (status == CK_OK) {
    status =
        ck_store_commit(store, t->addresses, t->n, METADATA, strlen(METADATA),
                        commit != NULL ? commit : &own, err);
  }
  ck_commit_clear(&own);
  return status;
}

void fixture_save(const char *dir, unsigned keep, const tensors *t) {
  ck_error err;
  ck_store *store;
  if (ck_store_open(&store, ck_vfs_system(), dir, keep, &err) != CK_OK ||
      tensors_save(store, t, NULL, &err) != CK_OK) {
    fprintf(stderr, "%s: %s\n", err.op, err.message);
    stop("fixture_save");
  }
  ck_store_close(store);
}

static int match(const ck_checkpoint *loaded, const tensors *candidates,
                 size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (loaded->image.layout.data_len == candidates[i].total &&
        memcmp(loaded->image.data.data, candidates[i].bytes,
               (size_t)candidates[i].total) == 0) {
      return (int)i;
    }
  }
  return -1;
}

int fixture_load(const char *dir, const tensors *candidates, size_t n) {
  ck_checkpoint loaded = {0};
  ck_error err;
  ck_store *store;
  int which = -2;
  if (ck_store_open(&store, ck_vfs_system(), dir, 1, &err) != CK_OK) {
    stop("fixture_load");
  }
  if (ck_store_find(store, CK_READ_LOAD, &loaded, &err) == CK_OK) {
    which = loaded.found ? match(&loaded, candidates, n) : -3;
  }
  ck_checkpoint_clear(&loaded);
  ck_store_close(store);
  return which;
}

uint8_t *file_get(const char *path, size_t *n) {
  struct stat st;
  uint8_t *data;
  FILE *file = fopen(path, "rb");
  if (file == NULL || fstat(fileno(file), &st) != 0) {
    stop(path);
  }
  *n = (size_t)st.st_size;
  data = get(*n);
  if (fread(data, 1, *n, file) != *n) {
    stop(path);
  }
  fclose(file);
  return data;
}

void file_put(const char *path, const void *data, size_t n) {
  FILE *file = fopen(path, "wb");
  if (file == NULL || fwrite(data, 1, n, file) != n || fclose(file) != 0) {
    stop(path);
  }
}

void file_flip(const char *path, uint64_t bit) {
  uint8_t byte;
  int fd = open(path, O_RDWR | O_CLOEXEC | O_BINARY);
  if (fd < 0 || pread(fd, &byte, 1, (off_t)(bit / 8)) != 1) {
    stop(path);
  }
  byte ^= (uint8_t)(1u << (bit % 8));
  if (pwrite(fd, &byte, 1, (off_t)(bit / 8)) != 1 || close(fd) != 0) {
    stop(path);
  }
}

void file_copy(const char *from, const char *to) {
  size_t n;
  uint8_t *data = file_get(from, &n);
  file_put(to, data, n);
  free(data);
}

bool file_exists(const char *path) {
  struct stat st;
  return lstat(path, &st) == 0;
}

const char *at(const char *dir, const char *name) {
  static char paths[8][1200];
  static int next;
  next = (next + 1) % 8;
  snprintf(paths[next], sizeof paths[next], "%s/%s", dir, name);
  return paths[next];
}

const char *at_generation(const char *dir, uint64_t generation) {
  ck_name name = {CK_NAME_COMMITTED, generation, 0, 0};
  char text[CK_NAME_CAP];
  ck_name_format(text, &name);
  return at(dir, text);
}

char *directory_state(const char *dir) {
  struct dirent **entries;
  int n = scandir(dir, &entries, NULL, alphasort);
  char *out = get((size_t)(n + 1) * 400);
  size_t used = 0;
  out[0] = '\0';
  for (int i = 0; i < n; i++) {
    const char *name = entries[i]->d_name;
    struct stat st;
    uint32_t crc = 0;
    if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
        lstat(at(dir, name), &st) == 0) {
      if (S_ISREG(st.st_mode)) {
        size_t size;
        uint8_t *data = file_get(at(dir, name), &size);
        crc = ck_crc32c_update_table(0, data, size);
        free(data);
      }
      used += (size_t)sprintf(
          out + used, "%s %o %lld %08x\n", name, (unsigned)st.st_mode,
          S_ISREG(st.st_mode) ? (long long)st.st_size : 0, (unsigned)crc);
    }
    free(entries[i]);
  }
  free(entries);
  return out;
}

const char *generations(const char *dir) {
  static char out[2000];
  struct dirent **entries;
  int n = scandir(dir, &entries, NULL, alphasort);
  out[0] = '\0';
  for (int i = 0; i < n; i++) {
    ck_name name = ck_name_parse(entries[i]->d_name);
    if (name.kind == CK_NAME_COMMITTED) {
      sprintf(out + strlen(out), "%s%" PRIu64, out[0] == '\0' ? "" : " ",
              name.generation);
    }
    free(entries[i]);
  }
  free(entries);
  return out;
}

int count_temps(const char *dir, uint64_t generation) {
  DIR *stream = opendir(dir);
  struct dirent *entry;
  int n = 0;
  if (stream == NULL) {
    return -1;
  }
  while ((entry = readdir(stream)) != NULL) {
    ck_name name = ck_name_parse(entry->d_name);
    n += name.kind == CK_NAME_TEMP &&
         (generation == 0 || name.generation == generation);
  }
  closedir(stream);
  return n;
}

#ifdef _WIN32

int count_descriptors(void) {
  DWORD n = 0;
  return GetProcessHandleCount(GetCurrentProcess(), &n) ? (int)n : -1;
}

/* The number of a process that was started in order to be suspended for ever,
 * or to be ended at once. */
static long process_number(bool alive) {
  char command[] = "cmd.exe /c exit";
  STARTUPINFOA how;
  PROCESS_INFORMATION process;
  memset(&how, 0, sizeof how);
  how.cb = sizeof how;
  if (!CreateProcessA(NULL, command, NULL, NULL, FALSE, CREATE_SUSPENDED, NULL,
                      NULL, &how, &process)) {
    stop("CreateProcess");
  }
  if (!alive) {
    TerminateProcess(process.hProcess, 0);
    WaitForSingleObject(process.hProcess, INFINITE);
  } else {
    suspended = process.hProcess;
  }
  CloseHandle(process.hThread);
  if (!alive) {
    CloseHandle(process.hProcess);
  }
  return (long)process.dwProcessId;
}

long dead_pid(void) {
  return process_number(false);
}

long living_pid(void) {
  static long pid;
  if (pid == 0) {
    pid = process_number(true);
  }
  return pid;
}

#else

int count_descriptors(void) {
  int n = 0;
  for (int fd = 0; fd < 256; fd++) {
    n += fcntl(fd, F_GETFD) != -1;
  }
  return n;
}

long dead_pid(void) {
  pid_t child = fork();
  if (child == 0) {
    _exit(0);
  }
  if (child < 0 || waitpid(child, NULL, 0) != child) {
    stop("fork");
  }
  return (long)child;
}

/* There is always a first process. */
long living_pid(void) {
  return 1;
}

#endif
