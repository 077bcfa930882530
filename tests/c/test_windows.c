/* The operations of Windows: names in any script, long paths, sharing. Includes
 * the source to reach what is static in it; the names are changed, so that the
 * core beside it keeps its own. */
#ifdef _WIN32
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
#include "os_vfs_windows.c"

#include <stdio.h>

#include "fixture.h"
#include "posix.h"
#endif

#include "tap.h"

#ifdef _WIN32

/* What wide_path() makes of a path, as UTF-8; static. */
static const char *made_of(const char *path) {
  static char out[4096];
  wchar_t *wide;
  if (wide_path(path, &wide) != 0) {
    return "an error";
  }
  WideCharToMultiByte(CP_UTF8, 0, wide, -1, out, sizeof out, NULL, NULL);
  free(wide);
  return out;
}

static void paths(void) {
  char at_share[400] = "//server/share/";
  char at_drive[400] = "c:/";
  char verbatim[400] = "//?/c:/";
  wchar_t *wide;
  memset(at_share + strlen(at_share), 'x', 300);
  memset(at_drive + strlen(at_drive), 'x', 300);
  memset(verbatim + strlen(verbatim), 'x', 300);
  ok(strcmp(made_of("c:/a/../b\\c"), "c:\\b\\c") == 0,
     "a short path has one kind of slashes");
  ok(strncmp(made_of(at_drive), "\\\\?\\c:\\xxx", 10) == 0 &&
         strlen(made_of(at_drive)) == 307,
     "a long path gets the prefix that lifts the limit");
  ok(strncmp(made_of(at_share), "\\\\?\\UNC\\server\\share\\xxx", 24) == 0 &&
         strlen(made_of(at_share)) == 321,
     "so does one on a share");
  ok(strncmp(made_of(verbatim), "\\\\?\\c:\\xxx", 10) == 0 &&
         strlen(made_of(verbatim)) == 307,
     "and one that has it keeps it");
  ok(strcmp(made_of("//server/share/a"), "\\\\server\\share\\a") == 0,
     "a short one on a share needs none");
  ok(wide_path("\xff\xfe", &wide) == EINVAL, "what is no UTF-8 is no path");
}

/* A whole life of checkpoints in a directory that this makes. */
static void life_in(const char *dir, const char *name) {
  tensors t = tensors_one(3000000, 1);
  ck_vfs *vfs = ck_vfs_system();
  ck_store *store = NULL;
  ck_checkpoint loaded = {0};
  ck_commit commit = {0};
  ck_listing listing = {0};
  ck_error err;
  wchar_t *wide;
  ck_file_info info;
  int gone = 0;
  if (wide_path(dir, &wide) != 0 || !CreateDirectoryW(wide, NULL)) {
    ok(false, "%s: the directory can be made", name);
    return;
  }
  free(wide);
  ok(ck_store_open(&store, vfs, dir, 2, &err) == CK_OK &&
         tensors_save(store, &t, &commit, &err) == CK_OK &&
         tensors_save(store, &t, &commit, &err) == CK_OK &&
         tensors_save(store, &t, &commit, &err) == CK_OK &&
         commit.generation == 3 && commit.notes.n == 0,
     "%s: checkpoints are saved", name);
  ok(store != NULL &&
         ck_store_find(store, CK_READ_LOAD, &loaded, &err) == CK_OK &&
         loaded.found && loaded.image.generation == 3 &&
         memcmp(loaded.image.data.data, t.bytes, (size_t)t.total) == 0,
     "%s: and loaded, every byte of them", name);
  ok(ck_directory_list(vfs, dir, &listing, &err) == CK_OK && listing.n == 2,
     "%s: they are listed, and nothing else is there", name);
  ok(vfs->lookup(vfs, commit.path, &info) == 0 && info.regular &&
         info.size == commit.bytes && vfs->lookup(vfs, dir, &info) == 0 &&
         !info.regular,
     "%s: files are told from directories", name);
  ok(ck_directory_unmake(dir) != 0, "%s: a full directory stays", name);
  for (size_t i = 0; i < listing.n; i++) {
    bool removed = false;
    gone += ck_directory_remove(vfs, dir, &listing.items[i], &removed, &err) ==
                CK_OK &&
            removed;
  }
  ok(gone == 2 && ck_directory_unmake(dir) == 0 &&
         vfs->lookup(vfs, dir, &info) == ENOENT,
     "%s: all is deleted, and the directory then goes", name);
  ck_listing_clear(&listing);
  ck_commit_clear(&commit);
  ck_checkpoint_clear(&loaded);
  ck_store_close(store);
  tensors_free(&t);
}

static void long_paths(void) {
  char dir[1500];
  char parents[4][1500];
  wchar_t *wide;
  snprintf(dir, sizeof dir, "%s", fixture_dir());
  for (int i = 0; i < 4; i++) {
    size_t n = strlen(dir);
    dir[n] = '/';
    memset(dir + n + 1, 'a' + i, 120);
    dir[n + 121] = '\0';
    strcpy(parents[i], dir);
    if (wide_path(dir, &wide) != 0 || !CreateDirectoryW(wide, NULL)) {
      ok(false, "a long directory can be made");
      return;
    }
    free(wide);
  }
  strcat(dir, "/checkpoints");
  life_in(dir, "a path of 500 characters");
  for (int i = 4; i-- > 0;) {
    (void)ck_directory_unmake(parents[i]);
  }
}

static bool opens(const char *path, DWORD access, DWORD share) {
  HANDLE handle =
      CreateFileA(path, access, share, NULL, OPEN_EXISTING, 0, NULL);
  if (handle != INVALID_HANDLE_VALUE) {
    CloseHandle(handle);
  }
  return handle != INVALID_HANDLE_VALUE;
}

static void sharing(void) {
  const char *dir = fixture_dir();
  const DWORD all = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
  ck_vfs *vfs = included_vfs_system();
  ck_handle handle;
  ck_file_info info;
  size_t n;
  char byte;
  int reserved;
  ok(vfs->create(vfs, at(dir, "new"), &handle) == 0 &&
         vfs->write(vfs, handle, "abc", 3, &n) == 0 && n == 3 &&
         opens(at(dir, "new"), GENERIC_READ, all) &&
         !opens(at(dir, "new"), GENERIC_WRITE, all),
     "a file that is being written can be read, and written by nobody else");
  reserved = vfs->reserve(vfs, handle, 100000);
  note("reserve: %d", reserved);
  ok((reserved == 0 || reserved == ENOTSUP) &&
         vfs->info(vfs, handle, &info) == 0 && info.size == 3,
     "space is reserved beyond the file's end, or that is not supported");
  ok(vfs->sync(vfs, handle) == 0 && vfs->close(vfs, handle) == 0,
     "it is flushed and closed");
  ok(vfs->create(vfs, at(dir, "new"), &handle) == EEXIST,
     "I3: create refuses a file that is there");
  ok(vfs->open(vfs, at(dir, "new"), &handle) == 0 &&
         vfs->read(vfs, handle, 1, &byte, 1, &n) == 0 && n == 1 &&
         byte == 'b' && vfs->read(vfs, handle, 3, &byte, 1, &n) == 0 && n == 0,
     "a read is from where it is asked for; at the end it is 0 bytes");
  ok(vfs->sync(vfs, handle) == EACCES,
     "what cannot be flushed is not taken for flushed");
  ok(vfs->rename(vfs, at(dir, "new"), at(dir, "old")) == 0 &&
         vfs->unlink(vfs, at(dir, "old")) == 0,
     "I1: one who reads a file hinders neither its new name nor its removal");
  vfs->close(vfs, handle);
  ok(!file_exists(at(dir, "new")) && !file_exists(at(dir, "old")),
     "and it is gone when that one has ended");
  ok(vfs->open(vfs, at(dir, "old"), &handle) == ENOENT &&
         vfs->open(vfs, dir, &handle) != 0,
     "nothing and directories cannot be opened");
}

static void renames(void) {
  const char *dir = fixture_dir();
  ck_vfs *vfs = included_vfs_system();
  size_t n;
  uint8_t *data;
  file_put(at(dir, "a"), "A", 1);
  file_put(at(dir, "b"), "B", 1);
  ok(vfs->rename(vfs, at(dir, "a"), at(dir, "b")) == EEXIST,
     "I3: rename does not replace");
  data = file_get(at(dir, "b"), &n);
  ok(n == 1 && data[0] == 'B' && file_exists(at(dir, "a")),
     "I3: both are as before");
  free(data);
  ok(vfs->rename(vfs, at(dir, "none"), at(dir, "d")) == ENOENT,
     "rename of nothing fails");
}

static void errors(void) {
  static const struct {
    DWORD code;
    int sys;
  } known[] = {
      {ERROR_DISK_FULL, ENOSPC},      {ERROR_HANDLE_DISK_FULL, ENOSPC},
      {ERROR_ACCESS_DENIED, EACCES},  {ERROR_SHARING_VIOLATION, EBUSY},
      {ERROR_WRITE_PROTECT, EROFS},   {ERROR_CRC, EIO},
      {ERROR_NOT_SUPPORTED, ENOTSUP}, {ERROR_FILE_EXISTS, EEXIST},
      {ERROR_SUCCESS, EIO},
  };
  int bad = 0;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    SetLastError(known[i].code);
    bad += last_error() != known[i].sys;
  }
  ok(bad == 0, "the system's errors are told as errno values, none as 0");
}

int main(void) {
  char dir[1200];
  ck_vfs *vfs = included_vfs_system();
  uint64_t available = 0;
  paths();
  snprintf(dir, sizeof dir,
           "%s/r\xc3\xa9seau \xe6\xb5\x8b\xe8\xaf\x95 "
           "\xf0\x9f\x98\x80",
           fixture_dir());
  life_in(dir, "a name in any script");
  long_paths();
  sharing();
  renames();
  errors();
  ok(vfs->sync_dir(vfs, ".") == 0,
     "I2: names are on the disk by the time they are given");
  ok(vfs->space(vfs, fixture_dir(), &available) == 0 && available > 0 &&
         ck_memory_available() > 0,
     "there is space and memory");
  ok(ck_process_alive(ck_process_self()) &&
         ck_process_alive((uint64_t)living_pid()) &&
         !ck_process_alive((uint64_t)dead_pid()) && ck_process_alive(0) &&
         ck_process_alive(UINT64_MAX),
     "living, dead and impossible processes are told apart");
  ok(ck_process_nonce() != ck_process_nonce(), "two nonces differ");
  fixture_end();
  return done();
}

#else

int main(void) {
  skip("the operations of Windows", "this is none");
  return done();
}

#endif
