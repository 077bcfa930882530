/* os_thread_posix.c: os_thread.h on Linux, macOS and other Unixes. */
#ifndef _WIN32
#if defined(__linux__)
#define _GNU_SOURCE /* pthread_setname_np */
#elif defined(__APPLE__)
#define _DARWIN_C_SOURCE
#else
#define _POSIX_C_SOURCE 200809L
#endif
#endif

#include "os_thread.h"

#ifndef _WIN32

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct ck_monitor {
  pthread_mutex_t lock;
  pthread_cond_t changed;
};

struct ck_thread {
  pthread_t id;
  void (*run)(void *);
  void *context;
};

int ck_monitor_new(ck_monitor **out) {
  ck_monitor *monitor = malloc(sizeof *monitor);
  int sys;
  *out = NULL;
  if (monitor == NULL) {
    return ENOMEM;
  }
  sys = pthread_mutex_init(&monitor->lock, NULL);
  if (sys != 0) {
    free(monitor);
    return sys;
  }
  sys = pthread_cond_init(&monitor->changed, NULL);
  if (sys != 0) {
    (void)pthread_mutex_destroy(&monitor->lock);
    free(monitor);
    return sys;
  }
  *out = monitor;
  return 0;
}

void ck_monitor_free(ck_monitor *monitor) {
  if (monitor == NULL) {
    return;
  }
  (void)pthread_cond_destroy(&monitor->changed);
  (void)pthread_mutex_destroy(&monitor->lock);
  free(monitor);
}

/* None of these four can fail on a monitor that is used as documented. */

void ck_monitor_enter(ck_monitor *monitor) {
  (void)pthread_mutex_lock(&monitor->lock);
}

void ck_monitor_leave(ck_monitor *monitor) {
  (void)pthread_mutex_unlock(&monitor->lock);
}

void ck_monitor_wait(ck_monitor *monitor) {
  (void)pthread_cond_wait(&monitor->changed, &monitor->lock);
}

void ck_monitor_wake(ck_monitor *monitor) {
  (void)pthread_cond_broadcast(&monitor->changed);
}

static void *thread_main(void *argument) {
  ck_thread *thread = argument;
  /* The name that debuggers and `ps` show. */
#if defined(__linux__)
  (void)pthread_setname_np(pthread_self(), "kerasbackup");
#elif defined(__APPLE__)
  (void)pthread_setname_np("kerasbackup");
#endif
  thread->run(thread->context);
  return NULL;
}

int ck_thread_start(ck_thread **out, void (*run)(void *), void *context) {
  ck_thread *thread = malloc(sizeof *thread);
  sigset_t all;
  sigset_t before;
  int sys;
  *out = NULL;
  if (thread == NULL) {
    return ENOMEM;
  }
  thread->run = run;
  thread->context = context;
  /* A new thread inherits the mask: so there is no moment without it. */
  (void)sigfillset(&all);
  sys = pthread_sigmask(SIG_SETMASK, &all, &before);
  if (sys == 0) {
    sys = pthread_create(&thread->id, NULL, thread_main, thread);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  }
  if (sys != 0) {
    free(thread);
    return sys;
  }
  *out = thread;
  return 0;
}

void ck_thread_join(ck_thread *thread) {
  if (thread == NULL) {
    return;
  }
  (void)pthread_join(thread->id, NULL);
  free(thread);
}

#endif
