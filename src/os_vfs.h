/* os_vfs.h: the only access to the operating system.
 *
 * The operations that a store needs are a struct of pointers, so a test can
 * insert a layer that fails, counts or forgets (tests/c/vfs_fault.c).
 *
 * Contract of every operation: it returns 0, or an errno value (also on Windows),
 * never -1. Outputs are set only on 0. One call is one attempt: the caller
 * (file.c) retries after EINTR and short counts. Paths are UTF-8 on Windows, and
 * native elsewhere. A handle may be used by one thread at a time, except for
 * `read`, see `shared_reads`.
 */
#ifndef CK_OS_VFS_H
#define CK_OS_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef intptr_t ck_handle; /* a descriptor, or a Windows HANDLE */

typedef struct ck_file_info {
  bool regular; /* a plain file: no link, directory, pipe or device */
  uint64_t size;
  uint64_t device;
  uint64_t inode;
} ck_file_info;

/* Called once for every name but "." and "..". */
typedef void ck_name_visitor(void *context, const char *name);

typedef struct ck_vfs ck_vfs;
struct ck_vfs {
  /* Create a file that did not exist, for writing. EEXIST if it does, even as
   * a dangling link. */
  int (*create)(ck_vfs *vfs, const char *path, ck_handle *out);

  /* Open for reading. Never follows a link in the last component, never waits
   * for a pipe's other end. */
  int (*open)(ck_vfs *vfs, const char *path, ck_handle *out);

  /* Claim `size` bytes on disk. ENOTSUP, ENOSYS or EINVAL: cannot be done
   * here, which says nothing about the space there is. EFBIG: no file may be so
   * large. It must be asked for before anything is written: a write beyond a
   * limit of the process may end the process. */
  int (*reserve)(ck_vfs *vfs, ck_handle handle, uint64_t size);

  /* Append; `done` may be less than `n`. */
  int (*write)(ck_vfs *vfs, ck_handle handle, const void *data, size_t n,
               size_t *done);

  /* Read at `offset`; `done` may be less than `n`, 0 at the end. */
  int (*read)(ck_vfs *vfs, ck_handle handle, uint64_t offset, void *data,
              size_t n, size_t *done);

  /* Do not return before content and size are on stable storage. */
  int (*sync)(ck_vfs *vfs, ck_handle handle);

  /* The handle is gone afterwards, whatever is returned. */
  int (*close)(ck_vfs *vfs, ck_handle handle);

  int (*info)(ck_vfs *vfs, ck_handle handle, ck_file_info *out);

  /* Information on the name itself, not on what a link points at. */
  int (*lookup)(ck_vfs *vfs, const char *path, ck_file_info *out);

  /* Give a file its new name; EEXIST if that name is taken. */
  int (*rename)(ck_vfs *vfs, const char *from, const char *to);

  int (*unlink)(ck_vfs *vfs, const char *path);

  int (*list)(ck_vfs *vfs, const char *dir, ck_name_visitor *visit,
              void *context);

  /* Do not return before the names in `dir` are on stable storage. */
  int (*sync_dir)(ck_vfs *vfs, const char *dir);

  /* Bytes an unprivileged writer may still use on the file system of `dir`. */
  int (*space)(ck_vfs *vfs, const char *dir, uint64_t *available);

  /* Make one directory. EEXIST if the name is taken, whatever has it. */
  int (*make_dir)(ck_vfs *vfs, const char *path);

  /* Open a file that is there, for `lock`. Neither follows a link nor waits, as
   * `open`, and changes nothing in the file. */
  int (*open_lock)(ck_vfs *vfs, const char *path, ck_handle *out);

  /* Lock an open file, or unlock it. EBUSY: another handle has it, of this
   * process or of another one. The lock is the handle's: it ends when that is
   * closed, not when another handle of the same file is. But a forked process has
   * the handle too. ENOLCK, ENOSYS, ENOTSUP or EOPNOTSUPP:
   * this file system has no locks. */
  int (*lock)(ck_vfs *vfs, ck_handle handle, bool exclusive);

  /* Begin to bring to the disk what was written so far, so that the disk works
   * while the rest is being written. Only a hint, and no part of `sync`: it
   * promises nothing, and so it has nothing to report. */
  void (*start_sync)(ck_vfs *vfs, ck_handle handle);

  /* Whether several threads may `read` one handle at the same time. */
  bool shared_reads;
};

/* The real one. Static; never freed; safe on any thread. */
ck_vfs *ck_vfs_system(void);

/* Whether a character stands between the parts of a path. */
bool ck_path_separator(char c);

/* Remove a directory that is empty; any other stays, and so does a link to one.
 * No operation of a store: that never removes its directory. */
int ck_directory_unmake(const char *path);

/* Processes, beside the files because they too are the operating system's. */
uint64_t ck_process_self(void);
bool ck_process_alive(uint64_t pid); /* true where one cannot know */

/* Have these called around every fork from now on: `before` it, and after it
 * `in_parent` and `in_child`. The child has one thread, so `in_child` must do
 * what is safe in a signal handler only. 0, or an errno value; nothing is done
 * where processes do not fork. */
int ck_process_at_fork(void (*before)(void), void (*in_parent)(void),
                       void (*in_child)(void));

/* Nanoseconds since some moment; never goes back. */
uint64_t ck_clock(void);

/* Eight bytes that another process is not likely to draw. Not for secrets. */
uint64_t ck_process_nonce(void);

/* Ask for large pages below `n` bytes that were just allocated: filling fresh
 * memory costs more in page faults than in copying. Only a hint. */
void ck_memory_advise(void *memory, size_t n);

/* Bytes of memory that can be had without taking any from what runs, as far as
 * the system tells; UINT64_MAX where it does not. */
uint64_t ck_memory_available(void);

#endif
