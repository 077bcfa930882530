/* buffer.c: see buffer.h. */
#include "buffer.h"

#include <stdlib.h>

#include "os_vfs.h"

/* From here on an allocation has pages of its own. */
#define LARGE ((uint64_t)16 << 20)

ck_status ck_buffer_reserve(ck_buffer *buffer, uint64_t size, ck_error *err) {
  uint64_t slack = 2 * (uint64_t)CK_BUFFER_ALIGN;
  uintptr_t start;
  if (buffer->data != NULL && size <= buffer->space) {
    buffer->size = size;
    return CK_OK;
  }
  ck_buffer_release(buffer);
  if (size > SIZE_MAX - slack) {
    return ck_error_memory(err, size);
  }
  buffer->base = malloc((size_t)(size + slack));
  if (buffer->base == NULL) {
    return ck_error_memory(err, size);
  }
  if (size >= LARGE) {
    ck_memory_advise(buffer->base, (size_t)(size + slack));
  }
  start = (uintptr_t)buffer->base;
  start = (CK_BUFFER_ALIGN - start % CK_BUFFER_ALIGN) % CK_BUFFER_ALIGN;
  buffer->data = (uint8_t *)buffer->base + start;
  buffer->size = size;
  buffer->space = size + slack - start;
  return CK_OK;
}

void ck_buffer_touch(ck_buffer *buffer) {
  volatile uint8_t *at = buffer->data;
  for (uint64_t i = 0; i < buffer->space; i += CK_BUFFER_ALIGN) {
    at[i] = 0;
  }
}

void ck_buffer_release(ck_buffer *buffer) {
  free(buffer->base);
  buffer->base = NULL;
  buffer->data = NULL;
  buffer->size = 0;
  buffer->space = 0;
}
