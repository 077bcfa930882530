/* os_signals_posix.c: os_signals.h on Linux, macOS and other Unixes. */
#ifndef _WIN32
#if defined(__linux__)
#define _GNU_SOURCE /* dladdr */
#elif defined(__APPLE__)
#define _DARWIN_C_SOURCE
#endif
#endif

#include "os_signals.h"

#ifndef _WIN32

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

typedef struct watched {
  const char *name;
  int number;
  unsigned users;
  bool calls_on; /* whether `before` is called where we act */
  struct sigaction before;
} watched;

/* All that end a process unless it does something about them, and that nothing
 * else in it depends on: SIGINT is R's and Python's own. */
static watched table[] = {
    {.name = "SIGTERM", .number = SIGTERM},
    {.name = "SIGUSR1", .number = SIGUSR1},
    {.name = "SIGUSR2", .number = SIGUSR2},
    {.name = "SIGHUP", .number = SIGHUP},
    {.name = "SIGXCPU", .number = SIGXCPU},
};

static const size_t table_size = sizeof table / sizeof *table;

/* What handlers read and write. */
static atomic_uint arrived;
static atomic_uint active;
static volatile pid_t owner;

static unsigned bit_of(size_t i) {
  return 1u << i;
}

/* ---- In the handler: only what is safe at any moment -------------------- */

static void call_before(const watched *one, siginfo_t *info, void *context) {
  if (one->before.sa_flags & SA_SIGINFO) {
    one->before.sa_sigaction(one->number, info, context);
  } else if (one->before.sa_handler != SIG_DFL &&
             one->before.sa_handler != SIG_IGN) {
    one->before.sa_handler(one->number);
  }
}

/* As if we were not there. */
static void leave_alone(const watched *one, siginfo_t *info, void *context) {
  if (!(one->before.sa_flags & SA_SIGINFO) &&
      one->before.sa_handler == SIG_DFL) {
    (void)signal(one->number, SIG_DFL);
    (void)raise(one->number); /* comes when the handler has returned */
  } else {
    call_before(one, info, context);
  }
}

static void on_signal(int number, siginfo_t *info, void *context) {
  int kept = errno;
  for (size_t i = 0; i < table_size; i++) {
    const watched *one = &table[i];
    if (one->number != number) {
      continue;
    }
    /* A forked process has our handlers, and nobody there who would look: who
     * wants to end it must be able to. */
    if (!(atomic_load(&active) & bit_of(i)) || owner != getpid()) {
      leave_alone(one, info, context);
      continue;
    }
    (void)atomic_fetch_or(&arrived, bit_of(i));
    if (one->calls_on) {
      call_before(one, info, context);
    }
  }
  errno = kept;
}

/* ---- Outside of it ------------------------------------------------------ */

static bool is_ours(const struct sigaction *action) {
  return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == on_signal;
}

/* A handler's address is data to dladdr(), which C has no conversion for. */
static const void *address_of(const struct sigaction *action) {
  const void *address = NULL;
  if (action->sa_flags & SA_SIGINFO) {
    memcpy(&address, &action->sa_sigaction, sizeof address);
  } else {
    memcpy(&address, &action->sa_handler, sizeof address);
  }
  return address;
}

static bool is_handler(const struct sigaction *action) {
  return (action->sa_flags & SA_SIGINFO) ||
         (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

static bool same_image(const void *one, const void *other) {
  Dl_info first;
  Dl_info second;
  return other != NULL && dladdr(one, &first) != 0 &&
         dladdr(other, &second) != 0 && first.dli_fbase == second.dli_fbase;
}

static int install(watched *one, unsigned bit, const void *host) {
  struct sigaction now;
  struct sigaction ours;
  if (sigaction(one->number, NULL, &now) != 0) {
    return errno;
  }
  /* It may be ours: that of the process we were forked from, or one that
   * somebody kept and put back. */
  if (!is_ours(&now)) {
    one->before = now;
    one->calls_on = is_handler(&now) && !same_image(address_of(&now), host);
  }
  memset(&ours, 0, sizeof ours);
  ours.sa_sigaction = on_signal;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
  (void)sigemptyset(&ours.sa_mask);
  if (one->calls_on) {
    ours.sa_mask = one->before.sa_mask;
    ours.sa_flags |= one->before.sa_flags & SA_RESTART;
  } else {
    ours.sa_flags |= SA_RESTART;
  }
  (void)atomic_fetch_and(&arrived, ~bit);
  (void)atomic_fetch_or(&active, bit);
  if (sigaction(one->number, &ours, NULL) != 0) {
    int failed = errno;
    (void)atomic_fetch_and(&active, ~bit);
    return failed;
  }
  return 0;
}

static void put_back(watched *one, unsigned bit) {
  struct sigaction now;
  if (sigaction(one->number, NULL, &now) == 0 && is_ours(&now)) {
    (void)sigaction(one->number, &one->before, NULL);
  }
  (void)atomic_fetch_and(&active, ~bit);
  one->users = 0;
}

unsigned ck_signals_bit(const char *name) {
  for (size_t i = 0; i < table_size; i++) {
    if (strcmp(table[i].name, name) == 0) {
      return bit_of(i);
    }
  }
  return 0;
}

int ck_signals_watch(unsigned bits, const void *host) {
  if (owner != getpid()) {
    /* What is counted is the users in the process we were forked from. */
    for (size_t i = 0; i < table_size; i++) {
      table[i].users = 0;
    }
    atomic_store(&active, 0);
    owner = getpid();
  }
  for (size_t i = 0; i < table_size; i++) {
    if (!(bits & bit_of(i))) {
      continue;
    }
    if (table[i].users == 0) {
      int failed = install(&table[i], bit_of(i), host);
      if (failed != 0) {
        ck_signals_release(bits & (bit_of(i) - 1));
        return failed;
      }
    }
    table[i].users++;
  }
  return 0;
}

void ck_signals_release(unsigned bits) {
  if (owner != getpid()) {
    return;
  }
  for (size_t i = 0; i < table_size; i++) {
    if ((bits & bit_of(i)) && table[i].users > 0 && --table[i].users == 0) {
      put_back(&table[i], bit_of(i));
    }
  }
}

void ck_signals_release_all(void) {
  if (owner != getpid()) {
    return;
  }
  for (size_t i = 0; i < table_size; i++) {
    if (table[i].users > 0) {
      put_back(&table[i], bit_of(i));
    }
  }
}

unsigned ck_signals_arrived(void) {
  return atomic_load(&arrived);
}

const void *ck_signals_address(void) {
  return &arrived;
}

#endif
