# The lock file and the note beside it, by way of the C core.
#
# The only file with their `.Call`s; R/lock.R knows what a lock and a note mean.
# In a directory that others may write to, a name can become a link or a pipe
# between two calls. So each function here is one call that follows no link,
# waits for no pipe and truncates no file. A failure is returned, as a list of
# class "kb_failure" (see R/store.R).

#' Lock a file, which is made where it is missing
#' @param path <character(1)>
#' @return <kb_lock> an external pointer; the lock is freed when it is released
#'   or collected, or the process ends. Or <kb_failure>: `errno` is "EBUSY"
#'   where somebody else has the lock; `op` is "lock" where it cannot be locked
#' @noRd
lock_file_take <- function(path) {
  .Call(ffi_lock_take, path)
}

#' Whether the file that is locked still has its name
#' @param handle <kb_lock>
#' @return <logical(1)>
#' @noRd
lock_file_holds <- function(handle) {
  .Call(ffi_lock_holds, handle)
}

#' Whether somebody has the lock of a file; changes nothing
#' @param path <character(1)>
#' @return <logical(1)> `FALSE` where there is no such file, `NA` where the
#'   system does not tell
#' @noRd
lock_file_is_held <- function(path) {
  .Call(ffi_lock_is_held, path)
}

#' Free a lock; again it does nothing
#'
#' In a forked process it leaves the lock to the process that took it.
#' @param handle <kb_lock>
#' @return `NULL`, invisibly
#' @noRd
lock_file_release <- function(handle) {
  invisible(.Call(ffi_lock_release, handle))
}

#' Read a small text file
#' @param path <character(1)>
#' @return <character(1)>, `NULL` where there is no such plain file, or
#'   <kb_failure>
#' @noRd
note_read <- function(path) {
  .Call(ffi_note_read, path)
}

#' Write a small text file, under a name that is free
#' @param path <character(1)>
#' @param text <character(1)>
#' @return `NULL`, or <kb_failure>: `errno` is "EEXIST" where the name is taken
#' @noRd
note_write <- function(path, text) {
  .Call(ffi_note_write, path, text)
}

#' Give a file another name, which must be free
#' @param from,to <character(1)>
#' @return `NULL`, or <kb_failure>: `errno` is "EEXIST" where the name is taken
#' @noRd
path_rename <- function(from, to) {
  .Call(ffi_path_rename, from, to)
}

#' Remove a file, or a link and not what it points at
#'
#' `unlink()` would take a path with a `*` or `[` in it for a pattern.
#' @param path <character(1)>
#' @return `NULL`, or <kb_failure>
#' @noRd
path_unlink <- function(path) {
  .Call(ffi_path_unlink, path)
}
