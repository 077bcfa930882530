/* The copy past the caches: every byte, and no other, wherever it lies. */
#include <stdlib.h>
#include <string.h>

#include "copy.h"
#include "tap.h"

#define GUARD 0xee
#define ROOM 20000

/* Whether `n` bytes arrive, with the two ends so far from an aligned address,
 * and the bytes around them stay. */
static bool arrives(uint8_t *to, const uint8_t *from, size_t to_offset,
                    size_t from_offset, size_t n) {
  bool around = true;
  uint8_t *out = to + to_offset;
  memset(to, GUARD, ROOM);
  ck_copy_past_cache(out, from + from_offset, n);
  for (uint8_t *at = to; at < to + ROOM; at++) {
    around = around && ((at >= out && at < out + n) || *at == GUARD);
  }
  return around && memcmp(out, from + from_offset, n) == 0;
}

int main(void) {
  uint8_t *from = malloc(ROOM);
  uint8_t *to = malloc(ROOM);
  bool small = true;
  bool aligned = true;
  bool anywhere = true;
  srand(11);
  for (size_t i = 0; i < ROOM; i++) {
    /* Not what the guards are. */
    from[i] = (uint8_t)((rand() >> 8) % GUARD);
  }
  for (size_t n = 0; n < 300; n++) {
    small = small && arrives(to, from, n % 67, n % 61, n);
  }
  ok(small, "a few bytes");
  for (size_t n = 4000; n < 4400; n++) {
    aligned = aligned && arrives(to, from, 0, 0, n);
  }
  ok(aligned, "around where the way changes");
  for (int i = 0; i < 2000; i++) {
    size_t n = 4096 + (size_t)rand() % 10000;
    anywhere = anywhere &&
               arrives(to, from, (size_t)rand() % 200, (size_t)rand() % 200, n);
  }
  ok(anywhere, "many bytes, from and to anywhere");
  free(from);
  free(to);
  return done();
}
