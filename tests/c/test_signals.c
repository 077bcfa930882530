/* Signals, sent for real: that one is noted, that what was there before is
 * called on or not, and that it is put back. */
#ifndef _WIN32
#define _GNU_SOURCE
#include "os_signals.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static volatile sig_atomic_t calls;
static volatile sig_atomic_t info_calls;

static void plain(int number) {
  (void)number;
  errno = EDOM;
  calls++;
}

static void with_info(int number, siginfo_t *info, void *context) {
  (void)context;
  info_calls += info->si_signo == number && info->si_pid == getpid();
}

static void set(int number, void (*handler)(int)) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  (void)sigaction(number, &action, NULL);
}

static bool is_set(int number, void (*handler)(int)) {
  struct sigaction action;
  return sigaction(number, NULL, &action) == 0 &&
         !(action.sa_flags & SA_SIGINFO) && action.sa_handler == handler;
}

static unsigned seen(void) {
  return *(const volatile unsigned *)ck_signals_address();
}

static void names(void) {
  ok(ck_signals_bit("SIGTERM") != 0 && ck_signals_bit("SIGUSR1") != 0 &&
         ck_signals_bit("SIGTERM") != ck_signals_bit("SIGUSR1"),
     "each signal has a bit");
  ok(ck_signals_bit("SIGKILL") == 0 && ck_signals_bit("SIGINT") == 0 &&
         ck_signals_bit("TERM") == 0 && ck_signals_bit("") == 0,
     "what cannot be watched has none");
}

static void noting(void) {
  unsigned term = ck_signals_bit("SIGTERM");
  unsigned usr1 = ck_signals_bit("SIGUSR1");
  ok(ck_signals_watch(term | usr1, NULL) == 0, "two are watched");
  ok(seen() == 0 && ck_signals_arrived() == 0, "none has come");
  errno = ENOENT;
  (void)raise(SIGTERM);
  ok(errno == ENOENT, "errno is as it was");
  ok(seen() == term && ck_signals_arrived() == term, "one came");
  (void)raise(SIGTERM);
  (void)raise(SIGUSR1);
  ok(seen() == (term | usr1), "it may come again, and the other too");
  ck_signals_release(usr1);
  ok(is_set(SIGUSR1, SIG_DFL) && !is_set(SIGTERM, SIG_DFL),
     "what is released is as before, the other is still watched");
  ok(seen() == (term | usr1), "that they came is still known");
  ck_signals_release(term);
  ok(is_set(SIGTERM, SIG_DFL), "and then the other is as before");
  ck_signals_release(term);
  ok(ck_signals_watch(usr1, NULL) == 0 && seen() == term,
     "who watches anew begins anew, with that one");
  ck_signals_release_all();
  ck_signals_release_all();
  ok(is_set(SIGUSR1, SIG_DFL), "all can be released at once");
}

static void users(void) {
  unsigned term = ck_signals_bit("SIGTERM");
  ok(ck_signals_watch(term, NULL) == 0, "one watches");
  (void)raise(SIGTERM);
  ok(ck_signals_watch(term, NULL) == 0 && seen() == term,
     "a second one, who sees it too");
  ck_signals_release(term);
  ok(!is_set(SIGTERM, SIG_DFL), "the first one goes on watching");
  ck_signals_release(term);
  ok(is_set(SIGTERM, SIG_DFL), "until the end");
}

static void before(void) {
  unsigned both = ck_signals_bit("SIGTERM") | ck_signals_bit("SIGUSR1");
  struct sigaction action;
  void (*own)(int) = plain;
  const void *here = NULL;
  memset(&action, 0, sizeof action);
  memcpy(&here, &own, sizeof here);

  set(SIGTERM, plain);
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = with_info;
  (void)sigaction(SIGUSR1, &action, NULL);
  ok(ck_signals_watch(both, NULL) == 0, "over handlers of others");
  errno = ENOENT;
  (void)raise(SIGTERM);
  (void)raise(SIGUSR1);
  ok(seen() == both && calls == 1 && info_calls == 1,
     "they are called, each in its way");
  ok(errno == ENOENT, "errno is as it was, whatever they do");
  ck_signals_release(both);
  ok(is_set(SIGTERM, plain), "a handler is put back");
  ok(sigaction(SIGUSR1, NULL, &action) == 0 && (action.sa_flags & SA_SIGINFO) &&
         action.sa_sigaction == with_info,
     "one with information too");
  set(SIGUSR1, SIG_DFL);

  ok(ck_signals_watch(both, here) == 0, "over a handler of the host's own");
  (void)raise(SIGTERM);
  ok(seen() == ck_signals_bit("SIGTERM") && calls == 1, "it is not called");
  ck_signals_release(both);
  ok(is_set(SIGTERM, plain), "and put back");

  set(SIGTERM, SIG_IGN);
  ok(ck_signals_watch(both, NULL) == 0, "over a signal that is ignored");
  (void)raise(SIGTERM);
  ok(seen() == ck_signals_bit("SIGTERM"), "it is noted");
  set(SIGTERM, plain);
  ck_signals_release(both);
  ok(is_set(SIGTERM, plain),
     "what somebody else has put there meanwhile stays");
  set(SIGTERM, SIG_DFL);
}

/* How a forked process ended that ran `act`. */
static int forked(void (*act)(void)) {
  int status = 0;
  pid_t child = fork();
  if (child == 0) {
    act();
    _exit(7);
  }
  (void)waitpid(child, &status, 0);
  return status;
}

static void terminate(void) {
  (void)raise(SIGTERM);
}

/* What a forked process says here, its parent can read. */
static int told[2];

static void watch_anew(void) {
  unsigned term = ck_signals_bit("SIGTERM");
  if (ck_signals_watch(term, NULL) != 0 || seen() != 0) {
    _exit(1);
  }
  (void)raise(SIGTERM);
  if (seen() != term) {
    _exit(2);
  }
  ck_signals_release(term);
  if (write(told[1], "x", 1) != 1) {
    _exit(3);
  }
  (void)raise(SIGTERM);
  _exit(4);
}

static void release_there(void) {
  ck_signals_release(ck_signals_bit("SIGTERM"));
  ck_signals_release_all();
}

static void forks(void) {
  unsigned term = ck_signals_bit("SIGTERM");
  int status;
  char said;
  if (pipe(told) != 0) {
    abort();
  }
  ok(ck_signals_watch(term, NULL) == 0, "a process watches");
  status = forked(terminate);
  ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM,
     "one that it forks ends as it would without");
  status = forked(watch_anew);
  (void)close(told[1]);
  ok(read(told[0], &said, 1) == 1 && WIFSIGNALED(status) &&
         WTERMSIG(status) == SIGTERM,
     "or watches on its own, and then ends as it would without");
  (void)close(told[0]);
  status = forked(release_there);
  ok(WIFEXITED(status) && WEXITSTATUS(status) == 7 && !is_set(SIGTERM, SIG_DFL),
     "it cannot release what is not its own");
  ok(seen() == 0, "none of it has come here");
  ck_signals_release(term);
  set(SIGTERM, plain);
  calls = 0;
  ok(ck_signals_watch(term, NULL) == 0, "over a handler");
  status = forked(terminate);
  ok(WIFEXITED(status) && WEXITSTATUS(status) == 7,
     "which a forked process runs as it would without");
  ck_signals_release(term);
  set(SIGTERM, SIG_DFL);
}

int main(void) {
  names();
  noting();
  users();
  before();
  forks();
  return done();
}

#else

#include <errno.h>
#include <stddef.h>

#include "os_signals.h"
#include "tap.h"

/* Windows has none of them, and says so. */
int main(void) {
  ok(ck_signals_bit("SIGTERM") == 0 && ck_signals_bit("SIGUSR1") == 0,
     "no signal has a bit");
  ok(ck_signals_watch(0, NULL) == 0 && ck_signals_watch(1, NULL) == EINVAL,
     "none can be watched");
  ck_signals_release(1);
  ck_signals_release_all();
  ok(ck_signals_arrived() == 0 &&
         *(const volatile unsigned *)ck_signals_address() == 0,
     "none has come");
  return done();
}

#endif
