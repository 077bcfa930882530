# Owns one training process of the exactness table.
#
#   Rscript child.R reference ROWS DIR          trains whole, row after row
#   Rscript child.R victim ROW DIR EPOCH BATCH FREQ   kills itself by SIGKILL
#   Rscript child.R resumed ROW DIR FREQ        goes on, with the same script
#
# A row's digest, or the error that Keras raised, goes to DIR/ROW/<mode>.txt.

args <- commandArgs(trailingOnly = TRUE)
mode <- args[[1]]
rows <- strsplit(args[[2]], ",", fixed = TRUE)[[1]]
base <- args[[3]]
here <- Sys.getenv("EXACTNESS_HOME")
library(kerasbackup)

cases <- reticulate::import_from_path("cases", here, delay_load = FALSE)
if (nzchar(Sys.getenv("ABLATE")) && mode == "resumed") {
  python <- system.file("python", package = "kerasbackup")
  reticulate::py_run_string(sprintf(
    "import sys; sys.path[:0] = [%s, %s]; import ablate; ablate.ablate('%s')",
    deparse(here), deparse(python), Sys.getenv("ABLATE")
  ))
}

train <- function(row, out, callbacks) {
  built <- cases$build(row, out)
  fit <- built[[1]]$fit
  arguments <- c(built[[2]], list(
    epochs = cases$EPOCHS, verbose = 0L, callbacks = c(callbacks, built[[3]])
  ))
  history <- do.call(fit, arguments)
  cases$digest(built[[1]], history, out)
}

for (row in rows) {
  dir <- file.path(base, gsub("/", "_", row))
  out <- file.path(dir, paste0("out-", if (mode == "reference") "r" else "v"))
  dir.create(out, recursive = TRUE, showWarnings = FALSE)
  backup <- file.path(dir, "backup")
  freq <- args[[length(args)]]
  if (freq != "epoch") freq <- suppressWarnings(as.integer(freq))
  callbacks <- switch(mode,
    reference = list(),
    victim = list(
      callback_backup_and_restore(backup, save_freq = freq),
      cases$Kill(as.integer(args[[4]]), as.integer(args[[5]]))
    ),
    resumed = list(
      callback_backup_and_restore(backup, save_freq = freq, history = "full")
    )
  )
  result <- tryCatch(
    train(row, out, callbacks),
    error = function(e) paste("error:", conditionMessage(e))
  )
  writeLines(result, file.path(dir, paste0(mode, ".txt")))
  cases$keras$backend$clear_session()
}
