# Owns what passes between R and Python (reticulate): it imports the Python
# module and hands it the store's functions. Python calls these functions with
# finished bytes and text, or with the addresses of memory to fill. They call
# Python only to ask whether the `fit()` that owns a directory still runs.
#
# May not touch `.Call` (R/store.R has that) or decide when to save or restore
# (inst/python/kerasbackup/callback.py does).
#
# A call from Python into R costs about 100 microseconds, so there is one call a
# save, and none a batch.

# Creates the Python callback.
#
# @param config list of checked arguments, see callback_backup_and_restore().
bridge_callback <- function(config) {
  module <- bridge_module()
  config$keras <- keras_version()
  cache_locks_remove_unused(config$backup_dir)
  module$BackupAndRestore(
    # Converted here: what Python passes to them must arrive as R values.
    functions = reticulate::r_to_py(bridge_functions(config), convert = TRUE),
    backup_dir = config$backup_dir,
    save_freq = config$save_freq,
    save_before_preemption = as.list(names(config$signals)),
    max_overhead = config$max_overhead,
    delete_checkpoint = config$delete_checkpoint,
    resume = config$resume,
    history = config$history,
    is_script = !interactive(),
    versions = list(
      kerasbackup = as.character(utils::packageVersion("kerasbackup")),
      R = as.character(getRversion())
    )
  )
}

bridge_module <- function() {
  if (!reticulate::py_module_available("keras")) {
    stop_unsupported(
      "The Python package keras is not available.",
      "reticulate's Python has no module `keras`, or there is no Python.",
      paste(
        "Install it with `keras3::install_keras()`, or point",
        "RETICULATE_PYTHON to a Python that has it."
      )
    )
  }
  refuse_old_keras(keras_version())
  path <- system.file("python", package = "kerasbackup", mustWork = TRUE)
  reticulate::import_from_path("kerasbackup", path = path, convert = FALSE)
}

# The functions that Python gets, and the state that they share: one session a
# fit(), a callback may see several.
bridge_functions <- function(config) {
  session <- rlang::env(
    lock = NULL,
    store = NULL,
    loaded = NULL,
    bar = NULL,
    bytes = 0,
    said = character(),
    failure = NULL,
    told = TRUE,
    watches = FALSE,
    preempted = NULL
  )
  functions <- list(
    open = function(is_running) {
      # fit() that ends in an error has no hook; the frame that called it has.
      # R cuts errors from Python at `warning.length` bytes, 1000 by default:
      # too short for the differences between two models.
      old <- options(warning.length = 8170L)
      defer_to_python_caller({
        raised <- is_raising()
        options(old)
        bridge_close(session, config)
        if (raised && !is.null(session$preempted)) {
          signal_instead(session$preempted)
        }
      })
      bridge_open(session, config, is_running)
    },
    plan = function(spec) bridge_plan(session, config, spec),
    prepare = function(bytes) store_prepare(session$store, bytes),
    load = function(verified) {
      bridge_load(session, verified) %||% bridge_tell_keras(config$backup_dir)
    },
    read = function(places) bridge_read(session, config, places),
    save = function(addresses, metadata) {
      bridge_save(session, config, addresses, metadata)
    },
    fail = function(class, message) {
      error <- rlang::error_cnd(
        c(class, "kerasbackup_error"),
        message = message
      )
      bridge_attempt(session, config, rlang::cnd_signal(error))
      invisible()
    },
    note_cache_locks = function(paths) {
      cache_locks_note(config$backup_dir, as.character(unlist(paths)))
    },
    r_seed = function() r_seed(),
    set_r_seed = function(seed) restore_r_seed(seed),
    script_names = function() names_of_script(),
    notify = function(kind, lines) {
      if (kind != "auto" || config$verbose) {
        bridge_notify(kind, as.character(unlist(lines)))
      }
      invisible()
    },
    progress = function(done, total) bridge_progress(session, done, total),
    watch = function() {
      list(address = signals_address(), bits = sum(config$signals))
    },
    is_saved = function() {
      bridge_report(session, config, may_stop = FALSE)
      is.null(session$failure)
    },
    preempt = function() bridge_preempt(session, config),
    finish = function() bridge_finish(session, config),
    leave = function(kind, lines) {
      bridge_leave(session, config, kind, as.character(unlist(lines)))
    },
    close = function() bridge_close(session, config)
  )
  lapply(functions, bridge_guard)
}

# An R error would arrive in Python as a RuntimeError without its class. So
# failures are returned, and Python raises an exception named after the class.
bridge_guard <- function(fn) {
  force(fn)
  is_bridge_guard <- TRUE
  function(...) {
    tryCatch(
      list(value = fn(...)),
      kerasbackup_error = function(e) {
        list(error = class(e)[[1]], message = conditionMessage(e))
      }
    )
  }
}

bridge_open <- function(session, config, is_running) {
  refuse_big_endian()
  bridge_close(session, config)
  tell_new_keras(config$keras)
  dir <- config$backup_dir
  made_dir <- create_dir(dir)
  session$lock <- lock_acquire(
    dir,
    made_dir = made_dir,
    is_stale = function() !isTRUE(is_running())
  )
  cache_locks_remove(dir)
  session$store <- store_open(
    dir,
    keep = if (config$double_checkpoint) 2L else 1L,
    async = config$async
  )
  session$said <- character()
  session$preempted <- NULL
  # Whoever takes the directory from a training that is over must not find its
  # thread still writing there.
  session$lock$before_release <- function() bridge_end_saves(session, config)
  if (length(config$signals) > 0) {
    signals_watch(config$signals)
    session$watches <- TRUE
  }
  store_activity(session$store)
}

# Finds the checkpoint to restore. Its data are read by bridge_read(), when
# there is a place for each tensor.
#
# @param verified whether to read the whole file first. The newest is mostly
#   good, and reading it once is enough to know; a second look, where it is not,
#   finds the newest that is (I5).
bridge_load <- function(session, verified) {
  loaded <- store_load(session$store, if (verified) "verify" else "header")
  if (is.null(loaded)) {
    return(NULL)
  }
  manifest <- tryCatch(
    manifest_parse(loaded$header, loaded$path, loaded$data_bytes),
    # Its data may be damaged too, and then an older one is as good (I5).
    kerasbackup_error_corrupt = function(e) {
      if (verified) rlang::cnd_signal(e)
    }
  )
  if (is.null(manifest)) {
    return(bridge_load(session, verified = TRUE))
  }
  session$loaded <- c(
    loaded[c("generation", "path", "skipped")],
    manifest["metadata"],
    verified = verified
  )
  list(header = loaded$header, path = loaded$path)
}

# Where Keras' own callback trained in the directory before.
bridge_tell_keras <- function(dir) {
  files <- c("training_metadata.json", "latest.weights.h5")
  there <- files[file.exists(file.path(dir, files))]
  if (length(there) > 0) {
    bridge_notify("keras", there)
  }
}

# @return FALSE where it does not verify, and another one may: nothing was told.
bridge_read <- function(session, config, places) {
  loaded <- session$loaded
  session$loaded <- NULL
  is_read <- tryCatch(
    {
      store_read_into(session$store, loaded$generation, places)
      TRUE
    },
    kerasbackup_error = function(e) {
      if (loaded$verified) {
        rlang::cnd_signal(e)
      }
      FALSE
    }
  )
  if (!is_read) {
    return(FALSE)
  }
  if (length(loaded$skipped) > 0) {
    warn_fallback(lapply(loaded$skipped, with_tensor), loaded$path)
  }
  if (config$verbose) {
    place <- format_place(
      manifest_count(loaded$metadata, "epoch", loaded$path),
      manifest_count(loaded$metadata, "batch", loaded$path)
    )
    cli::cli_inform(c(
      v = "Restored {.file {loaded$path}}.",
      i = "Progress so far: {place}."
    ))
  }
  TRUE
}

# Says what the next saves consist of. A failure is one of the save that needs it.
#
# @return FALSE where that save cannot be made, and the plan before still stands.
bridge_plan <- function(session, config, spec) {
  bridge_attempt(session, config, {
    plan <- manifest_plan_json(spec)
    store_plan(session$store, plan$tensors, plan$sizes)
    session$bytes <- sum(plan$sizes)
  })
}

# What went wrong with the save before is told now; there is none to tell of
# where saves are not in the background.
#
# @return TRUE where the checkpoint is committed, or will be by the background
#   thread; FALSE where the save failed and training goes on (I4).
bridge_save <- function(session, config, addresses, metadata) {
  copied <- FALSE
  submitted <- bridge_attempt(session, config, {
    lock_renew(session$lock)
    copied <- store_submit(session$store, addresses, metadata)
  })
  if (!submitted || copied) {
    return(submitted)
  }
  if (config$async) {
    once(session, "no_copy", {
      bridge_notify("no_copy", paste("Needed:", format_bytes(session$bytes)))
    })
  }
  bridge_report(session, config, training_goes_on(config))
}

# Does a part of a save, after the save before has been reported.
#
# @return FALSE where it failed.
bridge_attempt <- function(session, config, expr) {
  goes_on <- training_goes_on(config)
  bridge_report(session, config, goes_on)
  obey_on_save_error(session, config, expr, goes_on)
}

# A signal that came ends training, so nothing else may, before the last save.
training_goes_on <- function(config) {
  length(signals_arrived(config$signals)) == 0
}

# Waits for the save under way, if any, and tells how it went. Only what is
# committed is reported as done (I2).
#
# @param goes_on whether training does. Where it does not, this is the end.
# @param may_stop whether there is something left to stop.
# @return FALSE where it failed.
bridge_report <- function(session, config, goes_on = TRUE, may_stop = goes_on) {
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
    if (config$verbose) {
      cli::cli_inform(c(v = "Saved {.file {saved$path}}."))
    }
    bridge_tell_notes(session, config, saved$notes)
  }
  worked
}

# Evaluates a part of a save. Whatever goes wrong with it, a failure is told, or
# ends `fit()`, as the user has chosen. It is remembered until a later save
# succeeds: it is told once more in the end.
#
# @param goes_on,may_stop see bridge_report().
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
      session$failure <- e
      session$told <- !goes_on
      if (may_stop && config$on_save_error == "stop") {
        session$told <- TRUE
        rlang::cnd_signal(e)
      }
      warn_save_failed(e, has_checkpoint(config$backup_dir), goes_on)
      FALSE
    }
  )
}

# Reports problems that did not make a save fail, each kind once.
bridge_tell_notes <- function(session, config, notes) {
  is_sync <- vapply(notes, function(one) one$status == "durability", NA)
  if (any(is_sync)) {
    once(session, "no_flush", {
      bridge_notify("no_flush", quote_path(config$backup_dir))
    })
  }
  if (!all(is_sync)) {
    once(session, "not_removed", warn_not_removed(notes[!is_sync]))
  }
}

# Evaluates `expr` where it is the first of its kind in this fit().
once <- function(session, kind, expr) {
  if (!kind %in% session$said) {
    session$said <- c(session$said, kind)
    expr
  }
  invisible()
}

# No thread writes in the directory when this returns, and no signal is watched.
# Idempotent.
bridge_end_saves <- function(session, config) {
  # Last of all: until the save is done, a further signal must not end it.
  on.exit(bridge_unwatch(session, config))
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
    # Its own finalizer, which may be earlier, has waited for them.
    if (store_is_open(store)) {
      bridge_report(session, config, goes_on = FALSE)
    }
    bridge_tell_last(session, config)
  }
  invisible()
}

# fit() ends: the last failure once more, where no save has succeeded since.
bridge_tell_last <- function(session, config) {
  if (!is.null(session$failure) && !session$told) {
    warn_save_failed(
      session$failure,
      has_checkpoint(config$backup_dir),
      goes_on = FALSE
    )
  }
  session$failure <- NULL
  invisible()
}

# Idempotent. A signal that did not stop this training is not passed over in
# silence: whoever sent it waits for the process to end.
bridge_unwatch <- function(session, config) {
  if (session$watches) {
    session$watches <- FALSE
    signals_release(config$signals)
    came <- signals_arrived(config$signals)
    if (length(came) > 0 && is.null(session$preempted)) {
      bridge_notify("signal", came)
    }
  }
  invisible()
}

# Training stops for a signal, its last checkpoint saved: fit() ends with what
# is said here.
#
# @return string, for Python's exception.
bridge_preempt <- function(session, config) {
  bridge_report(session, config, goes_on = FALSE)
  session$preempted <- cnd_preempted(
    signals_arrived(config$signals),
    newest_checkpoint(config$backup_dir),
    session$failure
  )
  bridge_close(session, config)
  conditionMessage(session$preempted)
}

bridge_notify <- function(kind, lines) {
  headline <- switch(
    kind,
    notes = c(
      "!" = paste(
        "Training goes on, but its result may differ from that of a training",
        "without the interruption:"
      )
    ),
    unsaved = c(
      "!" = paste(
        "Some state of the model, the data or other callbacks cannot be saved",
        "and would begin anew after an interruption:"
      )
    ),
    postponed = c(
      "!" = paste(
        "No checkpoint was saved now: a callback has compiled the model, and",
        "Keras builds its metrics with the next batch. The last checkpoint is",
        "untouched, and the next one is saved when it is due."
      )
    ),
    no_copy = c(
      "!" = paste(
        "There is too little free memory for a copy of the training's state:",
        "training waits while a checkpoint is written."
      )
    ),
    no_flush = c(
      "!" = paste(
        "The file system cannot flush a directory to disk. Checkpoints survive the",
        "end of the process, but the newest ones may be lost in a power cut:"
      )
    ),
    auto = c(i = "`save_freq = \"auto\"` has chosen how often to save:"),
    complete = c(
      i = paste(
        "The training in `backup_dir` was complete already: no epoch was left",
        "to train. A larger `epochs` trains on; an empty `backup_dir` starts",
        "anew."
      )
    ),
    stopped = c(
      i = paste(
        "The training in `backup_dir` was complete already: a callback had",
        "ended it. No epoch is left to train; an empty `backup_dir` starts anew."
      )
    ),
    loop = c(
      "!" = paste(
        "This `fit()` trains a model further that an earlier `fit()` of this",
        "script has trained to its end, with the same `backup_dir`. The script",
        "cannot be resumed from here: run again, it would come to the earlier",
        "`fit()`, which refuses the checkpoint of a later one."
      ),
      i = paste(
        "Call `fit()` once, with all the `epochs`, instead of in a loop. In",
        "stages, give each `fit()` a `backup_dir` of its own."
      )
    ),
    paused = c(
      "!" = "A callback stopped training before all epochs were done.",
      i = paste(
        "If training should end there, let the callback set `ends_training` to",
        "`TRUE` when it sets `stop_training`."
      )
    ),
    diverged = c(
      "!" = paste(
        "No checkpoint is saved while training has diverged: its loss or a",
        "weight is not finite. The last good checkpoint stays. Found:"
      )
    ),
    diverged_end = c(
      "!" = paste(
        "Training has diverged: it ended with a loss or a weight that is not",
        "finite."
      ),
      i = paste(
        "Before you run it again, change what made it diverge, for example the",
        "data or `clipnorm`. Change the learning rate in a callback: the script's",
        "is replaced by the checkpoint's."
      )
    ),
    beyond = c(
      "!" = paste(
        "The checkpoint in `backup_dir` is of a training that was further than",
        "`epochs`. The model was restored from it, no epoch was trained, and the",
        "checkpoint stays. A larger `epochs` trains on."
      )
    ),
    keras = c(
      "!" = paste(
        "Training begins anew: `backup_dir` has a backup that Keras' own callback",
        "made, which only that one can restore. Its files stay:"
      )
    ),
    validation = c(
      "!" = paste(
        "No validation was left to bring the validation data to where they",
        "would be without the interruption: what draws from them after `fit()`",
        "may draw others."
      )
    ),
    signal = c(
      "!" = paste(
        "A signal came when there was nothing left to save. Training has",
        "ended, and nothing else is done about the signal:"
      )
    )
  )
  rlang::inform(
    c(
      headline[1],
      stats::setNames(lines, rep("*", length(lines))),
      headline[-1]
    ),
    # One that was stopped is complete too.
    class = paste0(
      "kerasbackup_message_",
      c(kind, if (kind == "stopped") "complete")
    )
  )
}

# Data that were trained on are drawn again. cli shows a bar only where that
# takes some seconds.
#
# @param done,total batches, NULL for `total` where it is not known; both NULL:
#   the replay has ended.
bridge_progress <- function(session, done, total) {
  if (is.null(done)) {
    if (!is.null(session$bar)) {
      cli::cli_progress_done(id = session$bar, .envir = session)
      session$bar <- NULL
    }
    return(invisible())
  }
  if (is.null(session$bar)) {
    session$bar <- cli::cli_progress_bar(
      "Drawing past data again",
      total = total %||% NA,
      .auto_close = FALSE,
      .envir = session
    )
  }
  cli::cli_progress_update(set = done, id = session$bar, .envir = session)
  invisible()
}

# fit() is complete: the only place where a checkpoint is deleted (I10).
bridge_finish <- function(session, config) {
  bridge_report(session, config, goes_on = FALSE, may_stop = TRUE)
  bridge_tell_last(session, config)
  if (config$delete_checkpoint && dir.exists(config$backup_dir)) {
    tryCatch(
      {
        lock_renew(session$lock)
        store_delete(config$backup_dir)
        lock_remove_files(session$lock)
      },
      # The training is done; that its backup is still there is no reason to
      # lose its result.
      kerasbackup_error = function(e) warn_not_deleted(e)
    )
  }
  bridge_close(session, config)
}

# fit() ends, and training is not complete. What is said of the newest checkpoint
# is read from it when no save is under way (I2).
bridge_leave <- function(session, config, kind, lines) {
  bridge_report(session, config, goes_on = FALSE)
  path <- newest_checkpoint(config$backup_dir)
  place <- if (is.null(path)) {
    "There is no checkpoint: run again, the same script begins anew."
  } else {
    metadata <- backup_manifest(path)$metadata
    paste0(
      "Run the same script again to go on from the last good checkpoint: ",
      format_place(
        manifest_count(metadata, "epoch", path),
        manifest_count(metadata, "batch", path)
      ),
      "."
    )
  }
  bridge_notify(kind, c(place, lines))
  bridge_close(session, config)
}

# Idempotent. Leaves every checkpoint in place (I10), and commits the one under
# way.
bridge_close <- function(session, config) {
  # Whatever is signalled on the way, and whoever's handler jumps out of it: the
  # directory is free afterwards.
  on.exit(bridge_unlock(session))
  session$loaded <- NULL
  bridge_progress(session, NULL, NULL)
  bridge_end_saves(session, config)
  invisible()
}

# Idempotent.
bridge_unlock <- function(session) {
  lock <- session$lock
  session$lock <- NULL
  if (!is.null(lock)) {
    lock_release(lock)
  }
}

# Helpers -----------------------------------------------------------------

# @return whether the directory had to be created.
create_dir <- function(dir) {
  made <- store_make_dir(dir)
  if (inherits(made, "kb_failure") || !dir.exists(dir)) {
    stop_directory(
      dir,
      if (is_link(dir)) {
        "It is a link to what does not exist."
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

# Files have little-endian numbers, and variables are written and read as they
# are in memory.
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

# What of a skipped checkpoint is damaged, by the names in its own header.
with_tensor <- function(failure) {
  list(failure = failure, tensor = store_damaged_tensors(failure))
}

# R's own random numbers, for generators and callbacks written in R. The seed's
# first number holds the kinds of generator.
r_seed <- function() {
  seed <- globalenv()[[".Random.seed"]]
  if (is.null(seed)) "" else paste(seed, collapse = ",")
}

restore_r_seed <- function(text) {
  if (nzchar(text)) {
    seed <- as.integer(strsplit(text, ",", fixed = TRUE)[[1]])
    env <- globalenv()
    env[[".Random.seed"]] <- seed
  }
}

# Evaluates `expr` when the R function that called into Python returns, however
# it does. Python knows no such moment: when fit() raises, no callback is called,
# and its frames may live on in a stored traceback.
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

# Whether the function whose on.exit() is being evaluated is left by an error, or
# another jump.
is_raising <- function() {
  none <- environment()
  identical(returnValue(none), none)
}

# An error is on its way up, and `condition` says better what it is. Where
# nobody waits for the condition, the error goes on.
signal_instead <- function(condition) signalCondition(condition)

# The frame of the R function from which Python was entered, or NULL where there
# is none. On the stack it is followed by a function of reticulate that Python's
# call arrives in, then by our guard.
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

# R classes of Python's exceptions, as reticulate makes them, to the classes of
# our own conditions. (Versions before 1.29 keep only the message.)
bridge_condition_classes <- function(classes) {
  ours <- startsWith(classes, "kerasbackup.errors.")
  if (any(ours)) {
    kinds <- c(
      KerasBackupError = "kerasbackup_error",
      ArgumentError = "kerasbackup_error_argument",
      StorageError = "kerasbackup_error_io",
      CorruptError = "kerasbackup_error_corrupt",
      LockedError = "kerasbackup_error_locked",
      MismatchError = "kerasbackup_error_mismatch",
      UnsupportedError = "kerasbackup_error_unsupported",
      PreemptedError = "kerasbackup_preempted"
    )
    names <- sub("kerasbackup.errors.", "", classes[ours], fixed = TRUE)
    known <- names %in% names(kinds)
    classes[ours][known] <- unname(kinds[names[known]])
  }
  classes
}
