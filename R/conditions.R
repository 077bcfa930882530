# The condition classes of the package, and the wording of its messages.
#
# All errors share the root `kerasbackup_error`; the second class says which
# kind: `_argument`, `_io`, `_corrupt`, `_locked`, `_mismatch`, `_unsupported`.
# Warnings share `kerasbackup_warning`. What a program may want to know (path,
# file, tensor, errno, pid, ...) is a field of the condition, never only text.
#
# May not touch files, Python or C: the caller hands over the facts.

# Base of all errors ------------------------------------------------------

# @param kind one of "argument", "io", "corrupt", "locked", "mismatch",
#   "unsupported".
# @param message character: the first element says what is wrong, the rest are
#   bullets (rlang's names: "x", "i", "*"). Taken literally, never
#   interpolated, so a path with braces in it is safe.
# @param ... fields of the condition.
stop_kerasbackup <- function(kind, message, ..., call = NULL) {
  rlang::abort(
    message,
    class = c(paste0("kerasbackup_error_", kind), "kerasbackup_error"),
    lines = message,
    ...,
    call = call
  )
}

# R defers warnings until the top-level call ends, which may be days away, so
# these are shown at once. Under `warn = 2` each would become an error: it would
# end a training that `on_save_error = "warn"` keeps running, or replace the
# error that ended fit(). A negative `warn` asks for no warnings.
#
# @param kind "save", "fallback", "lock", "delete", "on_save" or "notes".
warn_kerasbackup <- function(kind, message, ...) {
  if (getOption("warn") >= 0) {
    old <- options(warn = 1L)
    on.exit(options(old))
  }
  rlang::warn(
    message,
    class = c(paste0("kerasbackup_warning_", kind), "kerasbackup_warning"),
    ...
  )
}

# @param failure list(error, message, differences): Python's exception, as
#   checkpoint/rescue.py returns it.
# @param original R's own error, if Python was told of one, which has more to
#   say; or NULL.
stop_told_by_python <- function(failure, original = NULL) {
  if (inherits(original, failure$error)) {
    rlang::cnd_signal(original)
  }
  rlang::abort(
    failure$message,
    class = unique(c(failure$error, "kerasbackup_error")),
    differences = differences_frame(failure$differences),
    call = NULL
  )
}

# @param columns list of columns, as Python's `changes.table()` makes them, or
#   their JSON; or NULL.
# @return data frame, NULL if there are none.
differences_frame <- function(columns) {
  if (is.null(columns)) {
    return(NULL)
  }
  if (is.character(columns)) {
    columns <- jsonlite::parse_json(columns)
  }
  as.data.frame(lapply(columns, function(column) {
    # A column of texts would have them as names, and the rows these.
    vapply(
      column,
      function(value) value %||% NA_character_,
      "",
      USE.NAMES = FALSE
    )
  }))
}

# Arguments ---------------------------------------------------------------

# @param message from the check that found the fault, see R/checks.R.
stop_argument <- function(message, arg, call = rlang::caller_env()) {
  stop_kerasbackup("argument", message, arg = arg, call = call)
}

# @param known what the argument must be, in words.
# @param received what it is.
# @param hints named character, lines after that.
stop_must_be <- function(
  arg,
  known,
  received,
  hints = NULL,
  call = rlang::caller_env()
) {
  must <- paste0(
    "`",
    arg,
    "` must be ",
    known,
    ", not ",
    describe(received),
    "."
  )
  stop_argument(c(must, hints), arg, call)
}

# keras3's function of the same name has another third argument in some
# versions. Given once per session.
inform_third_argument <- function(value) {
  rlang::inform(
    c(
      paste0(
        "The third argument, ",
        describe(value),
        ", was taken as `delete_checkpoint`."
      ),
      i = paste(
        "In newer versions of keras3 it is `double_checkpoint`. Write the name",
        "of the argument you mean."
      )
    ),
    class = "kerasbackup_message_third_argument",
    .frequency = "once",
    .frequency_id = "kerasbackup_third_argument"
  )
}

# Caches of the data ------------------------------------------------------

inform_cache_lock <- function(path) {
  rlang::inform(
    paste0(
      "Removed ",
      quote_path(path),
      ": the interrupted training left this lock file of its `cache()`, and ",
      "TensorFlow does not use a cache that has one."
    ),
    class = "kerasbackup_message_cache_lock"
  )
}

# Attaching ---------------------------------------------------------------

# @param is_ours whether ours is found first.
message_which_is_found <- function(is_ours) {
  paste0(
    "`callback_backup_and_restore()` is now ",
    if (is_ours) {
      "kerasbackup's. keras3's is `keras3::callback_backup_and_restore()`."
    } else {
      paste0(
        "keras3's, which does not read the checkpoints of kerasbackup. Write ",
        "`kerasbackup::callback_backup_and_restore()`."
      )
    }
  )
}

# Versions ----------------------------------------------------------------

inform_new_keras <- function(version, newest) {
  rlang::inform(
    paste0(
      "Keras ",
      version,
      " is newer than the newest version tested (",
      newest,
      "). A resume may not be exact, because it relies on Keras' internals."
    ),
    class = "kerasbackup_message_new_keras"
  )
}

# Messages about a training, by kind. The first line introduces the lines that
# are listed; the lines named "i" follow the list.
training_messages <- list(
  notes = c(
    "!" = paste(
      "The checkpoint was restored, but the result may differ from that of an",
      "uninterrupted run:"
    )
  ),
  unsaved = c(
    "!" = paste(
      "These parts of the model, the data or other callbacks cannot be saved.",
      "After an interruption they start with the script's values:"
    )
  ),
  postponed = c(
    "!" = paste(
      "No checkpoint was saved this time: a callback has compiled the model,",
      "and Keras builds the new metrics in the next batch. The last checkpoint",
      "is intact, and the next one is saved when it is due."
    )
  ),
  compiled = c(
    "!" = paste(
      "A callback has compiled the model with another optimizer or other",
      "metrics than the script."
    ),
    i = paste(
      "Training can resume from this checkpoint, and from later ones, only if",
      "the script compiles the model in the same way before `fit()`."
    )
  ),
  no_checkpoint = c(
    "!" = paste(
      "No checkpoint is saved while this training runs, because `save_freq` is",
      "larger than its number of batches. If it is interrupted, it starts over."
    ),
    i = "Use a smaller number, or `save_freq = \"auto\"`."
  ),
  failed_saves = c(
    "!" = paste(
      "Some checkpoints could not be saved while this training ran, and later",
      "ones were saved:"
    )
  ),
  on_save = c("!" = "The function `on_save` failed for later checkpoints too:"),
  no_copy = c(
    "!" = paste(
      "There is not enough free memory to save in the background. Training",
      "waits while a checkpoint is written."
    )
  ),
  no_flush = c(
    "!" = paste(
      "The file system cannot flush a directory to disk. Checkpoints survive",
      "the end of the process, but a power cut may lose the newest ones:"
    )
  ),
  auto = c(i = "`save_freq = \"auto\"` has chosen how often to save:"),
  complete = c(
    i = paste(
      "The training in `backup_dir` is already complete. The model was",
      "restored from its last checkpoint, and no epoch was trained."
    )
  ),
  stopped = c(
    i = paste(
      "The training in `backup_dir` is already complete, because a callback",
      "ended it. The model was restored from its last checkpoint, and no epoch",
      "was trained."
    )
  ),
  loop = c(
    "!" = paste(
      "This `fit()` trains a model further that an earlier `fit()` of this",
      "script has trained to its end with the same `backup_dir`. The script",
      "cannot resume here: when it is run again, its earlier `fit()` finds the",
      "checkpoint of this one and refuses it."
    ),
    i = paste(
      "Call `fit()` once with all the `epochs` instead of in a loop. To train",
      "in stages, give each `fit()` its own `backup_dir`."
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
      "Training has diverged: its loss or a weight is not finite. No",
      "checkpoint is saved in this state, and the last good checkpoint stays.",
      "Found:"
    )
  ),
  diverged_end = c(
    "!" = paste(
      "Training has diverged: it ended with a loss or a weight that is not",
      "finite."
    ),
    i = paste(
      "Before you run the script again, change what made it diverge, such as",
      "the data or `clipnorm`."
    )
  ),
  best = c(
    "!" = paste(
      "An epoch does not have the log that `best` names, so its checkpoint",
      "cannot count as the best:"
    )
  ),
  beyond = c(
    "!" = paste(
      "The checkpoint in `backup_dir` comes from a training with more epochs",
      "than `epochs`. The model was restored from it, no epoch was trained,",
      "and the checkpoint stays. Use a larger `epochs` to train further."
    )
  ),
  keras = c(
    "!" = paste(
      "Training starts from the beginning: `backup_dir` has a backup made by",
      "Keras' own callback, which only that callback can restore.",
      "`backup_info()` prints the lines of R that import it. Its files stay:"
    )
  ),
  validation = c(
    "!" = paste(
      "The position in the validation data was not restored, because no",
      "validation ran after the resume. Later draws from these data may differ."
    )
  ),
  no_first = c(
    "i" = paste(
      "Training starts over on all workers. It was interrupted while they made",
      "their first checkpoint, which not all of them have."
    )
  ),
  workers = c(
    "!" = paste(
      "No checkpoint was saved this time, because another worker could not",
      "save. The last checkpoint of all workers is intact:"
    )
  ),
  signal = c(
    "!" = paste(
      "A signal arrived after training had ended, so it was ignored and no",
      "further checkpoint was saved:"
    )
  )
)

# @param place string, how far training had come.
# @param saved_at POSIXct.
# @param from string, the directory or the checkpoint, in full.
inform_resume <- function(place, saved_at, from) {
  # The clock of this machine. The day is said where it is not today's.
  same_day <- identical(format(saved_at, "%F", ""), format(Sys.time(), "%F"))
  time <- format(saved_at, if (same_day) "%H:%M:%S" else "%F %H:%M:%S", "")
  rlang::inform(
    paste0(
      "Resuming after ",
      place,
      if (!is.na(saved_at)) paste0(", saved ", time),
      ", from ",
      quote_path(from),
      "."
    ),
    class = "kerasbackup_message_resume",
    place = place,
    saved_at = saved_at,
    from = from
  )
}

# @param place string, how far training had come at the last checkpoint.
inform_left <- function(dir, place) {
  rlang::inform(
    c(
      paste0(
        "Training has ended before it was complete. The last checkpoint has ",
        place,
        "."
      ),
      i = "Run the same script again to resume.",
      i = paste0("`backup_history(\"", dir, "\")` returns the logs so far.")
    ),
    class = "kerasbackup_message_left",
    dir = dir
  )
}

inform_begin <- function(dir) {
  rlang::inform(
    paste0(
      "There is no checkpoint in ",
      quote_path(dir),
      ". Training starts with the first epoch."
    ),
    class = "kerasbackup_message_begin",
    dir = dir
  )
}

# A checkpoint is committed.
#
# @param saved list, see commit_info().
inform_saved <- function(saved) {
  rlang::inform(
    paste0(
      "Saved after ",
      format_where(saved$epoch, saved$batch),
      ": ",
      format_bytes(saved$bytes),
      " in ",
      format(signif(saved$seconds, 2)),
      " seconds, ",
      quote_path(saved$path),
      "."
    ),
    class = "kerasbackup_message_saved",
    path = saved$path
  )
}

# @param epoch,batch integers, complete epochs and batches of the next one.
format_where <- function(epoch, batch) {
  paste(
    c(
      if (epoch > 0 || batch == 0) paste("epoch", epoch),
      if (batch > 0) paste("batch", batch, "of epoch", epoch + 1)
    ),
    collapse = ", "
  )
}

# What to do if the training was complete already.
complete_advice <- function(delete_checkpoint) {
  if (identical(delete_checkpoint, "exit")) {
    paste(
      "Its checkpoint is deleted when this script has ended without an error.",
      "Run after that, the script trains from the beginning."
    )
  } else if (delete_checkpoint) {
    paste(
      "Its checkpoint is deleted now, so the script trains from the beginning",
      "when it is run once more."
    )
  } else {
    paste(
      "Use a larger `epochs` to train further, or an empty `backup_dir` to",
      "start over."
    )
  }
}

# @param kind string, a name of `training_messages`.
# @param lines character, what is listed.
# @param advice string, a last line; or NULL.
# @param changes string, JSON of Python's `changes.table()`, for the field
#   `changes` of the condition; or NULL.
# @param is_warning whether it is a warning.
inform_training <- function(
  kind,
  lines,
  advice = NULL,
  changes = NULL,
  is_warning = FALSE
) {
  text <- training_messages[[kind]]
  if (!is.null(changes) && length(lines) > most_lines) {
    more <- format(length(lines) - most_lines, big.mark = ",")
    lines <- c(
      utils::head(lines, most_lines),
      paste0("and ", more, " more: see `cnd$changes`")
    )
  }
  text <- c(
    text[1],
    stats::setNames(lines, rep("*", length(lines))),
    text[-1],
    i = advice
  )
  if (is_warning) {
    return(warn_kerasbackup(kind, text, changes = differences_frame(changes)))
  }
  rlang::inform(
    text,
    # A training that a callback ended is complete too.
    class = paste0(
      "kerasbackup_message_",
      c(kind, if (kind == "stopped") "complete")
    ),
    changes = differences_frame(changes)
  )
}

# How many changes a message lists.
most_lines <- 10

# The user's own `on_save` has failed. The checkpoint is good.
warn_on_save <- function(error, path) {
  warn_kerasbackup(
    "on_save",
    c(
      "The function `on_save` failed. Training continues.",
      x = conditionMessage(error),
      i = paste0("The checkpoint ", quote_path(path), " is saved.")
    ),
    path = path,
    error = error
  )
}

# @param log string, the log that is watched, or NULL.
stop_no_best <- function(dir, log, call = rlang::caller_env()) {
  stop_argument(
    if (is.null(log)) {
      c(
        paste0("No checkpoint in ", quote_path(dir), " counts as the best."),
        i = paste(
          "Train with `keep = backup_keep(best = \"val_loss\")`, or another",
          "log, to keep the best one."
        )
      )
    } else {
      c(
        paste0(
          "No checkpoint in ",
          quote_path(dir),
          " has a value of `",
          shown(log),
          "`."
        ),
        i = "Only a checkpoint from the end of an epoch can have one."
      )
    },
    "generation",
    call
  )
}

# @param name string, what was interrupted.
stop_jumped <- function(name) {
  rlang::abort(
    paste0(
      name,
      " was interrupted, so training ends. Run the same script again to ",
      "resume from the last checkpoint."
    ),
    class = "kerasbackup_jump",
    call = NULL
  )
}

# Exporting ---------------------------------------------------------------

stop_file_exists <- function(path, arg = "file", call = rlang::caller_env()) {
  stop_argument(
    c(
      paste0("The file ", quote_path(path), " exists already."),
      i = "Remove it, or choose another name. No file is replaced."
    ),
    arg,
    call
  )
}

# @param result as from store_buffer_export() or path_rename().
stop_if_not_exported <- function(result, path) {
  if (!inherits(result, "kb_failure")) {
    return(invisible())
  }
  if (identical(result$errno, "EEXIST")) {
    stop_file_exists(path, call = NULL)
  }
  stop_kerasbackup(
    "io",
    c(
      paste0("Cannot write ", quote_path(path), "."),
      x = failure_cause(result),
      i = space_hint(result)
    ),
    path = path,
    op = result$op,
    errno = result$errno,
    failure = result
  )
}

# Verifying ---------------------------------------------------------------

# @param number,bytes how many checkpoints were verified, and their size.
inform_verified <- function(dir, number, bytes) {
  rlang::inform(
    paste0(
      count(number, "checkpoint"),
      if (number == 1) " is" else " are",
      " intact (",
      format_bytes(bytes),
      " read), in ",
      quote_path(dir),
      "."
    ),
    class = "kerasbackup_message_verified"
  )
}

# Pruning -----------------------------------------------------------------

inform_nothing_to_prune <- function() {
  rlang::inform(
    "There is no backup to delete.",
    class = "kerasbackup_message_prune"
  )
}

# @param found data frame as from backup_list().
inform_prune <- function(found) {
  lines <- paste0(
    found$dir,
    ": ",
    mapply(format_known_place, found$epoch, found$batch),
    ", saved ",
    vapply(as.double(found$age, units = "secs"), format_age, ""),
    " ago, ",
    vapply(found$bytes, format_bytes, "")
  )
  n <- nrow(found)
  rlang::inform(
    c(
      paste0(
        count(n, "backup"),
        " (",
        format_bytes(sum(found$bytes)),
        if (n == 1) ") is to be deleted:" else ") are to be deleted:"
      ),
      stats::setNames(lines, rep("*", n))
    ),
    class = "kerasbackup_message_prune"
  )
}

# The age in the unit that suits it.
format_age <- function(seconds) {
  # A clock may have been set back.
  age <- difftime(.POSIXct(max(seconds, 0)), .POSIXct(0))
  format_span(round(age, if (units(age) == "secs") 0 else 1))
}

format_known_place <- function(epoch, batch) {
  if (is.na(epoch)) "damaged" else format_place(epoch, batch)
}

# @param failures list of strings.
warn_not_pruned <- function(dirs, failures) {
  lines <- paste0(quote_path(dirs), ": ", unlist(failures))
  warn_kerasbackup(
    "delete",
    c(
      "Some backups were not deleted.",
      stats::setNames(lines, rep("x", length(lines)))
    ),
    path = dirs
  )
}

# Storage -----------------------------------------------------------------

# Turns a failure of the C store into a condition.
#
# @param failure list of class "kb_failure": status, op, path, errno,
#   errno_text, message, offset, length, needed, available (see R/store.R).
# @param tensor name of the damaged tensor(s), or NULL where unknown.
stop_store_failure <- function(failure, tensor = NULL) {
  kind <- switch(
    failure$status,
    corrupt = "corrupt",
    misuse = "argument",
    too_large = "unsupported",
    forked = "unsupported",
    "io"
  )
  stop_kerasbackup(
    kind,
    store_failure_message(failure, tensor),
    path = failure$path,
    op = failure$op,
    errno = failure$errno,
    tensor = tensor,
    failure = failure
  )
}

store_failure_message <- function(failure, tensor = NULL) {
  if (identical(failure$op, "identify")) {
    return(foreign_message(failure))
  }
  switch(
    failure$status,
    corrupt = c(
      paste0("The checkpoint ", quote_path(failure$path), " is damaged."),
      x = failure_cause(failure),
      x = if (!is.null(tensor)) {
        paste0("Damaged tensor: ", paste(tensor, collapse = ", "), ".")
      },
      i = paste(
        "Nothing was loaded from it and the file was left as it is.",
        "Restore it from a copy, or move it away to start over.",
        "With `keep = 2` or more, an older checkpoint is there as a fallback."
      )
    ),
    misuse = c(
      "Internal error in the checkpoint store. Please report it.",
      x = failure_cause(failure)
    ),
    too_large = c(
      "The checkpoint is larger than its file format allows.",
      x = failure_cause(failure),
      i = paste(
        "Names and metadata include the logs of all epochs and the state of",
        "other callbacks. Keep long lists in callbacks as arrays."
      )
    ),
    exhausted = c(
      paste0(
        "No number is left for a checkpoint in ",
        quote_path(failure$path),
        "."
      ),
      x = failure_cause(failure),
      i = paste(
        "Move the checkpoint with the highest number out of the directory, or",
        "choose another `backup_dir`."
      )
    ),
    forked = c(
      "A forked process cannot use the checkpoints that its parent has open.",
      x = failure_cause(failure),
      i = "Train, save and restore in the process that called `fit()`."
    ),
    durability = c(
      paste0(
        "The checkpoint ",
        quote_path(failure$path),
        " was written, but the ",
        "system could not promise that it survives a power cut."
      ),
      x = failure_cause(failure),
      i = "No older checkpoint was deleted for it. Check the disk."
    ),
    nomem = c(
      "There is not enough memory for the checkpoint.",
      x = failure_cause(failure)
    ),
    c(
      paste0(io_headline(failure$op), " ", quote_path(failure$path), "."),
      x = failure_cause(failure),
      i = space_hint(failure),
      i = errno_hint(failure$errno, failure$op)
    )
  )
}

# For a file that has the name of a checkpoint and was never one.
foreign_message <- function(failure) {
  c(
    paste0(
      quote_path(failure$path),
      " has the name of a checkpoint, but was not ",
      "written by kerasbackup."
    ),
    x = failure_cause(failure),
    i = paste(
      "Nothing was loaded from it, and it was left as it is.",
      "`backup_delete()` leaves it, too."
    ),
    i = paste(
      "Delete it or move it away and run again to start over, or choose",
      "another `backup_dir`."
    )
  )
}

# Message for a checkpoint that could not be used while an older one could.
warn_fallback <- function(skipped, used) {
  lines <- vapply(
    skipped,
    function(one) {
      paste0(
        quote_path(one$failure$path),
        ": ",
        failure_cause(one$failure),
        if (!is.null(one$tensor)) {
          paste0(" Damaged tensor: ", paste(one$tensor, collapse = ", "), ".")
        }
      )
    },
    character(1)
  )
  warn_kerasbackup(
    "fallback",
    c(
      "The newest checkpoint could not be used, so an older one is used.",
      stats::setNames(lines, rep("x", length(lines))),
      i = paste0("Used: ", quote_path(used), ".")
    ),
    path = used,
    skipped = vapply(skipped, function(one) one$failure$path, character(1))
  )
}

# Says in the error for a damaged checkpoint which older one is good, in place
# of the advice for where there is none. rlang has made one text of the lines.
with_good <- function(error, good) {
  if (!is.null(good)) {
    error$good <- good
    error$message <- rlang::format_error_bullets(c(
      error$lines[rlang::names2(error$lines) != "i"],
      i = paste0(
        "An older checkpoint, ",
        quote_path(good),
        ", is good. Run the script again: training resumes from that one."
      )
    ))
  }
  error
}

# Something else has deleted the newest checkpoint while training ran.
stop_lost <- function(path) {
  stop_kerasbackup("io", lost_message(path), path = path)
}

warn_lost <- function(path) {
  warn_kerasbackup(
    "save",
    c(lost_message(path), i = "Training continues, and is saved again now."),
    path = path
  )
}

lost_message <- function(path) {
  c(
    paste0(
      "Something has deleted checkpoints in ",
      quote_path(dirname(path)),
      " since the last save: ",
      basename(path),
      " is gone."
    ),
    i = lost_advice
  )
}

lost_advice <- paste(
  "Keras' own callback deletes its directory when its training ends. Give each",
  "callback its own `backup_dir`, and write",
  "`kerasbackup::callback_backup_and_restore()`."
)

# Says in the error of a save that its directory has gone, in place of advice.
with_lost <- function(error) {
  if (!is.null(error$lines)) {
    error$message <- rlang::format_error_bullets(c(
      error$lines[rlang::names2(error$lines) != "i"],
      x = "Something has deleted the directory since training began.",
      i = lost_advice
    ))
  }
  error
}

# A save failed and training continues (I4), or has ended meanwhile.
#
# @param has_checkpoint whether there is an earlier one to resume from.
# @param goes_on whether there may be a next save.
warn_save_failed <- function(error, has_checkpoint, goes_on = TRUE) {
  is_written <- identical(error$failure$status, "durability")
  warn_kerasbackup(
    "save",
    c(
      if (is_written && goes_on) {
        "A checkpoint may not survive a power cut; training continues."
      } else if (is_written) {
        "The last checkpoint of this training may not survive a power cut."
      } else if (goes_on) {
        "A checkpoint could not be saved; training continues without it."
      } else {
        "The last checkpoint of this training could not be saved."
      },
      x = conditionMessage(error),
      i = if (has_checkpoint && !is_written) {
        "The last good checkpoint is untouched."
      } else if (!is_written) {
        "There is no checkpoint to resume from."
      },
      i = if (goes_on) "The next save will try again."
    ),
    failure = error$failure
  )
}

# The last save failed, when fit() ends, in one line. Its cause was told before.
#
# @param failures how many saves of this fit() failed.
warn_saves_failed <- function(error, failures, has_checkpoint) {
  failure <- error$failure
  is_written <- identical(failure$status, "durability")
  warn_kerasbackup(
    "save",
    paste0(
      "The last checkpoint of this training ",
      if (is_written) {
        "may not survive a power cut"
      } else {
        "could not be saved"
      },
      if (failures > 1) paste0(" (", failures, " saves failed)"),
      ". ",
      if (is.null(failure)) {
        sub("\n.*", "", conditionMessage(error))
      } else {
        paste0(quote_path(failure$path), ": ", failure_cause(failure))
      },
      if (!is_written) {
        if (has_checkpoint) {
          " The last good checkpoint is untouched."
        } else {
          " There is no checkpoint to resume from."
        }
      }
    ),
    failure = failure,
    failures = failures
  )
}

# A save succeeded, but files that are no longer needed could not be deleted.
#
# @param notes list of "kb_failure".
warn_not_removed <- function(notes) {
  lines <- vapply(
    notes,
    function(one) {
      paste0(quote_path(one$path), ": ", failure_cause(one))
    },
    ""
  )
  warn_kerasbackup(
    "delete",
    c(
      "Old checkpoint files could not be deleted.",
      stats::setNames(lines, rep("x", length(lines))),
      i = paste(
        "New checkpoints are saved, but old files may accumulate until the",
        "disk is full. This warning appears once per `fit()`."
      ),
      i = errno_hint(notes[[1]]$errno, "unlink")
    ),
    path = vapply(notes, function(one) one$path, ""),
    failure = notes[[1]]
  )
}

# A signal announced the end of the process, and training was stopped for it.
# This is no `kerasbackup_error`, because nothing went wrong.
#
# @param signals names.
# @param path the newest checkpoint, NULL where there is none.
# @param failure why the last checkpoint could not be saved, or NULL.
cnd_preempted <- function(signals, path, failure = NULL) {
  rlang::error_cnd(
    "kerasbackup_preempted",
    message = paste0(
      if (length(signals) == 0) {
        "A signal was received by another worker"
      } else {
        paste0(
          paste(signals, collapse = ", "),
          if (length(signals) > 1) " were" else " was",
          " received"
        )
      },
      ", and training was stopped. ",
      if (!is.null(failure)) {
        if (identical(failure$failure$status, "durability")) {
          "The last checkpoint may not survive a power cut. "
        } else {
          "A last checkpoint could not be saved. "
        }
      },
      if (is.null(path)) {
        "There is no checkpoint, so the same script will start over."
      } else {
        paste0(
          "Run the same script again to resume from the checkpoint ",
          quote_path(path),
          "."
        )
      }
    ),
    signals = signals,
    path = path,
    saved = is.null(failure) && !is.null(path),
    parent = failure
  )
}

# Training is complete, but its files could not be deleted.
warn_not_deleted <- function(error) {
  warn_kerasbackup(
    "delete",
    c(
      "Training is complete, but its backup could not be deleted.",
      x = conditionMessage(error)
    ),
    failure = error$failure
  )
}

# @param error why checkpoints of another number of workers stay.
warn_others_left <- function(error) {
  warn_kerasbackup(
    "delete",
    c(
      paste(
        "The checkpoints of the earlier number of workers could not be",
        "deleted. This does not stop training, which has its own now."
      ),
      x = conditionMessage(error)
    ),
    failure = error$failure
  )
}

stop_no_backup <- function(dir) {
  stop_kerasbackup(
    "io",
    c(
      paste0("There is no checkpoint in ", quote_path(dir), "."),
      i = paste(
        "A directory holds checkpoints while training runs, after an",
        "interruption, or when `delete_checkpoint = FALSE`."
      ),
      i = "`backup_list()` finds the backups below a folder."
    ),
    path = dir
  )
}

# @param epoch how many epochs Keras' callback says were complete; NA.
# @param import the lines of R that import it; NULL if there are no weights.
stop_keras_backup <- function(dir, epoch, import) {
  complete <- if (!is.na(epoch)) {
    paste0(" after ", count(epoch, "epoch"))
  }
  message <- c(
    paste0("There is no checkpoint of kerasbackup in ", quote_path(dir), "."),
    x = paste0(
      "It has a backup that Keras' own `BackupAndRestore` made",
      complete,
      ", which has no random states and no position in the data."
    ),
    i = if (is.null(import)) {
      "Its weights are missing, so it cannot be used."
    } else {
      paste(
        "To go on from its weights, make and compile the model as its script",
        "does. Then run this, with the script's other arguments of `fit()` and",
        "another `backup_dir`:"
      )
    }
  )
  code <- if (!is.null(import)) {
    stats::setNames(import, rep(" ", length(import)))
  }
  stop_kerasbackup(
    "io",
    c(message, code),
    path = dir,
    epoch = epoch,
    import = import
  )
}

# A directory that somebody wants to look into is not there.
#
# @param of_one whether the directory of a single training was asked for.
stop_no_directory <- function(dir, of_one) {
  stop_kerasbackup(
    "io",
    c(
      paste0("There is no directory ", quote_path(dir), "."),
      i = paste0(
        "Check the path.",
        if (of_one) {
          paste(
            " Where training is complete, its checkpoints have been deleted,",
            "unless it ran with `delete_checkpoint = FALSE`."
          )
        }
      )
    ),
    path = dir
  )
}

stop_directory <- function(dir, cause, hint = NULL) {
  stop_kerasbackup(
    "io",
    c(
      paste0("Cannot use the directory ", quote_path(dir), " for checkpoints."),
      x = cause,
      i = hint
    ),
    path = dir
  )
}

# @param found how many workers have written the checkpoints in the directory.
# @param wanted how many the training has.
stop_other_workers <- function(dir, found, wanted) {
  stop_kerasbackup(
    "mismatch",
    c(
      paste0(
        "The checkpoints in ",
        quote_path(dir),
        " are of a training with ",
        count(found, "worker"),
        ", and this training has ",
        count(wanted, "worker"),
        "."
      ),
      x = "Nothing was restored, and the checkpoints were left as they are.",
      i = paste(
        "Train with as many workers as before, use another `backup_dir`, or",
        "delete the checkpoints with `backup_delete()` to start over."
      )
    ),
    path = dir
  )
}

stop_none_in_common <- function(dir, workers) {
  stop_kerasbackup(
    "mismatch",
    c(
      paste0(
        "The workers in ",
        quote_path(dir),
        " have no checkpoint in common."
      ),
      x = paste0("There are: worker ", paste(workers, collapse = ", "), "."),
      i = "Inspect the directory of each worker by itself."
    ),
    path = dir
  )
}

stop_several_trainings <- function(dir, counts) {
  stop_kerasbackup(
    "mismatch",
    c(
      paste0(
        quote_path(dir),
        " has checkpoints of several trainings, with ",
        paste(counts, collapse = " and "),
        " workers."
      ),
      i = "Inspect the directory of each worker by itself."
    ),
    path = dir
  )
}

# @param workers integer, those that are there, and how many there were.
stop_missing_shards <- function(dir, names, workers, count) {
  stop_kerasbackup(
    "io",
    c(
      paste0("Parts of variables are missing in ", quote_path(dir), "."),
      x = paste0("Incomplete: ", paste(utils::head(names, 3), collapse = ", ")),
      x = paste0(
        "There are the checkpoints of worker ",
        paste(workers, collapse = ", "),
        " of ",
        count,
        "."
      ),
      i = "Copy the directories of all workers into one."
    ),
    path = dir
  )
}

stop_header <- function(path, cause) {
  stop_kerasbackup(
    "corrupt",
    c(
      paste0("The checkpoint ", quote_path(path), " is damaged."),
      x = cause,
      i = "Nothing was loaded from it and the file was left as it is."
    ),
    path = path
  )
}

# Locks -------------------------------------------------------------------

# @param owner list(pid, host, started) or NULL where it could not be read.
stop_locked <- function(dir, owner, same_process) {
  who <- if (same_process) {
    paste0(
      "Another callback of this process (pid ",
      Sys.getpid(),
      ") is training with it."
    )
  } else if (is.null(owner)) {
    "Another process is training with it."
  } else {
    paste0(
      "Process ",
      owner$pid,
      " on host ",
      owner$host,
      " has been training with it since ",
      owner$started,
      "."
    )
  }
  stop_kerasbackup(
    "locked",
    c(
      paste0("The directory ", quote_path(dir), " is in use."),
      x = who,
      i = "Wait until it ends, or give each training its own `backup_dir`.",
      i = if (!same_process) {
        paste(
          "If these are workers of one training, see",
          "`vignette(\"several-workers\")`: each has a directory of its own."
        )
      }
    ),
    path = dir,
    pid = if (same_process) Sys.getpid() else owner$pid,
    host = if (same_process) host_name() else owner$host
  )
}

warn_no_lock <- function(dir, cause) {
  warn_kerasbackup(
    "lock",
    c(
      paste0("The directory ", quote_path(dir), " cannot be locked."),
      x = cause,
      i = "Make sure that no other process trains with the same directory."
    ),
    path = dir
  )
}

# Environment -------------------------------------------------------------

stop_unsupported <- function(what, cause, hint) {
  stop_kerasbackup("unsupported", c(what, x = cause, i = hint))
}

# Words -------------------------------------------------------------------

quote_path <- function(path) paste0("'", path, "'")

host_name <- function() unname(Sys.info()[["nodename"]])

failure_cause <- function(failure) {
  parts <- c(
    failure$message,
    if (!is.na(failure$errno)) {
      paste0(failure$errno_text, " (", failure$errno, ")")
    }
  )
  paste0(paste(parts[nzchar(parts)], collapse = ": "), ".")
}

io_headline <- function(op) {
  switch(
    op %||% "",
    open = "Cannot open",
    create = ,
    mkdir = "Cannot create",
    reserve = "No room for",
    list = ,
    read = "Cannot read",
    write = "Cannot write",
    fsync = "Cannot flush to disk",
    rename = "Cannot rename",
    unlink = "Cannot delete",
    "Cannot use"
  )
}

space_hint <- function(failure) {
  if (is.na(failure$needed)) {
    return(NULL)
  }
  needed <- paste0("Needed: ", format_bytes(failure$needed))
  free <- if (is.na(failure$available)) {
    "unknown"
  } else {
    format_bytes(failure$available)
  }
  if (failure$errno %in% c("ENOSPC", "EDQUOT")) {
    paste0(needed, "; free: ", free, ".")
  } else {
    paste0(needed, ".")
  }
}

errno_hint <- function(errno, op) {
  switch(
    errno,
    ENOSPC = "Free some space, or choose a `backup_dir` on another disk.",
    EDQUOT = paste(
      "Your quota is used up, even if the disk has free space. Delete some of",
      "your files, or choose a `backup_dir` on another disk."
    ),
    EFBIG = paste(
      "The file would exceed the size limit of this process or file system.",
      "Raise the limit (`ulimit -f`), or choose a `backup_dir` on another disk."
    ),
    EACCES = ,
    EPERM = if ((op %||% "") %in% c("open", "read")) {
      "Check who may read it."
    } else {
      "Check who may write to the directory."
    },
    EROFS = "The file system is read-only; choose another `backup_dir`.",
    ENOENT = if ((op %||% "") %in% c("open", "read")) {
      # Only of files that a listing had.
      "It was removed meanwhile. If a training runs there, try again."
    } else {
      paste(
        "The directory no longer exists. Create it again, or choose another",
        "`backup_dir`."
      )
    },
    EIO = "The disk reported an error; choose another `backup_dir`.",
    NULL
  )
}

format_bytes <- function(bytes) {
  format(
    structure(bytes, class = "object_size"),
    units = "auto",
    standard = "SI",
    digits = 1L
  )
}
