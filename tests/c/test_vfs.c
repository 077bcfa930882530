/* The system's operations themselves, and the way round where a file system
 * cannot refuse to replace. Includes the source to reach it; the names
 * are changed, so that the core beside it keeps its own. */
#ifndef _WIN32
#define ck_vfs_system included_vfs_system
#define ck_directory_unmake included_directory_unmake
#define ck_path_separator included_path_separator
#define ck_process_self included_process_self
#define ck_process_alive included_process_alive
#define ck_process_nonce included_process_nonce
#define ck_process_at_fork included_process_at_fork
#define ck_clock included_clock
#define ck_memory_advise included_memory_advise
#define ck_memory_available included_memory_available
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <unistd.h>

/* A file system without hard links. */
static int link_fails_with;
static int link_or_not(const char *from, const char *to) {
  if (link_fails_with != 0) {
    errno = link_fails_with;
    return -1;
  }
  return link(from, to);
}
#define link link_or_not
#include "os_vfs_posix.c"
#undef link

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "fixture.h"
#include "tap.h"

static bool holds(const char *path, const char *text) {
  size_t n;
  uint8_t *data;
  bool same;
  if (!file_exists(path)) {
    return false;
  }
  data = file_get(path, &n);
  same = n == strlen(text) && memcmp(data, text, n) == 0;
  free(data);
  return same;
}

/* In the unit of another clock, which is asked in between. */
static bool clock_agrees(void) {
  struct timespec nap = {0, 20000000};
  struct timespec from;
  struct timespec to;
  uint64_t started = included_clock();
  uint64_t between;
  (void)clock_gettime(CLOCK_MONOTONIC, &from);
  (void)nanosleep(&nap, NULL);
  (void)clock_gettime(CLOCK_MONOTONIC, &to);
  between = (uint64_t)(to.tv_sec - from.tv_sec) * 1000000000u +
            (uint64_t)to.tv_nsec - (uint64_t)from.tv_nsec;
  return included_clock() - started >= between;
}

static void renames(int (*move)(const char *, const char *), const char *name) {
  const char *dir = fixture_dir();
  file_put(at(dir, "a"), "A", 1);
  file_put(at(dir, "b"), "B", 1);
  ok(move(at(dir, "a"), at(dir, "b")) == EEXIST && holds(at(dir, "a"), "A") &&
         holds(at(dir, "b"), "B"),
     "I3: %s does not replace", name);
  if (symlink("/nowhere", at(dir, "dangling")) == 0) {
    ok(move(at(dir, "a"), at(dir, "dangling")) == EEXIST &&
           holds(at(dir, "a"), "A"),
       "I3: %s does not replace a dangling link", name);
  }
  ok(move(at(dir, "a"), at(dir, "c")) == 0 && holds(at(dir, "c"), "A") &&
         !file_exists(at(dir, "a")),
     "%s moves", name);
  ok(move(at(dir, "a"), at(dir, "d")) == ENOENT, "%s of nothing fails", name);
}

static int by_vfs(const char *from, const char *to) {
  return ck_vfs_system()->rename(ck_vfs_system(), from, to);
}

#if defined(__linux__)
static void memory(void) {
  const char *dir = fixture_dir();
  uint64_t available = ck_memory_available();
  char text[5];
  file_put(at(dir, "long"), "123456789", 9);
  ok(!kernel_text(NULL, at(dir, "none"), text, sizeof text) &&
         kernel_text(NULL, at(dir, "long"), text, sizeof text) &&
         strcmp(text, "1234") == 0 &&
         !kernel_text(NULL, dir, text, sizeof text),
     "a text is read as far as there is room, or not at all");
  ok(available > 0 && available <= (uint64_t)sysconf(_SC_PHYS_PAGES) *
                                       (uint64_t)sysconf(_SC_PAGESIZE),
     "less memory is available than there is");
}
#else
static void memory(void) {
  ok(ck_memory_available() == UINT64_MAX, "no memory is counted here");
}
#endif

/* What reserving `size` bytes gives where no file may be larger than `limit`;
 * -1: it ended the process. */
static int reserved_under(rlim_t limit, uint64_t size) {
  const char *path = at(fixture_dir(), "limited");
  int status = 0;
  pid_t child = fork();
  if (child == 0) {
    ck_vfs *vfs = ck_vfs_system();
    struct rlimit limits;
    ck_handle handle;
    int sys;
    if (getrlimit(RLIMIT_FSIZE, &limits) != 0) {
      _exit(100);
    }
    limits.rlim_cur = limit;
    if (setrlimit(RLIMIT_FSIZE, &limits) != 0 ||
        vfs->create(vfs, path, &handle) != 0) {
      _exit(100);
    }
    sys = vfs->reserve(vfs, handle, size);
    _exit(sys == ENOTSUP || sys == EOPNOTSUPP ? 0 : sys);
  }
  (void)waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void limits(void) {
  ok(reserved_under(4096, 4097) == EFBIG,
     "I4: a file beyond the process's limit is refused, and does not end it");
  ok(reserved_under(4096, 4096) == 0, "one within it is not");
}

/* What cannot be done must not be taken for done: else nobody would notice that
 * it never is. */
static void append(void *context, const char *name) {
  strcat(context, name);
  strcat(context, "|");
}

/* A directory's own two entries are none that are in it. */
static void listing(void) {
  ck_vfs *vfs = included_vfs_system();
  char listed[200] = "";
  char inner[1200];
  snprintf(inner, sizeof inner, "%s", at(fixture_dir(), "listed"));
  ok(mkdir(inner, 0755) == 0 && vfs->list(vfs, inner, append, listed) == 0 &&
         listed[0] == '\0',
     "there is nothing in an empty directory");
  file_put(at(inner, "..."), "x", 1);
  ok(vfs->list(vfs, inner, append, listed) == 0 && strcmp(listed, "...|") == 0,
     "and what is put there is in it");
}

static void refusals(void) {
  const char *dir = fixture_dir();
  ck_vfs *vfs = included_vfs_system();
  ck_handle handle;
  int ends[2];
  size_t n;
  char byte = 0;
  uint64_t space;
  if (pipe(ends) != 0 || vfs->create(vfs, at(dir, "x"), &handle) != 0) {
    exit(2);
  }
  ok(vfs->sync(vfs, ends[1]) == EINVAL && vfs->sync(vfs, handle) == 0,
     "I2: a pipe cannot be synced, a file can");
  ok(vfs->reserve(vfs, handle, UINT64_MAX) == EFBIG &&
         vfs->reserve(vfs, handle, 0) == 0,
     "nobody can reserve more than there are addresses; nothing is no wish");
  ok(vfs->read(vfs, handle, 0, &byte, 1, &n) == EBADF,
     "what was opened for writing is not read");
  (void)vfs->close(vfs, handle);
  ok(vfs->sync(vfs, handle) == EBADF &&
         vfs->write(vfs, handle, "x", 1, &n) == EBADF &&
         vfs->close(vfs, handle) == EBADF,
     "nothing is done with what was closed");
  ok(vfs->sync_dir(vfs, at(dir, "none")) == ENOENT &&
         vfs->sync_dir(vfs, at(dir, "x")) == ENOTDIR &&
         vfs->sync_dir(vfs, dir) == 0,
     "I2: only a directory is synced as one");
#if defined(__linux__)
  ok(vfs->sync_dir(vfs, "/proc") == EINVAL,
     "I2: that a directory cannot be synced is told");
#endif
  ok(vfs->unlink(vfs, at(dir, "none")) == ENOENT &&
         vfs->list(vfs, at(dir, "none"), NULL, NULL) == ENOENT &&
         vfs->space(vfs, at(dir, "none"), &space) == ENOENT,
     "nothing is done to what is not there");
  (void)close(ends[0]);
  (void)close(ends[1]);
}

static void reserving(void) {
  const char *dir = fixture_dir();
  ck_vfs *vfs = included_vfs_system();
  struct stat st;
  ck_handle handle;
  int sys;
  if (vfs->create(vfs, at(dir, "x"), &handle) != 0) {
    exit(2);
  }
  sys = vfs->reserve(vfs, handle, 1 << 20);
  ok(fstat((int)handle, &st) == 0 &&
         (sys == 0 ? st.st_blocks >= (1 << 20) / 512
                   : sys == ENOTSUP || sys == EOPNOTSUPP),
     "space that was reserved is there, or this cannot be done here");
  (void)vfs->close(vfs, handle);
}

static void unmaking(void) {
  const char *dir = fixture_dir();
  const char *parent = fixture_dir();
  char link[1200];
  snprintf(link, sizeof link, "%s/link", parent);
  file_put(at(dir, "x"), "x", 1);
  ok(ck_directory_unmake(dir) != 0 && file_exists(at(dir, "x")),
     "I7: a directory with something in it stays");
  (void)unlink(at(dir, "x"));
  if (symlink(dir, link) == 0) {
    ok(ck_directory_unmake(link) == ENOTDIR && file_exists(link),
       "I7: so does a link to a directory");
  }
  ok(ck_directory_unmake(dir) == 0 && !file_exists(dir),
     "an empty one is removed");
}

int main(void) {
  const char *dir = fixture_dir();
  ck_vfs *vfs = ck_vfs_system();
  ck_handle handle;
  ck_file_info info;
  size_t n;
  char byte;
  mode_t mask = umask(027);
  struct stat st;
  renames(by_vfs, "rename");
  renames(rename_by_link, "rename by link");
  link_fails_with = EPERM;
  renames(rename_by_link, "rename without links");
  link_fails_with = 0;
  file_put(at(dir, "there"), "x", 1);
  ok(vfs->create(vfs, at(dir, "there"), &handle) == EEXIST,
     "I3: create refuses a file that is there");
  if (symlink("/nowhere", at(dir, "dangling")) == 0) {
    ok(vfs->create(vfs, at(dir, "dangling"), &handle) == EEXIST,
       "I7: create does not go through a link");
  }
  ok(vfs->create(vfs, at(dir, "new"), &handle) == 0 &&
         fstat((int)handle, &st) == 0 && (st.st_mode & 0777) == 0640,
     "a new file has the mode that the umask leaves");
  ok((fcntl((int)handle, F_GETFD) & FD_CLOEXEC) != 0,
     "and is not inherited by programs that are started");
  ok(vfs->close(vfs, handle) == 0 && vfs->close(vfs, handle) == EBADF,
     "close closes");
  umask(mask);
  ok(vfs->open(vfs, at(dir, "there"), &handle) == 0 &&
         vfs->read(vfs, handle, 1, &byte, 1, &n) == 0 && n == 0 &&
         vfs->info(vfs, handle, &info) == 0 && info.regular && info.size == 1,
     "a read at the end is 0 bytes");
  vfs->close(vfs, handle);
  ok(ck_process_alive(ck_process_self()) && ck_process_alive(1) &&
         !ck_process_alive((uint64_t)dead_pid()) && ck_process_alive(0) &&
         ck_process_alive(UINT64_MAX) &&
         ck_process_alive((uint64_t)INT32_MAX + 2),
     "living, dead and impossible processes are told apart");
  ok(ck_process_nonce() != ck_process_nonce(), "two nonces differ");
  ok(clock_agrees(), "the clock counts nanoseconds");
  memory();
  limits();
  refusals();
  listing();
  reserving();
  unmaking();
  fixture_end();
  return done();
}

#else

#include "tap.h"

int main(void) {
  skip("the operations of POSIX systems", "this is none");
  return done();
}

#endif
