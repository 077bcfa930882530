/* gate.h: a vfs that holds the thread that comes to create a file, until it is
 * let through: so a test decides how far a save in the background has come, and
 * needs no clock. The test's own thread is never held. */
#ifndef KB_GATE_H
#define KB_GATE_H

#include <pthread.h>
#include <stdbool.h>

#include "os_vfs.h"

#define GATE_BLOCKS 16

typedef struct gate {
  ck_vfs vfs; /* first: a pointer to it is a pointer to this struct */
  ck_vfs *inner;
  pthread_t test;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  pthread_t opener;
  bool has_opener;
  bool closed;
  bool held;     /* a thread stands in front of it */
  bool expected; /* see gate_open_soon() */
  int n_own;     /* files that the test's own thread created */

  /* Where the whole blocks of the last file were written from. */
  const void *blocks[GATE_BLOCKS];
  int n_blocks;
} gate;

/* In place: a gate cannot be copied. Closed. */
void gate_init(gate *g, ck_vfs *inner);
void gate_free(gate *g);

void gate_open(gate *g);
void gate_close(gate *g);

/* Let a second thread open it as soon as a save stands in front of it and the
 * test has called gate_expect(), which it does right before it waits. */
void gate_open_soon(gate *g);
void gate_expect(gate *g);

#endif
