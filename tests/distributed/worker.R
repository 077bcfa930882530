# One worker of a training, a process of its own.
#
#   Rscript worker.R SPEC
#
# SPEC is a file of JSON: strategy, rank, count, port, dir (of the checkpoints),
# progress and result (files to write), callback (its arguments), at and how
# (the interruption). The result is written when training has ended: how, the
# classes of its messages, and what the worker ends with.

spec <- jsonlite::read_json(commandArgs(trailingOnly = TRUE)[[1]])
here <- Sys.getenv("DISTRIBUTED_HOME")
messages <- character()
note <- function(condition) {
  classes <- grep("^kerasbackup_", class(condition), value = TRUE)
  messages <<- c(messages, classes[1], conditionMessage(condition))
}
ended <- tryCatch(
  withCallingHandlers(
    {
      training <- reticulate::import_from_path("training", here)
      backup <- do.call(
        kerasbackup::callback_backup_and_restore,
        c(list(spec$dir, history = "full"), spec$callback)
      )
      ends_with <- training$train(
        spec$strategy,
        as.integer(spec$rank),
        as.integer(spec$count),
        as.integer(spec$port),
        backup,
        spec$progress,
        if (is.list(spec$at)) lapply(spec$at, as.integer) else spec$at,
        spec$how
      )
      list(end = "complete", ends_with = ends_with)
    },
    message = note,
    warning = note
  ),
  error = function(e) list(end = class(e)[[1]], text = conditionMessage(e))
)
ended$messages <- as.list(messages)
written <- paste0(spec$result, ".part")
jsonlite::write_json(ended, written, auto_unbox = TRUE, digits = NA)
file.rename(written, spec$result)
if (ended$end == "complete") {
  training$leave()
}
# A worker that others wait for in vain is not waited for by the system.
quit(status = if (ended$end == "complete") 0 else 75)
