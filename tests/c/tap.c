/* tap.c: see tap.h. */
#include "tap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static int n_tests;
static int n_failed;

bool ok(bool passed, const char *format, ...) {
  va_list args;
  n_tests++;
  n_failed += !passed;
  printf("%s %d - ", passed ? "ok" : "not ok", n_tests);
  va_start(args, format);
  vprintf(format, args);
  va_end(args);
  printf("\n");
  fflush(stdout);
  if (!passed && getenv("TAP_STOP") != NULL) {
    _Exit(1);
  }
  return passed;
}

void skip(const char *name, const char *reason) {
  n_tests++;
  printf("ok %d - %s # SKIP %s\n", n_tests, name, reason);
  fflush(stdout);
}

void note(const char *format, ...) {
  va_list args;
  printf("# ");
  va_start(args, format);
  vprintf(format, args);
  va_end(args);
  printf("\n");
}

int done(void) {
  printf("1..%d\n", n_tests);
  if (n_failed > 0) {
    printf("# %d of %d failed\n", n_failed, n_tests);
  }
  return n_failed > 0 ? 1 : 0;
}
