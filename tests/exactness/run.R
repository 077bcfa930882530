# Owns one training of the exactness table, in a process of its own that is
# forked from one in which R, Keras and its backend are loaded already (but have
# computed nothing yet, so that no thread is lost by the fork).

# @param job list:
#   row: string, data/model/callbacks.
#   dir: string, the row's directory; `out` in it has what callbacks write.
#   name: string; the digest, or the error, goes to dir/<name>.txt.
#   backup: flag, whether to back up, and then `freq`, `delete`.
#   kill: list(event, epoch, batch), or NULL; `await`: flag, whether there must
#     be a checkpoint before.
#   epochs: integer.
#   ablate: string, the kind of state to leave out at a restore, or "".
# @return nothing: the process may be killed.
run_job <- function(job, timeout = 240) {
  process <- parallel::mcparallel(run_here(job), silent = TRUE)
  done <- suppressWarnings(
    parallel::mccollect(process, wait = FALSE, timeout = timeout)
  )
  if (is.null(done)) {
    tools::pskill(process$pid, tools::SIGKILL)
  }
  suppressWarnings(parallel::mccollect(process))
  invisible()
}

run_here <- function(job) {
  cases$redirect(file.path(job$dir, paste0(job$name, ".log")))
  if (nzchar(job$ablate)) {
    ablate$ablate(job$ablate)
  }
  result <- tryCatch(
    train(job),
    error = function(e) paste("error:", conditionMessage(e))
  )
  file <- file.path(job$dir, paste0(job$name, ".txt"))
  writeLines(result, paste0(file, "~"))
  file.rename(paste0(file, "~"), file)
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
      save_freq = job$freq, delete_checkpoint = job$delete, history = "full"
    )
    callbacks <- c(ours, callbacks)
  }
  if (!is.null(job$kill)) {
    saved <- if (job$await) file.path(job$dir, job$saved) else ""
    callbacks <- c(callbacks, do.call(cases$Kill, c(unname(job$kill), saved)))
  }
  model <- built[[1]]
  fit <- model$fit
  history <- do.call(fit, c(
    built[[2]], r_data(parts[[1]]),
    list(epochs = job$epochs, verbose = 0L, callbacks = callbacks)
  ))
  cases$digest(model, history, others, out)
}

# @return the lines of a run's digest; one that begins with "error:" where there
#   is none.
read_run <- function(dir, name) {
  file <- file.path(dir, paste0(name, ".txt"))
  if (file.exists(file)) readLines(file) else "error: the process died"
}
