# The exported callback: its arguments and its help page.
#
# May not touch `.Call`, files or arrays. The hooks of the callback are in
# inst/python/kerasbackup/callback.py, and R/bridge.R leads there.

#' Back up training and resume it after an interruption
#'
#' @description
#' A callback for `fit()` that saves checkpoints to `backup_dir` while training
#' runs. When the same script is run again after a crash, a kill, a full disk or
#' a preemption, training resumes from the newest checkpoint. When training is
#' complete, the checkpoints are deleted.
#'
#' A checkpoint holds every variable of the model, the optimizer, the metrics
#' and the seed generators, the state of the other callbacks, and the position
#' in the data. It also holds the RNG states of Python, NumPy, TensorFlow,
#' torch, Keras and R, and of layers that augment the data. Training that was
#' interrupted ends with the same bits as training that was not. This requires
#' that the script sets seeds, as with `keras3::set_random_seed()`, and that the
#' backend's own kernels are deterministic.
#'
#' @details
#' Each checkpoint is one file. It is written under a temporary name, flushed to
#' disk and only then renamed, so from the first save on there is a complete
#' checkpoint at every moment, whatever happens. A checksum covers every byte
#' and is verified before anything is restored. `double_checkpoint = TRUE` also
#' keeps the previous checkpoint as a fallback.
#'
#' If `save_freq` is a number of batches, an interrupted epoch resumes at the
#' exact batch. The batches that were already trained on are drawn from the data
#' again, so the batches after them are the same. No batch is trained on twice.
#'
#' With `save_freq = "auto"` a kill costs seconds rather than an epoch, on any
#' machine and for any model. The first checkpoint is saved after a second, so
#' that there is something to resume from. Each save's cost is measured: the
#' time that training waited, plus the slowdown of the steps that ran while the
#' checkpoint was written. The next save happens between batches or at the end
#' of an epoch, once three conditions hold:
#'
#' * the cost of the last save is at most `max_overhead` of the time since then;
#' * the last checkpoint has been on disk for as long as it took to write;
#' * at least five seconds have passed since the last save.
#'
#' For other callbacks, the attributes that changed since training began are
#' saved. They may be numbers, strings, arrays, lists, dicts and other
#' collections of Python's standard library, and objects that consist of such
#' attributes. Variables in them, and those of layers and metrics in them, are
#' saved too. All are restored in place, so a list that the script shares with
#' a callback stays shared. If a callback has `get_state()` and `set_state()`,
#' those are used instead. A message names what cannot be saved.
#'
#' Numbers, strings and flags in attributes of the model, its layers,
#' optimizers, metrics and losses are saved if training changed them. Variables
#' that no model owns are saved too, such as a `keras.Variable` in a closure of
#' the loss that a callback raises each epoch. They are found through the loss,
#' metrics, schedules, callbacks and methods of the model, and among the names
#' of the script, in Python and in R.
#'
#' `backup_dir` belongs to one training at a time, so it is locked while `fit()`
#' runs. Files in it that this package did not write are never touched. Training
#' with several processes (workers, ranks) cannot be saved and is refused, and
#' so is a model of tf_keras. One process may use several devices.
#'
#' The interface follows Keras' `BackupAndRestore` and
#' `keras3::callback_backup_and_restore()`. Arguments after `delete_checkpoint`
#' must be named. (In keras3, `double_checkpoint` is the third argument, so name
#' it here.) If both packages are attached, R uses the function of the one
#' attached last. Attach kerasbackup after keras3, or write
#' `kerasbackup::callback_backup_and_restore()`.
#'
#' @param backup_dir String, the directory for the checkpoints. It is created if
#'   it is missing. After training it is removed if this package created it and
#'   nothing else is in it.
#' @param save_freq When to save. `"epoch"` (the default) saves at the end of
#'   every epoch. A whole number `n` saves after every `n` batches. If the whole
#'   training has fewer batches, a message says that no checkpoint is saved.
#'   `"auto"` saves as often as it can while costing at most `max_overhead` of
#'   the training time; see Details. `FALSE` (only with
#'   `save_before_preemption`) saves only when a signal arrives, or when a
#'   callback stops training before it is complete. With
#'   `delete_checkpoint = FALSE` it also saves at the end.
#' @param delete_checkpoint Flag, whether to delete the checkpoints (the
#'   package's own files and nothing else) when training is complete. With
#'   `FALSE`, a further `fit()` with the same number of epochs has nothing left
#'   to do. In a script that trains in stages, use `FALSE` for the earlier
#'   stages. Otherwise they are trained again when a later stage is interrupted.
#' @param ... Must be empty.
#' @param double_checkpoint Flag, whether to keep the previous checkpoint beside
#'   the current one. This takes twice the space.
#' @param save_before_preemption Which signals make the callback save and stop,
#'   because they announce the end of the process. `FALSE` (the default) stands
#'   for none and `TRUE` for SIGTERM. Otherwise give the names of signals out of
#'   `"SIGTERM"`, `"SIGUSR1"`, `"SIGUSR2"`, `"SIGHUP"` and `"SIGXCPU"`. See the
#'   section on preemption. This is not available on Windows, which has no such
#'   signals.
#' @param resume Where to resume after an interruption in the middle of an
#'   epoch. `"batch"` (the default) resumes exactly, at the next batch.
#'   `"epoch"` resumes at the beginning of that epoch, with the variables from
#'   its middle, as Keras' own callback does.
#' @param history What `fit()` returns. `"resumed"` (the default) returns the
#'   epochs that this call ran, as with Keras' own callback. `"full"` returns
#'   the epochs of the whole run. keras3's `plot()`, `print()` and
#'   `as.data.frame()` methods for a history always number the epochs from 1,
#'   and fail if no epoch was run. Use `"full"` in scripts that use them and may
#'   be run again. For the epochs before an interruption, `"full"` contains the
#'   logs that are single numbers, as all of Keras' own are. A log that is
#'   missing in some epochs, as `val_loss` is with `validation_freq`, is shorter
#'   than the others, as in Keras. [backup_history()] has `NA` for those epochs.
#' @param async Flag, whether a background thread writes the checkpoints. With
#'   `TRUE` (the default), training waits for one snapshot of its state in
#'   memory. It also waits for the previous checkpoint if that is still being
#'   written, but not for the disk otherwise. The snapshot takes as much memory
#'   as the state. If there is too little memory, a message says so and training
#'   waits for the disk, as with `FALSE`, which needs almost no extra memory.
#'   `fit()` returns when the last checkpoint is committed or reported as
#'   failed.
#' @param max_overhead Only for `save_freq = "auto"`: the share of the training
#'   time that saving may cost, a number above 0, up to 1. The default is 1 %.
#' @param on_save_error What to do when a checkpoint cannot be saved for any
#'   reason, such as a full disk. `"warn"` (the default) warns and continues
#'   training, and the next save tries again. If no later save succeeds, the
#'   last failure is reported again when `fit()` ends. `"stop"` ends `fit()`
#'   with the error. Either way the last good checkpoint is untouched. With
#'   `async = TRUE`, a failure is handled when the next checkpoint is due or
#'   when `fit()` ends. The warning is shown immediately, and
#'   `options(warn = 2)` does not make it an error. An old checkpoint that
#'   cannot be deleted does not make a save fail. A warning of class
#'   `kerasbackup_warning_delete` names such files once per `fit()`.
#' @param verbose Flag, whether to report when a checkpoint is saved or
#'   restored, and what `save_freq = "auto"` has chosen. With `async = TRUE`, a
#'   save is reported when the next one is due or when `fit()` ends.
#' @return A `keras.callbacks.Callback`, for the `callbacks` argument of
#'   `fit()`. It can be used for several trainings, one after the other.
#'
#'   If a script calls `fit()` several times, in a loop or in stages, give each
#'   `fit()` its own `backup_dir`. Otherwise, when the script is run again, its
#'   first `fit()` finds the checkpoint of a later one and refuses it. A message
#'   says so at the second `fit()` that trains the same model further with the
#'   same `backup_dir`. If that is a loop over the epochs, call `fit()` once
#'   with all epochs instead. (With `delete_checkpoint = FALSE`, each `fit()`
#'   would also resume where the previous one ended.)
#' @section What must stay the same:
#' Up to `fit()`, the script must do the same as before: set its seeds, build
#' the same model and create the same data. In a session that continues (after
#' Ctrl+C, for example), start from there too: set the seeds and create the data
#' again. When training resumes, a message reports the differences that were
#' found. For data other than arrays, values are compared only on JAX and torch,
#' and only in batches that a resume draws again. The vocabularies of
#' `TextVectorization` and of lookup layers are compared too, in the model and
#' in the functions that make its data.
#'
#' State that neither Keras nor this package can see is not saved. This includes
#' an R variable that a function changes with `<<-`, in a callback such as
#' `callback_lambda()` or while data are drawn, and the `private` fields of
#' keras3's `Callback()`. Keep such a variable in `self` of a `Callback()` or in
#' an attribute of a `PyDataset`, and such fields in `self`. Results
#' that differ from run to run without an interruption also differ with one. The
#' causes include `tf.data` with layers that draw random numbers and
#' `num_parallel_calls`, and GPU kernels that are not deterministic. The file
#' `system.file("EXACTNESS.md", package = "kerasbackup")` lists all known cases.
#' @section Caches in files:
#' TensorFlow creates a lock file while it fills a cache of `tf.data`'s
#' `cache(file)`, and does not use the cache while a lock file exists. A killed
#' training run leaves its lock file behind. When it is run again, it removes
#' the lock files that were seen while it filled the cache, and says so in a
#' message of class `kerasbackup_message_cache_lock`. Any other lock file may
#' belong to a live process. In that case `fit()` ends with
#' `kerasbackup_error_locked`, and the message names the file to remove. (On JAX
#' and torch, `fit()` ends with TensorFlow's own error.)
#' @section When training ends:
#' Training is complete when all epochs are done, or when a callback has ended
#' it for good, as `EarlyStopping` does. Your own callback ends training for
#' good by setting its attribute `ends_training` to `TRUE` when it sets
#' `model$stop_training`. (An attribute `stopped_epoch` above 0, as
#' `EarlyStopping` has, means the same.)
#'
#' A callback may also stop training without such an attribute, for example
#' because the time of a job is up. Then a checkpoint is saved at that batch and
#' kept, and a message says so. When the same script is run again, it resumes
#' there exactly and trains the rest of an epoch that was cut short.
#'
#' While the loss or a weight is not finite, no checkpoint is saved, and a
#' message says so once. The last good checkpoint stays, even if `fit()` ends in
#' this state, by itself or through `TerminateOnNaN`. The same script, run
#' again, resumes from that checkpoint, so first change what made training
#' diverge. (Training logs named `loss`, or ending in `_loss`, count as losses;
#' `val_loss` does not. Of the weights, the eight with the fewest elements are
#' checked.)
#' @section Preemption:
#' Batch systems send a signal some time before they end a job. With
#' `save_before_preemption`, the callback notes that signal. Before the next
#' batch it saves one checkpoint, stops training, and ends `fit()` with a
#' condition of class `kerasbackup_preempted`. No validation runs, and callbacks
#' are not told that an epoch or the training has ended.
#'
#' The condition has the fields `signals`, `path` (the newest checkpoint, or
#' `NULL` if there is none) and `saved` (`FALSE` if the last checkpoint could
#' not be saved). It is not a `kerasbackup_error`. A script may catch it and
#' exit with a status that makes the batch system run the job again. If it is
#' not caught, it ends the script with a message and status 1. For example, with
#' Slurm:
#'
#' ```
#' #!/bin/bash
#' #SBATCH --requeue --open-mode=append
#' #SBATCH --signal=USR1@120
#' srun Rscript train.R
#' if [ $? -eq 75 ]; then scontrol requeue "$SLURM_JOB_ID"; fi
#' ```
#'
#' ```r
#' tryCatch(
#'   model |> fit(x, y, epochs = 100, callbacks = list(
#'     callback_backup_and_restore(
#'       "backup", save_before_preemption = c("SIGUSR1", "SIGTERM")
#'     )
#'   )),
#'   kerasbackup_preempted = function(e) quit(status = 75)
#' )
#' ```
#'
#' The time between the signal and the end must be enough for one batch and one
#' checkpoint. A signal during validation takes effect at the end of the epoch.
#' A signal before the first batch of an epoch takes effect after that batch. If
#' a signal arrives when the last epoch ends, training completes and a message
#' reports the signal. If nothing was trained since the newest checkpoint, no
#' further checkpoint is saved. Further signals have no effect.
#'
#' Signals are watched while `fit()` runs, and the previous handlers are
#' restored afterwards. A handler that the script or another library has set, as
#' with Python's `signal.signal()`, is called as well. If that handler raises an
#' error, `fit()` ends before a checkpoint is saved. R's own response to SIGUSR1
#' and SIGUSR2, which is to save the workspace and quit, is suppressed.
#' Processes that R or Python fork during `fit()` respond to these signals as
#' they would without the callback.
#'
#' With reticulate before 1.29, the message of the condition is also printed as
#' an error if the script catches only `kerasbackup_preempted`.
#' @section Errors:
#' Every error has the class `kerasbackup_error` and one of these classes:
#'
#' * `kerasbackup_error_argument`: an argument is invalid.
#' * `kerasbackup_error_io`: a file or the directory cannot be used.
#' * `kerasbackup_error_corrupt`: no checkpoint is intact.
#' * `kerasbackup_error_locked`: another training uses the directory.
#' * `kerasbackup_error_mismatch`: the checkpoint is of another model. The error
#'   lists the differences, up to ten of them.
#' * `kerasbackup_error_unsupported`: something is not supported; the message
#'   says what.
#'
#' Errors that are raised inside `fit()` pass through Python. reticulate 1.29
#' and newer keep their classes. Older versions keep only the message, which
#' begins with the name of the Python exception, such as `MismatchError`.
#' @seealso [backup_info()], [backup_verify()], [backup_history()],
#'   [backup_read()] and [backup_delete()] to inspect a backup;
#'   `vignette("interruption-recovery")`.
#' @examples
#' \dontrun{
#' library(keras3)
#' model |> fit(
#'   x, y,
#'   epochs = 100,
#'   callbacks = list(callback_backup_and_restore("backup"))
#' )
#' }
#' @export
callback_backup_and_restore <- function(
  backup_dir,
  save_freq = "epoch",
  delete_checkpoint = TRUE,
  ...,
  double_checkpoint = FALSE,
  save_before_preemption = FALSE,
  resume = c("batch", "epoch"),
  history = c("resumed", "full"),
  async = TRUE,
  max_overhead = 0.01,
  on_save_error = c("warn", "stop"),
  verbose = FALSE
) {
  check_dots(...)
  signals <- check_signals(save_before_preemption, "save_before_preemption")
  config <- list(
    backup_dir = check_backup_dir(backup_dir),
    save_freq = check_save_freq(save_freq, may_be_false = length(signals) > 0),
    signals = signals,
    delete_checkpoint = check_flag(delete_checkpoint, "delete_checkpoint"),
    double_checkpoint = check_flag(double_checkpoint, "double_checkpoint"),
    resume = check_choice(resume, c("batch", "epoch"), "resume"),
    history = check_choice(history, c("resumed", "full"), "history"),
    async = check_flag(async, "async"),
    max_overhead = check_max_overhead(
      max_overhead,
      save_freq,
      !missing(max_overhead)
    ),
    on_save_error = check_choice(
      on_save_error,
      c("warn", "stop"),
      "on_save_error"
    ),
    verbose = check_flag(verbose, "verbose")
  )
  if (isFALSE(config$save_freq)) {
    # Training waits for the only save anyway, so a copy would gain nothing.
    config$async <- FALSE
  }
  bridge_callback(config)
}
