/* os_signals.h: noting that a signal came.
 *
 * Owns: the handlers of the signals by which a machine says that it will end a
 * process, and what was there before them. May not touch: R, Python, files,
 * what is done about a signal.
 *
 * A handler sets a bit of one number in memory and does nothing else, but for
 * calling the handler that was there before. Whoever wants to know looks at
 * that number. All functions are called by one thread; a signal may come to
 * any.
 */
#ifndef CK_OS_SIGNALS_H
#define CK_OS_SIGNALS_H

/* The bit of a signal, as "SIGTERM"; 0 for one that cannot be watched, or that
 * this system does not have. */
unsigned ck_signals_bit(const char *name);

/* Begin to watch the signals of `bits`. Each may be watched by several; those
 * that nobody watched before count as not come. A handler that is there already
 * is called on, but where it is part of the same program or library as
 * `host`. Returns 0, or an errno value and then watches none. */
int ck_signals_watch(unsigned bits, const void *host);

/* The reverse: when nobody watches a signal any more, what was there before is
 * put back, unless somebody has put his own there meanwhile. */
void ck_signals_release(unsigned bits);

/* The same for all, whoever watches. Idempotent. */
void ck_signals_release_all(void);

/* The bits of the signals that came, and where to look for them: it stays there
 * and may be read as an int at any time. */
unsigned ck_signals_arrived(void);
const void *ck_signals_address(void);

#endif
