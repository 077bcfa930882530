# One worker of a training, a process of its own.
#
#   Rscript worker.R SPEC
#
# SPEC is a file of JSON: strategy, data, rank, count, ports, dir (of the
# checkpoints), progress and result (files to write), callback (its arguments),
# at and how (the interruption), watched (see values.py; may be null). The
# result is written when training has ended: how, the classes of its messages,
# and what the worker ends with.

spec <- jsonlite::read_json(commandArgs(trailingOnly = TRUE)[[1]])
here <- Sys.getenv("DISTRIBUTED_HOME")

# The class of an error. reticulate before 1.29 keeps only its name in Python.
class_of <- function(e) {
  classes <- class(e)
  if (!any(startsWith(classes, "kerasbackup_"))) {
    name <- regexpr("kerasbackup[.]store[.]errors[.]\\w+", conditionMessage(e))
    classes <- c(regmatches(conditionMessage(e), name), classes)
    classes <- kerasbackup:::bridge_condition_classes(classes)
  }
  classes[[1]]
}

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
        spec$data,
        as.integer(spec$rank),
        as.integer(spec$count),
        lapply(spec$ports, as.integer),
        backup,
        spec$progress,
        if (is.list(spec$at)) lapply(spec$at, as.integer) else spec$at,
        spec$how,
        spec$watched
      )
      list(end = "complete", ends_with = ends_with)
    },
    message = note,
    warning = note
  ),
  error = function(e) list(end = class_of(e), text = conditionMessage(e))
)
if (ended$end != "complete") {
  # In this worker's log.
  print(reticulate::py_last_error())
}
ended$messages <- as.list(messages)
written <- paste0(spec$result, ".part")
jsonlite::write_json(ended, written, auto_unbox = TRUE, digits = NA)
file.rename(written, spec$result)
if (ended$end == "complete") {
  training$leave(spec$strategy)
}
# A worker that others wait for in vain is not waited for by the system.
quit(status = if (ended$end == "complete") 0 else 75)
