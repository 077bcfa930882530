/* os_signals_windows.c: os_signals.h on Windows, which has none of these signals. */
#include "os_signals.h"

#ifdef _WIN32

#include <errno.h>
#include <stddef.h>

unsigned ck_signals_bit(const char *name) {
  (void)name;
  return 0;
}

int ck_signals_watch(unsigned bits, const void *host) {
  (void)host;
  return bits == 0 ? 0 : EINVAL;
}

void ck_signals_release(unsigned bits) {
  (void)bits;
}

void ck_signals_release_all(void) {
}

unsigned ck_signals_arrived(void) {
  return 0;
}

const void *ck_signals_address(void) {
  static const unsigned none = 0;
  return &none;
}

#endif
