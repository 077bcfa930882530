/* os_vfs_windows.c: the operations of os_vfs.h on Windows.
 *
 * Each operation is one attempt at a system call. Paths are UTF-8 and go to the
 * wide-character calls. Keeps a part of I3 (rename never replaces a file) and of
 * I7 (no link is followed).
 */
#ifdef _WIN32
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0601
#endif
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#endif

#include "os_vfs.h"

#ifdef _WIN32

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define TRANSFER_MAX ((size_t)1 << 30)

/* Beyond this length a path needs the prefix that lifts the limit. */
#define PLAIN_MAX 240

static int last_error(void) {
  switch (GetLastError()) {
  case ERROR_SUCCESS:
    return EIO;
  case ERROR_FILE_NOT_FOUND:
  case ERROR_PATH_NOT_FOUND:
  case ERROR_INVALID_DRIVE:
  case ERROR_BAD_PATHNAME:
  case ERROR_BAD_NETPATH:
    return ENOENT;
  case ERROR_ACCESS_DENIED:
  case ERROR_PRIVILEGE_NOT_HELD:
    return EACCES;
  case ERROR_SHARING_VIOLATION:
  case ERROR_LOCK_VIOLATION:
  case ERROR_IO_PENDING: /* a lock that would have to be waited for */
  case ERROR_BUSY:
    return EBUSY;
  case ERROR_FILE_EXISTS:
  case ERROR_ALREADY_EXISTS:
    return EEXIST;
  case ERROR_DISK_FULL:
  case ERROR_HANDLE_DISK_FULL:
    return ENOSPC;
  case ERROR_WRITE_PROTECT:
    return EROFS;
  case ERROR_NOT_ENOUGH_MEMORY:
  case ERROR_OUTOFMEMORY:
    return ENOMEM;
  case ERROR_TOO_MANY_OPEN_FILES:
    return EMFILE;
  case ERROR_FILENAME_EXCED_RANGE:
    return ENAMETOOLONG;
  case ERROR_INVALID_HANDLE:
    return EBADF;
  case ERROR_INVALID_PARAMETER:
  case ERROR_INVALID_NAME:
    return EINVAL;
  case ERROR_NOT_SUPPORTED:
  case ERROR_INVALID_FUNCTION:
  case ERROR_CALL_NOT_IMPLEMENTED:
    return ENOTSUP;
  case ERROR_FILE_TOO_LARGE:
    return EFBIG;
  case ERROR_DIRECTORY:
    return ENOTDIR;
  case ERROR_DIR_NOT_EMPTY:
    return ENOTEMPTY;
  default:
    return EIO;
  }
}

static int utf8_to_wide(const char *text, wchar_t **out) {
  int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
  if (n <= 0) {
    return EINVAL;
  }
  *out = malloc((size_t)n * sizeof **out);
  if (*out == NULL) {
    return ENOMEM;
  }
  (void)MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, *out, n);
  return 0;
}

/* UTF-8 to a wide path of any length; to be freed. 0 or an errno value. */
static int wide_path(const char *path, wchar_t **out) {
  /* Room in front of the path, so that a prefix fits. */
  enum { ROOM = 8 };
  wchar_t *wide;
  wchar_t *full = NULL;
  wchar_t *from;
  DWORD n;
  int sys = utf8_to_wide(path, &wide);
  if (sys != 0) {
    return sys;
  }
  for (wchar_t *at = wide; *at != L'\0'; at++) {
    if (*at == L'/') {
      *at = L'\\';
    }
  }
  /* One with a prefix is taken as it is. */
  if (wcsncmp(wide, L"\\\\?\\", 4) == 0 || wcsncmp(wide, L"\\\\.\\", 4) == 0) {
    *out = wide;
    return 0;
  }
  n = GetFullPathNameW(wide, 0, NULL, NULL);
  full = n == 0 ? NULL : malloc((ROOM + (size_t)n) * sizeof *full);
  if (full == NULL) {
    sys = n == 0 ? last_error() : ENOMEM;
    free(wide);
    return sys;
  }
  from = full + ROOM;
  n = GetFullPathNameW(wide, n, from, NULL);
  if (n == 0) {
    sys = last_error();
    free(wide);
    free(full);
    return sys;
  }
  free(wide);
  if (n >= PLAIN_MAX && wcsncmp(from, L"\\\\", 2) == 0) {
    /* A share: \\server\share becomes \\?\UNC\server\share. */
    from -= 6;
    memcpy(from, L"\\\\?\\UNC", 7 * sizeof *from);
  } else if (n >= PLAIN_MAX) {
    from -= 4;
    memcpy(from, L"\\\\?\\", 4 * sizeof *from);
  }
  memmove(full, from, (wcslen(from) + 1) * sizeof *full);
  *out = full;
  return 0;
}

static int open_wide(const char *path, DWORD access, DWORD share,
                     DWORD disposition, DWORD flags, HANDLE *out) {
  wchar_t *wide;
  int sys = wide_path(path, &wide);
  if (sys != 0) {
    return sys;
  }
  *out = CreateFileW(wide, access, share, NULL, disposition, flags, NULL);
  if (*out == INVALID_HANDLE_VALUE) {
    sys = last_error();
  }
  free(wide);
  return sys;
}

static int info_of(HANDLE handle, ck_file_info *out, bool *is_link) {
  BY_HANDLE_FILE_INFORMATION info;
  if (!GetFileInformationByHandle(handle, &info)) {
    return last_error();
  }
  *is_link = (info.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0;
  out->regular =
      !*is_link && (info.dwFileAttributes &
                    (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_DEVICE)) == 0;
  out->size = (uint64_t)info.nFileSizeHigh << 32 | info.nFileSizeLow;
  out->device = info.dwVolumeSerialNumber;
  out->inode = (uint64_t)info.nFileIndexHigh << 32 | info.nFileIndexLow;
  return 0;
}

static int windows_create(ck_vfs *vfs, const char *path, ck_handle *out) {
  HANDLE handle;
  int sys = open_wide(path, GENERIC_WRITE, FILE_SHARE_READ, CREATE_NEW,
                      FILE_ATTRIBUTE_NORMAL, &handle);
  (void)vfs;
  if (sys == 0) {
    *out = (ck_handle)handle;
  }
  return sys;
}

static int windows_open(ck_vfs *vfs, const char *path, ck_handle *out) {
  ck_file_info info;
  bool is_link = false;
  HANDLE handle;
  int sys = open_wide(
      path, GENERIC_READ,
      FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, OPEN_EXISTING,
      FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_SEQUENTIAL_SCAN, &handle);
  (void)vfs;
  if (sys != 0) {
    return sys;
  }
  sys = info_of(handle, &info, &is_link);
  if (sys == 0 && is_link) {
    sys = ELOOP;
  }
  if (sys != 0) {
    (void)CloseHandle(handle);
    return sys;
  }
  *out = (ck_handle)handle;
  return 0;
}

static int windows_reserve(ck_vfs *vfs, ck_handle handle, uint64_t size) {
  FILE_ALLOCATION_INFO allocation;
  (void)vfs;
  if (size > INT64_MAX) {
    return EFBIG;
  }
  allocation.AllocationSize.QuadPart = (LONGLONG)size;
  return SetFileInformationByHandle((HANDLE)handle, FileAllocationInfo,
                                    &allocation, sizeof allocation)
             ? 0
             : last_error();
}

static int windows_write(ck_vfs *vfs, ck_handle handle, const void *data,
                         size_t n, size_t *done) {
  DWORD got = 0;
  DWORD want = (DWORD)(n < TRANSFER_MAX ? n : TRANSFER_MAX);
  (void)vfs;
  if (!WriteFile((HANDLE)handle, data, want, &got, NULL)) {
    return last_error();
  }
  *done = got;
  return 0;
}

static int windows_read(ck_vfs *vfs, ck_handle handle, uint64_t offset,
                        void *data, size_t n, size_t *done) {
  DWORD got = 0;
  DWORD want = (DWORD)(n < TRANSFER_MAX ? n : TRANSFER_MAX);
  OVERLAPPED at;
  (void)vfs;
  memset(&at, 0, sizeof at);
  at.Offset = (DWORD)(offset & 0xffffffffu);
  at.OffsetHigh = (DWORD)(offset >> 32);
  if (!ReadFile((HANDLE)handle, data, want, &got, &at) &&
      GetLastError() != ERROR_HANDLE_EOF) {
    return last_error();
  }
  *done = got;
  return 0;
}

static int windows_sync(ck_vfs *vfs, ck_handle handle) {
  (void)vfs;
  return FlushFileBuffers((HANDLE)handle) ? 0 : last_error();
}

static int windows_close(ck_vfs *vfs, ck_handle handle) {
  (void)vfs;
  return CloseHandle((HANDLE)handle) ? 0 : last_error();
}

static int windows_info(ck_vfs *vfs, ck_handle handle, ck_file_info *out) {
  bool is_link;
  (void)vfs;
  return info_of((HANDLE)handle, out, &is_link);
}

static int windows_lookup(ck_vfs *vfs, const char *path, ck_file_info *out) {
  bool is_link;
  HANDLE handle;
  int sys = open_wide(
      path, FILE_READ_ATTRIBUTES,
      FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, OPEN_EXISTING,
      FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS, &handle);
  (void)vfs;
  if (sys != 0) {
    return sys;
  }
  sys = info_of(handle, out, &is_link);
  (void)CloseHandle(handle);
  return sys;
}

static int windows_rename(ck_vfs *vfs, const char *from, const char *to) {
  wchar_t *wide_from = NULL;
  wchar_t *wide_to = NULL;
  int sys = wide_path(from, &wide_from);
  (void)vfs;
  if (sys == 0) {
    sys = wide_path(to, &wide_to);
  }
  /* Without MOVEFILE_REPLACE_EXISTING a name that is taken is an error. */
  if (sys == 0 && !MoveFileExW(wide_from, wide_to, MOVEFILE_WRITE_THROUGH)) {
    sys = last_error();
  }
  free(wide_from);
  free(wide_to);
  return sys;
}

static int windows_unlink(ck_vfs *vfs, const char *path) {
  wchar_t *wide;
  int sys = wide_path(path, &wide);
  (void)vfs;
  if (sys != 0) {
    return sys;
  }
  if (!DeleteFileW(wide)) {
    sys = last_error();
  }
  free(wide);
  return sys;
}

static int pattern_path(const char *dir, wchar_t **out) {
  size_t n = strlen(dir);
  char *pattern = malloc(n + 3);
  int sys;
  if (pattern == NULL) {
    return ENOMEM;
  }
  memcpy(pattern, dir, n);
  memcpy(pattern + n, "\\*", 3);
  sys = wide_path(pattern, out);
  free(pattern);
  return sys;
}

static int windows_list(ck_vfs *vfs, const char *dir, ck_name_visitor *visit,
                        void *context) {
  WIN32_FIND_DATAW entry;
  /* A wide character becomes at most three bytes. */
  char name[3 * MAX_PATH + 1];
  wchar_t *wide;
  HANDLE found;
  int sys = pattern_path(dir, &wide);
  (void)vfs;
  if (sys != 0) {
    return sys;
  }
  found = FindFirstFileW(wide, &entry);
  if (found == INVALID_HANDLE_VALUE) {
    /* The root of a drive has no "." and may be empty. */
    sys = GetLastError() == ERROR_FILE_NOT_FOUND ? 0 : last_error();
  }
  free(wide);
  if (found == INVALID_HANDLE_VALUE) {
    return sys;
  }
  do {
    if (wcscmp(entry.cFileName, L".") != 0 &&
        wcscmp(entry.cFileName, L"..") != 0 &&
        WideCharToMultiByte(CP_UTF8, 0, entry.cFileName, -1, name,
                            (int)sizeof name, NULL, NULL) > 0) {
      visit(context, name);
    }
  } while (FindNextFileW(found, &entry));
  sys = GetLastError() == ERROR_NO_MORE_FILES ? 0 : last_error();
  (void)FindClose(found);
  return sys;
}

static int windows_sync_dir(ck_vfs *vfs, const char *dir) {
  (void)vfs;
  (void)dir;
  /* There is no such call, and no need for one: MOVEFILE_WRITE_THROUGH has
   * waited for the new name, and the file system's journal keeps the order. */
  return 0;
}

static int windows_space(ck_vfs *vfs, const char *dir, uint64_t *available) {
  ULARGE_INTEGER bytes;
  wchar_t *wide;
  int sys = wide_path(dir, &wide);
  (void)vfs;
  if (sys != 0) {
    return sys;
  }
  if (!GetDiskFreeSpaceExW(wide, &bytes, NULL, NULL)) {
    sys = last_error();
  } else {
    *available = bytes.QuadPart;
  }
  free(wide);
  return sys;
}

static int windows_make_dir(ck_vfs *vfs, const char *path) {
  wchar_t *wide;
  int sys = wide_path(path, &wide);
  (void)vfs;
  if (sys != 0) {
    return sys;
  }
  if (!CreateDirectoryW(wide, NULL)) {
    sys = last_error();
  }
  free(wide);
  return sys;
}

static int windows_open_lock(ck_vfs *vfs, const char *path, ck_handle *out) {
  ck_file_info info;
  bool is_link = false;
  HANDLE handle;
  /* Not to be deleted while it is open: a file whose name is gone locks
   * nobody out. */
  int sys = open_wide(path, GENERIC_READ | GENERIC_WRITE,
                      FILE_SHARE_READ | FILE_SHARE_WRITE, OPEN_EXISTING,
                      FILE_FLAG_OPEN_REPARSE_POINT, &handle);
  (void)vfs;
  if (sys != 0) {
    return sys;
  }
  sys = info_of(handle, &info, &is_link);
  if (sys == 0 && is_link) {
    sys = ELOOP;
  }
  if (sys != 0) {
    (void)CloseHandle(handle);
    return sys;
  }
  *out = (ck_handle)handle;
  return 0;
}

/* The first byte, which need not be there. */
static int windows_lock(ck_vfs *vfs, ck_handle handle, bool exclusive) {
  OVERLAPPED at;
  (void)vfs;
  memset(&at, 0, sizeof at);
  if (exclusive) {
    return LockFileEx((HANDLE)handle,
                      LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1,
                      0, &at)
               ? 0
               : last_error();
  }
  return UnlockFileEx((HANDLE)handle, 0, 1, 0, &at) ? 0 : last_error();
}

static void windows_start_sync(ck_vfs *vfs, ck_handle handle) {
  /* FlushFileBuffers() is the only such call, and it waits. */
  (void)vfs;
  (void)handle;
}

ck_vfs *ck_vfs_system(void) {
  static ck_vfs system_vfs = {
      windows_create,
      windows_open,
      windows_reserve,
      windows_write,
      windows_read,
      windows_sync,
      windows_close,
      windows_info,
      windows_lookup,
      windows_rename,
      windows_unlink,
      windows_list,
      windows_sync_dir,
      windows_space,
      windows_make_dir,
      windows_open_lock,
      windows_lock,
      windows_start_sync,
      true,
  };
  return &system_vfs;
}

bool ck_path_separator(char c) {
  return c == '/' || c == '\\';
}

int ck_directory_unmake(const char *path) {
  wchar_t *wide;
  DWORD attributes;
  int sys = wide_path(path, &wide);
  if (sys != 0) {
    return sys;
  }
  attributes = GetFileAttributesW(wide);
  if (attributes == INVALID_FILE_ATTRIBUTES) {
    sys = last_error();
  } else if ((attributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0) {
    sys = ENOTDIR; /* it would take the link away */
  } else if (!RemoveDirectoryW(wide)) {
    sys = last_error();
  }
  free(wide);
  return sys;
}

uint64_t ck_process_self(void) {
  return (uint64_t)GetCurrentProcessId();
}

bool ck_process_alive(uint64_t pid) {
  bool alive;
  HANDLE process;
  if (pid == 0 || pid > UINT32_MAX) {
    return true;
  }
  process = OpenProcess(SYNCHRONIZE, FALSE, (DWORD)pid);
  if (process == NULL) {
    return GetLastError() != ERROR_INVALID_PARAMETER;
  }
  alive = WaitForSingleObject(process, 0) == WAIT_TIMEOUT;
  (void)CloseHandle(process);
  return alive;
}

int ck_process_at_fork(void (*before)(void), void (*in_parent)(void),
                       void (*in_child)(void)) {
  (void)before;
  (void)in_parent;
  (void)in_child;
  return 0;
}

uint64_t ck_clock(void) {
  LARGE_INTEGER ticks;
  LARGE_INTEGER second;
  (void)QueryPerformanceCounter(&ticks);
  (void)QueryPerformanceFrequency(&second);
  return (uint64_t)((double)ticks.QuadPart / (double)second.QuadPart * 1e9);
}

uint64_t ck_process_nonce(void) {
  static atomic_uint_fast64_t counter;
  LARGE_INTEGER ticks;
  FILETIME now;
  uint64_t nonce;
  /* The pid is in the name beside it, so time and a counter will do. */
  GetSystemTimeAsFileTime(&now);
  (void)QueryPerformanceCounter(&ticks);
  nonce = (uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime;
  nonce ^= (uint64_t)ticks.QuadPart << 20;
  return nonce + ((uint64_t)atomic_fetch_add(&counter, 1) << 48);
}

void ck_memory_advise(void *memory, size_t n) {
  (void)memory;
  (void)n;
}

uint64_t ck_memory_available(void) {
  MEMORYSTATUSEX status;
  status.dwLength = sizeof status;
  return GlobalMemoryStatusEx(&status) ? status.ullAvailPhys : UINT64_MAX;
}

#endif
