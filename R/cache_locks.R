# Owns the note of the lock files that trainings in a directory have left beside
# the files of `tf.data`'s `cache(file)`.
#
# TensorFlow makes a lock file while it fills such a cache, and refuses to use
# the cache where there is one already. A process that was killed leaves it. The
# note says which lock files were seen while our training filled the cache:
# those are its own, as TensorFlow would have refused any other. It stands in
# the directory whose lock says whether that training is alive.
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
  # Where it cannot be written, a lock file has to be removed by hand. A full
  # disk is the store's to tell.
  note_write(
    file.path(dir, cache_note_name),
    paste0(jsonlite::toJSON(note, auto_unbox = TRUE), "\n")
  )
  invisible()
}

# Removes what the training of the note has left: whoever holds the lock of its
# directory knows that it is dead. A lock file that was made anew since stays.
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

# As cache_locks_remove(), where nobody trains in the directory. Keras draws
# from the data before it calls a callback, on JAX and torch.
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
# @return string, NULL where it is not a plain file.
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
