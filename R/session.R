# A session is one `fit()` in one directory. It locks the directory, loads the
# checkpoint, plans and makes the saves, and frees the directory again.
#
# R/bridge.R hands these functions to Python, which decides when each is called.
# R/reports.R says how a save went.

session_open <- function(session, config, is_running) {
  refuse_big_endian()
  session_close(session, config)
  tell_new_keras(config$keras)
  dir <- config$backup_dir
  is_one_of_several <- length(config$worker) > 0
  made_parent <- is_one_of_several && create_dir(dirname(dir))
  made_dir <- create_dir(dir)
  session$lock <- lock_acquire(
    dir,
    made_dir = made_dir,
    made_parent = made_parent,
    is_stale = function() !isTRUE(is_running())
  )
  cache_locks_remove(dir)
  session$store <- store_open(
    dir,
    # One worker may have committed a checkpoint that another cannot write any
    # more, so the one before stays until all have the next.
    keep = as.integer(
      min(config$keep$last + 1 * is_one_of_several, .Machine$integer.max)
    ),
    async = config$async
  )
  keep_older(session$store, config$keep, dir)
  session$said <- character()
  session$failures <- 0L
  session$repeats <- list()
  session$positions <- session$others <- NULL
  session$last <- NULL
  # A training may take the directory over from one that has ended. It must not
  # find the other's thread still writing there.
  session$lock$before_release <- function() session_end_saves(session, config)
  if (length(config$signals) > 0) {
    signals_watch(config$signals)
    session$watches <- TRUE
  }
  store_activity(session$store)
}

# Finds the checkpoint to restore. Its data are read by session_read(), when
# there is a place for each tensor.
#
# @param verified whether to read the whole file first. The newest checkpoint is
#   usually good, and session_read() verifies it on the way. If it is not, a
#   second call finds the newest that is (I5).
session_load <- function(session, verified) {
  loaded <- store_find(session$store, if (verified) "verify" else "header")
  if (is.null(loaded)) {
    return(NULL)
  }
  manifest <- tryCatch(
    manifest_parse(loaded$header, loaded$path, loaded$data_bytes),
    # Its data may be damaged too. Then an older checkpoint is restored (I5).
    kerasbackup_error_corrupt = function(e) {
      if (verified) rlang::cnd_signal(e)
    }
  )
  if (is.null(manifest)) {
    return(session_load(session, verified = TRUE))
  }
  session$loaded <- c(
    loaded[c("generation", "path", "skipped")],
    manifest["metadata"],
    verified = verified
  )
  list(header = loaded$header, path = loaded$path)
}

# @return FALSE if it does not verify and another one may. No message was given.
session_read <- function(session, config, places) {
  loaded <- session_read_data(session, places)
  if (is.null(loaded)) {
    return(FALSE)
  }
  warn_skipped(loaded)
  session$saved_at <- tryCatch(
    manifest_saved_at(loaded$metadata, loaded$path),
    # It is only shown.
    kerasbackup_error = function(e) .POSIXct(NA_real_, "UTC")
  )
  session$restored <- loaded$path
  TRUE
}

# @param may_retry function of the error: whether another look may find another
#   checkpoint, even if this one was verified.
# @return what session_load() noted of the checkpoint, or NULL if it does not
#   verify and another one may.
session_read_data <- function(
  session,
  places,
  may_retry = function(error) FALSE
) {
  loaded <- session$loaded
  session$loaded <- NULL
  tryCatch(
    {
      store_read_into(session$store, loaded$generation, places)
      loaded
    },
    kerasbackup_error = function(e) {
      if (loaded$verified && !may_retry(e)) {
        rlang::cnd_signal(e)
      }
      NULL
    }
  )
}

# Plans the tensors of the next saves. A failure counts as a failed save.
#
# @return FALSE if it failed; then the previous plan still holds.
session_plan <- function(session, config, spec) {
  attempt_save(session, config, {
    plan <- manifest_plan_json(spec)
    store_plan(session$store, plan$tensors, plan$sizes)
    session$bytes <- sum(plan$sizes)
  })
}

# First reports how the previous save went, if the background thread made it.
#
# @param mark double, the time and the value that the checkpoint counts as, see
#   store_keep().
# @return TRUE where the checkpoint is committed, or will be by the background
#   thread; FALSE if the save failed and training continues (I4).
session_save <- function(
  session,
  config,
  addresses,
  metadata,
  mark = unmarked
) {
  copied <- FALSE
  submitted <- attempt_save(session, config, {
    lock_renew(session$lock)
    notice_loss(session, config)
    metadata <- with_own_metadata(metadata, config)
    if (!is.null(config[["on_save"]]) || isTRUE(config$verbose)) {
      # For when the save is reported.
      session$handed <- metadata
    }
    copied <- store_submit(session$store, addresses, metadata, mark)
  })
  if (!submitted || copied) {
    return(submitted)
  }
  if (config$async) {
    once(session, "no_copy", {
      inform_training("no_copy", paste("Needed:", format_bytes(session$bytes)))
    })
  }
  report_save(session, config, training_goes_on(config))
}

# Something else has deleted the checkpoint that was committed last, as Keras'
# own callback does when it ends. If a save can still be made, that is a
# warning, unless a failed save is to end training. If the directory has gone
# too, the save itself fails, and its error says so.
#
# @param is_end whether no other save follows.
notice_loss <- function(session, config, is_end = FALSE) {
  path <- session$last
  if (is.null(path) || file.exists(path)) {
    return(invisible())
  }
  is_there <- dir.exists(config$backup_dir)
  if (is_end || (is_there && config$on_save_error == "stop")) {
    stop_lost(path)
  }
  if (is_there) {
    session$last <- NULL
    warn_lost(path)
  }
}

# Adds what Python does not know: the user's notes, and the log by which the
# best checkpoint is kept.
with_own_metadata <- function(metadata, config) {
  if (!is.null(config[["metadata"]])) {
    user <- manifest_user_json(config$metadata)
    metadata <- manifest_metadata_add(metadata, "user", user)
  }
  if (!is.null(config$keep$best)) {
    watched <- manifest_watched_json(config$keep)
    metadata <- manifest_metadata_add(metadata, "watched", watched)
  }
  metadata
}

# Training stops for a signal, after its last checkpoint. fit() ends with the
# condition that is made here.
#
# @return string, for Python's exception.
session_preempt <- function(session, config) {
  keep_at_exit()
  report_save(session, config, goes_on = FALSE)
  session$preempted <- cnd_preempted(
    signals_arrived(config$signals),
    newest_checkpoint(config$backup_dir),
    session$failure
  )
  session_close(session, config)
  conditionMessage(session$preempted)
}

# Training is complete. Only here is the newest checkpoint deleted (I10).
#
# @param removes_parent whether the directory above goes too, which the
#   directories of several workers are in.
session_finish <- function(session, config, removes_parent = FALSE) {
  report_save(session, config, goes_on = FALSE, may_stop = TRUE)
  # If the last save failed, that has been reported already.
  if (!isTRUE(config$delete_checkpoint) && is.null(session$failure)) {
    obey_on_save_error(
      session,
      config,
      notice_loss(session, config, is_end = TRUE),
      goes_on = FALSE,
      may_stop = TRUE
    )
  }
  report_last_failure(session, config)
  if (isTRUE(config$delete_checkpoint) && dir.exists(config$backup_dir)) {
    tryCatch(
      {
        lock_renew(session$lock)
        store_delete(config$backup_dir)
        lock_remove_files(session$lock)
        if (removes_parent) {
          # The last worker that comes here finds it empty.
          store_unmake_dir(dirname(config$backup_dir))
        }
      },
      # Training is done, and its result must not be lost because the backup
      # could not be deleted.
      kerasbackup_error = function(e) warn_not_deleted(e)
    )
  }
  session_close(session, config)
  if (identical(config$delete_checkpoint, "exit")) {
    path <- newest_checkpoint(config$backup_dir)
    if (!is.null(path)) {
      delete_at_end(config$backup_dir, path)
    }
  }
}

# fit() ends before training is complete. The message says what the newest
# checkpoint holds, and reads this from disk after the last save (I2).
session_leave <- function(session, config, kind, lines) {
  report_save(session, config, goes_on = FALSE)
  path <- newest_checkpoint(config$backup_dir)
  place <- if (is.null(path)) {
    "There is no checkpoint, so the script starts over when it is run again."
  } else {
    metadata <- backup_manifest(path)$metadata
    paste0(
      # A training that has diverged would diverge again.
      if (kind == "diverged_end") {
        "The script, run again, resumes from the last good checkpoint: "
      } else {
        "Run the same script again to resume from the last checkpoint: "
      },
      format_place(
        manifest_count(metadata, "epoch", path),
        manifest_count(metadata, "batch", path)
      ),
      "."
    )
  }
  advice <- if (kind == "diverged_end" && !is.null(path)) {
    paste(
      "To change the learning rate too, use a callback, because the",
      "checkpoint's learning rate replaces the script's."
    )
  }
  inform_training(kind, c(place, lines), advice)
  session_close(session, config)
}

# fit() ends with an error or because of Ctrl+C, after it has saved something.
session_tell_left <- function(session, config) {
  if (
    isFALSE(config$verbose) ||
      is.null(session$last) ||
      !is.null(session$preempted) ||
      isTRUE(config$worker[1] > 1)
  ) {
    return(invisible())
  }
  path <- newest_checkpoint(config$backup_dir)
  if (!is.null(path)) {
    metadata <- backup_manifest(path)$metadata
    inform_left(
      config$backup_dir,
      format_place(
        manifest_count(metadata, "epoch", path),
        manifest_count(metadata, "batch", path)
      )
    )
  }
}

# Idempotent. Leaves every checkpoint in place (I10), and waits for the save in
# flight.
session_close <- function(session, config) {
  # The directory is free afterwards, even if a condition handler jumps out of
  # what follows.
  on.exit(session_unlock(session))
  session$loaded <- NULL
  progress_show(session, NULL, NULL)
  session_end_saves(session, config)
  invisible()
}

# Idempotent.
session_unlock <- function(session) {
  lock <- session$lock
  session$lock <- NULL
  if (!is.null(lock)) {
    lock_release(lock)
  }
}

# Idempotent. Reports a signal that did not stop this training, because its
# sender waits for the process to end.
session_unwatch <- function(session, config) {
  if (session$watches) {
    session$watches <- FALSE
    signals_release(config$signals)
    came <- signals_arrived(config$signals)
    if (length(came) > 0 && is.null(session$preempted)) {
      inform_training("signal", came)
    }
  }
  invisible()
}

# @return whether the directory had to be created.
create_dir <- function(dir) {
  made <- store_make_dir(dir)
  if (inherits(made, "kb_failure") || !dir.exists(dir)) {
    stop_directory(
      dir,
      if (is_link(dir)) {
        "It is a link whose target does not exist."
      } else if (isFALSE(made)) {
        "It is not a directory."
      } else {
        failure_cause(made)
      },
      "Check the path and who may write there."
    )
  }
  made
}

has_checkpoint <- function(dir) !is.null(newest_checkpoint(dir))

# @return its path, or NULL.
newest_checkpoint <- function(dir) {
  files <- if (dir.exists(dir)) store_list(dir)
  for (path in files$path) {
    if (!isFALSE(store_owns(path))) {
      return(path)
    }
  }
  NULL
}

# Tells that training resumes, and from where.
#
# @param place string, in words.
session_resume <- function(session, config, place) {
  # Several workers resume at the same place.
  if (!isFALSE(config$verbose) && !isTRUE(config$worker[1] > 1)) {
    from <- if (isTRUE(config$verbose)) session$restored
    inform_resume(place, session$saved_at, from %||% config$backup_dir)
  }
  invisible()
}

# There is no checkpoint.
#
# @return NULL.
session_begin <- function(session, config) {
  warn_keras_backup(config$backup_dir)
  if (isTRUE(config$verbose)) {
    inform_begin(config$backup_dir)
  }
  NULL
}

# A checkpoint is little-endian, and variables are written and read as they are
# in memory.
refuse_big_endian <- function() {
  if (machine_endian() != "little") {
    stop_unsupported(
      "This machine is big-endian, and checkpoints are little-endian.",
      "Training can be neither saved nor restored here.",
      paste(
        "Train on a little-endian machine, such as x86-64 or ARM64. The",
        "`backup_*()` functions read checkpoints here too."
      )
    )
  }
}

machine_endian <- function() .Platform$endian

# Adds which tensors of a skipped checkpoint are damaged, by its own header.
with_tensor <- function(failure) {
  list(failure = failure, tensor = store_damaged_tensors(failure))
}
