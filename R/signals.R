# The signals that announce the end of a process: their names, and whether one
# arrived. The `.Call`s about them are here.
#
# May not touch checkpoints or Python, nor decide what is done about a signal.
# The handler in src/os_signals_posix.c only sets a bit.

# In this order in messages.
known_signals <- c("SIGTERM", "SIGUSR1", "SIGUSR2", "SIGHUP", "SIGXCPU")

#' The bits by which C knows signals
#' @param names <character>
#' @return <integer> named; 0 where this system has no such signal
#' @noRd
signals_bits <- function(names) {
  stats::setNames(.Call(ffi_signals_bits, names), names)
}

#' Begin to watch signals; what was done about them before is not
#' @param bits <integer> as from `signals_bits()`
#' @return `NULL`, invisibly
#' @noRd
signals_watch <- function(bits) {
  invisible(store_result(.Call(ffi_signals_watch, sum(bits))))
}

#' End what `signals_watch()` began
#' @inheritParams signals_watch
#' @return `NULL`, invisibly
#' @noRd
signals_release <- function(bits) {
  invisible(store_result(.Call(ffi_signals_release, sum(bits))))
}

#' Put all back that was there before signals were watched
#' @return `NULL`, invisibly
#' @noRd
signals_release_all <- function() {
  invisible(.Call(ffi_signals_release_all))
}

#' The signals that came since they have been watched
#' @inheritParams signals_watch
#' @return <character> names
#' @noRd
signals_arrived <- function(bits) {
  if (length(bits) == 0) {
    return(character())
  }
  names(bits)[bitwAnd(.Call(ffi_signals_arrived), bits) != 0]
}

#' Where in memory a signal sets its bit
#' @return <character(1)> the address of a C int, decimal
#' @noRd
signals_address <- function() {
  .Call(ffi_signals_address)
}
