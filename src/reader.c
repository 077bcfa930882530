/* reader.c: see reader.h.
 *
 * Each of two threads takes the next piece of the file. So the disk sees one
 * sequential reader, and neither thread waits for the other. They share only
 * `next`.
 */
#include "reader.h"

#include <inttypes.h>
#include <stdatomic.h>

#include "copy.h"
#include "crc32c.h"
#include "os_thread.h"

#define PIECE 4 /* blocks that one thread takes at a time */

typedef struct reading {
  ck_file *file;
  const ck_layout *layout;
  const uint8_t *table;
  const ck_places *places;
  uint64_t end;          /* the block behind the last one */
  _Atomic uint64_t next; /* the first block that no thread has taken */
} reading;

typedef struct worker {
  reading *reading;
  ck_buffer block; /* for one that has no place of its own */
  ck_status status;
  ck_error err;
  uint64_t at; /* the block that was being read when it failed */
} worker;

/* The part that has the byte at this offset. There is one. */
static size_t part_at(const ck_places *places, uint64_t offset) {
  size_t low = 0;
  size_t high = places->n - 1;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (places->ends[middle] > offset) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

/* Where the byte at this offset goes, which is in this part. */
static uint8_t *place_of(const ck_places *places, size_t part,
                         uint64_t offset) {
  uint64_t begin = part == 0 ? 0 : places->ends[part - 1];
  return (uint8_t *)(uintptr_t)places->addresses[part] + (offset - begin);
}

/* The bytes of a block, the first of which is in this part, to the parts that
 * they belong to. */
static void block_hand_out(const ck_places *places, size_t part,
                           uint64_t offset, const uint8_t *from, size_t n) {
  for (; n > 0; part++) {
    uint64_t left = places->ends[part] - offset;
    size_t take = left < n ? (size_t)left : n;
    if (take > 0) {
      ck_copy_past_cache(place_of(places, part, offset), from, take);
    }
    offset += take;
    from += take;
    n -= take;
  }
}

static ck_status block_read(worker *self, uint64_t i) {
  reading *all = self->reading;
  uint64_t offset = i * CK_BLOCK_SIZE;
  size_t n = (size_t)ck_layout_block_size(all->layout, i);
  bool kept = all->places->n != 0;
  size_t part = kept ? part_at(all->places, offset) : 0;
  bool whole = kept && all->places->ends[part] - offset >= n;
  uint8_t *into =
      whole ? place_of(all->places, part, offset) : self->block.data;
  ck_status status;
  CK_TRY(ck_file_read(all->file, all->layout->data_at + offset, into, n,
                      &self->err));
  if (ck_crc32c_update(0, into, n) != ck_le32_get(all->table + 4 * i)) {
    status = ck_error_set(
        &self->err, CK_ERR_CORRUPT, "verify", all->file->path, 0,
        "the checksum of data block %" PRIu64 " of %" PRIu64 " does not match",
        i + 1, all->layout->n_blocks);
    self->err.offset = offset;
    self->err.length = n;
  } else if (kept && !whole) {
    block_hand_out(all->places, part, offset, into, n);
  }
cleanup:
  return status;
}

static void work(void *context) {
  worker *self = context;
  reading *all = self->reading;
  uint64_t n_blocks = all->end;
  uint64_t end;
  while ((self->at = atomic_fetch_add(&all->next, PIECE)) < n_blocks) {
    end = n_blocks - self->at < PIECE ? n_blocks : self->at + PIECE;
    for (; self->at < end; self->at++) {
      self->status = block_read(self, self->at);
      if (self->status != CK_OK) {
        /* Nobody takes another piece; all before this one are taken, and will
         * be read to their ends: the first damage is found. */
        atomic_store(&all->next, n_blocks);
        return;
      }
    }
  }
}

ck_status ck_reader_data(ck_file *file, const ck_layout *layout,
                         const uint8_t *table, const ck_places *places,
                         uint64_t first, uint64_t end, ck_error *err) {
  reading all = {file, layout, table, places, end, first};
  worker workers[2] = {{.reading = &all}, {.reading = &all}};
  const worker *failed = NULL;
  ck_thread *thread = NULL;
  bool two = file->vfs->shared_reads &&
             (end - first) * CK_BLOCK_SIZE >= CK_READER_LARGE;
  ck_status status = CK_OK;

  CK_TRY(ck_buffer_reserve(&workers[0].block, CK_BLOCK_SIZE, err));
  if (two) {
    CK_TRY(ck_buffer_reserve(&workers[1].block, CK_BLOCK_SIZE, err));
    /* Without a thread the other one does all of it. */
    (void)ck_thread_start(&thread, work, &workers[1]);
  }
  work(&workers[0]);
  ck_thread_join(thread);

  for (int i = 0; i < 2; i++) {
    if (workers[i].status != CK_OK &&
        (failed == NULL || workers[i].at < failed->at)) {
      failed = &workers[i];
    }
  }
  if (failed != NULL) {
    *err = failed->err;
    status = failed->status;
  }
cleanup:
  ck_buffer_release(&workers[0].block);
  ck_buffer_release(&workers[1].block);
  return status;
}
