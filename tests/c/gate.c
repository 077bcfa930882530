/* gate.c: see gate.h. */
#include "gate.h"

#include <stdio.h>
#include <stdlib.h>

#include "format.h"

static gate *gate_of(ck_vfs *vfs) {
  return (gate *)(void *)vfs;
}

static int gate_create(ck_vfs *vfs, const char *path, ck_handle *out) {
  gate *g = gate_of(vfs);
  pthread_mutex_lock(&g->lock);
  if (pthread_equal(pthread_self(), g->test)) {
    g->n_own++;
  } else {
    g->held = true;
    pthread_cond_broadcast(&g->changed);
    while (g->closed) {
      pthread_cond_wait(&g->changed, &g->lock);
    }
    g->held = false;
  }
  g->n_blocks = 0;
  pthread_mutex_unlock(&g->lock);
  return g->inner->create(g->inner, path, out);
}

static int gate_write(ck_vfs *vfs, ck_handle handle, const void *data, size_t n,
                      size_t *done) {
  gate *g = gate_of(vfs);
  pthread_mutex_lock(&g->lock);
  if (n == CK_BLOCK_SIZE && g->n_blocks < GATE_BLOCKS) {
    g->blocks[g->n_blocks++] = data;
  }
  pthread_mutex_unlock(&g->lock);
  return g->inner->write(g->inner, handle, data, n, done);
}

/* All others go through: the inner one is not asked which vfs it was. */
void gate_init(gate *g, ck_vfs *inner) {
  g->vfs = *inner;
  g->vfs.create = gate_create;
  g->vfs.write = gate_write;
  g->inner = inner;
  g->test = pthread_self();
  g->has_opener = false;
  g->held = false;
  g->expected = false;
  g->closed = true;
  g->n_own = 0;
  g->n_blocks = 0;
  if (pthread_mutex_init(&g->lock, NULL) != 0 ||
      pthread_cond_init(&g->changed, NULL) != 0) {
    perror("gate");
    exit(2);
  }
}

void gate_free(gate *g) {
  if (g->has_opener) {
    pthread_join(g->opener, NULL);
  }
  pthread_cond_destroy(&g->changed);
  pthread_mutex_destroy(&g->lock);
}

static void gate_set(gate *g, bool *what, bool value) {
  pthread_mutex_lock(&g->lock);
  *what = value;
  pthread_cond_broadcast(&g->changed);
  pthread_mutex_unlock(&g->lock);
}

void gate_open(gate *g) {
  gate_set(g, &g->closed, false);
}

void gate_close(gate *g) {
  gate_set(g, &g->closed, true);
}

void gate_expect(gate *g) {
  gate_set(g, &g->expected, true);
}

static void *opener_main(void *context) {
  gate *g = context;
  pthread_mutex_lock(&g->lock);
  while (!g->held || !g->expected) {
    pthread_cond_wait(&g->changed, &g->lock);
  }
  g->closed = false;
  pthread_cond_broadcast(&g->changed);
  pthread_mutex_unlock(&g->lock);
  return NULL;
}

void gate_open_soon(gate *g) {
  if (pthread_create(&g->opener, NULL, opener_main, g) != 0) {
    perror("gate");
    exit(2);
  }
  g->has_opener = true;
}
