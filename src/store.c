/* store.c: the life of checkpoints in a directory.
 *
 * This is the order of a commit, the rotation of old generations, and the choice
 * of what to restore. It reaches the system only through file.h and directory.h.
 *
 * Keeps these invariants (dev/invariants.md has all ten):
 * I1  After the first commit there is always a complete checkpoint: an older
 *     one is removed only when a newer one is synced under its name.
 * I2  A save reported as done survives a power cut: CK_OK is returned, and the
 *     commit filled in, only after the file and then the directory have been
 *     synced.
 * I3  Nothing live is overwritten: a new name each time, never reused.
 * I4  A failed save leaves the last commit alone and no temporary file. After a
 *     failed sync the file is thrown away.
 * I5  The newest generation that verifies in full is restored, or nothing.
 * I7  Only files of ours are removed (directory.c decides).
 */
#include "store.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct ck_store {
  ck_vfs *vfs;
  char dir[CK_PATH_CAP];

  /* What is kept: so many of the newest, and what the policy adds. Where it is
   * set, there are marks, the oldest first, and room for one more. */
  unsigned keep;
  ck_policy policy;
  ck_mark *marks;
  size_t n_marks;
  ck_mark next;
  bool reads_only;

  /* The plan. */
  bool planned;
  char *tensors;
  size_t n_tensors;
  uint64_t *sizes;
  size_t n_sizes;
  uint64_t data_len;

  uint64_t last; /* highest generation ever used here by this store */
  /* Generations that did not verify, or may not survive a power cut: they do
   * not count as kept. */
  uint64_t *doubtful;
  size_t n_doubtful;
  ck_error_list notes; /* for the next commit */
  ck_scratch scratch;
};

void ck_commit_clear(ck_commit *commit) {
  ck_error_list_clear(&commit->notes);
  memset(commit, 0, sizeof *commit);
}

void ck_checkpoint_clear(ck_checkpoint *checkpoint) {
  ck_image_release(&checkpoint->image);
  ck_error_list_clear(&checkpoint->skipped);
  memset(checkpoint, 0, sizeof *checkpoint);
}

/* ---- Opening and planning ---------------------------------------------- */

static ck_status stale_remove(ck_store *store, ck_error *err) {
  ck_listing listing = {0};
  ck_error failure;
  bool removed;
  ck_status status;
  CK_TRY(ck_directory_list(store->vfs, store->dir, &listing, err));
  for (size_t i = 0; i < listing.n; i++) {
    if (ck_name_is_stale(&listing.items[i])) {
      /* One that cannot be removed takes space and does no other harm. */
      if (ck_directory_remove(store->vfs, store->dir, &listing.items[i],
                              &removed, &failure) != CK_OK) {
        ck_error_list_add(&store->notes, &failure);
      }
    }
  }
cleanup:
  ck_listing_clear(&listing);
  return status;
}

/* NULL, with `err` set, if there is no memory or no such path. */
static ck_store *store_new(ck_vfs *vfs, const char *dir, ck_error *err) {
  ck_store *store;
  if (dir[0] == '\0' || strlen(dir) + CK_NAME_CAP >= CK_PATH_CAP) {
    (void)ck_error_set(err, CK_ERR_IO, "open", dir,
                       dir[0] == '\0' ? ENOENT : ENAMETOOLONG,
                       "the directory's path is empty or too long");
    return NULL;
  }
  store = calloc(1, sizeof *store);
  if (store == NULL) {
    (void)ck_error_memory(err, sizeof *store);
    return NULL;
  }
  store->vfs = vfs;
  memcpy(store->dir, dir, strlen(dir) + 1);
  return store;
}

ck_status ck_store_open(ck_store **out, ck_vfs *vfs, const char *dir,
                        unsigned keep, ck_error *err) {
  ck_store *store = NULL;
  ck_error ignored;
  char parent[CK_PATH_CAP];
  ck_status status;
  *out = NULL;
  if (keep < 1) {
    return ck_error_set(err, CK_ERR_MISUSE, "open", dir, 0,
                        "at least one generation must be kept");
  }
  store = store_new(vfs, dir, err);
  if (store == NULL) {
    return err->status;
  }
  store->keep = keep;
  ck_store_mark(store, NAN, NAN);
  CK_TRY(stale_remove(store, err));
  /* The directory may be new: its own name must survive as well (I2). Its
   * parent may not be ours to read, so that this is as good as it gets. */
  CK_TRY(ck_path_join(parent, dir, "..", err));
  (void)ck_path_sync_dir(vfs, parent, &ignored);
  *out = store;
  store = NULL;
cleanup:
  ck_store_close(store);
  return status;
}

ck_status ck_store_open_to_read(ck_store **out, ck_vfs *vfs, const char *dir,
                                ck_error *err) {
  ck_store *store = store_new(vfs, dir, err);
  *out = store;
  if (store == NULL) {
    return err->status;
  }
  store->reads_only = true;
  return CK_OK;
}

void ck_store_close(ck_store *store) {
  if (store == NULL) {
    return;
  }
  ck_scratch_release(&store->scratch);
  free(store->tensors);
  free(store->sizes);
  free(store->doubtful);
  free(store->marks);
  ck_error_list_clear(&store->notes);
  free(store);
}

static int mark_order(const void *a, const void *b) {
  uint64_t x = ((const ck_mark *)a)->generation;
  uint64_t y = ((const ck_mark *)b)->generation;
  return x < y ? -1 : x > y ? 1 : 0;
}

ck_status ck_store_keep(ck_store *store, const ck_policy *policy,
                        const ck_mark *marks, size_t n, ck_error *err) {
  ck_mark *copy =
      n < SIZE_MAX / sizeof *copy ? malloc((n + 1) * sizeof *copy) : NULL;
  if (copy == NULL) {
    return ck_error_memory(err, n * sizeof *copy);
  }
  if (n > 0) {
    memcpy(copy, marks, n * sizeof *copy);
    qsort(copy, n, sizeof *copy, mark_order);
  }
  free(store->marks);
  store->policy = *policy;
  store->marks = copy;
  store->n_marks = n;
  return CK_OK;
}

void ck_store_mark(ck_store *store, double time, double value) {
  store->next.time = time;
  store->next.value = value;
}

ck_status ck_store_plan(ck_store *store, const char *tensors, size_t n_tensors,
                        const uint64_t *sizes, size_t n_sizes, ck_error *err) {
  uint64_t total = 0;
  char *text = NULL;
  uint64_t *copy = NULL;
  if (store->reads_only) {
    return ck_error_set(err, CK_ERR_MISUSE, "plan", store->dir, 0,
                        "the store was opened to read");
  }
  if (n_sizes > SIZE_MAX / sizeof *copy - 1 || n_tensors > CK_HEADER_MAX) {
    return ck_error_set(err, CK_ERR_TOO_LARGE, "plan", NULL, 0,
                        "there are too many tensors, or their names are too "
                        "long");
  }
  if ((n_sizes == 0) != (n_tensors == 0)) {
    return ck_error_set(err, CK_ERR_MISUSE, "plan", NULL, 0,
                        "the tensors' names and sizes do not fit together");
  }
  for (size_t i = 0; i < n_sizes; i++) {
    if (sizes[i] > UINT64_MAX - total || sizes[i] > SIZE_MAX) {
      return ck_error_set(err, CK_ERR_TOO_LARGE, "plan", NULL, 0,
                          "the tensors are too large");
    }
    total += sizes[i];
  }
  text = malloc(n_tensors + 1);
  copy = malloc((n_sizes + 1) * sizeof *copy);
  if (text == NULL || copy == NULL) {
    free(text);
    free(copy);
    return ck_error_memory(err, n_tensors + n_sizes * sizeof *copy);
  }
  if (n_sizes != 0) {
    memcpy(text, tensors, n_tensors);
    memcpy(copy, sizes, n_sizes * sizeof *copy);
  }
  free(store->tensors);
  free(store->sizes);
  store->tensors = text;
  store->n_tensors = n_tensors;
  store->sizes = copy;
  store->n_sizes = n_sizes;
  store->data_len = total;
  store->planned = true;
  return CK_OK;
}

/* ---- Committing --------------------------------------------------------- */

static ck_status header_build(ck_store *store, const char *metadata,
                              size_t n_metadata, ck_error *err) {
  return ck_header_build(&store->scratch.header, metadata, n_metadata,
                         store->tensors, store->n_tensors, store->data_len,
                         err);
}

ck_status ck_store_check(ck_store *store, const uint64_t *addresses, size_t n,
                         const char *metadata, size_t n_metadata,
                         ck_error *err) {
  if (!store->planned || n != store->n_sizes) {
    return ck_error_set(err, CK_ERR_MISUSE, "save", NULL, 0,
                        "%" PRIu64 " addresses for %" PRIu64 " planned tensors",
                        (uint64_t)n, (uint64_t)store->n_sizes);
  }
  for (size_t i = 0; i < n; i++) {
    if (store->sizes[i] != 0 &&
        (addresses[i] == 0 || addresses[i] > UINTPTR_MAX)) {
      return ck_error_set(err, CK_ERR_MISUSE, "save", NULL, 0,
                          "tensor %" PRIu64 " has no address", (uint64_t)i + 1);
    }
  }
  return header_build(store, metadata, n_metadata, err);
}

uint64_t ck_store_bytes(const ck_store *store) {
  return store->data_len;
}

void ck_store_copy(const ck_store *store, const uint64_t *addresses,
                   uint8_t *out) {
  ck_source source = {addresses, store->sizes, store->n_sizes, NULL};
  ck_source_copy(&source, out);
}

static bool is_doubtful(const ck_store *store, uint64_t generation) {
  for (size_t i = 0; i < store->n_doubtful; i++) {
    if (store->doubtful[i] == generation) {
      return true;
    }
  }
  return false;
}

static ck_status doubtful_add(ck_store *store, uint64_t generation,
                              ck_error *err) {
  uint64_t *grown;
  if (is_doubtful(store, generation)) {
    return CK_OK;
  }
  grown = realloc(store->doubtful, (store->n_doubtful + 1) * sizeof *grown);
  if (grown == NULL) {
    return ck_error_memory(err, sizeof *grown);
  }
  grown[store->n_doubtful] = generation;
  store->doubtful = grown;
  store->n_doubtful++;
  return CK_OK;
}

/* An error that says nothing about the file: falling back to an older
 * generation because of it would lose work for no reason. */
static bool is_about_us(const ck_error *err) {
  return err->status == CK_ERR_NOMEM || err->status == CK_ERR_MISUSE ||
         (err->status == CK_ERR_IO &&
          (err->sys == EMFILE || err->sys == ENFILE || err->sys == ENOMEM));
}

/* No training comes to so many saves. Below, every name counts: what has it and
 * is not ours may be a checkpoint that was lost, as an empty file after a power
 * cut is, and the next one must be above it. A higher one counts where its
 * content is ours, so that no other file can use up the numbers. */
#define GENERATION_PLAUSIBLE (CK_GENERATION_MAX / 2)

/* The highest number that counts, or was used since we opened the directory. */
static ck_status generation_highest(const ck_store *store,
                                    const ck_listing *listing, uint64_t *out,
                                    ck_error *err) {
  ck_error failure;
  *out = store->last;
  for (size_t i = 0; i < listing->n; i++) {
    const ck_name *name = &listing->items[i];
    bool counts = name->generation <= GENERATION_PLAUSIBLE;
    if (name->generation <= store->last) {
      break;
    }
    if (!counts && name->kind == CK_NAME_COMMITTED &&
        ck_directory_owns(store->vfs, store->dir, name, &counts, &failure) !=
            CK_OK) {
      if (is_about_us(&failure)) {
        *err = failure;
        return err->status;
      }
      /* One that cannot be read may be ours. */
      counts = true;
    }
    if (counts) {
      *out = name->generation;
      break;
    }
  }
  return CK_OK;
}

/* One more than that, or the next one whose name is free: it may be taken by
 * what is not ours. */
static ck_status generation_next(const ck_store *store,
                                 const ck_listing *listing, uint64_t *out,
                                 ck_error *err) {
  uint64_t highest;
  ck_status status;
  CK_TRY(generation_highest(store, listing, &highest, err));
  *out = highest + 1;
  for (size_t i = listing->n; i-- > 0;) {
    const ck_name *name = &listing->items[i];
    *out += name->kind == CK_NAME_COMMITTED && name->generation == *out;
  }
  if (*out > CK_GENERATION_MAX) {
    status = ck_error_set(err, CK_ERR_EXHAUSTED, "save", store->dir, 0,
                          "%" PRIu64 " is the highest number that the name of "
                          "a checkpoint can have",
                          CK_GENERATION_MAX);
  }
cleanup:
  return status;
}

static bool has_committed(const ck_listing *listing, uint64_t generation) {
  for (size_t i = 0; i < listing->n; i++) {
    if (listing->items[i].kind == CK_NAME_COMMITTED &&
        listing->items[i].generation == generation) {
      return true;
    }
  }
  return false;
}

/* Room for the mark of the next generation, before anything is written. */
static ck_status mark_reserve(ck_store *store, ck_error *err) {
  size_t n = store->n_marks + 1;
  ck_mark *grown;
  if (!ck_policy_is_set(&store->policy)) {
    return CK_OK;
  }
  grown = realloc(store->marks, n * sizeof *grown);
  if (grown == NULL) {
    return ck_error_memory(err, n * sizeof *grown);
  }
  store->marks = grown;
  return CK_OK;
}

/* Say of each mark whether the policy keeps it. `listing` is from before the
 * newest generation. What has gone since, or does not count, is forgotten. */
static void policy_apply(ck_store *store, const ck_listing *listing,
                         uint64_t newest) {
  size_t n = 0;
  for (size_t i = 0; i < store->n_marks; i++) {
    uint64_t generation = store->marks[i].generation;
    if (has_committed(listing, generation) && !is_doubtful(store, generation)) {
      store->marks[n++] = store->marks[i];
    }
  }
  store->next.generation = newest;
  store->marks[n++] = store->next;
  store->n_marks = n;
  ck_policy_apply(&store->policy, store->marks, n);
}

/* Whether the policy keeps a generation that is none of the newest. */
static bool policy_keeps(const ck_store *store, uint64_t generation) {
  const ck_mark *mark;
  ck_mark wanted = {.generation = generation};
  if (!ck_policy_is_set(&store->policy)) {
    return false;
  }
  mark =
      bsearch(&wanted, store->marks, store->n_marks, sizeof wanted, mark_order);
  return mark == NULL || mark->kept;
}

/* Remove what is no longer kept. `listing` is from before the new generation,
 * which therefore counts as the first one kept. */
static void rotate(ck_store *store, const ck_listing *listing, uint64_t newest,
                   ck_error_list *notes) {
  unsigned kept = 1;
  if (ck_policy_is_set(&store->policy)) {
    policy_apply(store, listing, newest);
  }
  for (size_t i = 0; i < listing->n; i++) {
    const ck_name *name = &listing->items[i];
    ck_error err;
    ck_status status = CK_OK;
    bool counts = !is_doubtful(store, name->generation);
    bool ours = false;
    bool removed;
    if (name->kind != CK_NAME_COMMITTED) {
      continue;
    }
    if (counts && kept < store->keep) {
      status = ck_directory_owns(store->vfs, store->dir, name, &ours, &err);
      kept += ours;
    } else if (!counts || !policy_keeps(store, name->generation)) {
      status =
          ck_directory_remove(store->vfs, store->dir, name, &removed, &err);
    }
    if (status != CK_OK) {
      ck_error_list_add(notes, &err);
    }
  }
}

/* Hand over what could not be removed since the last commit. */
static void notes_pass_on(ck_store *store, ck_error_list *notes) {
  for (size_t i = 0; i < store->notes.n; i++) {
    ck_error_list_add(notes, &store->notes.items[i]);
  }
  ck_error_list_clear(&store->notes);
}

/* The names in the directory on stable storage. Where its file system cannot
 * do that at all this is as good as it gets: CK_OK, and a note. */
static ck_status names_sync(ck_store *store, const char *path, ck_commit *out,
                            ck_error *err) {
  ck_error failure;
  if (ck_path_sync_dir(store->vfs, store->dir, &failure) == CK_OK) {
    return CK_OK;
  }
  failure.status = CK_ERR_DURABILITY;
  if (ck_means_unsupported(failure.sys)) {
    ck_error_list_add(&out->notes, &failure);
    return CK_OK;
  }
  *err = failure;
  memcpy(err->path, path, strlen(path) + 1);
  return CK_ERR_DURABILITY;
}

/* The header has been built. */
static ck_status commit(ck_store *store, const ck_source *source,
                        ck_commit *out, ck_error *err) {
  ck_listing before = {0};
  ck_layout layout;
  ck_name final = {CK_NAME_COMMITTED, 0, 0, 0};
  ck_name temp = {CK_NAME_TEMP, 0, ck_process_self(), ck_process_nonce()};
  char final_path[CK_PATH_CAP];
  char temp_path[CK_PATH_CAP];
  ck_file file = {0};
  bool temp_exists = false;
  uint64_t started = ck_clock();
  ck_error ignored;
  ck_status status;

  /* The sizes and the names. */
  layout.file_len = CK_UNKNOWN;
  CK_TRY(ck_layout_init(&layout, store->scratch.header.size - CK_LENGTH_SIZE,
                        store->data_len, err));
  CK_TRY(ck_directory_list(store->vfs, store->dir, &before, err));
  CK_TRY(generation_next(store, &before, &final.generation, err));
  CK_TRY(mark_reserve(store, err));
  temp.generation = final.generation;
  CK_TRY(ck_directory_path(final_path, store->dir, &final, err));
  CK_TRY(ck_directory_path(temp_path, store->dir, &temp, err));

  /* A unique temporary file in the same directory. */
  CK_TRY(ck_file_create(&file, store->vfs, temp_path, err));
  temp_exists = true;

  /* Space for all of it, so that a full disk is known before any write. */
  CK_TRY(ck_file_reserve(&file, store->dir, layout.file_len, err));

  /* Header, data and trailer in one pass, checksummed as written. */
  CK_TRY(ck_stream_write(&file, &layout, source, final.generation,
                         &store->scratch, err));

  /* On stable storage, while no one can see it. */
  CK_TRY(ck_file_sync(&file, err));
  CK_TRY(ck_file_close(&file, err));

  /* Under its name, which no file has had before. */
  CK_TRY(ck_path_rename(store->vfs, temp_path, final_path, err));
  temp_exists = false;
  store->last = final.generation;

  /* The name on stable storage too: now it is committed. */
  status = names_sync(store, final_path, out, err);
  if (status != CK_OK) {
    /* Without memory for that it counts as kept: one more to go back to. */
    (void)doubtful_add(store, final.generation, &ignored);
    goto cleanup;
  }
  out->generation = final.generation;
  out->bytes = layout.file_len;
  memcpy(out->path, final_path, sizeof out->path);
  out->nanoseconds = ck_clock() - started;

  /* Only now may older generations go. */
  rotate(store, &before, final.generation, &out->notes);
  notes_pass_on(store, &out->notes);

cleanup:
  ck_store_mark(store, NAN, NAN);
  (void)ck_file_close(&file, &ignored);
  if (temp_exists && ck_path_unlink(store->vfs, temp_path, &ignored) != CK_OK) {
    ck_error_list_add(&store->notes, &ignored);
  }
  /* Where space could not be reserved, or did not hold: how much is there for
   * the next attempt? */
  if (status == CK_ERR_IO && ck_means_full(err->sys) &&
      err->needed == CK_UNKNOWN) {
    err->needed = layout.file_len;
    err->available = ck_path_space(store->vfs, store->dir);
  }
  ck_listing_clear(&before);
  return status;
}

ck_status ck_store_commit(ck_store *store, const uint64_t *addresses, size_t n,
                          const char *metadata, size_t n_metadata,
                          ck_commit *out, ck_error *err) {
  ck_source source = {addresses, store->sizes, n, NULL};
  ck_status status;
  ck_commit_clear(out);
  CK_TRY(ck_store_check(store, addresses, n, metadata, n_metadata, err));
  CK_TRY(commit(store, &source, out, err));
cleanup:
  return status;
}

ck_status ck_store_commit_copy(ck_store *store, const uint8_t *copy,
                               const char *metadata, size_t n_metadata,
                               ck_commit *out, ck_error *err) {
  ck_source source = {NULL, store->sizes, store->n_sizes, copy};
  ck_status status;
  ck_commit_clear(out);
  CK_TRY(header_build(store, metadata, n_metadata, err));
  CK_TRY(commit(store, &source, out, err));
cleanup:
  return status;
}

/* ---- Restoring ---------------------------------------------------------- */

/* What was never a checkpoint is another matter than a damaged one, or one that
 * cannot be read, and has another remedy. */
static void foreign_name(ck_vfs *vfs, const char *path, ck_status *status,
                         ck_error *err) {
  ck_file_info info;
  ck_error ignored;
  const char *cause = NULL;
  bool ours = true;
  if (ck_path_lookup(vfs, path, &info, &ignored) != CK_OK) {
    return;
  }
  if (!info.regular) {
    cause = "It is a link, a directory or the like, which is not followed";
  } else if (*status == CK_ERR_CORRUPT &&
             ck_path_is_ours(vfs, path, false, &ours, &ignored) == CK_OK &&
             !ours) {
    cause = info.size == 0 ? "It is empty"
                           : "It neither begins nor ends as a checkpoint does";
  }
  if (cause != NULL) {
    *status =
        ck_error_set(err, CK_ERR_CORRUPT, "identify", path, 0, "%s", cause);
  }
}

static ck_status image_read(ck_vfs *vfs, const char *path,
                            ck_stream_depth depth, uint64_t generation,
                            ck_image *image, ck_error *err) {
  ck_file file = {0};
  ck_error ignored;
  ck_status status;
  memset(image, 0, sizeof *image);
  CK_TRY(ck_file_open(&file, vfs, path, err));
  CK_TRY(ck_stream_read(&file, depth, generation, image, err));
cleanup:
  (void)ck_file_close(&file, &ignored);
  if (status == CK_ERR_CORRUPT || status == CK_ERR_IO) {
    foreign_name(vfs, path, &status, err);
  }
  return status;
}

/* The generation that the name of a file says; 0: none. */
static uint64_t generation_of(const char *path) {
  ck_name name = ck_name_parse(ck_name_of_path(path));
  return name.kind == CK_NAME_COMMITTED ? name.generation : 0;
}

ck_status ck_checkpoint_read(ck_vfs *vfs, const char *path,
                             ck_stream_depth depth, ck_image *image,
                             ck_error *err) {
  return image_read(vfs, path, depth, generation_of(path), image, err);
}

ck_status ck_checkpoint_read_part(ck_vfs *vfs, const char *path, uint64_t begin,
                                  uint64_t end, ck_image *image,
                                  ck_error *err) {
  ck_file file = {0};
  ck_error ignored;
  ck_status status;
  memset(image, 0, sizeof *image);
  CK_TRY(ck_file_open(&file, vfs, path, err));
  CK_TRY(
      ck_stream_read_part(&file, generation_of(path), begin, end, image, err));
cleanup:
  (void)ck_file_close(&file, &ignored);
  return status;
}

/* None verified: the newest damage, or else the newest error. */
static ck_status none_verified(const ck_error_list *skipped, ck_error *err) {
  const ck_error *chosen = NULL;
  for (size_t i = 0; i < skipped->n; i++) {
    if (chosen == NULL || (chosen->status != CK_ERR_CORRUPT &&
                           skipped->items[i].status == CK_ERR_CORRUPT)) {
      chosen = &skipped->items[i];
    }
  }
  if (chosen != NULL) {
    *err = *chosen;
  }
  return err->status;
}

ck_status ck_store_find(ck_store *store, ck_stream_depth depth,
                        ck_checkpoint *out, ck_error *err) {
  ck_listing listing = {0};
  ck_error failure;
  bool any = false;
  ck_status status;
  CK_TRY(ck_directory_list(store->vfs, store->dir, &listing, err));
  for (size_t i = 0; i < listing.n && !out->found; i++) {
    const ck_name *name = &listing.items[i];
    if (name->kind != CK_NAME_COMMITTED) {
      continue;
    }
    CK_TRY(ck_directory_path(out->path, store->dir, name, err));
    if (image_read(store->vfs, out->path, depth, name->generation, &out->image,
                   &failure) == CK_OK) {
      out->found = true;
    } else if (is_about_us(&failure)) {
      *err = failure;
      status = err->status;
      goto cleanup;
    } else {
      if (name->generation > GENERATION_PLAUSIBLE &&
          strcmp(failure.op, "identify") == 0) {
        /* It never was a checkpoint, and does not count, as for a save. */
        continue;
      }
      any = true;
      *err = failure;
      ck_error_list_add(&out->skipped, &failure);
      CK_TRY(doubtful_add(store, name->generation, err));
    }
  }
  if (any && !out->found) {
    status = none_verified(&out->skipped, err);
  }
cleanup:
  ck_listing_clear(&listing);
  return status;
}

ck_status ck_store_read_into(ck_store *store, uint64_t generation,
                             const ck_places *places, ck_error *err) {
  ck_name name = {.kind = CK_NAME_COMMITTED, .generation = generation};
  char path[CK_PATH_CAP];
  ck_file file = {0};
  ck_error ignored;
  ck_status status;
  CK_TRY(ck_directory_path(path, store->dir, &name, err));
  CK_TRY(ck_file_open(&file, store->vfs, path, err));
  CK_TRY(ck_stream_read_into(&file, generation, places, err));
cleanup:
  (void)ck_file_close(&file, &ignored);
  return status;
}

/* ---- Deleting ------------------------------------------------------------ */

ck_status ck_directory_delete(ck_vfs *vfs, const char *dir,
                              ck_name_visitor *visit, void *context,
                              ck_error *err) {
  ck_listing listing = {0};
  ck_status status;
  ck_status first = CK_OK;
  bool stuck = false;
  ck_error failure;
  CK_TRY(ck_directory_list(vfs, dir, &listing, err));
  /* Oldest first, and none that is newer than one that will not go: whatever
   * happens, what remains is the newest (I10). */
  for (size_t i = listing.n; i-- > 0;) {
    const ck_name *name = &listing.items[i];
    char path[CK_PATH_CAP];
    bool removed = false;
    if (name->kind == CK_NAME_TEMP ? !ck_name_is_stale(name) : stuck) {
      continue;
    }
    status = ck_directory_path(path, dir, name, &failure);
    if (status == CK_OK) {
      status = ck_directory_remove(vfs, dir, name, &removed, &failure);
    }
    if (removed) {
      visit(context, path);
    }
    if (status != CK_OK && first == CK_OK) {
      first = status;
      *err = failure;
    }
    stuck = stuck || (status != CK_OK && name->kind == CK_NAME_COMMITTED);
  }
  /* What comes back after a power cut is a finished run's last checkpoint:
   * worth an attempt to avoid, not worth an error. */
  (void)ck_path_sync_dir(vfs, dir, &failure);
  status = first;
cleanup:
  ck_listing_clear(&listing);
  return status;
}
