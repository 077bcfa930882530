# Messages and warnings while Python is on the stack. R's handlers run at once,
# but none may jump: a jump out of a handler, as in tryCatch(), would skip
# Python's frames and crash or hang the process. So the jump is stopped, the
# message is shown, and training continues. When R's call into Python has
# returned, the condition is signalled again, and then the handler may jump.

# Evaluates `expr`. Handlers for its messages and warnings cannot jump.
#
# @param session environment, `session$held` collects the conditions for which a
#   handler tried to jump.
# @param always whether to do so even if Python is not on the stack.
holding_jumps <- function(session, expr, always = FALSE) {
  hold <- function(cnd) {
    if (always || is_python_on_stack()) {
      tell_handlers(cnd, session)
    }
  }
  withCallingHandlers(expr, message = hold, warning = hold)
}

# Signals the held conditions again. If a handler jumps, the rest is dropped.
#
# @param raised whether an error is being raised. A handler for messages must
#   not replace it.
signal_held <- function(session, raised) {
  held <- session$held
  session$held <- NULL
  # If Python is still on the stack, no handler may jump. The messages have been
  # shown.
  if (!raised && !is_python_on_stack()) {
    for (cnd in held) {
      signalCondition(cnd)
    }
  }
  invisible()
}

# Evaluates `fn()` without the handlers that are around it. Its errors are
# raised when it has returned. If it jumps to the top level, as for an interrupt
# or the restart "abort", this is an error too, because Python is on the stack.
#
# @param name string, what is called, for that error.
without_handlers <- function(fn, name) {
  failure <- NULL
  run <- function() tryCatch(fn(), error = function(e) failure <<- e)
  is_done <- .Call(ffi_call_without_handlers, as.call(list(run)), environment())
  if (!is.null(failure)) {
    stop(failure)
  }
  if (!is_done) {
    stop_jumped(name)
  }
  invisible()
}

# Runs the handlers for `cnd` and ends its signal. For a calling handler.
tell_handlers <- function(cnd, session) {
  outcome <- "jumped"
  tell <- function() {
    # The restarts that handlers use. "abort" would jump to the top level, or to
    # reticulate.
    outcome <<- withRestarts(
      {
        signalCondition(cnd)
        "untaken"
      },
      muffleMessage = function() "muffled",
      muffleWarning = function() "muffled",
      abort = function(...) "aborted"
    )
  }
  .Call(ffi_call_without_jump, as.call(list(tell)), environment())
  if (outcome == "aborted" && is_python_on_stack()) {
    # reticulate turns this into an exception, which ends fit().
    stop("A handler has ended the evaluation of `fit()`.", call. = FALSE)
  }
  if (outcome %in% c("jumped", "aborted")) {
    session$held <- c(session$held, list(cnd))
  }
  if (outcome != "muffled") {
    show_condition(cnd)
  }
  invokeRestart(
    if (inherits(cnd, "warning")) "muffleWarning" else "muffleMessage"
  )
}

# Shows a message or a warning at once, in the same way as R.
show_condition <- function(cnd) {
  text <- sub("\n$", "", conditionMessage(cnd))
  if (inherits(cnd, "warning")) {
    if (getOption("warn") < 0) {
      return(invisible())
    }
    call <- conditionCall(cnd)
    place <- if (!is.null(call)) paste0(" in ", deparse1(call))
    text <- paste0("Warning", place, ": ", text)
  }
  # As rlang::inform() chooses it.
  to_stdout <- interactive() && sink.number() == 0
  file <- if (to_stdout) stdout() else stderr()
  # Keras' progress bar may be on this line. Keras draws it again.
  if (isatty(file) && !Sys.getenv("TERM") %in% c("", "dumb")) {
    text <- paste0("\r\033[K", text)
  }
  cat(text, "\n", file = file, sep = "")
}
