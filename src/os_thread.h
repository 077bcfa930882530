/* os_thread.h: starts and joins one thread, and has a lock with a condition variable
 * for the two.
 *
 * Only os_thread_posix.c and os_thread_windows.c know which threads the system has.
 */
#ifndef CK_OS_THREAD_H
#define CK_OS_THREAD_H

typedef struct ck_monitor ck_monitor;
typedef struct ck_thread ck_thread;

/* A lock and a condition in one. 0, or an errno value and `*out` is NULL. */
int ck_monitor_new(ck_monitor **out);
void ck_monitor_free(ck_monitor *monitor); /* NULL is allowed */

void ck_monitor_enter(ck_monitor *monitor);
void ck_monitor_leave(ck_monitor *monitor);

/* Inside only: leave, sleep until ck_monitor_wake() or for no reason at all,
 * and enter again. */
void ck_monitor_wait(ck_monitor *monitor);
void ck_monitor_wake(ck_monitor *monitor);

/* Run `run(context)` in a thread of its own, which receives no signals: those
 * are for the threads of R and Python. 0, or an errno value and `*out` is
 * NULL. */
int ck_thread_start(ck_thread **out, void (*run)(void *), void *context);

/* Wait until it has returned, and free it. NULL is allowed. */
void ck_thread_join(ck_thread *thread);

#endif
