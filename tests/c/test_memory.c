/* How much memory a job has left, by files of the kernel: by ours in place of
 * them, and in a group that is really limited, where one can be made. */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "memory.h"
#include "posix.h"
#include "tap.h"
#include "os_vfs.h"
#ifdef __linux__
#include <sys/resource.h>
#endif

#define MB UINT64_C(1000000)

/* A file below a directory that stands for the root. */
static bool read_below(void *context, const char *path, char *out, size_t cap) {
  char full[2000];
  size_t n;
  FILE *file;
  snprintf(full, sizeof full, "%s%s", (const char *)context, path);
  file = fopen(full, "rb");
  if (file == NULL) {
    return false;
  }
  n = fread(out, 1, cap - 1, file);
  out[n] = '\0';
  fclose(file);
  return true;
}

/* A file in such a root, and the directories above it. */
static void put(const char *root, const char *path, const char *text) {
  char full[2000];
  size_t top = strlen(root) + 1;
  snprintf(full, sizeof full, "%s%s", root, path);
  for (char *slash = strchr(full + top, '/'); slash != NULL;
       slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    (void)mkdir(full, 0777);
    *slash = '/';
  }
  file_put(full, text, strlen(text));
}

static const char *root_new(const char *groups, const char *mounts) {
  const char *root = fixture_dir();
  put(root, "/proc/meminfo",
      "MemTotal:       24000000 kB\nMemFree: 1 kB\nMemAvailable:   16000000 "
      "kB\n");
  put(root, "/proc/self/cgroup", groups);
  if (mounts != NULL) {
    put(root, "/proc/self/mountinfo", mounts);
  }
  return root;
}

static uint64_t left(const char *root) {
  return ck_memory_left(read_below, (void *)(uintptr_t)root);
}

static bool is_left(const char *root, uint64_t wanted) {
  uint64_t found = left(root);
  if (found != wanted) {
    note("left: %" PRIu64 ", wanted: %" PRIu64, found, wanted);
  }
  return found == wanted;
}

#define ALL (UINT64_C(16000000) * 1024)
#define V2_MOUNT                                                               \
  "22 1 0:5 / / rw - ext4 /dev/root rw\n"                                      \
  "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
#define V1_MOUNT                                                               \
  "35 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"          \
  "36 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"

static void numbers(void) {
  const char *text = "ab 12\nb 34\nc: 5 kB\nd x";
  ok(ck_memory_number(text, "b ") == 34 &&
         ck_memory_number(text, "ab ") == 12 &&
         ck_memory_number(text, "c:") == 5,
     "a number is found by how its line begins");
  ok(ck_memory_number(text, "d ") == UINT64_MAX &&
         ck_memory_number(text, "e ") == UINT64_MAX &&
         ck_memory_number("max\n", "") == UINT64_MAX &&
         ck_memory_number("max\n7\n", "") == UINT64_MAX &&
         ck_memory_number("", "") == UINT64_MAX,
     "or there is none");
  ok(ck_memory_number("7\n", "") == 7, "a file may be the number");
}

static void machine(void) {
  ok(left(fixture_dir()) == UINT64_MAX, "where nothing says, nothing is said");
  ok(is_left(root_new("0::/\n", V2_MOUNT), ALL),
     "without limits it is what the machine has");
}

static void second_version(void) {
  const char *root = root_new("0::/a.slice/b.service/c\n", V2_MOUNT);
  put(root, "/sys/fs/cgroup/a.slice/memory.max", "max\n");
  put(root, "/sys/fs/cgroup/a.slice/memory.current", "5000000000\n");
  put(root, "/sys/fs/cgroup/a.slice/b.service/memory.max", "3000000000\n");
  put(root, "/sys/fs/cgroup/a.slice/b.service/memory.current", "1000000000\n");
  put(root, "/sys/fs/cgroup/a.slice/b.service/c/memory.max", "9000000000\n");
  put(root, "/sys/fs/cgroup/a.slice/b.service/c/memory.current", "1000\n");
  ok(is_left(root, 2000 * MB), "the smallest of all groups above counts");
  put(root, "/sys/fs/cgroup/a.slice/b.service/memory.stat",
      "anon 1\nfile 2\nworkingset_inactive_file 9\ninactive_file 500000000\n");
  ok(is_left(root, 2500 * MB), "files that are cached can go");
  put(root, "/sys/fs/cgroup/a.slice/memory.high", "5500000000\n");
  ok(is_left(root, 500 * MB), "where a group is slowed down counts as its end");
  put(root, "/sys/fs/cgroup/a.slice/b.service/c/memory.max", "999\n");
  ok(is_left(root, 0), "nothing is left where more is used than may be");
  put(root, "/sys/fs/cgroup/a.slice/b.service/c/memory.max", "1000001000\n");
  put(root, "/sys/fs/cgroup/a.slice/memory.high", "max\n");
  ok(is_left(root, 1000 * MB), "the process's own group counts");
}

static void first_version(void) {
  const char *path = "/sys/fs/cgroup/memory/slurm/uid_7/job_1";
  const char *root =
      root_new("9:name=systemd:/x\n7:cpu,memory:/slurm/uid_7/job_1/step_0\n"
               "3:cpuset:/slurm\n0::/\n",
               V1_MOUNT);
  char file[300];
  put(root, "/sys/fs/cgroup/memory/memory.limit_in_bytes",
      "9223372036854771712\n");
  put(root, "/sys/fs/cgroup/memory/memory.usage_in_bytes", "8000000000\n");
  ok(is_left(root, ALL), "a limit beyond all memory is none");
  snprintf(file, sizeof file, "%s/memory.limit_in_bytes", path);
  put(root, file, "4000000000\n");
  snprintf(file, sizeof file, "%s/memory.usage_in_bytes", path);
  put(root, file, "3500000000\n");
  ok(is_left(root, 500 * MB), "a job's limit counts for its steps");
  snprintf(file, sizeof file, "%s/memory.stat", path);
  put(root, file, "inactive_file 1\ntotal_inactive_file 300000000\n");
  ok(is_left(root, 800 * MB), "but for the files that it has cached");
  snprintf(file, sizeof file, "%s/memory.memsw.limit_in_bytes", path);
  put(root, file, "4000000000\n");
  snprintf(file, sizeof file, "%s/memory.memsw.usage_in_bytes", path);
  put(root, file, "3900000000\n");
  ok(is_left(root, 400 * MB), "memory and swap together may have a limit");
}

static void containers(void) {
  const char *root = root_new(
      "4:memory:/docker/ab12\n",
      "36 31 0:32 /docker/ab12 /sys/fs/cgroup/memory ro - cgroup cgroup "
      "rw,memory\n");
  put(root, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "1000000000\n");
  put(root, "/sys/fs/cgroup/memory/memory.usage_in_bytes", "400000000\n");
  ok(is_left(root, 600 * MB), "a container's group may be mounted as the root");
  put(root, "/proc/self/cgroup", "4:memory:/docker/ab12/inner\n");
  put(root, "/sys/fs/cgroup/memory/inner/memory.limit_in_bytes", "50000000\n");
  put(root, "/sys/fs/cgroup/memory/inner/memory.usage_in_bytes", "0\n");
  ok(is_left(root, 50 * MB), "and have groups in it");
  put(root, "/proc/self/cgroup", "4:memory:/docker/ab\n");
  ok(is_left(root, 600 * MB), "a group that is not below it is not seen");

  root = root_new("0::/\n", V2_MOUNT);
  put(root, "/sys/fs/cgroup/memory.max", "1000000000\n");
  put(root, "/sys/fs/cgroup/memory.current", "300000000\n");
  ok(is_left(root, 700 * MB), "a container may see itself as the root");
  put(root, "/proc/self/cgroup", "0::/../other\n");
  ok(is_left(root, 700 * MB), "and other groups as beside it");

  root = root_new(
      "0::/job\n4:memory:/job\n",
      "38 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 c rw\n" V1_MOUNT);
  put(root, "/sys/fs/cgroup/unified/job/cgroup.procs", "");
  put(root, "/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "200000000\n");
  put(root, "/sys/fs/cgroup/memory/job/memory.usage_in_bytes", "50000000\n");
  ok(is_left(root, 150 * MB), "where both versions are, the one that limits "
                              "counts");

  root = root_new("0::/job\n",
                  "30 23 0:26 / /my\\040groups rw - cgroup2 cgroup2 rw\n");
  put(root, "/my groups/job/memory.max", "200000000\n");
  put(root, "/my groups/job/memory.current", "0\n");
  ok(is_left(root, 200 * MB), "they may be mounted anywhere");

  root = root_new("0::/job\n4:memory:/job\n", NULL);
  put(root, "/sys/fs/cgroup/unified/job/memory.max", "200000000\n");
  put(root, "/sys/fs/cgroup/unified/job/memory.current", "0\n");
  ok(is_left(root, 200 * MB), "where no mounts are told, they are looked for");
  put(root, "/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "100000000\n");
  put(root, "/sys/fs/cgroup/memory/job/memory.usage_in_bytes", "0\n");
  ok(is_left(root, 100 * MB), "of both versions");
}

static void nonsense(void) {
  static const char *const groups[] = {
      "", "\n", ":", "::", "0::", "0:", "memory", "1:memory:", "0::/a\n:::\n",
  };
  static const char *const mounts[] = {
      "",
      "\n",
      "a",
      "1 2 3 / /p - cgroup2",
      "1 2 3 /\n - cgroup2 c rw\n",
      "1 2 3 / /p rw - cgroup2 \\777 rw\n",
      "1 2 3 /\\ /\\0 - cgroup c memory",
  };
  char *long_line = malloc(100001);
  size_t n = 0;
  if (long_line == NULL) {
    exit(2);
  }
  memset(long_line, 'x', 100000);
  long_line[100000] = '\0';
  for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
    for (size_t j = 0; j < sizeof mounts / sizeof *mounts; j++) {
      const char *root = i + j == 0 ? root_new("", "") : at(fixture_dir(), "");
      put(root, "/proc/meminfo", "MemAvailable: 16000000 kB\n");
      put(root, "/proc/self/cgroup", groups[i]);
      put(root, "/proc/self/mountinfo", mounts[j]);
      n += left(root) == ALL;
      put(root, "/proc/self/cgroup", long_line);
      put(root, "/proc/self/mountinfo", long_line);
      n += left(root) == ALL;
    }
  }
  free(long_line);
  ok(n == 2 * (sizeof groups / sizeof *groups) *
              (sizeof mounts / sizeof *mounts),
     "what makes no sense says nothing");
}

#ifdef __linux__

static bool put_number(const char *dir, const char *name, uint64_t number) {
  char path[3000];
  FILE *file;
  bool done;
  snprintf(path, sizeof path, "%s/%s", dir, name);
  file = fopen(path, "r+");
  if (file == NULL) {
    return false;
  }
  done = fprintf(file, "%" PRIu64, number) > 0;
  return fclose(file) == 0 && done;
}

/* The directory of this process's own group, as its version has it. */
static bool own_group(char *out, size_t cap, bool first) {
  char line[1500];
  bool found = false;
  FILE *file = fopen("/proc/self/cgroup", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL && !found) {
    char *path = strstr(line, first ? ":memory:/" : "0::/");
    line[strcspn(line, "\n")] = '\0';
    found = path != NULL && (first || path == line);
    if (found) {
      snprintf(out, cap, "%s%s",
               first ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup",
               strchr(path, '/'));
    }
  }
  if (file != NULL) {
    fclose(file);
  }
  return found;
}

/* Whether a process in a group of 200 MB knows it: 0 or 1; -1: no such group
 * can be made. */
static int in_group(bool first) {
  char own[2000];
  char dir[2100];
  int status = -1;
  pid_t child;
  if (!own_group(own, sizeof own, first)) {
    return -1;
  }
  snprintf(dir, sizeof dir, "%s/kerasbackup-test-%ld", own, (long)getpid());
  if (mkdir(dir, 0755) != 0) {
    return -1;
  }
  if (put_number(dir, first ? "memory.limit_in_bytes" : "memory.max",
                 200 * MB)) {
    child = fork();
    if (child == 0) {
      uint64_t all = ck_memory_available();
      uint64_t here;
      if (!put_number(dir, "cgroup.procs", (uint64_t)getpid())) {
        _exit(2);
      }
      here = ck_memory_available();
      _exit(all > 200 * MB && here > 0 && here <= 200 * MB ? 1 : 0);
    }
    (void)waitpid(child, &status, 0);
    status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    status = status == 2 ? -1 : status;
  }
  /* It is empty when the kernel has taken the process out. */
  for (int i = 0; i < 100 && rmdir(dir) != 0 && errno == EBUSY; i++) {
    (void)usleep(10000);
  }
  return status;
}

static void real_group(void) {
  static const char name[] = "a job's own limit is known inside of it";
  int known = in_group(true);
  if (known < 0) {
    known = in_group(false);
  }
  if (known < 0) {
    skip(name, "no group can be made here");
  } else {
    ok(known == 1, "%s", name);
  }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) &&         \
    !defined(__clang__)
/* 3: less is available than the limit. */
static int available_under(int resource, uint64_t limit) {
  int status = 0;
  pid_t child = fork();
  if (child == 0) {
    struct rlimit limits;
    if (getrlimit(resource, &limits) != 0) {
      _exit(2);
    }
    limits.rlim_cur = (rlim_t)limit;
    if (setrlimit(resource, &limits) != 0) {
      _exit(2);
    }
    _exit(ck_memory_available() < limit ? 3 : 0);
  }
  (void)waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
#endif

static void limits(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||           \
    defined(__clang__)
  skip("the limits of the process count", "sanitizers use up all of them");
#else
  uint64_t all = ck_memory_available();
  uint64_t limit = all / 2 < 500 * MB ? all / 2 : 500 * MB;
  ok(available_under(RLIMIT_DATA, limit) == 3,
     "the limit on a process's data counts");
  ok(available_under(RLIMIT_AS, limit) == 3, "the limit on addresses counts");
#endif
}

#else
static void real_group(void) {
  skip("a job's own limit is known inside of it", "there are no groups here");
}
static void limits(void) {
  skip("the limits of the process count", "they are not asked for here");
}
#endif

int main(void) {
  numbers();
  machine();
  second_version();
  first_version();
  containers();
  nonsense();
  real_group();
  limits();
  fixture_end();
  return done();
}
