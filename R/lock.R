# Owns the exclusive use of a directory (I8): the lock file, the note about its
# owner, and the table of directories that this process holds.
#
# The lock is filelock's (fcntl or LockFileEx): the system frees it when its
# owner dies. Such a lock does not protect a process from itself, hence the
# table; and closing any other handle on a locked file frees it, hence the owner
# is told in a file beside it. A third hazard is deleting a lock file while
# somebody waits for it: lock_acquire() makes sure that the file it locked is
# still the one that has the name.
#
# May not touch checkpoints.

lock_name <- "kerasbackup.lock"
owner_name <- "kerasbackup-owner.json"

# Directories held by this process: key (device and inode) -> weak reference to
# the lock, so that a lock nobody has any more is finalized.
lock_table <- new.env(parent = emptyenv())

# @param dir an existing directory.
# @param made_dir whether this call's owner created it. Remembered on disk, so
#   that a run that was killed and goes on still knows.
# @param is_stale function without arguments: whether the training that holds
#   the lock is over although nobody released it.
# @return a lock (environment: dir, key, handle, pid, made_dir, is_stale,
#   before_release: NULL, or the owner's function that is called before the
#   directory is anybody else's), or stops with `kerasbackup_error_locked`.
lock_acquire <- function(dir, made_dir = FALSE, is_stale = function() FALSE) {
  # A link to a directory is the same directory.
  key <- store_file_id(normalizePath(dir))
  holder <- lock_holder(key)
  if (!is.null(holder) && is_inherited(holder)) {
    # Only the file can tell whether the process that forked this one still
    # holds it. Where there is nothing locked, this process must not ask.
    if (is.null(holder$handle)) {
      stop_locked(dir, owner_read(dir), same_process = FALSE)
    }
    lock_release(holder)
  } else if (!is.null(holder)) {
    if (!holder$is_stale()) {
      stop_locked(dir, NULL, same_process = TRUE)
    }
    lock_release(holder)
  }
  handle <- lock_file(dir)
  before <- owner_read(dir)
  lock <- rlang::env(
    dir = dir,
    key = key,
    handle = handle,
    pid = Sys.getpid(),
    made_dir = made_dir || isTRUE(before$made_dir),
    is_stale = is_stale,
    before_release = NULL
  )
  owner_write(dir, lock$made_dir)
  assign(key, rlang::new_weakref(lock), envir = lock_table)
  # A session that was never closed (an error in fit() leaves no hook) must not
  # hold the directory for ever.
  reg.finalizer(lock, function(lock) lock_release(lock), onexit = TRUE)
  lock
}

# Idempotent.
lock_release <- function(lock) {
  if (is.null(lock$key)) {
    return(invisible())
  }
  on.exit(lock_drop(lock))
  # Ends what its owner still does in the directory.
  if (!is.null(lock$before_release) && !is_inherited(lock)) {
    lock$before_release()
  }
  invisible()
}

lock_drop <- function(lock) {
  # A finalizer may come after the directory was locked anew.
  current <- lock_holder(lock$key)
  if (is.null(current) || identical(current, lock)) {
    rm(list = intersect(lock$key, ls(lock_table)), envir = lock_table)
  }
  lock$key <- NULL
  # filelock counts how often a process has locked a file.
  if (!is.null(lock$handle)) {
    # In a forked process this takes the lock out of filelock's own list, and
    # leaves it to the process that has it.
    filelock::unlock(lock$handle)
  }
}

# Removes the lock's own files, and the directory where we made it and nothing
# is left in it. Only for its holder, before lock_release().
lock_remove_files <- function(lock, keep_dir = !lock$made_dir) {
  if (.Platform$OS.type == "windows" && !is.null(lock$handle)) {
    # An open file cannot be removed there. Nor can another process's: who locks
    # it now keeps it.
    filelock::unlock(lock$handle)
    lock$handle <- NULL
  }
  lock_unlink(lock$dir, keep_dir = keep_dir)
}

# @return list(pid, host, started, made_dir), or NULL.
owner_read <- function(dir) {
  path <- file.path(dir, owner_name)
  if (is_ours(path)) {
    tryCatch(jsonlite::read_json(path), error = function(e) NULL)
  }
}

# A file of the owner's name that somebody else wrote stays as it is; all that is
# lost is the owner's name in a message.
owner_write <- function(dir, made_dir) {
  path <- file.path(dir, owner_name)
  if (file.exists(path) && !is_ours(path)) {
    return(invisible())
  }
  owner <- list(
    written_by = "kerasbackup",
    pid = Sys.getpid(),
    host = host_name(),
    started = format(Sys.time(), "%Y-%m-%d %H:%M:%S"),
    made_dir = made_dir
  )
  # Only a name in a message depends on it: a full disk is the store's to tell.
  tryCatch(
    suppressWarnings({
      # A new file: the old one may have another name too, in a copy of the
      # directory that is made of hard links.
      unlink(path)
      jsonlite::write_json(owner, path, auto_unbox = TRUE)
    }),
    error = function(e) NULL
  )
}

# Ours begins as owner_write() begins it; empty is one whose writer was killed.
is_ours <- function(path) {
  start <- "{\"written_by\":\"kerasbackup\""
  store_is_file(path) && (
    file.size(path) == 0 ||
      identical(readChar(path, nchar(start), useBytes = TRUE), start)
  )
}

# A forked process has its parent's table, and filelock's list, but not its
# locks.
is_inherited <- function(lock) lock$pid != Sys.getpid()

lock_holder <- function(key) {
  ref <- lock_table[[key]]
  if (!is.null(ref)) rlang::wref_key(ref)
}

lock_file <- function(dir, attempts = 100) {
  for (name in c(lock_name, owner_name)) {
    if (is_link(file.path(dir, name))) {
      stop_directory(
        dir,
        paste0("`", name, "` in it is a link."),
        "Remove the link: it is never followed out of the directory."
      )
    }
  }
  path <- file.path(dir, lock_name)
  for (attempt in seq_len(attempts)) {
    if (!file.exists(path)) {
      # filelock would make it for its owner alone; a directory may be shared.
      suppressWarnings(file.create(path))
    }
    before <- store_file_id(path)
    handle <- tryCatch(
      filelock::lock(path, timeout = 0),
      error = function(e) e
    )
    if (is.null(handle)) {
      stop_locked(dir, owner_read(dir), same_process = FALSE)
    }
    if (inherits(handle, "error")) {
      return(lock_impossible(dir, handle))
    }
    # If the name has the same file before and after, that is the one we hold.
    if (!is.na(before) && identical(before, store_file_id(path))) {
      return(handle)
    }
    filelock::unlock(handle)
  }
  stop_locked(dir, owner_read(dir), same_process = FALSE)
}

# Some network file systems know no locks; a directory that we may not write
# to is another matter.
lock_impossible <- function(dir, error) {
  if (file.access(dir, 2) != 0) {
    stop_directory(
      dir, "No permission to write to it.", "Check who owns it."
    )
  }
  cause <- conditionMessage(error)
  path <- file.path(dir, lock_name)
  if (!store_is_file(path) || file.access(path, 2) != 0) {
    stop_directory(
      dir,
      paste0("`", lock_name, "` in it is not a file that we may write."),
      paste(
        "It may be another user's. Remove it, once no training uses the",
        "directory."
      )
    )
  }
  if (!means_no_locks(cause)) {
    stop_directory(dir, paste0(cause, "."))
  }
  warn_no_lock(dir, cause)
  NULL
}

# filelock has no more than the system's words for it, in the user's language.
means_no_locks <- function(cause) {
  words <- c(
    "not supported",
    store_errno_text(c("ENOLCK", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"))
  )
  any(vapply(stats::na.omit(words), grepl, NA, x = cause, fixed = TRUE))
}

lock_unlink <- function(dir, keep_dir) {
  owner <- file.path(dir, owner_name)
  if (is_ours(owner)) {
    unlink(owner)
  }
  lock <- file.path(dir, lock_name)
  if (store_is_file(lock) && file.size(lock) == 0) {
    unlink(lock)
  }
  if (!keep_dir) {
    # Fails where anything is in it, even if it has just been put there.
    store_unmake_dir(dir)
  }
  invisible()
}

is_link <- function(path) {
  target <- Sys.readlink(path)
  !is.na(target) && nzchar(target)
}

