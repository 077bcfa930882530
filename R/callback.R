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
#' Training that was interrupted ends with the same bits as training that was
#' not, if the script sets its seeds and the backend is deterministic.
#' `vignette("exactness")` says what a checkpoint holds, and what must stay the
#' same in the script and its data.
#'
#' @details
#' keras3 has a function of the same name, so write
#' `kerasbackup::callback_backup_and_restore()`. Arguments after
#' `delete_checkpoint` must be named. (In newer versions of keras3 the third
#' argument is `double_checkpoint`, so name it here. A message says how an
#' unnamed one was taken.)
#'
#' `backup_dir` belongs to one training at a time, so it is locked while `fit()`
#' runs. Files in it that this package did not write are never touched.
#' `vignette("durability")` states the guarantees.
#'
#' The callback serves `fit()` of Keras 3 and of tf_keras (2.16 and newer).
#' Import tf_keras before you make the callback. `vignette("exactness")` says
#' why Dropout in tf_keras draws other numbers with it.
#'
#' Several processes can train one model together: with `jax.distributed` and
#' `keras.distribution`, with `torch.distributed` if the model's `call()` goes
#' through `DistributedDataParallel`, and in tf_keras with
#' `MultiWorkerMirroredStrategy` or `ParameterServerStrategy`. Each keeps
#' checkpoints of its own in `backup_dir`, see `vignette("several-workers")`.
#' Other trainings by several processes are refused. One process may use several
#' devices.
#'
#' `vignette("changing-a-run")` shows how to change a run on purpose: more
#' epochs, another learning rate, other callbacks, or a new training that begins
#' with the weights of a checkpoint.
#'
#' @param backup_dir String, the directory for the checkpoints. It is created if
#'   it is missing. After training it is removed if this package created it and
#'   nothing else is in it. Give each `fit()` of a script its own directory: see
#'   `vignette("several-fits")`.
#' @param save_freq When to save. `"epoch"` (the default) saves at the end of
#'   every epoch, and a whole number `n` after every `n` batches. A time, as a
#'   `difftime` or text such as `"10 mins"` or `"2 hours"`, saves once so much
#'   time has passed since the last save began. `"auto"` saves as often as it
#'   can while costing at most `max_overhead` of the training time. `FALSE`
#'   (only with `save_before_preemption`) saves when a signal arrives, or when a
#'   callback stops training early. With `delete_checkpoint = FALSE` it also
#'   saves at the end.
#' @param delete_checkpoint Whether to delete the checkpoints when training is
#'   complete (`TRUE`, the default). With `"exit"` they stay until the script
#'   has ended without an error, also by `quit()`, so the model is not lost if
#'   the line after `fit()` fails. With `FALSE`, a further `fit()` with the same
#'   number of epochs has nothing left to do.
#' @param ... Must be empty.
#' @param double_checkpoint Flag, whether to keep the previous checkpoint beside
#'   the current one: `TRUE` stands for `keep = 2`.
#' @param keep Which checkpoints to keep until training is complete: how many of
#'   the newest (the default is 1; `Inf` keeps all), or a policy from
#'   [backup_keep()], which can also keep the best one.
#' @param save_before_preemption Which signals make the callback save and end
#'   `fit()` with a condition of class `kerasbackup_preempted`, because they
#'   announce the end of the process: `FALSE` (the default) for none, `TRUE` for
#'   SIGTERM, or some of `"SIGTERM"`, `"SIGUSR1"`, `"SIGUSR2"`, `"SIGHUP"`
#'   and `"SIGXCPU"` (not on Windows). See `vignette("batch-systems")`.
#' @param verbose What to report beside problems. `"normal"` (the default): one
#'   line if training resumes. `TRUE`: also if there is no checkpoint to resume
#'   from, each save, and what `save_freq = "auto"` has chosen. With
#'   `async = TRUE`, a save is reported when the next one is due or when `fit()`
#'   ends. `FALSE`: nothing.
#' @param resume,history,async,max_overhead,on_save_error,on_change See the
#'   section on advanced arguments.
#' @param metadata,on_save See the same section.
#' @return A `keras.callbacks.Callback`, for the `callbacks` argument of
#'   `fit()`. It can be used for several trainings, one after the other.
#' @section Advanced arguments:
#' * `resume`: where to resume after an interruption in the middle of an epoch.
#'   `"batch"` (the default) resumes exactly, at the next batch. `"epoch"`
#'   restarts that epoch with the variables from its middle, as Keras does.
#' * `history`: what `fit()` returns. `"resumed"` (the default) returns the
#'   epochs that this call ran, as with Keras' own callback. `"full"` returns
#'   the epochs of the whole run. keras3's `plot()`, `print()` and
#'   `as.data.frame()` always number the epochs from 1, so use `"full"` in
#'   scripts that use them and may be run again. For the epochs before an
#'   interruption, `"full"` contains the logs that are single numbers. If no
#'   epoch is left, `fit()` returns all epochs either way.
#' * `async`: whether a background thread writes the checkpoints. With `TRUE`
#'   (the default), training waits only for a snapshot of its state in memory,
#'   which takes as much memory as the state. If there is too little, a message
#'   says so and training waits for the disk, as with `FALSE`. `fit()` returns
#'   when the last checkpoint is committed or reported as failed.
#' * `max_overhead`: only for `save_freq = "auto"`, the share of the training
#'   time that saving may cost, a number above 0, up to 1. The default is 1 %.
#' * `on_save_error`: what to do when a checkpoint cannot be saved, for example
#'   because the disk is full. `"warn"` (the default) warns and continues
#'   training, and the next save tries again. If no later save succeeds, the
#'   last failure is reported again when `fit()` ends. `"stop"` ends `fit()`
#'   with the error. Either way the last good checkpoint is untouched.
#' * `on_change`: what to do if the script or its data have changed since the
#'   checkpoint was made. `"message"` resumes, and a message lists the changes.
#'   With `"warn"` it is a warning. `"stop"` refuses the checkpoint: the error
#'   (`kerasbackup_error_mismatch`) lists the changes before anything is
#'   restored, and the checkpoint stays. Other batches may show only when they
#'   are drawn again; then the error comes after the restore. The default is
#'   `"message"`, with one exception: other data (their values, or how many rows
#'   there are) are refused if this R session has trained with the same
#'   `backup_dir` before, because they may be another fold of a
#'   cross-validation. To go on with other data there, write
#'   `on_change = "message"`.
#' * `metadata`: your own notes for every checkpoint, a named list such as
#'   `list(commit = "f1ee137", dropout = 0.1)`: one text, finite number, `TRUE`
#'   or `FALSE` each. [backup_info()] shows them. A resumed training stores
#'   those of its own callback.
#' * `on_save`: a function with one argument. It is called with a list of facts
#'   about each checkpoint that is committed, for example to tell a tracker. An
#'   error in it causes a warning of class `kerasbackup_warning_on_save`, and
#'   training continues. Further errors are counted, and a message at the end of
#'   `fit()` says how many there were. The section on notifications in
#'   `vignette("kerasbackup")` lists the facts, and says when it is called.
#' @section Messages and warnings:
#' No handler ends training: `tryCatch(warning = )` or `tryCatch(message = )`
#' around `fit()` gets the first such condition when `fit()` has returned, and
#' what it says is shown at once. `options(warn = 2)` does not turn them into
#' errors.
#'
#' If something has changed in the script, a message of class
#' `kerasbackup_message_notes` lists up to ten changes when training resumes.
#' Its field `changes` has all, as a data frame like `differences` below. With
#' `on_change = "warn"` it is a warning of class `kerasbackup_warning_notes`.
#' @section Errors:
#' Every error has the class `kerasbackup_error` and one of these classes:
#'
#' * `kerasbackup_error_argument`: an argument is invalid.
#' * `kerasbackup_error_io`: a file or the directory cannot be used.
#' * `kerasbackup_error_corrupt`: no checkpoint is intact.
#' * `kerasbackup_error_locked`: another training uses the directory.
#' * `kerasbackup_error_mismatch`: the checkpoint is of another model.
#' * `kerasbackup_error_unsupported`: something is not supported.
#'
#' If the model differs from the checkpoint's, or a change is refused (see
#' `on_change`), `differences` of the error lists every difference: a data frame
#' with the columns `what`, `script` and `checkpoint`. reticulate before 1.29
#' keeps only the message of errors inside `fit()`.
#' @seealso [backup_info()], [backup_verify()], [backup_history()],
#'   [backup_read()] and [backup_delete()] to inspect a backup;
#'   [backup_keep()] to keep more than the newest checkpoint;
#'   [backup_restore()] and [backup_export()] to use its weights elsewhere;
#'   [backup_list()] and [backup_prune()] for many backups;
#'   `vignette("kerasbackup")` to get started.
#' @examplesIf rlang::is_installed("keras3") && reticulate::py_module_available("keras")
#' library(keras3)
#'
#' set_random_seed(1)
#' x <- as.matrix(iris[1:3])
#' y <- iris$Petal.Width
#' model <- keras_model_sequential(input_shape = 3) |> layer_dense(1)
#' model |> compile(optimizer = "adam", loss = "mse")
#'
#' # Run again after an interruption, this resumes where training stopped.
#' dir <- file.path(tempdir(), "backup")
#' backup <- kerasbackup::callback_backup_and_restore(
#'   dir,
#'   delete_checkpoint = FALSE
#' )
#' model |> fit(x, y, epochs = 3, callbacks = list(backup))
#'
#' # Train the completed run further, with another learning rate. (The one in
#' # the checkpoint counts, so a callback must set another.)
#' slower <- callback_learning_rate_scheduler(function(epoch, lr) 1e-4)
#' model |> fit(x, y, epochs = 5, callbacks = list(backup, slower))
#'
#' # Get the weights out, without Python.
#' str(backup_read(dir))
#'
#' # Keep the finished model. Only then delete the backup, to start anew.
#' save_model(model, file.path(tempdir(), "model.keras"))
#' backup_delete(dir)
#' @export
callback_backup_and_restore <- function(
  backup_dir,
  save_freq = "epoch",
  delete_checkpoint = TRUE,
  ...,
  double_checkpoint = FALSE,
  keep = 1,
  save_before_preemption = FALSE,
  resume = c("batch", "epoch"),
  history = c("resumed", "full"),
  async = TRUE,
  max_overhead = 0.01,
  on_save_error = c("warn", "stop"),
  on_change = c("message", "warn", "stop"),
  metadata = NULL,
  on_save = NULL,
  verbose = "normal"
) {
  check_dots(...)
  signals <- check_signals(save_before_preemption, "save_before_preemption")
  config <- list(
    backup_dir = check_backup_dir(backup_dir),
    save_freq = check_save_freq(save_freq, may_be_false = length(signals) > 0),
    signals = signals,
    delete_checkpoint = check_delete_checkpoint(delete_checkpoint),
    keep = check_keep(keep, double_checkpoint, !missing(keep)),
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
    on_change = check_on_change(on_change, !missing(on_change)),
    metadata = check_metadata(metadata),
    on_save = check_function(on_save, "on_save"),
    verbose = check_verbose(verbose)
  )
  if (!missing(delete_checkpoint) && is_unnamed("delete_checkpoint")) {
    inform_third_argument(delete_checkpoint)
  }
  if (isFALSE(config$save_freq)) {
    # Training waits for the only save anyway, so a copy would gain nothing.
    config$async <- FALSE
  }
  bridge_callback(config)
}
