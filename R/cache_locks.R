# Removes lock files that a killed training left beside the files of `tf.data`'s
# `cache(file)`, and keeps the note that shows which these are.
#
# TensorFlow creates a lock file while it fills such a cache, and does not use a
# cache that has one. A killed process leaves its lock file behind. The note
# lists the lock files that were seen while our training filled the cache. They
# are that training's own, because TensorFlow would have refused a cache with
# another's. The note is in `backup_dir`, whose lock shows whether that training
# is alive.
#
# May not touch checkpoints, and removes no lock file that the note does not
# name.

cache_note_name <- "kerasbackup-caches.json"

# @param dir the directory; its lock is held by the caller.
# @param locks paths of lock files.
cache_locks_note <- function(dir, locks) {
  cache_note_unlink(dir)
  note <- list(
    written_by = "kerasbackup",
    locks = lapply(locks, function(lock) {
      list(path = lock, identity = lock_identity(lock))
    })
  )
  # A failure is ignored: then the user has to remove a lock file by hand. The
  # store reports a full disk.
  note_write(
    file.path(dir, cache_note_name),
    paste0(jsonlite::toJSON(note, auto_unbox = TRUE), "\n")
  )
  invisible()
}

# Removes the lock files in the note. The caller holds the lock of the
# directory, so the training that wrote the note is dead. A lock file that was
# created since then stays.
cache_locks_remove <- function(dir) {
  text <- note_read(file.path(dir, cache_note_name))
  if (!is_ours(text)) {
    return(invisible())
  }
  note <- tryCatch(
    jsonlite::fromJSON(text, simplifyVector = FALSE),
    error = function(e) NULL
  )
  for (lock in if (is.list(note)) note$locks) {
    if (is_same_lock(lock) && is.null(path_unlink(lock$path))) {
      inform_cache_lock(lock$path)
    }
  }
  cache_note_unlink(dir)
  invisible()
}

# Calls cache_locks_remove() if no training uses the directory. This must happen
# before fit(), because on JAX and torch Keras draws from the data before it
# calls a callback.
cache_locks_remove_unused <- function(dir) {
  if (file.exists(file.path(dir, cache_note_name))) {
    lock <- tryCatch(
      lock_acquire(dir),
      kerasbackup_error = function(e) NULL
    )
    if (!is.null(lock)) {
      on.exit(lock_release(lock))
      cache_locks_remove(dir)
    }
  }
  invisible()
}

cache_note_unlink <- function(dir) {
  path <- file.path(dir, cache_note_name)
  if (is_ours(note_read(path))) {
    path_unlink(path)
  }
}

# TensorFlow writes into it when it was made.
#
# @return string; NULL if it is not a regular file.
lock_identity <- function(path) {
  text <- note_read(path)
  if (is.character(text)) paste(store_file_id(path), text)
}

is_same_lock <- function(lock) {
  is.list(lock) &&
    is.character(lock$path) &&
    is.character(lock$identity) &&
    endsWith(lock$path, ".lockfile") &&
    identical(lock_identity(lock$path), lock$identity)
}
