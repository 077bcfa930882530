/* os_vfs_posix.c: the operations of os_vfs.h on Linux, macOS and other Unixes.
 *
 * Each operation is one attempt at a system call. Keeps a part of I3 (rename
 * never replaces a file) and of I7 (no link is followed).
 */
#ifndef _WIN32
#if defined(__linux__)
#define _GNU_SOURCE /* renameat2, fallocate, O_CLOEXEC */
#elif defined(__APPLE__)
#define _DARWIN_C_SOURCE /* renameatx_np, F_FULLFSYNC */
#endif
#define _FILE_OFFSET_BITS 64
#endif

#include "os_vfs.h"

#ifndef _WIN32

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"

/* The most one read or write is asked for: macOS refuses more than INT_MAX. */
#define TRANSFER_MAX ((size_t)1 << 30)

static int posix_create(ck_vfs *vfs, const char *path, ck_handle *out) {
  int fd =
      open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
  (void)vfs;
  if (fd < 0) {
    return errno;
  }
  *out = fd;
  return 0;
}

static int posix_open(ck_vfs *vfs, const char *path, ck_handle *out) {
  /* O_NONBLOCK: a pipe under one of our names must not hang the session. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  (void)vfs;
  if (fd < 0) {
    return errno;
  }
  *out = fd;
  return 0;
}

/* Beyond the limit on a file's size (`ulimit -f`) the system does not just
 * refuse: it sends SIGXFSZ, which ends a process that does nothing about it. So
 * nobody may get there. */
static bool beyond_limit(uint64_t size) {
  struct rlimit limit;
  return getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
         limit.rlim_cur != RLIM_INFINITY && size > (uint64_t)limit.rlim_cur;
}

static int posix_reserve(ck_vfs *vfs, ck_handle handle, uint64_t size) {
  (void)vfs;
  if (size == 0) {
    return 0;
  }
  if (size > INT64_MAX || beyond_limit(size)) {
    return EFBIG;
  }
#if defined(__linux__)
  return fallocate((int)handle, 0, 0, (off_t)size) == 0 ? 0 : errno;
#elif defined(__APPLE__)
  {
    fstore_t store = {F_ALLOCATEALL, F_PEOFPOSMODE, 0, (off_t)size, 0};
    return fcntl((int)handle, F_PREALLOCATE, &store) == -1 ? errno : 0;
  }
#else
  (void)handle;
  return ENOTSUP;
#endif
}

static int posix_write(ck_vfs *vfs, ck_handle handle, const void *data,
                       size_t n, size_t *done) {
  ssize_t got = write((int)handle, data, n < TRANSFER_MAX ? n : TRANSFER_MAX);
  (void)vfs;
  if (got < 0) {
    return errno;
  }
  *done = (size_t)got;
  return 0;
}

static int posix_read(ck_vfs *vfs, ck_handle handle, uint64_t offset,
                      void *data, size_t n, size_t *done) {
  ssize_t got = pread((int)handle, data, n < TRANSFER_MAX ? n : TRANSFER_MAX,
                      (off_t)offset);
  (void)vfs;
  if (got < 0) {
    return errno;
  }
  *done = (size_t)got;
  return 0;
}

static int descriptor_sync(int fd) {
#if defined(__APPLE__)
  /* Plain fsync on macOS leaves the bytes in the drive's cache. */
  if (fcntl(fd, F_FULLFSYNC) == 0) {
    return 0;
  }
  if (errno != ENOTSUP && errno != EINVAL && errno != ENOTTY) {
    return errno;
  }
#endif
  return fsync(fd) == 0 ? 0 : errno;
}

static int posix_sync(ck_vfs *vfs, ck_handle handle) {
  (void)vfs;
  return descriptor_sync((int)handle);
}

static int posix_close(ck_vfs *vfs, ck_handle handle) {
  (void)vfs;
  return close((int)handle) == 0 ? 0 : errno;
}

static void info_fill(ck_file_info *out, const struct stat *st) {
  out->regular = S_ISREG(st->st_mode) != 0;
  out->size = (uint64_t)st->st_size;
  out->device = (uint64_t)st->st_dev;
  out->inode = (uint64_t)st->st_ino;
}

static int posix_info(ck_vfs *vfs, ck_handle handle, ck_file_info *out) {
  struct stat st;
  (void)vfs;
  if (fstat((int)handle, &st) != 0) {
    return errno;
  }
  info_fill(out, &st);
  return 0;
}

static int posix_lookup(ck_vfs *vfs, const char *path, ck_file_info *out) {
  struct stat st;
  (void)vfs;
  if (lstat(path, &st) != 0) {
    return errno;
  }
  info_fill(out, &st);
  return 0;
}

/* Where the file system cannot refuse to replace by itself: a hard link can,
 * and where there are no hard links, the directory's lock has to do. */
static int rename_by_link(const char *from, const char *to) {
  struct stat st;
  if (link(from, to) == 0) {
    /* Committed under `to`; a name left over at `from` is a stale temporary
     * file, which the next session sweeps. */
    (void)unlink(from);
    return 0;
  }
  if (errno != EPERM && errno != ENOTSUP && errno != EOPNOTSUPP &&
      errno != ENOSYS && errno != EMLINK) {
    return errno;
  }
  if (lstat(to, &st) == 0) {
    return EEXIST;
  }
  if (errno != ENOENT) {
    return errno;
  }
  return rename(from, to) == 0 ? 0 : errno;
}

static int posix_rename(ck_vfs *vfs, const char *from, const char *to) {
  (void)vfs;
#if defined(__linux__) && defined(RENAME_NOREPLACE)
  if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) {
    return 0;
  }
  if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP) {
    return errno;
  }
#elif defined(__APPLE__) && defined(RENAME_EXCL)
  if (renameatx_np(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCL) == 0) {
    return 0;
  }
  if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP) {
    return errno;
  }
#endif
  return rename_by_link(from, to);
}

static int posix_unlink(ck_vfs *vfs, const char *path) {
  (void)vfs;
  return unlink(path) == 0 ? 0 : errno;
}

static int posix_list(ck_vfs *vfs, const char *dir, ck_name_visitor *visit,
                      void *context) {
  int failed = 0;
  DIR *stream = opendir(dir);
  (void)vfs;
  if (stream == NULL) {
    return errno;
  }
  for (;;) {
    struct dirent *entry;
    errno = 0;
    entry = readdir(stream);
    if (entry == NULL) {
      failed = errno;
      break;
    }
    if (entry->d_name[0] == '.' &&
        (entry->d_name[1] == '\0' ||
         (entry->d_name[1] == '.' && entry->d_name[2] == '\0'))) {
      continue;
    }
    visit(context, entry->d_name);
  }
  (void)closedir(stream);
  return failed;
}

static int posix_sync_dir(ck_vfs *vfs, const char *dir) {
  int failed;
  int fd = open(dir, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
  (void)vfs;
  if (fd < 0) {
    return errno;
  }
  failed = descriptor_sync(fd);
  (void)close(fd);
  return failed;
}

static int posix_space(ck_vfs *vfs, const char *dir, uint64_t *available) {
  struct statvfs st;
  uint64_t blocks;
  uint64_t unit;
  (void)vfs;
  if (statvfs(dir, &st) != 0) {
    return errno;
  }
  blocks = (uint64_t)st.f_bavail;
  unit = (uint64_t)(st.f_frsize != 0 ? st.f_frsize : st.f_bsize);
  *available =
      unit != 0 && blocks > UINT64_MAX / unit ? UINT64_MAX : blocks * unit;
  return 0;
}

static int posix_make_dir(ck_vfs *vfs, const char *path) {
  (void)vfs;
  return mkdir(path, 0777) == 0 ? 0 : errno;
}

static int posix_open_lock(ck_vfs *vfs, const char *path, ck_handle *out) {
  /* For writing too: only then may it be locked against everybody else. No
   * O_CREAT: systems refuse that for another user's file in a shared
   * directory. */
  int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  (void)vfs;
  if (fd < 0) {
    return errno;
  }
  *out = fd;
  return 0;
}

/* Not the older F_SETLK: such a lock is the process's, and is lost as soon as
 * anything in the process closes the same file, be it to copy the directory.
 * It conflicts with the ones here, so the two exclude each other. */
static int posix_lock(ck_vfs *vfs, ck_handle handle, bool exclusive) {
  (void)vfs;
#ifdef F_OFD_SETLK
  struct flock whole;
  memset(&whole, 0, sizeof whole);
  whole.l_type = exclusive ? F_WRLCK : F_UNLCK;
  whole.l_whence = SEEK_SET;
  if (fcntl((int)handle, F_OFD_SETLK, &whole) == 0) {
    return 0;
  }
  if (errno != EINVAL) {
    return errno == EAGAIN || errno == EACCES ? EBUSY : errno;
  }
  /* The kernel is older than these locks. */
#endif
  if (flock((int)handle, exclusive ? LOCK_EX | LOCK_NB : LOCK_UN) == 0) {
    return 0;
  }
  return errno == EWOULDBLOCK ? EBUSY : errno;
}

static void posix_start_sync(ck_vfs *vfs, ck_handle handle) {
  (void)vfs;
#if defined(__linux__)
  /* All of the file: what is clean, or on its way, is passed over. */
  (void)sync_file_range((int)handle, 0, 0, SYNC_FILE_RANGE_WRITE);
#else
  (void)handle;
#endif
}

ck_vfs *ck_vfs_system(void) {
  static ck_vfs system_vfs = {
      posix_create,   posix_open,       posix_reserve,  posix_write,
      posix_read,     posix_sync,       posix_close,    posix_info,
      posix_lookup,   posix_rename,     posix_unlink,   posix_list,
      posix_sync_dir, posix_space,      posix_make_dir, posix_open_lock,
      posix_lock,     posix_start_sync, true,
  };
  return &system_vfs;
}

bool ck_path_separator(char c) {
  return c == '/';
}

int ck_directory_unmake(const char *path) {
  return rmdir(path) == 0 ? 0 : errno;
}

uint64_t ck_process_self(void) {
  return (uint64_t)getpid();
}

bool ck_process_alive(uint64_t pid) {
  if (pid == 0 || pid > INT32_MAX) {
    return true;
  }
  return kill((pid_t)pid, 0) == 0 || errno != ESRCH;
}

int ck_process_at_fork(void (*before)(void), void (*in_parent)(void),
                       void (*in_child)(void)) {
  return pthread_atfork(before, in_parent, in_child);
}

uint64_t ck_clock(void) {
  struct timespec now = {0, 0};
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t ck_process_nonce(void) {
  static atomic_uint_fast64_t counter;
  uint64_t nonce = 0;
  int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    if (read(fd, &nonce, sizeof nonce) != (ssize_t)sizeof nonce) {
      nonce = 0;
    }
    (void)close(fd);
  }
  if (nonce == 0) {
    /* The pid is in the name beside it, so time and a counter will do. */
    struct timespec now = {0, 0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    nonce = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    nonce += (uint64_t)atomic_fetch_add(&counter, 1) << 48;
  }
  return nonce;
}

void ck_memory_advise(void *memory, size_t n) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  uintptr_t from = ((uintptr_t)memory + page - 1) / page * page;
  uintptr_t to = ((uintptr_t)memory + n) / page * page;
  if (from < to) {
    (void)madvise((void *)from, to - from, MADV_HUGEPAGE);
  }
#else
  (void)memory;
  (void)n;
#endif
}

#if defined(__linux__)
/* The kernel gives some of its files in pieces. */
static bool kernel_text(void *context, const char *path, char *out,
                        size_t cap) {
  size_t n = 0;
  ssize_t got = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  (void)context;
  if (fd < 0) {
    return false;
  }
  do {
    got = read(fd, out + n, cap - 1 - n);
    n += got > 0 ? (size_t)got : 0;
  } while ((got > 0 && n < cap - 1) || (got < 0 && errno == EINTR));
  (void)close(fd);
  out[n] = '\0';
  return got >= 0;
}

static uint64_t limit_left(int resource, const char *status, const char *used) {
  struct rlimit limit;
  uint64_t kib = ck_memory_number(status, used);
  if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
      kib > UINT64_MAX / 1024) {
    return UINT64_MAX;
  }
  return 1024 * kib < (uint64_t)limit.rlim_cur
             ? (uint64_t)limit.rlim_cur - 1024 * kib
             : 0;
}

/* What the limits of the process leave (`ulimit -v`, `ulimit -d`). */
static uint64_t limits_left(void) {
  char status[8192];
  uint64_t addresses;
  uint64_t data;
  if (!kernel_text(NULL, "/proc/self/status", status, sizeof status)) {
    return UINT64_MAX;
  }
  addresses = limit_left(RLIMIT_AS, status, "VmSize:");
  data = limit_left(RLIMIT_DATA, status, "VmData:");
  return addresses < data ? addresses : data;
}
#endif

uint64_t ck_memory_available(void) {
#if defined(__linux__)
  uint64_t left = ck_memory_left(kernel_text, NULL);
  uint64_t allowed = limits_left();
  return left < allowed ? left : allowed;
#else
  return UINT64_MAX;
#endif
}

#endif
