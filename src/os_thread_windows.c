/* os_thread_windows.c: os_thread.h on Windows. */
#ifdef _WIN32
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0601
#endif
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#endif

#include "os_thread.h"

#ifdef _WIN32

#include <errno.h>
#include <process.h>
#include <stdint.h>
#include <stdlib.h>

struct ck_monitor {
  SRWLOCK lock;
  CONDITION_VARIABLE changed;
};

struct ck_thread {
  HANDLE handle;
  void (*run)(void *);
  void *context;
};

int ck_monitor_new(ck_monitor **out) {
  ck_monitor *monitor = malloc(sizeof *monitor);
  *out = monitor;
  if (monitor == NULL) {
    return ENOMEM;
  }
  InitializeSRWLock(&monitor->lock);
  InitializeConditionVariable(&monitor->changed);
  return 0;
}

void ck_monitor_free(ck_monitor *monitor) {
  free(monitor);
}

void ck_monitor_enter(ck_monitor *monitor) {
  AcquireSRWLockExclusive(&monitor->lock);
}

void ck_monitor_leave(ck_monitor *monitor) {
  ReleaseSRWLockExclusive(&monitor->lock);
}

void ck_monitor_wait(ck_monitor *monitor) {
  (void)SleepConditionVariableSRW(&monitor->changed, &monitor->lock, INFINITE,
                                  0);
}

void ck_monitor_wake(ck_monitor *monitor) {
  WakeAllConditionVariable(&monitor->changed);
}

static unsigned __stdcall thread_main(void *argument) {
  ck_thread *thread = argument;
  thread->run(thread->context);
  return 0;
}

int ck_thread_start(ck_thread **out, void (*run)(void *), void *context) {
  ck_thread *thread = malloc(sizeof *thread);
  uintptr_t handle;
  *out = NULL;
  if (thread == NULL) {
    return ENOMEM;
  }
  thread->run = run;
  thread->context = context;
  handle = _beginthreadex(NULL, 0, thread_main, thread, 0, NULL);
  if (handle == 0) {
    int sys = errno;
    free(thread);
    return sys != 0 ? sys : EAGAIN;
  }
  thread->handle = (HANDLE)handle;
  *out = thread;
  return 0;
}

void ck_thread_join(ck_thread *thread) {
  if (thread == NULL) {
    return;
  }
  (void)WaitForSingleObject(thread->handle, INFINITE);
  (void)CloseHandle(thread->handle);
  free(thread);
}

#endif
