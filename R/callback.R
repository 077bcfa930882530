# Owns the exported callback: its arguments and its documentation.
#
# May not touch `.Call`, files or arrays. The hooks are in
# inst/python/kerasbackup/callback.py, the storage behind R/bridge.R.

#' Back up training and resume it after an interruption
#'
#' @description
#' A callback for `fit()`. While training runs it saves checkpoints to
#' `backup_dir`; when the same script is run again after a crash, a kill, a full
#' disk or a preemption, training goes on where the newest checkpoint was made.
#' When training is complete, the checkpoints are deleted.
#'
#' A checkpoint holds every variable of the model, the optimizer, the metrics
#' and the seed generators, the state of the other callbacks, the position in the
#' data, and the states of the random number generators of Python, NumPy,
#' TensorFlow, torch, Keras and R, and of layers that augment the data. Training
#' that was interrupted ends bit for bit equal to training that was not, if
#' seeds are set, as with `keras3::set_random_seed()`, and the backend's own
#' kernels are deterministic.
#'
#' @details
#' Each checkpoint is one file, written to a temporary name, flushed to disk and
#' only then renamed, so at every moment after the first save there is a complete
#' one, whatever happens. A checksum covers every byte and is verified before
#' anything is restored; `double_checkpoint = TRUE` keeps the previous one too, to
#' fall back on.
#'
#' With `save_freq` a number of batches, an interrupted epoch goes on at the very
#' batch: the batches that were trained on already are drawn from the data again,
#' so that what comes after them is the same, and nothing is trained on twice.
#'
#' With `save_freq = "auto"` what a kill can cost is seconds, not an epoch, on any
#' machine and for any model. The first checkpoint is saved after a second, so
#' that there is something to go back to. Of each it is measured for how long
#' training waited, and what the steps lost that ran while it was written; the
#' next is saved, between batches or at the end of an epoch, when that is at most
#' `max_overhead` of the time since, when the one before has been on disk for as
#' long as it took to write, and never before five seconds have passed.
#'
#' Of other callbacks, those attributes are saved that changed since training
#' began: numbers, strings, arrays, lists, dicts and other collections of Python's
#' standard library, and objects that consist of such attributes. They are put back
#' in place, so that a list that the script shares with a callback stays shared. A
#' callback may offer `get_state()` and `set_state()` and then those are used.
#' What cannot be saved is named in a message.
#'
#' The numbers, strings and flags in attributes of the model, its layers,
#' optimizers, metrics and losses are saved where training changed them. So are
#' variables that no model owns, such as a `keras.Variable` in a closure of the
#' loss that a callback raises each epoch. They are found through the loss,
#' metrics, schedules, callbacks and methods of the model, and among the names of
#' the script, in Python and in R.
#'
#' `backup_dir` belongs to one training at a time: it is locked while `fit()`
#' runs. Files in it that are not ours are never touched. A training of several
#' processes (workers, ranks) cannot be saved and is refused, as is a model of
#' tf_keras; one process may use several devices.
#'
#' The interface follows Keras' `BackupAndRestore` and
#' `keras3::callback_backup_and_restore()`; arguments after `delete_checkpoint`
#' are by name only. (keras3 has `double_checkpoint` in third place: name it.) Of
#' the two, R takes that of the package attached last: attach kerasbackup after
#' keras3, or write `kerasbackup::callback_backup_and_restore()`.
#'
#' @param backup_dir String, the directory for the checkpoints. Created where it
#'   is missing, and removed after training where this package created it and
#'   nothing else is in it.
#' @param save_freq When to save: `"epoch"` (the default), at the end of every
#'   epoch; a whole number, every so many batches; or `"auto"`, as often as
#'   costs at most `max_overhead` of the training time, see Details; or, together
#'   with `save_before_preemption`, `FALSE`: only then.
#' @param delete_checkpoint Flag, whether to delete the checkpoints (our own
#'   files and nothing else) when training is complete. With `FALSE` a further
#'   `fit()` with the same number of epochs has nothing left to do: in a script
#'   that trains in stages that is what the earlier ones should have, or they are
#'   trained again when a later one is interrupted.
#' @param ... Must be empty.
#' @param double_checkpoint Flag, whether to keep the previous checkpoint beside
#'   the current one. Takes twice the space.
#' @param save_before_preemption Whether to save and stop when a signal says that
#'   the process will end: `FALSE` (the default), `TRUE` for SIGTERM, or names of
#'   signals out of `"SIGTERM"`, `"SIGUSR1"`, `"SIGUSR2"`, `"SIGHUP"` and
#'   `"SIGXCPU"`. See the section on preemption. Not on Windows, which has no
#'   such signals.
#' @param resume Where to go on after an interruption in the middle of an epoch:
#'   `"batch"` (the default), at the very batch, exactly; `"epoch"`, at the
#'   beginning of that epoch, with the variables from its middle, as Keras' own
#'   callback does.
#' @param history What `fit()` returns: `"resumed"` (the default), the epochs
#'   that this call ran, as Keras' own callback does; `"full"`, those of the
#'   whole run. keras3's `plot()`, `print()` and `as.data.frame()` of a history
#'   number the epochs from 1 whichever they were, and fail where none was left to
#'   run: a script that uses them and may be run again should ask for `"full"`.
#'   Of the epochs before an interruption it has the logs that are single
#'   numbers, as all of Keras' own are. A log that not every epoch has, as
#'   `val_loss` with a `validation_freq`, is shorter than the others there, as
#'   Keras has it; [backup_history()] has `NA` for those epochs.
#' @param async Flag, whether a thread in the background writes the checkpoints.
#'   With `TRUE` (the default) training waits for one copy of its state in memory,
#'   and for the previous checkpoint where that is still being written, and never
#'   for the disk. The copy takes as much memory as the state has; where there is
#'   too little, a message says so and training waits for the disk, as with
#'   `FALSE`, which takes next to none. `fit()` returns when the last checkpoint is
#'   committed, or reported as failed.
#' @param max_overhead For `save_freq = "auto"`, and only there: the part of the
#'   training time that saving may cost, a number above 0, up to 1. The default
#'   is 1 %.
#' @param on_save_error What to do when a checkpoint cannot be saved, for whatever
#'   reason, such as a full disk: `"warn"` (the default) warns and trains on, the
#'   next save tries again, and where none succeeds any more the last failure is
#'   told again when `fit()` ends; `"stop"` ends `fit()` with the error. Either
#'   way the last good checkpoint is untouched. With `async = TRUE` it is done when the
#'   next checkpoint is due, or when `fit()` ends. The warning is shown at once;
#'   `options(warn = 2)` does not make it an error. Old checkpoints that cannot be
#'   deleted are no failure of a save: a warning of class
#'   `kerasbackup_warning_delete` names them once in a `fit()`.
#' @param verbose Flag, whether to say when a checkpoint is saved or restored,
#'   and what `save_freq = "auto"` has chosen.
#'   With `async = TRUE` the one is said when the next is due, or `fit()` ends.
#' @return A `keras.callbacks.Callback`, for the `callbacks` argument of `fit()`.
#'   It can be used for several trainings, one after the other. But where a script
#'   trains several times, in a loop or in stages, give each `fit()` a `backup_dir`
#'   of its own: run again, the script comes to its first `fit()` first, which is
#'   refused the checkpoint of another. A message says so at the second `fit()`
#'   that trains the same model further with one `backup_dir`: where that is a loop
#'   over the epochs, call `fit()` once with all of them instead. (And with `delete_checkpoint = FALSE` each
#'   would go on from where the one before has ended.)
#' @section What must be as it was:
#' The script must do the same again until `fit()`: set its seeds, make the same
#' model and the same data. In a session that goes on (after Ctrl+C, say), begin
#' there too: set the seeds and make the data anew. What is found to be different
#' is told when training goes on. Of data that are not arrays, values are compared
#' only on JAX and torch, and only of batches that a resume draws again.
#' The vocabularies of `TextVectorization` and of lookups are compared, too, in the
#' model and in the functions that make its data.
#'
#' Not saved is what neither Keras nor this package can see: a variable of R's
#' that a function changes with `<<-` while data are drawn, and the `private`
#' fields of keras3's `Callback()`. Keep the one in the data, as an attribute of a
#' `PyDataset`, and the others in `self`. And what differs from run to run without an
#' interruption does with one: `tf.data` with layers that draw random numbers and
#' `num_parallel_calls`, kernels of GPUs that are not deterministic. All known
#' cases are in the file that `system.file("EXACTNESS.md", package =
#' "kerasbackup")` names.
#' @section Caches in files:
#' TensorFlow makes a lock file while it fills a cache of `tf.data`'s
#' `cache(file)`, and does not use the cache while there is one. A killed training
#' leaves its lock file. Run again, it removes the lock files that were seen while it
#' filled the cache, and says so in a message of class
#' `kerasbackup_message_cache_lock`. Any other lock file may belong to a process
#' that is alive: `fit()` ends with `kerasbackup_error_locked`, whose message
#' names the file to remove (on JAX and torch with TensorFlow's own error).
#' @section When training ends:
#' Training is complete when all epochs are done, or when a callback has ended it
#' for good, as `EarlyStopping` does. A callback of your own says so by setting
#' its attribute `ends_training` to `TRUE` when it sets `model$stop_training`. (An
#' attribute `stopped_epoch` above 0, as `EarlyStopping` has, says the same.)
#'
#' Where a callback stops training without saying so, for example because the
#' time of a job is up, a checkpoint is saved at that very batch, and stays. A
#' message says so, and the same script, run again, goes on from there, exactly:
#' the rest of an epoch that was cut short is trained.
#'
#' While the loss or a weight is not finite no checkpoint is saved, and a message
#' says so once. The last good checkpoint stays, also where `fit()` ends like
#' this, by itself or by `TerminateOnNaN`. The same script, run again, goes on
#' from it: change first what made training diverge. (Logs named `loss`, or ending
#' in `_loss`, are losses; of the weights the smallest are looked at.)
#' @section Preemption:
#' Batch systems send a signal some time before they end a job. With
#' `save_before_preemption` that signal is noted; before the next batch one
#' checkpoint is saved at that very place, training stops there, and `fit()` ends
#' with a condition of class `kerasbackup_preempted`. Callbacks are not told that
#' an epoch or the training has ended, and there is no validation. The condition
#' has the fields `signals`, `path` (of the newest checkpoint, `NULL` where there
#' is none) and `saved`: `FALSE` where the last checkpoint could not be saved.
#' It is no `kerasbackup_error`. A script may catch it, to exit with a status that
#' makes the batch system run it again; uncaught, it ends the script with a
#' message and status 1:
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
#' The time between signal and end must do for one batch and one checkpoint. A
#' signal during validation waits for the end of the epoch, one before the first
#' batch of an epoch for that batch; one that comes when the last epoch ends is
#' told in a message, and training completes. Where nothing was trained since the
#' newest checkpoint, none is saved. Further signals change nothing.
#'
#' Signals are watched while `fit()` runs; what was done about them before is put
#' back then. A handler of the script or of another library, as Python's
#' `signal.signal()` sets, is called as well: one that raises ends `fit()` before
#' a checkpoint is saved. R's own answer to SIGUSR1 and SIGUSR2, which is to save
#' the workspace and quit, is not given. Processes that R or Python fork meanwhile
#' treat these signals as if nobody watched them.
#'
#' With reticulate before 1.29 the message of the condition is also printed as an
#' error where nothing but `kerasbackup_preempted` is caught.
#' @section Errors:
#' Every error has the class `kerasbackup_error` and one more:
#' `kerasbackup_error_argument` (an argument is invalid), `_io` (a file or the
#' directory cannot be used), `_corrupt` (no checkpoint is undamaged), `_locked`
#' (another training uses the directory), `_mismatch` (the checkpoint is of
#' another model; every difference is listed), `_unsupported`.
#'
#' Those that are raised inside `fit()` pass through Python. reticulate 1.29 and
#' newer keep their classes; older ones keep only the message, which begins with
#' the name of the Python exception, such as `MismatchError`.
#' @seealso [backup_info()], [backup_verify()], [backup_history()],
#'   [backup_read()] and [backup_delete()] to look at a backup;
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
    # A copy that is used once, while training waits for it, is for nothing.
    config$async <- FALSE
  }
  bridge_callback(config)
}
