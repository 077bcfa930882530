/* The checksum: published vectors, and its two paths against each other and
 * against the definition, bit by bit. */
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"
#include "tap.h"

/* RFC 3720, B.4. */
static void rfc_vectors(uint32_t (*update)(uint32_t, const void *, size_t),
                        const char *path) {
  uint8_t bytes[48];
  static const uint8_t command[48] = {
      0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00,
      0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x18, 0x28, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
  memset(bytes, 0, 32);
  ok(update(0, bytes, 32) == 0x8a9136aau, "%s: 32 zeros", path);
  memset(bytes, 0xff, 32);
  ok(update(0, bytes, 32) == 0x62a8ab43u, "%s: 32 ones", path);
  for (int i = 0; i < 32; i++) {
    bytes[i] = (uint8_t)i;
  }
  ok(update(0, bytes, 32) == 0x46dd794eu, "%s: incrementing", path);
  for (int i = 0; i < 32; i++) {
    bytes[i] = (uint8_t)(31 - i);
  }
  ok(update(0, bytes, 32) == 0x113fdb5cu, "%s: decrementing", path);
  ok(update(0, command, 48) == 0xd9963a56u, "%s: an iSCSI command", path);
  ok(update(0, "123456789", 9) == 0xe3069283u, "%s: check value", path);
  ok(update(0, "", 0) == 0, "%s: nothing", path);
}

static uint32_t by_definition(uint32_t crc, const uint8_t *at, size_t n) {
  crc = ~crc;
  for (; n > 0; n--, at++) {
    crc ^= *at;
    for (int bit = 0; bit < 8; bit++) {
      crc = crc & 1 ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
    }
  }
  return ~crc;
}

int main(void) {
  size_t n = 200000; /* several rounds of the three lanes, and a rest */
  uint8_t *bytes = malloc(n);
  bool same = true;
  bool right = true;
  bool joined = true;
  uint32_t whole;
  srand(7);
  for (size_t i = 0; i < n; i++) {
    bytes[i] = (uint8_t)(rand() >> 8);
  }
  rfc_vectors(ck_crc32c_update_table, "table");
  rfc_vectors(ck_crc32c_update, "chosen");
  if (ck_crc32c_hardware()) {
    rfc_vectors(ck_crc32c_update_hardware, "hardware");
  } else {
    note("no hardware path on this processor");
  }
  for (int i = 0; i < 400; i++) {
    size_t from = (size_t)rand() % 70;
    size_t length = i < 100 ? (size_t)i : (size_t)rand() % (n - 70);
    uint32_t start = i % 3 == 0 ? 0 : (uint32_t)rand() * 2654435761u;
    uint32_t table = ck_crc32c_update_table(start, bytes + from, length);
    same = same && table == ck_crc32c_update(start, bytes + from, length);
    if (ck_crc32c_hardware()) {
      same = same &&
             table == ck_crc32c_update_hardware(start, bytes + from, length);
    }
    if (i < 150) {
      right = right && table == by_definition(start, bytes + from, length);
    }
  }
  ok(same, "both paths agree for any start, offset and length");
  ok(right, "the table path agrees with the definition");
  whole = ck_crc32c_update(0, bytes, n);
  for (size_t cut = 0; cut < n; cut += 9973) {
    uint32_t first = ck_crc32c_update(0, bytes, cut);
    joined = joined && ck_crc32c_update(first, bytes + cut, n - cut) == whole;
  }
  ok(joined, "a sum may be made in pieces");
  free(bytes);
  return done();
}
