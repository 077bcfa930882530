/* vfs_memory.h: a directory in memory, for tests that need many of them.
 *
 * Owns: names, contents and handles of one flat directory. Every path is taken
 * for its last component. May not touch: the real file system. As that one, it
 * lets a file that was unlinked live as long as a handle is open. Never syncs:
 * what a power cut leaves is the business of who looks at the record.
 */
#ifndef KB_VFS_MEMORY_H
#define KB_VFS_MEMORY_H

#include "names.h"
#include "os_vfs.h"

typedef struct memory_inode {
  uint8_t *data;
  size_t size;
  size_t space; /* 0: `data` is borrowed */
  int users;    /* names and handles */
} memory_inode;

typedef struct memory_name {
  char text[CK_NAME_CAP];
  memory_inode *inode;
} memory_name;

typedef struct memory_vfs {
  ck_vfs vfs; /* first: a pointer to it is a pointer to this struct */
  memory_name names[32];
  size_t n;
  int n_open;
} memory_vfs;

void memory_init(memory_vfs *memory);

/* Forget all files; no handle may be open. */
void memory_clear(memory_vfs *memory);

/* A file under a name that is free. The bytes are borrowed: they must outlive
 * it. Nothing writes to a file that is there. */
void memory_put(memory_vfs *memory, const char *name, const uint8_t *data,
                size_t n);

#endif
