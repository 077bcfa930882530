# What Keras' own callback of the same name writes. This package does not read
# it, but says what it is and how to go on from it.
#
# May not touch Python, `.Call` or anything in these files but the count of
# epochs.

keras_files <- c("training_metadata.json", "latest.weights.h5")

keras_files_in <- function(dir) {
  keras_files[file.exists(file.path(dir, keras_files))]
}

# Warns if Keras' own callback has used the directory before.
warn_keras_backup <- function(dir) {
  there <- keras_files_in(dir)
  if (length(there) > 0) {
    inform_training("keras", there)
  }
}

# There is no checkpoint in a directory that was to have one.
refuse_no_backup <- function(dir) {
  there <- keras_files_in(dir)
  if (length(there) == 0) {
    stop_no_backup(dir)
  }
  has_weights <- keras_files[[2]] %in% there
  epoch <- keras_epoch(file.path(dir, keras_files[[1]]))
  stop_keras_backup(
    dir,
    epoch,
    if (has_weights) import_lines(file.path(dir, keras_files[[2]]), epoch)
  )
}

# The lines of R that put it into the model of the script, and train on.
import_lines <- function(weights, epoch) {
  initial <- if (!is.na(epoch)) paste0(", initial_epoch = ", epoch + 1)
  c(
    # Without variables the optimizer would lose its state without a word.
    "model$optimizer$build(model$trainable_variables)",
    paste0(
      "keras3::load_model_weights(model, ",
      encodeString(weights, quote = "\""),
      ")"
    ),
    paste0("keras3::fit(model, ...", initial, ")")
  )
}

# @return integer, how many epochs were complete; NA if it is not known.
keras_epoch <- function(path) {
  # It has two numbers. A file of another size is none of Keras'.
  if (!isTRUE(file.size(path) < 10000)) {
    return(NA_integer_)
  }
  text <- paste(readLines(path, warn = FALSE), collapse = "\n")
  found <- parse_plain_json(text, depth = 1)
  epoch <- if (is_object(found)) found[["epoch"]]
  is_count <- is_whole_number(epoch) && epoch >= 0 && epoch < 1e9
  if (is_count) as.integer(epoch) else NA_integer_
}
