/* vfs_memory.c: see vfs_memory.h. */
#include "vfs_memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX (sizeof((memory_vfs *)0)->names / sizeof(memory_name))

typedef struct open_file {
  memory_inode *inode;
  size_t at; /* where the next write goes */
} open_file;

static memory_vfs *memory_of(ck_vfs *vfs) {
  return (memory_vfs *)(void *)vfs;
}

static void *get(size_t n) {
  void *memory = calloc(1, n);
  if (memory == NULL) {
    perror("vfs_memory");
    exit(2);
  }
  return memory;
}

static void inode_leave(memory_inode *inode) {
  if (--inode->users == 0) {
    if (inode->space != 0) {
      free(inode->data);
    }
    free(inode);
  }
}

static memory_name *name_find(memory_vfs *memory, const char *path) {
  const char *text = ck_name_of_path(path);
  for (size_t i = 0; i < memory->n; i++) {
    if (strcmp(memory->names[i].text, text) == 0) {
      return &memory->names[i];
    }
  }
  return NULL;
}

static int name_add(memory_vfs *memory, const char *path, memory_inode *inode) {
  const char *text = ck_name_of_path(path);
  if (memory->n == NAMES_MAX || strlen(text) >= CK_NAME_CAP) {
    return ENOSPC;
  }
  strcpy(memory->names[memory->n].text, text);
  memory->names[memory->n].inode = inode;
  memory->n++;
  inode->users++;
  return 0;
}

static void name_drop(memory_vfs *memory, memory_name *name) {
  inode_leave(name->inode);
  *name = memory->names[--memory->n];
}

static int handle_make(memory_vfs *memory, memory_inode *inode,
                       ck_handle *out) {
  open_file *file = get(sizeof *file);
  file->inode = inode;
  inode->users++;
  memory->n_open++;
  *out = (ck_handle)file;
  return 0;
}

static memory_inode *inode_of(ck_handle handle) {
  return ((open_file *)handle)->inode;
}

static void inode_grow(memory_inode *inode, size_t size) {
  if (size > inode->space) {
    size_t space = size + size / 2 + 4096;
    uint8_t *data = get(space);
    if (inode->size != 0) {
      memcpy(data, inode->data, inode->size);
    }
    if (inode->space != 0) {
      free(inode->data);
    }
    inode->data = data;
    inode->space = space;
  }
}

static int memory_create(ck_vfs *vfs, const char *path, ck_handle *out) {
  memory_vfs *memory = memory_of(vfs);
  memory_inode *inode;
  if (name_find(memory, path) != NULL) {
    return EEXIST;
  }
  inode = get(sizeof *inode);
  if (name_add(memory, path, inode) != 0) {
    free(inode);
    return ENOSPC;
  }
  return handle_make(memory, inode, out);
}

static int memory_open(ck_vfs *vfs, const char *path, ck_handle *out) {
  memory_vfs *memory = memory_of(vfs);
  memory_name *name = name_find(memory, path);
  return name == NULL ? ENOENT : handle_make(memory, name->inode, out);
}

static int memory_reserve(ck_vfs *vfs, ck_handle handle, uint64_t size) {
  memory_inode *inode = inode_of(handle);
  (void)vfs;
  inode_grow(inode, (size_t)size);
  if (size > inode->size) {
    inode->size = (size_t)size;
  }
  return 0;
}

static int memory_write(ck_vfs *vfs, ck_handle handle, const void *data,
                        size_t n, size_t *done) {
  open_file *file = (open_file *)handle;
  memory_inode *inode = file->inode;
  (void)vfs;
  inode_grow(inode, file->at + n);
  memcpy(inode->data + file->at, data, n);
  file->at += n;
  if (file->at > inode->size) {
    inode->size = file->at;
  }
  *done = n;
  return 0;
}

static int memory_read(ck_vfs *vfs, ck_handle handle, uint64_t offset,
                       void *data, size_t n, size_t *done) {
  memory_inode *inode = inode_of(handle);
  size_t left = offset < inode->size ? inode->size - (size_t)offset : 0;
  (void)vfs;
  *done = n < left ? n : left;
  if (*done != 0) {
    memcpy(data, inode->data + offset, *done);
  }
  return 0;
}

static int memory_sync(ck_vfs *vfs, ck_handle handle) {
  (void)vfs;
  (void)handle;
  return 0;
}

static int memory_close(ck_vfs *vfs, ck_handle handle) {
  memory_of(vfs)->n_open--;
  inode_leave(inode_of(handle));
  free((open_file *)handle);
  return 0;
}

static void info_fill(ck_file_info *out, const memory_inode *inode) {
  memset(out, 0, sizeof *out);
  out->regular = true;
  out->size = inode->size;
  out->inode = (uint64_t)(uintptr_t)inode;
}

static int memory_info(ck_vfs *vfs, ck_handle handle, ck_file_info *out) {
  (void)vfs;
  info_fill(out, inode_of(handle));
  return 0;
}

static int memory_lookup(ck_vfs *vfs, const char *path, ck_file_info *out) {
  memory_name *name = name_find(memory_of(vfs), path);
  if (name == NULL) {
    return ENOENT;
  }
  info_fill(out, name->inode);
  return 0;
}

static int memory_rename(ck_vfs *vfs, const char *from, const char *to) {
  memory_vfs *memory = memory_of(vfs);
  memory_name *name = name_find(memory, from);
  if (name == NULL) {
    return ENOENT;
  }
  if (name_find(memory, to) != NULL) {
    return EEXIST;
  }
  if (strlen(ck_name_of_path(to)) >= CK_NAME_CAP) {
    return ENAMETOOLONG;
  }
  strcpy(name->text, ck_name_of_path(to));
  return 0;
}

static int memory_unlink(ck_vfs *vfs, const char *path) {
  memory_vfs *memory = memory_of(vfs);
  memory_name *name = name_find(memory, path);
  if (name == NULL) {
    return ENOENT;
  }
  name_drop(memory, name);
  return 0;
}

static int memory_list(ck_vfs *vfs, const char *dir, ck_name_visitor *visit,
                       void *context) {
  memory_vfs *memory = memory_of(vfs);
  (void)dir;
  for (size_t i = 0; i < memory->n; i++) {
    visit(context, memory->names[i].text);
  }
  return 0;
}

static int memory_sync_dir(ck_vfs *vfs, const char *dir) {
  (void)vfs;
  (void)dir;
  return 0;
}

static int memory_space(ck_vfs *vfs, const char *dir, uint64_t *available) {
  (void)vfs;
  (void)dir;
  *available = UINT64_C(1) << 40;
  return 0;
}

/* One flat directory, of one process. */
static int memory_make_dir(ck_vfs *vfs, const char *path) {
  (void)vfs;
  (void)path;
  return ENOTSUP;
}

static int memory_open_lock(ck_vfs *vfs, const char *path, ck_handle *out) {
  (void)vfs;
  (void)path;
  (void)out;
  return ENOTSUP;
}

static int memory_lock(ck_vfs *vfs, ck_handle handle, bool exclusive) {
  (void)vfs;
  (void)handle;
  (void)exclusive;
  return ENOTSUP;
}

/* What is kept here is kept at once. */
static void memory_start_sync(ck_vfs *vfs, ck_handle handle) {
  (void)vfs;
  (void)handle;
}

void memory_init(memory_vfs *memory) {
  static const ck_vfs operations = {
      memory_create,   memory_open,       memory_reserve,  memory_write,
      memory_read,     memory_sync,       memory_close,    memory_info,
      memory_lookup,   memory_rename,     memory_unlink,   memory_list,
      memory_sync_dir, memory_space,      memory_make_dir, memory_open_lock,
      memory_lock,     memory_start_sync, false,
  };
  memset(memory, 0, sizeof *memory);
  memory->vfs = operations;
}

void memory_clear(memory_vfs *memory) {
  while (memory->n > 0) {
    name_drop(memory, &memory->names[memory->n - 1]);
  }
}

void memory_put(memory_vfs *memory, const char *name, const uint8_t *data,
                size_t n) {
  memory_inode *inode = get(sizeof *inode);
  /* The cast: nothing writes to what is borrowed, see the header. */
  inode->data = (uint8_t *)(uintptr_t)data;
  inode->size = n;
  if (name_add(memory, name, inode) != 0) {
    fprintf(stderr, "vfs_memory: no place for %s\n", name);
    exit(2);
  }
}
