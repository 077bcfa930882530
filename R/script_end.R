# Deletes the checkpoint of a complete training when the script has ended
# without an error (`delete_checkpoint = "exit"`). Until then it is the only
# copy of what was trained, if the line after fit() fails.

# The end of a script is the end of source(), knitr::knit(), rmarkdown::render()
# or of the function that callr runs, and otherwise that of the process.
#
# @param dir where nobody trains any more.
# @param path the checkpoint of the complete training.
delete_at_end <- function(dir, path) {
  frame <- script_frame()
  if (is.null(frame)) {
    at_exit$completed[[dir]] <- path
    watch_exit()
  } else {
    on_end <- function() if (!is_raising()) delete_completed(dir, path)
    call <- as.call(list(on_end))
    do.call(base::on.exit, list(call, add = TRUE), envir = frame)
  }
  invisible()
}

# If another training has used the directory since, its checkpoint stays.
delete_completed <- function(dir, path) {
  is_there <- function() identical(newest_checkpoint(dir), path)
  if (!is_there()) {
    return(invisible())
  }
  tryCatch(
    {
      lock <- lock_acquire(dir)
      on.exit(lock_release(lock))
      if (is_there()) {
        store_delete(dir)
        lock_remove_files(lock)
      }
    },
    # Somebody trains there, to whom the checkpoint belongs now.
    kerasbackup_error_locked = function(e) NULL,
    kerasbackup_error = function(e) warn_not_deleted(e)
  )
  invisible()
}

# The outermost frame that is a script; NULL if the process is the script.
script_frame <- function() {
  from <- function(package, names) {
    if (package %in% loadedNamespaces()) {
      mget(names, envir = asNamespace(package))
    }
  }
  # In a process of callr's, the outermost do.call() runs the user's function.
  is_callr <- identical(Sys.getenv("CALLR_IS_RUNNING"), "true")
  scripts <- c(
    list(base::source, base::sys.source, if (is_callr) base::do.call),
    from("knitr", "knit"),
    from("rmarkdown", "render")
  )
  for (i in seq_len(sys.nframe())) {
    fn <- sys.function(i)
    if (any(vapply(scripts, identical, NA, fn))) {
      return(sys.frame(i))
    }
  }
  NULL
}

# The end of the process ---------------------------------------------------

# `completed`: checkpoints by directory. `last_error`: R's last error message,
# when all commands so far had ended without one. `is_preempted`: a signal has
# ended a training, so the script is to be run again, whatever its status is.
at_exit <- rlang::env(
  completed = list(),
  last_error = "",
  is_preempted = FALSE,
  is_watched = FALSE
)

# R calls a finalizer when a process ends, and does not say whether an error
# ended it. But that error is the last one then, and no command came after it.
# The status that quit() is given is nowhere to be seen.
watch_exit <- function() {
  at_exit$last_error <- geterrmessage()
  if (at_exit$is_watched) {
    return(invisible())
  }
  at_exit$is_watched <- TRUE
  addTaskCallback(
    function(...) {
      at_exit$last_error <- geterrmessage()
      TRUE
    },
    name = "kerasbackup"
  )
  reg.finalizer(at_exit, function(at_exit) delete_at_exit(), onexit = TRUE)
  invisible()
}

# To be called when a signal ends a training: the script is run again, and its
# complete trainings must not start over then.
keep_at_exit <- function() {
  at_exit$is_preempted <- TRUE
}

delete_at_exit <- function() {
  failed <- !identical(geterrmessage(), at_exit$last_error)
  if (!failed && !at_exit$is_preempted) {
    for (dir in names(at_exit$completed)) {
      delete_completed(dir, at_exit$completed[[dir]])
    }
  }
}
