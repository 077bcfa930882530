/* os_signals.h: notes that a signal arrived which announces the end of the process.
 *
 * A handler sets a bit of one number in memory and calls the previous handler.
 * Nothing else is done about a signal here. Python reads the number directly.
 * All functions are called by one thread; a signal may be delivered to any.
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

/* The reverse. When a signal is not watched any more, the previous handler is put
 * back, unless another handler was installed since then. */
void ck_signals_release(unsigned bits);

/* Release all signals, however often they are watched. Idempotent. */
void ck_signals_release_all(void);

/* The bits of the signals that arrived, and the address of this number. The
 * address stays valid, and may be read as an int at any time. */
unsigned ck_signals_arrived(void);
const void *ck_signals_address(void);

#endif
