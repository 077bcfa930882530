/* copy.c: see copy.h. */
#include "copy.h"

#include <string.h>

#if defined(__SSE2__) /* on every 64-bit x86 */
#include <emmintrin.h>

#define LANE sizeof(__m128i)
#define LINE (4 * LANE)
/* Below this the lines at both ends, which are written in parts, cost more than
 * the rest saves. */
#define WORTH 4096

void ck_copy_past_cache(uint8_t *out, const uint8_t *from, size_t n) {
  size_t head = (LINE - (uintptr_t)out % LINE) % LINE;
  if (n < WORTH) {
    memcpy(out, from, n);
    return;
  }
  memcpy(out, from, head);
  out += head;
  from += head;
  n -= head;
  for (; n >= LINE; n -= LINE) {
    __m128i lanes[4];
    memcpy(lanes, from, LINE);
    for (size_t i = 0; i < 4; i++) {
      _mm_stream_si128((__m128i *)(void *)(out + i * LANE), lanes[i]);
    }
    out += LINE;
    from += LINE;
  }
  memcpy(out, from, n); /* the rest */
  /* Such stores are in no order with others until here. */
  _mm_sfence();
}

#else

void ck_copy_past_cache(uint8_t *out, const uint8_t *from, size_t n) {
  memcpy(out, from, n);
}

#endif
