/* posix.c: see posix.h. */
#ifdef _WIN32
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0601
#endif
#include <windows.h>
#endif

#include "posix.h"

#ifdef _WIN32

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int posix_mkdir(const char *path) {
  return _mkdir(path);
}

int posix_run_self(const char *arguments) {
  char program[1024];
  char command[3000];
  STARTUPINFOA how;
  PROCESS_INFORMATION process;
  DWORD status = 0;
  DWORD n = GetModuleFileNameA(NULL, program, sizeof program);
  memset(&how, 0, sizeof how);
  how.cb = sizeof how;
  if (n == 0 || n == sizeof program) {
    abort();
  }
  snprintf(command, sizeof command, "\"%s\" %s", program, arguments);
  if (!CreateProcessA(NULL, command, NULL, NULL, FALSE, 0, NULL, NULL, &how,
                      &process)) {
    abort();
  }
  WaitForSingleObject(process.hProcess, INFINITE);
  GetExitCodeProcess(process.hProcess, &status);
  CloseHandle(process.hThread);
  CloseHandle(process.hProcess);
  return (int)status;
}

char *mkdtemp(char *pattern) {
  char *end = pattern + strlen(pattern) - 6;
  for (unsigned i = 0; i < 1000; i++) {
    snprintf(end, 7, "%06x",
             (unsigned)(GetCurrentProcessId() * 1000u + i) & 0xffffffu);
    if (_mkdir(pattern) == 0) {
      return pattern;
    }
  }
  return NULL;
}

/* Only the superuser may make one. */
int symlink(const char *target, const char *path) {
  (void)target;
  (void)path;
  errno = EPERM;
  return -1;
}

int link(const char *from, const char *to) {
  return CreateHardLinkA(to, from, NULL) ? 0 : -1;
}

int mkfifo(const char *path, int mode) {
  (void)path;
  (void)mode;
  errno = ENOSYS;
  return -1;
}

int64_t pread(int fd, void *data, size_t n, int64_t offset) {
  return _lseeki64(fd, offset, SEEK_SET) == offset
             ? _read(fd, data, (unsigned)n)
             : -1;
}

int64_t pwrite(int fd, const void *data, size_t n, int64_t offset) {
  return _lseeki64(fd, offset, SEEK_SET) == offset
             ? _write(fd, data, (unsigned)n)
             : -1;
}

int alphasort(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

static int by_name(const void *a, const void *b) {
  const struct dirent *const *x = a;
  const struct dirent *const *y = b;
  return strcmp((*x)->d_name, (*y)->d_name);
}

int scandir(const char *path, struct dirent ***out,
            int (*keep)(const struct dirent *),
            int (*order)(const struct dirent **, const struct dirent **)) {
  DIR *stream = opendir(path);
  struct dirent **entries = NULL;
  struct dirent *entry;
  int n = 0;
  (void)order;
  if (stream == NULL) {
    return -1;
  }
  while ((entry = readdir(stream)) != NULL) {
    struct dirent *copy;
    struct dirent **grown;
    if (keep != NULL && !keep(entry)) {
      continue;
    }
    copy = malloc(sizeof *copy);
    grown = realloc(entries, (size_t)(n + 1) * sizeof *grown);
    if (copy == NULL || grown == NULL) {
      abort();
    }
    *copy = *entry;
    entries = grown;
    entries[n++] = copy;
  }
  closedir(stream);
  if (n > 1) {
    qsort(entries, (size_t)n, sizeof *entries, by_name);
  }
  *out = entries;
  return n;
}

#else

/* An empty file is no C. */
typedef int posix_is_here;

#endif
