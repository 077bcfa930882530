/* crc32c.h: the checksum (CRC-32C, Castagnoli, as in RFC 3720).
 *
 * Uses the fastest instructions that the processor has, or tables that are
 * computed once. Safe on any thread.
 */
#ifndef CK_CRC32C_H
#define CK_CRC32C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Checksum of `n` bytes that follow bytes whose checksum is `crc` (0 at the
 * beginning). */
uint32_t ck_crc32c_update(uint32_t crc, const void *data, size_t n);

/* The two paths by name, for tests. The hardware path must only be called
 * where ck_crc32c_hardware() says there is one. */
bool ck_crc32c_hardware(void);
uint32_t ck_crc32c_update_table(uint32_t crc, const void *data, size_t n);
uint32_t ck_crc32c_update_hardware(uint32_t crc, const void *data, size_t n);

#endif
