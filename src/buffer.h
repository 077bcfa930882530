/* buffer.h: page-aligned memory that is reused from save to save.
 *
 * Each buffer owns one allocation. A zeroed ck_buffer is a valid empty one. A
 * buffer may not be shared between threads.
 */
#ifndef CK_BUFFER_H
#define CK_BUFFER_H

#include "status.h"

#define CK_BUFFER_ALIGN 4096

typedef struct ck_buffer {
  void *base;     /* what malloc gave */
  uint8_t *data;  /* the first aligned byte in it, NULL if none */
  uint64_t size;  /* bytes in use, set by the caller */
  uint64_t space; /* bytes there are at `data` */
} ck_buffer;

/* Make room for `size` bytes and set buffer->size to it. What the buffer held
 * is lost when it has to grow. `data` is never NULL afterwards, even for a
 * size of 0. On failure the buffer is empty and valid. */
ck_status ck_buffer_reserve(ck_buffer *buffer, uint64_t size, ck_error *err);

/* Write to every page, so that the later copy does not wait for page faults,
 * which take longer than the copy itself. */
void ck_buffer_touch(ck_buffer *buffer);

/* Free; leaves an empty, valid buffer. Safe to call twice. */
void ck_buffer_release(ck_buffer *buffer);

#endif
