# The door between R and Python (reticulate): imports the Python module and
# hands it the functions of a session. Python calls them with finished bytes and
# text, or with the addresses of memory to fill. They call Python only to ask
# whether the `fit()` that owns a directory still runs.
#
# A call from Python into R costs about 100 microseconds, so a batch makes none.
# A save is one call, and one more asks for R's random state. Each epoch asks
# for it too when it begins. inst/python/kerasbackup/fit/helper.py decides when
# to save and to restore.

# Creates the Python callback.
#
# @param config list of checked arguments, see callback_backup_and_restore().
bridge_callback <- function(config) {
  module <- bridge_module()
  if (!uses_tf_keras()) {
    config$keras <- keras_version()
  }
  cache_locks_remove_unused(config$backup_dir)
  module$BackupAndRestore(
    # Converted here: what Python passes to them must arrive as R values.
    functions = reticulate::r_to_py(bridge_functions(config), convert = TRUE),
    backup_dir = config$backup_dir,
    save_freq = config$save_freq,
    save_before_preemption = as.list(names(config$signals)),
    max_overhead = config$max_overhead,
    # A completed checkpoint that is deleted later is saved like one that stays.
    delete_checkpoint = isTRUE(config$delete_checkpoint),
    resume = config$resume,
    history = config$history,
    best = config$keep$best,
    mode = config$keep$mode,
    on_change = config$on_change,
    is_script = !interactive(),
    versions = bridge_versions()
  )
}

# Puts a checkpoint into a model, outside of `fit()`.
#
# @param functions list of `load` and `read`, as in bridge_functions().
# @return list(value), or list(error, message) of a failure.
bridge_restore <- function(model, functions, what) {
  module <- bridge_module()
  functions <- lapply(functions, bridge_guard)
  reticulate::py_to_r(module$restore_model(
    model,
    reticulate::r_to_py(functions, convert = TRUE),
    what,
    bridge_versions()
  ))
}

# What is noted in checkpoints beside the versions that Python knows.
bridge_versions <- function() {
  list(
    kerasbackup = as.character(utils::packageVersion("kerasbackup")),
    R = as.character(getRversion())
  )
}

bridge_module <- function() {
  if (reticulate::py_available(initialize = TRUE)) {
    refuse_old_python(python_version())
  }
  # When `fit()` begins, Python finds out which Keras it is of.
  if (!uses_tf_keras()) {
    if (!reticulate::py_module_available("keras")) {
      stop_unsupported(
        "The Python package keras is not available.",
        "reticulate's Python has no module `keras`, or there is no Python.",
        paste(
          "Install it with `keras3::install_keras()`, or point",
          "RETICULATE_PYTHON to a Python that has it. To train with tf_keras,",
          "import that first."
        )
      )
    }
    refuse_old_keras(keras_version())
  }
  path <- system.file("python", package = "kerasbackup", mustWork = TRUE)
  reticulate::import_from_path("kerasbackup", path = path, convert = FALSE)
}

# The functions that Python gets, and the state that they share. Each fit() is
# one session; a callback may be used in several.
bridge_functions <- function(config) {
  session <- rlang::env(
    lock = NULL,
    store = NULL,
    loaded = NULL,
    bar = NULL,
    bytes = 0,
    said = character(),
    failure = NULL,
    failures = 0L,
    repeats = list(),
    told = TRUE,
    watches = FALSE,
    saved_at = NULL,
    restored = NULL,
    preempted = NULL,
    held = NULL,
    handed = NULL,
    positions = NULL,
    others = NULL,
    last = NULL
  )
  own_dir <- config$backup_dir
  functions <- list(
    # `others`: whether it may go on from checkpoints of another number of
    # workers.
    open = function(is_running, worker = NULL, others = FALSE) {
      worker <- as.integer(unlist(worker))
      if (!others) {
        refuse_other_workers(own_dir, worker)
      }
      config$backup_dir <<- worker_dir(own_dir, worker)
      config$worker <<- worker
      session$preempted <- NULL
      # Keras calls no hook when fit() raises an error, but the R function that
      # called it has an on.exit().
      # R truncates errors from Python at `warning.length` bytes. The default of
      # 1000 is too short for the differences between two models.
      old <- options(warning.length = 8170L)
      defer_to_python_caller({
        raised <- is_raising()
        options(old)
        holding_jumps(
          session,
          {
            session_close(session, config)
            if (raised) session_tell_left(session, config)
          },
          always = TRUE
        )
        signal_held(session, raised)
        if (raised && !is.null(session$preempted)) {
          signal_instead(session$preempted)
        }
      })
      session_open(session, config, is_running)
    },
    plan = function(spec) session_plan(session, config, spec),
    prepare = function(bytes) store_prepare(session$store, bytes),
    load = function(verified) {
      session_load(session, verified) %||% session_begin(session, config)
    },
    read = function(places) session_read(session, config, places),
    positions = function() session_positions(session, config),
    drop_newer = function(number) session_drop_newer(session, config, number),
    drop_last = function() session_drop_last(session, config),
    others = function() session_others(session, config, own_dir),
    load_other = function(number) session_load_other(session, number),
    read_other = function(number, places) {
      session_read_other(session, number, places)
    },
    drop_others = function() session_drop_others(session, config, own_dir),
    settle = function() {
      report_save(session, config, training_goes_on(config))
      is.null(session$failure)
    },
    save = function(addresses, metadata, time = NA_real_, value = NA_real_) {
      session_save(session, config, addresses, metadata, c(time, value))
    },
    fail = function(class, message) {
      error <- rlang::error_cnd(
        c(class, "kerasbackup_error"),
        message = message
      )
      attempt_save(session, config, rlang::cnd_signal(error))
      invisible()
    },
    note_cache_locks = function(paths) {
      cache_locks_note(config$backup_dir, as.character(unlist(paths)))
    },
    r_seed = function() r_seed(),
    set_r_seed = function(seed) set_r_seed(seed),
    script_names = function() names_of_script(),
    resume = function(place) session_resume(session, config, place),
    notify = function(kind, lines, changes = NULL) {
      if (kind != "auto" || isTRUE(config$verbose)) {
        is_complete <- kind %in% c("complete", "stopped")
        inform_training(
          kind,
          as.character(unlist(lines)),
          changes = changes,
          is_warning = kind == "notes" && identical(config$on_change, "warn"),
          advice = if (is_complete) complete_advice(config$delete_checkpoint)
        )
      }
      invisible()
    },
    progress = function(done, total) progress_show(session, done, total),
    watch = function() {
      list(address = signals_address(), bits = sum(config$signals))
    },
    is_saved = function() {
      report_save(session, config, may_stop = FALSE)
      is.null(session$failure)
    },
    preempt = function() session_preempt(session, config),
    has_made_parent = function() session$lock$made_parent,
    finish = function(removes_parent = FALSE) {
      session_finish(session, config, removes_parent)
    },
    leave = function(kind, lines) {
      session_leave(session, config, kind, as.character(unlist(lines)))
    },
    close = function() session_close(session, config)
  )
  lapply(functions, bridge_guard, session)
}

# An R error would arrive in Python as a RuntimeError without its class. So
# failures are returned, and Python raises an exception named after the class.
# Messages and warnings do not leave either, except to handlers that return.
bridge_guard <- function(fn, session) {
  force(fn)
  # R/frames.R knows the frame by it.
  is_bridge_guard <- TRUE # nolint: object_usage_linter.
  function(...) {
    tryCatch(
      list(value = holding_jumps(session, fn(...))),
      kerasbackup_error = function(e) {
        list(error = class(e)[[1]], message = conditionMessage(e))
      }
    )
  }
}

# R classes of Python's exceptions, as reticulate makes them, to the classes of
# our own conditions. (Versions before 1.29 keep only the message.)
bridge_condition_classes <- function(classes) {
  module <- "kerasbackup.store.errors."
  ours <- startsWith(classes, module)
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
    names <- sub(module, "", classes[ours], fixed = TRUE)
    known <- names %in% names(kinds)
    classes[ours][known] <- unname(kinds[names[known]])
  }
  classes
}

# A Python exception that R has as a condition offers its attributes by `$`. Of
# this one the differences are a data frame, as in conditions that R makes.
#' @export
`$.kerasbackup_error_mismatch` <- function(x, name) {
  value <- NextMethod()
  if (identical(name, "differences") && !is.data.frame(value)) {
    value <- differences_frame(value)
  }
  value
}
