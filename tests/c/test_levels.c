/* Directories that are made, and the ones above them: what is on the disk
 * after a power cut, and what a failure says. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "levels.h"
#include "posix.h"
#include "tap.h"

/* "make a|sync a/..|..." with paths below `root`. */
typedef struct log_vfs {
  ck_vfs vfs; /* first: a pointer to it is a pointer to this struct */
  const char *root;
  char text[600];
  int sync_fails_with;
  int make_fails_with;
} log_vfs;

static void log_add(log_vfs *log, const char *op, const char *path) {
  size_t n = strlen(log->root);
  const char *below = strncmp(path, log->root, n) == 0 ? path + n : "?";
  size_t used = strlen(log->text);
  snprintf(log->text + used, sizeof log->text - used, "%s%s %s",
           used == 0 ? "" : "|", op, below[0] == '/' ? below + 1 : below);
}

static int log_make_dir(ck_vfs *vfs, const char *path) {
  log_vfs *log = (log_vfs *)(void *)vfs;
  int sys;
  log_add(log, "make", path);
  if (log->make_fails_with != 0 && log->make_fails_with != EEXIST) {
    return log->make_fails_with;
  }
  sys = ck_vfs_system()->make_dir(ck_vfs_system(), path);
  /* As if somebody else had made it. */
  return log->make_fails_with != 0 ? log->make_fails_with : sys;
}

static int log_sync_dir(ck_vfs *vfs, const char *path) {
  log_vfs *log = (log_vfs *)(void *)vfs;
  log_add(log, "sync", path);
  return log->sync_fails_with != 0
             ? log->sync_fails_with
             : ck_vfs_system()->sync_dir(ck_vfs_system(), path);
}

static log_vfs log_new(const char *root) {
  log_vfs log = {*ck_vfs_system(), root, "", 0, 0};
  log.vfs.make_dir = log_make_dir;
  log.vfs.sync_dir = log_sync_dir;
  return log;
}

static bool is_directory(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void levels(void) {
  const char *root = fixture_dir();
  log_vfs log = log_new(root);
  bool made = false;
  ck_error err;
  ok(ck_levels_make(&log.vfs, at(root, "a/b/c"), &made, &err) == CK_OK &&
         made && is_directory(at(root, "a/b/c")),
     "a directory is made with those above it");
  ok(strcmp(log.text, "sync ..|make a|sync a/..|make a/b|sync a/b/..|"
                      "make a/b/c|sync a/b/c/..") == 0,
     "I2: each name is synced before the next is made, and that of the first "
     "that was there");
  note("%s", log.text);
  log = log_new(root);
  ok(ck_levels_make(&log.vfs, at(root, "a/b/c"), &made, &err) == CK_OK &&
         !made && log.text[0] == '\0',
     "one that is there is not made");
  ok(ck_levels_make(&log.vfs, at(root, "a//d/"), &made, &err) == CK_OK &&
         made && is_directory(at(root, "a/d")),
     "more slashes say nothing");
  ok(strcmp(log.text, "sync a/..|make a//d|sync a//d/..") == 0,
     "and only what is missing is made");
  file_put(at(root, "file"), "x", 1);
  ok(ck_levels_make(&log.vfs, at(root, "file/x"), &made, &err) != CK_OK &&
         !made && err.sys != 0 && strcmp(err.op, "mkdir") == 0,
     "no directory is made in a file");
  ok(ck_levels_make(&log.vfs, at(root, "file"), &made, &err) == CK_OK && !made,
     "nor is a file one that was made");
}

static void failures(void) {
  const char *root = fixture_dir();
  log_vfs log = log_new(root);
  bool made = false;
  ck_error err;
  char path[CK_PATH_CAP + 10];
  log.sync_fails_with = EIO;
  ok(ck_levels_make(&log.vfs, at(root, "a/b"), &made, &err) == CK_ERR_IO &&
         err.sys == EIO && !is_directory(at(root, "a")),
     "I2: a name that cannot be synced is a failure");
  log.sync_fails_with = EACCES;
  ok(ck_levels_make(&log.vfs, at(root, "a/b"), &made, &err) == CK_OK && made,
     "a parent that may not be read is none");
  log.sync_fails_with = ENOTSUP;
  ok(ck_levels_make(&log.vfs, at(root, "c/b"), &made, &err) == CK_OK && made,
     "nor is one that can never be synced");
  log = log_new(root);
  log.make_fails_with = EROFS;
  ok(ck_levels_make(&log.vfs, at(root, "d"), &made, &err) == CK_ERR_IO &&
         err.sys == EROFS && strcmp(err.op, "mkdir") == 0 &&
         strcmp(err.path, at(root, "d")) == 0 && !made,
     "what cannot be made is named");
  log.make_fails_with = EEXIST;
  ok(ck_levels_make(&log.vfs, at(root, "e"), &made, &err) == CK_OK && !made,
     "one that somebody else made meanwhile was not made here");
  memset(path, 'x', sizeof path - 1);
  path[sizeof path - 1] = '\0';
  ok(ck_levels_make(&log.vfs, path, &made, &err) == CK_ERR_IO,
     "no path is longer than paths can be");
}

int main(void) {
  levels();
  failures();
  fixture_end();
  return done();
}
