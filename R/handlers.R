# Messages and warnings while Python is on the stack. R's handlers hear of them
# at once. A handler that jumps out, as one of tryCatch() does, would jump over
# Python's frames, and the process would crash or hang. So the jump is stopped,
# training goes on, and the message is shown. When R's call into Python has
# returned, the condition is signalled again, and the handler may jump.

# Evaluates `expr`, out of whose messages and warnings no handler can jump.
#
# @param session environment, `session$held` gets the conditions that a handler
#   wanted to jump out with.
# @param always FALSE: only while Python is on the stack.
holding_jumps <- function(session, expr, always = FALSE) {
  hold <- function(cnd) {
    if (always || is_python_on_stack()) {
      tell_handlers(cnd, session)
    }
  }
  withCallingHandlers(expr, message = hold, warning = hold)
}

# Signals the conditions again that were held. The first one that a handler
# takes ends this function.
#
# @param raised whether an error is being raised, which must not be lost to a
#   handler for messages.
signal_held <- function(session, raised) {
  held <- session$held
  session$held <- NULL
  # If there is Python below, a jump may still be over its frames. What is held
  # has been shown.
  if (!raised && !is_python_on_stack()) {
    for (cnd in held) {
      signalCondition(cnd)
    }
  }
  invisible()
}

# Evaluates `fn()`, of whose conditions no handler hears. Its errors are raised
# when it has returned.
without_handlers <- function(fn) {
  failure <- NULL
  run <- function() tryCatch(fn(), error = function(e) failure <<- e)
  is_done <- .Call(ffi_call_without_handlers, as.call(list(run)), environment())
  if (!is.null(failure)) {
    stop(failure)
  }
  if (!is_done) {
    rlang::interrupt()
  }
  invisible()
}

# To be called by a calling handler: it ends the signal of `cnd`.
tell_handlers <- function(cnd, session) {
  outcome <- "jumped"
  tell <- function() {
    # What handlers do instead of a jump to elsewhere. "abort" would jump to the
    # top level, or to reticulate.
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
    # reticulate makes an exception of it, with which fit() ends.
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

# Shows a message or a warning as R does where no handler takes it, but at once.
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
  # Keras' progress bar may be on this line. Keras draws it anew.
  if (isatty(file) && !Sys.getenv("TERM") %in% c("", "dumb")) {
    text <- paste0("\r\033[K", text)
  }
  cat(text, "\n", file = file, sep = "")
}
