# One training per directory (I8): the lock file, the note about its owner, and
# the table of directories that this process holds.
#
# The system frees the lock when its owner dies (src/lock.c). The table shows
# whether the owner is this process, and whether its training is over. The
# owner's name is in a file beside the lock file, because Windows cannot read a
# locked one.
#
# May not touch checkpoints or `.Call` (R/lock_file.R has that).

lock_name <- "kerasbackup.lock"
owner_name <- "kerasbackup-owner.json"

# Directories held by this process: key (device and inode) -> weak reference to
# the lock, so that an unreachable lock is finalized.
lock_table <- new.env(parent = emptyenv())

# @param dir an existing directory.
# @param made_dir whether this call's owner created it. This is noted on disk,
#   because a run that was killed and resumed still has to know.
# @param made_parent the same of the directory above, which the directories of
#   several workers are in.
# @param is_stale function without arguments: whether the training that holds
#   the lock is over although nobody released it.
# @return a lock (environment: dir, key, handle, pid, made_dir, made_parent,
#   is_stale, before_release: NULL, or the owner's function that is called
#   before another training can take the directory), or stops with
#   `kerasbackup_error_locked`.
lock_acquire <- function(
  dir,
  made_dir = FALSE,
  made_parent = FALSE,
  is_stale = function() FALSE
) {
  # A link to a directory is the same directory.
  key <- store_file_id(normalizePath(dir, mustWork = FALSE))
  holder <- lock_holder(key)
  if (!is.null(holder) && is_inherited(holder)) {
    # Only the lock file shows whether the process that forked this one still
    # holds the directory; the inherited table does not. Without file locks
    # nothing shows it, so the directory counts as in use.
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
    made_parent = made_parent || isTRUE(before$made_parent),
    is_stale = is_stale,
    before_release = NULL
  )
  owner_write(dir, lock$made_dir, lock$made_parent)
  assign(key, rlang::new_weakref(lock), envir = lock_table)
  # Keras calls no hook when fit() raises an error. A session that was not
  # closed must not hold the directory forever.
  reg.finalizer(lock, function(lock) lock_release(lock), onexit = TRUE)
  lock
}

# Locks the directory again if its lock file was removed, or if the directory
# was moved away and another one has its name now. Another training may have
# begun there: then it stops with `kerasbackup_error_locked`. Called before
# anything is written or deleted.
lock_renew <- function(lock) {
  # If the directory is gone, the next operation reports it.
  if (
    is.null(lock$handle) ||
      is_inherited(lock) ||
      !dir.exists(lock$dir) ||
      lock_file_holds(lock$handle)
  ) {
    return(invisible())
  }
  handle <- lock_file(lock$dir)
  lock_let_go(lock)
  lock$handle <- handle
  key <- store_file_id(normalizePath(lock$dir, mustWork = FALSE))
  lock$made_dir <- lock$made_dir && identical(key, lock$key)
  rm(list = intersect(lock$key, ls(lock_table)), envir = lock_table)
  lock$key <- key
  assign(key, rlang::new_weakref(lock), envir = lock_table)
  owner_write(lock$dir, lock$made_dir, lock$made_parent)
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
  # A finalizer may run after the directory was locked again.
  current <- lock_holder(lock$key)
  if (is.null(current) || identical(current, lock)) {
    rm(list = intersect(lock$key, ls(lock_table)), envir = lock_table)
  }
  lock$key <- NULL
  lock_let_go(lock)
}

lock_let_go <- function(lock) {
  if (!is.null(lock$handle)) {
    lock_file_release(lock$handle)
    lock$handle <- NULL
  }
}

# Whether a training has the directory now, of this process or of another one;
# NA where the system does not tell. Changes nothing.
lock_is_held <- function(dir) lock_file_is_held(file.path(dir, lock_name))

# Removes the lock's own files, and the directory if we created it and it is
# empty. Only the holder of the lock may call this, before lock_release().
lock_remove_files <- function(lock, keep_dir = !lock$made_dir) {
  if (.Platform$OS.type == "windows") {
    # Windows cannot remove an open file. If another process locks the file now,
    # it stays.
    lock_let_go(lock)
  }
  lock_unlink(lock$dir, keep_dir = keep_dir)
}

# @return list(pid, host, started, made_dir), also made_parent where it is true;
#   or NULL.
owner_read <- function(dir) {
  text <- note_read(file.path(dir, owner_name))
  if (is_ours(text)) {
    tryCatch(
      jsonlite::parse_json(text),
      error = function(e) NULL
    )
  }
}

# A foreign file of that name stays as it is; then a message cannot name the
# owner.
owner_write <- function(dir, made_dir, made_parent = FALSE) {
  # The note is a new file, because the old one may have a second name in a copy
  # of the directory that consists of hard links.
  owner_remove(dir)
  owner <- list(
    written_by = "kerasbackup",
    pid = Sys.getpid(),
    host = host_name(),
    started = format(Sys.time(), "%Y-%m-%d %H:%M:%S"),
    made_dir = made_dir
  )
  if (made_parent) {
    owner$made_parent <- TRUE
  }
  # A failure is ignored because only a name in a message depends on it; the
  # first save reports a full disk.
  note_write(
    file.path(dir, owner_name),
    paste0(jsonlite::toJSON(owner, auto_unbox = TRUE), "\n")
  )
  invisible()
}

owner_remove <- function(dir) {
  path <- file.path(dir, owner_name)
  if (is_ours(note_read(path))) {
    path_unlink(path)
  }
}

# Our notes begin as owner_write() begins one. A process that was killed while
# it wrote leaves an empty one.
#
# @param text as from note_read(), which may be a failure.
is_ours <- function(text) {
  is.character(text) &&
    (!nzchar(text) || startsWith(text, "{\"written_by\":\"kerasbackup\""))
}

# A forked process has its parent's table, but not its locks.
is_inherited <- function(lock) lock$pid != Sys.getpid()

lock_holder <- function(key) {
  ref <- lock_table[[key]]
  if (!is.null(ref)) rlang::wref_key(ref)
}

lock_file <- function(dir) {
  for (name in c(lock_name, owner_name)) {
    if (is_link(file.path(dir, name))) {
      stop_directory(
        dir,
        paste0("`", name, "` in it is a link."),
        "Remove the link. Links are not followed."
      )
    }
  }
  path <- file.path(dir, lock_name)
  taken <- lock_file_take(path)
  if (is_busy(taken)) {
    # The holder may be a lock of this process that an interrupt kept out of the
    # table. A garbage collection frees it.
    gc()
    taken <- lock_file_take(path)
  }
  if (is_busy(taken)) {
    stop_locked(dir, owner_read(dir), same_process = FALSE)
  }
  if (inherits(taken, "kb_failure")) lock_impossible(dir, taken) else taken
}

# @param taken as from lock_file_take().
is_busy <- function(taken) {
  inherits(taken, "kb_failure") && taken$errno %in% "EBUSY"
}

# Some network file systems have no locks. Any other failure is an error that
# says what to do.
lock_impossible <- function(dir, failure) {
  cause <- failure_cause(failure)
  if (failure$op == "lock") {
    if (!failure$errno %in% c("ENOLCK", "ENOSYS", "ENOTSUP", "EOPNOTSUPP")) {
      stop_directory(dir, cause)
    }
    warn_no_lock(dir, cause)
    return(NULL)
  }
  path <- file.path(dir, lock_name)
  is_refused <- failure$errno %in% c("EACCES", "EPERM")
  if (is_refused && file.access(dir, 2) != 0) {
    stop_directory(
      dir,
      "No permission to write to it.",
      "Check who owns it."
    )
  }
  if (file.exists(path) && (is_refused || !store_is_file(path))) {
    stop_directory(
      dir,
      paste0("`", lock_name, "` in it is not a file that we may write."),
      paste(
        "It may be another user's. Remove it, once no training uses the",
        "directory."
      )
    )
  }
  stop_directory(dir, cause, errno_hint(failure$errno, failure$op))
}

lock_unlink <- function(dir, keep_dir) {
  owner_remove(dir)
  cache_note_unlink(dir)
  lock <- file.path(dir, lock_name)
  if (store_is_file(lock) && file.size(lock) == 0) {
    path_unlink(lock)
  }
  if (!keep_dir) {
    # This fails if the directory has any file, even one that is new.
    store_unmake_dir(dir)
  }
  invisible()
}

is_link <- function(path) {
  target <- Sys.readlink(path)
  !is.na(target) && nzchar(target)
}
