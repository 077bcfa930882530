/* crc32c.c: see crc32c.h.
 *
 * There are two implementations with the same result: eight table look-ups for
 * eight bytes, and the processor's own instruction. The instruction has a latency
 * of three cycles, but one can start in each cycle, so three lanes run in
 * parallel. A multiplication in the field moves the state of a lane past the
 * bytes of the lanes behind it.
 */
#include "crc32c.h"

#include <stdatomic.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define CRC_X86 1
#include <nmmintrin.h>
#elif defined(__aarch64__) && defined(__GNUC__) && !defined(_WIN32)
#define CRC_ARM 1
#if defined(__linux__)
#include <sys/auxv.h>
#endif
#endif

#define POLYNOMIAL 0x82f63b78u /* 0x1edc6f41, bits reversed */

#define LANE_LOG2 13
#define LANE ((size_t)1 << LANE_LOG2)

static uint32_t table[8][256];
static uint32_t lane_power; /* x^(8 * LANE) in the field */
static bool have_hardware;

/* The product of two polynomials modulo ours; bit 31 is the constant term. */
static uint32_t field_multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (int i = 0; i < 32; i++) {
    product ^= b & (0u - (a >> 31));
    a <<= 1;
    b = (b >> 1) ^ (POLYNOMIAL & (0u - (b & 1)));
  }
  return product;
}

static bool hardware_probe(void) {
#if defined(CRC_X86)
  __builtin_cpu_init();
  return __builtin_cpu_supports("sse4.2") != 0;
#elif defined(CRC_ARM) && defined(__linux__)
  return (getauxval(AT_HWCAP) & (1ul << 7)) != 0; /* HWCAP_CRC32 */
#elif defined(CRC_ARM) && defined(__APPLE__)
  return true; /* every 64-bit ARM that macOS runs on has it */
#else
  return false;
#endif
}

static void tables_fill(void) {
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; bit++) {
      crc = (crc >> 1) ^ (POLYNOMIAL & (0u - (crc & 1)));
    }
    table[0][byte] = crc;
  }
  for (uint32_t byte = 0; byte < 256; byte++) {
    for (int i = 1; i < 8; i++) {
      uint32_t crc = table[i - 1][byte];
      table[i][byte] = (crc >> 8) ^ table[0][crc & 255];
    }
  }
  lane_power = 1u << 30; /* x */
  for (int i = 0; i < LANE_LOG2 + 3; i++) {
    lane_power = field_multiply(lane_power, lane_power);
  }
  have_hardware = hardware_probe();
}

/* Make the tables once, whichever thread comes first; the others wait for it
 * (microseconds). */
static void tables_need(void) {
  static atomic_int state; /* 0: not made, 1: being made, 2: there */
  int expected = 0;
  if (atomic_load_explicit(&state, memory_order_acquire) == 2) {
    return;
  }
  if (atomic_compare_exchange_strong(&state, &expected, 1)) {
    tables_fill();
    atomic_store_explicit(&state, 2, memory_order_release);
  }
  while (atomic_load_explicit(&state, memory_order_acquire) != 2) {
  }
}

uint32_t ck_crc32c_update_table(uint32_t crc, const void *data, size_t n) {
  const uint8_t *at = data;
  tables_need();
  crc = ~crc;
  for (; n >= 8; n -= 8, at += 8) {
    uint32_t low = crc ^ ((uint32_t)at[0] | (uint32_t)at[1] << 8 |
                          (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24);
    crc = table[7][low & 255] ^ table[6][low >> 8 & 255] ^
          table[5][low >> 16 & 255] ^ table[4][low >> 24] ^ table[3][at[4]] ^
          table[2][at[5]] ^ table[1][at[6]] ^ table[0][at[7]];
  }
  for (; n > 0; n--, at++) {
    crc = (crc >> 8) ^ table[0][(crc ^ *at) & 255];
  }
  return ~crc;
}

#if defined(CRC_X86) || defined(CRC_ARM)

#if defined(CRC_X86)
#define CRC_TARGET __attribute__((target("sse4.2")))
#define CRC_WORD(crc, word) _mm_crc32_u64((crc), (word))
#define CRC_BYTE(crc, byte) _mm_crc32_u8((uint32_t)(crc), (byte))
#else
/* Assembly, not <arm_acle.h>: what that header offers without a compiler flag
 * differs from compiler to compiler. */
#define CRC_TARGET
static inline uint64_t arm_crc_word(uint64_t crc, uint64_t word) {
  uint32_t state = (uint32_t)crc;
  __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1"
          : "+r"(state)
          : "r"(word));
  return state;
}
static inline uint64_t arm_crc_byte(uint64_t crc, uint8_t byte) {
  uint32_t state = (uint32_t)crc;
  __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1"
          : "+r"(state)
          : "r"((uint32_t)byte));
  return state;
}
#define CRC_WORD(crc, word) arm_crc_word((crc), (word))
#define CRC_BYTE(crc, byte) arm_crc_byte((crc), (byte))
#endif

static inline uint64_t word_at(const uint8_t *at) {
  uint64_t word; /* both processors are little-endian wherever R runs */
  memcpy(&word, at, sizeof word);
  return word;
}

CRC_TARGET
uint32_t ck_crc32c_update_hardware(uint32_t crc, const void *data, size_t n) {
  const uint8_t *at = data;
  uint64_t state;
  tables_need();
  state = ~crc;
  for (; n >= 3 * LANE; n -= 3 * LANE, at += 3 * LANE) {
    uint64_t second = 0;
    uint64_t third = 0;
    for (size_t i = 0; i < LANE; i += 8) {
      state = CRC_WORD(state, word_at(at + i));
      second = CRC_WORD(second, word_at(at + LANE + i));
      third = CRC_WORD(third, word_at(at + 2 * LANE + i));
    }
    second ^= field_multiply((uint32_t)state, lane_power);
    state = third ^ field_multiply((uint32_t)second, lane_power);
  }
  for (; n >= 8; n -= 8, at += 8) {
    state = CRC_WORD(state, word_at(at));
  }
  for (; n > 0; n--, at++) {
    state = CRC_BYTE(state, *at);
  }
  return ~(uint32_t)state;
}

#else

uint32_t ck_crc32c_update_hardware(uint32_t crc, const void *data, size_t n) {
  return ck_crc32c_update_table(crc, data, n);
}

#endif

bool ck_crc32c_hardware(void) {
  tables_need();
  return have_hardware;
}

uint32_t ck_crc32c_update(uint32_t crc, const void *data, size_t n) {
  return ck_crc32c_hardware() ? ck_crc32c_update_hardware(crc, data, n)
                              : ck_crc32c_update_table(crc, data, n);
}
