# Says how saves went: what is on the disk is reported as saved (I2), a failure
# is a warning or ends `fit()`, as `on_save_error` asks (I4), and the last
# failure is repeated when `fit()` ends.

# Does a part of a save, after the previous save has been reported.
#
# @return FALSE where it failed.
attempt_save <- function(session, config, expr) {
  goes_on <- training_goes_on(config)
  report_save(session, config, goes_on)
  obey_on_save_error(session, config, expr, goes_on)
}

# A signal that arrived ends training with a last save, and nothing else may end
# it before.
training_goes_on <- function(config) {
  length(signals_arrived(config$signals)) == 0
}

# Waits for the save in flight, if any, and reports how it went. Only a commit
# is reported as done (I2).
#
# @param goes_on whether training continues.
# @param may_stop whether there is a training that a failure can end.
# @return FALSE where it failed.
report_save <- function(session, config, goes_on = TRUE, may_stop = goes_on) {
  saved <- NULL
  worked <- obey_on_save_error(
    session,
    config,
    saved <- store_wait(session$store),
    goes_on,
    may_stop
  )
  if (!is.null(saved)) {
    session$failure <- NULL
    session$last <- saved$path
    info <- commit_info(saved, session$handed, config)
    session$handed <- NULL
    if (isTRUE(config$verbose)) {
      inform_saved(info)
    }
    report_notes(session, config, saved$notes)
    call_on_save(session, config, info)
  }
  worked
}

# Tells the user's own function of a commit. Python may be on the stack, so no
# condition may leave it.
call_on_save <- function(session, config, info) {
  if (is.null(config[["on_save"]]) || is.null(info)) {
    return(invisible())
  }
  call <- function() config[["on_save"]](info)
  tryCatch(
    without_handlers(call, "`on_save`"),
    error = function(e) {
      # Whoever interrupts it wants training to end.
      if (inherits(e, "kerasbackup_jump")) {
        rlang::cnd_signal(e)
      }
      once(session, "on_save", warn_on_save(e, info$path))
    }
  )
  invisible()
}

# What `on_save` and the message about a save say of a commit.
#
# @param handed string, the metadata of the checkpoint; NULL if there is nobody
#   to tell.
# @return list, or NULL.
commit_info <- function(saved, handed, config) {
  if (is.null(handed)) {
    return(NULL)
  }
  metadata <- jsonlite::parse_json(handed)
  history <- manifest_history(metadata, saved$path)
  last <- utils::tail(history[-1], 1)
  list(
    dir = config$backup_dir,
    path = saved$path,
    generation = saved$generation,
    bytes = saved$bytes,
    seconds = saved$seconds,
    epoch = manifest_count(metadata, "epoch", saved$path),
    batch = manifest_count(metadata, "batch", saved$path),
    saved_at = manifest_saved_at(metadata, saved$path),
    logs = unlist(last) %||% stats::setNames(double(), character()),
    metadata = config$metadata
  )
}

# Evaluates a part of a save. A failure is a warning, or ends `fit()`, as the
# user has chosen. If no later save succeeds, `fit()` warns of it again when it
# ends.
#
# @param goes_on,may_stop see report_save().
# @return FALSE where it failed.
obey_on_save_error <- function(
  session,
  config,
  expr,
  goes_on,
  may_stop = goes_on
) {
  tryCatch(
    {
      expr
      TRUE
    },
    kerasbackup_error = function(e) {
      # Closed while training runs, as by unloading the package: no later save
      # can succeed either.
      if (!store_is_open(session$store)) {
        rlang::cnd_signal(e)
      }
      if (!dir.exists(config$backup_dir)) {
        e <- with_lost(e)
      }
      session$failure <- e
      session$failures <- session$failures + 1L
      session$told <- !goes_on
      if (may_stop && config$on_save_error == "stop") {
        session$told <- TRUE
        rlang::cnd_signal(e)
      }
      warn_once_in_full(session, config, e, goes_on)
      FALSE
    }
  )
}

# A full disk makes every save fail. Each cause is told in full once per fit(),
# further failures are counted, and one line at the end tells how many there
# were.
warn_once_in_full <- function(session, config, error, goes_on) {
  failure <- error$failure
  kind <- paste("save", failure$status, failure$op, failure$errno)
  has_checkpoint <- has_checkpoint(config$backup_dir)
  if (kind %in% session$said && !goes_on) {
    session$repeats[["save"]] <- NULL
    warn_saves_failed(error, session$failures, has_checkpoint)
  } else {
    warn <- function() warn_save_failed(error, has_checkpoint, goes_on)
    once(session, kind, warn(), counted = "save")
  }
}

# Reports problems that did not make a save fail, each kind once.
report_notes <- function(session, config, notes) {
  is_sync <- vapply(notes, function(one) one$status == "durability", NA)
  if (any(is_sync)) {
    once(session, "no_flush", {
      inform_training("no_flush", quote_path(config$backup_dir))
    })
  }
  if (!all(is_sync)) {
    once(session, "not_removed", warn_not_removed(notes[!is_sync]))
  }
}

# Evaluates `expr` once per kind and fit(), and counts further times.
#
# @param counted string, under which name they are counted.
once <- function(session, kind, expr, counted = kind) {
  if (kind %in% session$said) {
    session$repeats[[counted]] <- (session$repeats[[counted]] %||% 0L) + 1L
  } else {
    session$said <- c(session$said, kind)
    expr
  }
  invisible()
}

# No thread writes in the directory when this returns, and no signal is watched.
# Idempotent.
session_end_saves <- function(session, config) {
  # This comes last, because a further signal must not interrupt the save.
  on.exit(session_unwatch(session, config))
  store <- session$store
  if (!is.null(store)) {
    on.exit(
      {
        session$store <- NULL
        store_close(store)
      },
      add = TRUE,
      after = FALSE
    )
    # The store may be finalized before. Its finalizer waits for the save.
    if (store_is_open(store)) {
      report_save(session, config, goes_on = FALSE)
    }
    report_last_failure(session, config)
  }
  invisible()
}

# Repeats the last failure when fit() ends, if no save has succeeded since.
# Otherwise says how many saves failed of which nothing was told. Also says how
# often `on_save` failed again.
report_last_failure <- function(session, config) {
  if (!is.null(session$failure) && !session$told) {
    warn_saves_failed(
      session$failure,
      session$failures,
      has_checkpoint(config$backup_dir)
    )
  } else if (has_repeated(session, "save")) {
    inform_training("failed_saves", count(session$failures, "failed save"))
  }
  if (has_repeated(session, "on_save")) {
    further <- session$repeats[["on_save"]]
    inform_training("on_save", count(further, "further failure"))
  }
  session$failure <- NULL
  session$failures <- 0L
  session$repeats <- list()
  invisible()
}

# Whoever hides warnings has not seen those that a line on repeats adds to.
has_repeated <- function(session, counted) {
  counted %in% names(session$repeats) && getOption("warn") >= 0
}
