/* posix.h: what the tests use of POSIX, on Windows too as far as it goes there.
 * What Windows has not (links, pipes, forks) fails, and the test that needs it
 * skips itself. Elsewhere this only includes the system's own headers. */
#ifndef KB_POSIX_H
#define KB_POSIX_H

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef _WIN32
#include <sys/wait.h>
#define HAS_POSIX true
#define HAS_FORK 1
#else
#define HAS_POSIX false
#define HAS_FORK 0

#include <direct.h>
#include <errno.h>
#include <io.h>
#include <stdint.h>

#ifndef EDQUOT
#define EDQUOT ENOSPC
#endif
#ifndef O_CLOEXEC
#define O_CLOEXEC 0
#endif

#define mkdir(path, mode) posix_mkdir(path)
#define lstat(path, out) stat(path, out)

int posix_mkdir(const char *path);

/* Run this program with these arguments; its exit status. */
int posix_run_self(const char *arguments);
char *mkdtemp(char *pattern);
int symlink(const char *target, const char *path);
int link(const char *from, const char *to);
int mkfifo(const char *path, int mode);
int64_t pread(int fd, void *data, size_t n, int64_t offset);
int64_t pwrite(int fd, const void *data, size_t n, int64_t offset);
int alphasort(const struct dirent **a, const struct dirent **b);
int scandir(const char *path, struct dirent ***out,
            int (*keep)(const struct dirent *),
            int (*order)(const struct dirent **, const struct dirent **));

#endif
#endif
