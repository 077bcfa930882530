# Owns one training of the exactness table, in a process of its own.

# @param job list:
#   row: string, data/model/callbacks.
#   dir: string, the row's directory; `out` in it has what callbacks write.
#   name: string; the digest, or the error, goes to dir/<name>.txt, and what
#     this package tells on the way to dir/<name>.notes.
#   backup: flag, whether to back up, and then `freq`, `keep`, `delete`.
#   kill: list(event, epoch, batch), or NULL; `await`: flag, whether there must
#     be a checkpoint before.
#   epochs: integer.
#   ablate: string, the kind of state to leave out at a restore, or "".
# @return nothing: the process may be killed.
run_job <- function(job) {
  run_forked(job$dir, job$name, function() {
    if (nzchar(job$ablate)) {
      ablate$ablate(job$ablate)
    }
    noting(file.path(job$dir, paste0(job$name, ".notes")), train(job))
  })
}

train <- function(job) {
  parts <- strsplit(job$row, "/", fixed = TRUE)[[1]]
  out <- file.path(job$dir, job$out)
  dir.create(out, recursive = TRUE, showWarnings = FALSE)
  # The case sets the seeds, R's first.
  set.seed(11)
  built <- cases$build(job$row, out)
  others <- callbacks <- c(built[[3]], r_callbacks(parts[[3]]))
  if (job$backup) {
    ours <- callback_backup_and_restore(
      file.path(job$dir, job$saved),
      save_freq = job$freq,
      delete_checkpoint = job$delete,
      save_before_preemption = isFALSE(job$freq),
      keep = job$keep,
      history = "full",
      # There is no time after the last save of an epoch that is over.
      async = !identical(job$kill[[1]], "epoch-end")
    )
    if (identical(job$freq, "auto")) {
      cases$hasten(ours)
    }
    callbacks <- c(ours, callbacks)
  }
  if (is.null(job$kill) && parts[[3]] == "tensorboard") {
    # tf_keras calls a TensorBoard after batches only where another callback
    # hears of them, as the one that kills does.
    callbacks <- c(callbacks, cases$Kill("never", 0L, 0L))
  }
  if (!is.null(job$kill)) {
    saved <- if (job$await) file.path(job$dir, job$saved) else ""
    callbacks <- c(callbacks, do.call(cases$Kill, c(unname(job$kill), saved)))
  }
  model <- built[[1]]
  fit <- model$fit
  history <- do.call(
    fit,
    c(
      built[[2]],
      r_data(parts[[1]]),
      list(epochs = job$epochs, verbose = 0L, callbacks = callbacks)
    )
  )
  cases$digest(model, history, others, out)
}
