/* store.h: a directory of checkpoints.
 *
 * Decides the order of a commit, which generations are kept, and which one is
 * restored. A store belongs to one thread at a time. The caller holds the
 * directory's lock (I8) as long as the store is open.
 */
#ifndef CK_STORE_H
#define CK_STORE_H

#include "directory.h"
#include "keep.h"
#include "stream.h"

typedef struct ck_store ck_store;

/* What was committed. Zeroed is empty: nothing was. */
typedef struct ck_commit {
  uint64_t generation;
  uint64_t bytes;       /* of the file */
  uint64_t nanoseconds; /* until it was committed; older ones go afterwards */
  char path[CK_PATH_CAP];
  /* What failed without failing the save: files that could not be removed, by
   * this save or since the last commit, and, with CK_ERR_DURABILITY, a directory
   * that its file system cannot sync at all. */
  ck_error_list notes;
} ck_commit;

void ck_commit_clear(ck_commit *commit);

/* Open the store in `dir`, which exists, and sweep temporary files of dead
 * processes there. `keep` is how many of the newest generations stay, at least
 * one. `vfs` must outlive the store. On failure `*out` is NULL. */
ck_status ck_store_open(ck_store **out, ck_vfs *vfs, const char *dir,
                        unsigned keep, ck_error *err);

/* Open the store in `dir` to find and read checkpoints. It changes nothing there,
 * so the caller needs no lock, but whoever has it may remove a checkpoint
 * meanwhile. It takes no plan, so nothing can be saved. */
ck_status ck_store_open_to_read(ck_store **out, ck_vfs *vfs, const char *dir,
                                ck_error *err);

/* NULL is allowed. */
void ck_store_close(ck_store *store);

/* From the next commit on, keep older generations too, as the policy says.
 * `marks` are those of the generations there are, in any order; they are copied.
 * One without a mark stays, because nobody knows what it counts as. One that did
 * not verify never counts. On failure the policy there was still stands. */
ck_status ck_store_keep(ck_store *store, const ck_policy *policy,
                        const ck_mark *marks, size_t n, ck_error *err);

/* What the generation of the next commit counts as. Until this is said again,
 * one has neither time nor value. */
void ck_store_mark(ck_store *store, double time, double value);

/* Say what the next saves consist of: the header's members for the tensors,
 * and the tensors' sizes in the order of the file. Both are copied. On failure
 * the plan there was still stands. */
ck_status ck_store_plan(ck_store *store, const char *tensors, size_t n_tensors,
                        const uint64_t *sizes, size_t n_sizes, ck_error *err);

/* Whether ck_store_commit() would accept these arguments, without doing
 * anything: CK_OK, CK_ERR_MISUSE, CK_ERR_TOO_LARGE or CK_ERR_NOMEM. */
ck_status ck_store_check(ck_store *store, const uint64_t *addresses, size_t n,
                         const char *metadata, size_t n_metadata,
                         ck_error *err);

/* Commit the next generation from the tensors at `addresses`, which are only
 * read, and only during the call. `out` must be zeroed or hold an earlier
 * commit, which is replaced.
 * On CK_OK the checkpoint survives a power cut (I2).
 * On CK_ERR_DURABILITY a complete file is in place under its name (`err` says
 * which) and older ones are too, but a power cut may take it back: it is not
 * committed, and `out` is empty. A later commit does not count it as kept.
 * On anything else the directory is as it was (I4), unless removing the
 * temporary file failed too; then the next ck_store_open() sweeps it. */
ck_status ck_store_commit(ck_store *store, const uint64_t *addresses, size_t n,
                          const char *metadata, size_t n_metadata,
                          ck_commit *out, ck_error *err);

/* The same from a copy, made by ck_store_copy() and unchanged since. */
ck_status ck_store_commit_copy(ck_store *store, const uint8_t *copy,
                               const char *metadata, size_t n_metadata,
                               ck_commit *out, ck_error *err);

/* Copy the tensors at `addresses`, which ck_store_check() has accepted, to
 * `out`, which has ck_store_bytes(). */
void ck_store_copy(const ck_store *store, const uint64_t *addresses,
                   uint8_t *out);

/* Bytes of all tensors of the plan; 0 without one. */
uint64_t ck_store_bytes(const ck_store *store);

/* A checkpoint that was found, and what was read of it. Zeroed is empty. */
typedef struct ck_checkpoint {
  bool found;
  ck_image image;
  char path[CK_PATH_CAP];
  ck_error_list skipped; /* newer ones that did not verify, and why */
} ck_checkpoint;

/* Find the newest generation that verifies so far as `depth` says; in full (I5) but
 * for CK_READ_HEADER. Nothing to restore is CK_OK with `found` false. If there
 * are files and none verifies: the first one's error, CK_ERR_CORRUPT before
 * CK_ERR_IO. Changes no file; generations that were skipped no longer count as
 * kept. `out` must be zeroed; to be cleared also after a failure, where
 * `skipped` is still of use. */
ck_status ck_store_find(ck_store *store, ck_stream_depth depth,
                        ck_checkpoint *out, ck_error *err);
void ck_checkpoint_clear(ck_checkpoint *checkpoint);

/* Read the data of that generation to these places, and verify all of it. After
 * a failure what is there is of no use; nothing else has changed. */
ck_status ck_store_read_into(ck_store *store, uint64_t generation,
                             const ck_places *places, ck_error *err);

/* Read one file, wherever it is: of its data the blocks that have the bytes from
 * `begin` to before `end`. */
ck_status ck_checkpoint_read_part(ck_vfs *vfs, const char *path, uint64_t begin,
                                  uint64_t end, ck_image *image, ck_error *err);

/* Read one file, wherever it is, so far as `depth` says, without a store. A
 * name with a generation in it must be the right one. */
ck_status ck_checkpoint_read(ck_vfs *vfs, const char *path,
                             ck_stream_depth depth, ck_image *image,
                             ck_error *err);

/* Delete our committed files, oldest first, and stale temporary files; nothing
 * else. Calls `visit` with the path of each that is gone. Returns the first
 * failure; a committed file that cannot be removed keeps the newer ones. */
ck_status ck_directory_delete(ck_vfs *vfs, const char *dir,
                              ck_name_visitor *visit, void *context,
                              ck_error *err);

#endif
