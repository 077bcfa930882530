/* copy.h: copies memory that is not read again soon. Safe on any thread. */
#ifndef CK_COPY_H
#define CK_COPY_H

#include <stddef.h>
#include <stdint.h>

/* Copy `n` bytes to `out`, which does not overlap `from`. Past the caches where
 * the processor can: that spares reading what is overwritten, a third of the
 * time, and leaves what training needs in them. When this returns the bytes can
 * be handed to another thread as those of memcpy() can. */
void ck_copy_past_cache(uint8_t *out, const uint8_t *from, size_t n);

#endif
