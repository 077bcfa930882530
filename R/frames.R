# R's call stack under a call from Python: which R function has entered Python,
# and what happens when it returns.

# Evaluates `expr` when the R function that called into Python returns, however
# it does. In Python there is no such moment: when fit() raises, no callback is
# called, and a stored traceback may keep its frames alive.
defer_to_python_caller <- function(expr) {
  frame <- python_caller()
  if (is.null(frame)) {
    return(invisible())
  }
  handler <- as.call(list(function() expr))
  # Last in, first out, as two callbacks may set the same option.
  arguments <- list(handler, add = TRUE, after = FALSE)
  do.call(base::on.exit, arguments, envir = frame)
}

# Whether the function whose on.exit() is being evaluated ends with an error or
# another jump.
is_raising <- function() {
  none <- environment()
  identical(returnValue(none), none)
}

# An error is being raised, and `condition` describes it better. If no handler
# takes the condition, the error continues.
signal_instead <- function(condition) signalCondition(condition)

# Whether Python has called an R function that has not returned yet. reticulate
# calls each by way of one of its own functions, `function(fn, args, ...)`.
is_python_on_stack <- function() {
  for (i in seq_len(sys.nframe())) {
    fn <- sys.function(i)
    if (
      identical(environment(fn), asNamespace("reticulate")) &&
        identical(names(formals(fn))[1:2], c("fn", "args"))
    ) {
      return(TRUE)
    }
  }
  FALSE
}

# The frame of the R function that called into Python; NULL if there is none. On
# the stack it is followed by the function of reticulate that handles the call
# back from Python, and then by our guard.
python_caller <- function() {
  frames <- sys.frames()
  environments <- lapply(seq_along(frames), function(i) {
    environment(sys.function(i))
  })
  is_guard <- vapply(
    environments,
    function(env) {
      !is.null(env) && exists("is_bridge_guard", env, inherits = FALSE)
    },
    NA
  )
  guard <- max(which(is_guard), 0)
  is_arrival <- vapply(environments, identical, NA, asNamespace("reticulate")) &
    seq_along(frames) < guard
  arrival <- max(which(is_arrival), 0)
  if (arrival > 1) frames[[arrival - 1]]
}
