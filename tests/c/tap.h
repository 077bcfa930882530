/* tap.h: the least that a test program needs. `ok N - name` lines, and an exit
 * status that says whether all were. */
#ifndef KB_TAP_H
#define KB_TAP_H

#include <stdbool.h>

/* One result. The name is what was expected to hold. Returns `passed`. */
bool ok(bool passed, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A line for people. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The plan and the exit status; the last thing in main(). */
int done(void);

#endif
