/* vfs_record.h: a vfs that writes down all that changes a directory.
 *
 * Owns: the record, with the data written, and which file each operation is
 * about: a number that stays with the file when its name does not. May not
 * touch: anything but through the inner vfs. What a power cut makes of the
 * record is the business of test_powercut.c.
 */
#ifndef KB_VFS_RECORD_H
#define KB_VFS_RECORD_H

#include "names.h"
#include "os_vfs.h"

#define RECORD_FILES_MAX 32

typedef enum record_kind {
  RECORD_CREATE,   /* file, name */
  RECORD_RESERVE,  /* file, length */
  RECORD_WRITE,    /* file, offset, length, data */
  RECORD_SYNC,     /* file, failed */
  RECORD_CLOSE,    /* file */
  RECORD_RENAME,   /* file, name, other */
  RECORD_UNLINK,   /* file, name */
  RECORD_SYNC_DIR, /* the directory */
  RECORD_SYNC_PARENT,
  RECORD_MARK /* what the test itself noted, in `mark` and `value` */
} record_kind;

typedef struct record_event {
  record_kind kind;
  int file;
  char name[CK_NAME_CAP];
  char other[CK_NAME_CAP];
  uint64_t offset;
  uint64_t length;
  uint8_t *data;
  bool failed; /* a sync that did; other failures change nothing */
  int mark;
  int value;
} record_event;

typedef struct recorder {
  ck_vfs vfs; /* first: a pointer to it is a pointer to this struct */
  ck_vfs *inner;
  record_event *events;
  size_t n;
  int n_files;
  /* The names there are now, and the open files. */
  struct record_name {
    char text[CK_NAME_CAP];
    int file;
  } names[RECORD_FILES_MAX];
  size_t n_names;
  struct record_handle {
    bool used;
    ck_handle handle;
    int file;
    uint64_t at;
  } handles[8];
} recorder;

void record_init(recorder *record, ck_vfs *inner);
void record_clear(recorder *record);

/* A file that is there before the record begins; its number. */
int record_adopt(recorder *record, const char *name);

void record_mark(recorder *record, int mark, int value);

/* "create T|write T 448|sync T|..." of what was recorded from `from` on. To be
 * freed. */
char *record_text(const recorder *record, size_t from);

#endif
