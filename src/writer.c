/* writer.c: see writer.h. */
#include "writer.h"

#include <stdlib.h>

struct ck_writer {
  ck_store *store;
  ck_commit commit;
  ck_error sticky; /* status CK_OK: none */
};

ck_status ck_writer_open(ck_writer **out, ck_store *store, ck_error *err) {
  *out = calloc(1, sizeof **out);
  if (*out == NULL) {
    return ck_error_memory(err, sizeof **out);
  }
  (*out)->store = store;
  return CK_OK;
}

void ck_writer_close(ck_writer *writer) {
  if (writer == NULL) {
    return;
  }
  ck_commit_clear(&writer->commit);
  free(writer);
}

ck_status ck_writer_submit(ck_writer *writer, const uint64_t *addresses,
                           size_t n, const char *metadata, size_t n_metadata,
                           ck_error *err) {
  ck_error failure;
  ck_status status = ck_store_check(writer->store, addresses, n, metadata,
                                    n_metadata, err);
  if (status != CK_OK) {
    return status;
  }
  status = ck_store_commit(writer->store, addresses, n, metadata, n_metadata,
                           &writer->commit, &failure);
  if (status != CK_OK && writer->sticky.status == CK_OK) {
    writer->sticky = failure;
  }
  return CK_OK;
}

ck_status ck_writer_wait(ck_writer *writer, const ck_commit **last,
                         ck_error *err) {
  *last = writer->commit.generation == 0 ? NULL : &writer->commit;
  if (writer->sticky.status == CK_OK) {
    return CK_OK;
  }
  *err = writer->sticky;
  writer->sticky.status = CK_OK;
  return err->status;
}
