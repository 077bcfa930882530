/* tap.h: the least that a test program needs. `ok N - name` lines, and an exit
 * status that says whether all were. */
#ifndef KB_TAP_H
#define KB_TAP_H

#include <stdbool.h>

#if defined(__MINGW32__)
#define TAP_PRINTF(a, b) __attribute__((format(gnu_printf, a, b)))
#else
#define TAP_PRINTF(a, b) __attribute__((format(printf, a, b)))
#endif

/* One result. The name is what was expected to hold. Returns `passed`. With
 * TAP_STOP in the environment the first failure ends the program. */
bool ok(bool passed, const char *format, ...) TAP_PRINTF(2, 3);

/* One that cannot be run here, and why. */
void skip(const char *name, const char *reason);

/* A line for people. */
void note(const char *format, ...) TAP_PRINTF(1, 2);

/* The plan and the exit status; the last thing in main(). */
int done(void);

#endif
