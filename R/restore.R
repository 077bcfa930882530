# Puts a checkpoint into a model outside of `fit()`.
#
# The directory is only read, so it is not locked: a training may be running
# there, and may remove a checkpoint while it is read here. R looks for the
# checkpoint again then.
#
# May not touch `.Call`. inst/python/kerasbackup/checkpoint/rescue.py assigns
# the variables.

#' Restore a model from a backup
#'
#' @description
#' `backup_restore()` puts the newest checkpoint of a directory, or a given
#' generation, into a model. Use it to get the weights out of a training that
#' was interrupted, to look at a training that is still running, or to go on
#' from its weights in another script. To resume a training, run its script
#' again instead: `fit()` also restores the position in the data, the random
#' generators and the other callbacks.
#'
#' The model may run on another backend than the one that wrote the checkpoint.
#' No data are needed, and for `what = "weights"` the model need not be
#' compiled. The directory is not changed or locked.
#'
#' @details
#' Do not use `keras3::load_model_weights()` on a checkpoint. It reads the files
#' of `keras3::save_model_weights()` and refuses others. [backup_export()] makes
#' such a file of a checkpoint.
#'
#' The model must have the variables that it had in the training, with the same
#' names, shapes and dtypes. The numbers that Keras appends to the names of
#' layers do not count. Nothing is assigned if anything differs.
#'
#' If the newest checkpoint is damaged, the one before it is restored, with a
#' warning, as in `fit()`. A `generation` that is given is never replaced by
#' another.
#'
#' @inheritParams backup_info
#' @param model A model of Keras 3 or tf_keras that is built. It is changed in
#'   place. Random layers of tf_keras, such as Dropout, get generators whose
#'   state is a variable, as in a training with the callback.
#' @param what `"weights"` (the default) restores the variables of the model:
#'   weights, the states of layers, and seed generators. `"all"` also restores
#'   the variables of the optimizer, which include its learning rate and its
#'   count of steps; the model must be compiled as for the training. Metrics are
#'   not restored, because `fit()` and `evaluate()` reset them.
#' @param generation Which checkpoint to use: a number, as in
#'   `backup_info(dir)$files`, or `"best"` for the best one by the log that
#'   [backup_keep()] watches. `NULL` (the default) uses the newest.
#' @return Invisibly `model`.
#' @section Errors:
#' * `kerasbackup_error_argument`: the model is not built, or is not compiled
#'   with `what = "all"`, or there is no such generation.
#' * `kerasbackup_error_mismatch`: the checkpoint is of another model. The error
#'   lists the differences, up to ten of them, and the model is unchanged.
#' * `kerasbackup_error_io`: there is no checkpoint, or it cannot be read.
#' * `kerasbackup_error_corrupt`: no checkpoint is intact, or the generation
#'   that was asked for is damaged.
#' * `kerasbackup_error_unsupported`: it is not a model of Keras, or another
#'   version of kerasbackup wrote the checkpoint.
#'
#' A warning of class `kerasbackup_warning_fallback` says that an older
#' checkpoint was restored.
#' @family backup functions
#' @examples
#' dir <- system.file("extdata", "example-backup", package = "kerasbackup")
#' # The model of that training. Only where Python is in use already.
#' if (reticulate::py_available() && reticulate::py_module_available("keras")) {
#'   keras <- reticulate::import("keras")
#'   model <- keras$Sequential(list(
#'     keras$Input(list(4L)),
#'     keras$layers$Dense(3L, activation = "relu", name = "hidden"),
#'     keras$layers$Dense(1L, name = "output")
#'   ))
#'   backup_restore(model, dir)
#'   model$get_weights()
#' }
#'
#' \dontrun{
#' # The training had keep = backup_keep(best = "val_loss").
#' backup_restore(model, "backup", generation = "best")
#' }
#' @export
backup_restore <- function(
  model,
  dir,
  what = c("weights", "all"),
  generation = NULL
) {
  check_model(model)
  dir <- check_existing_dir(dir)
  what <- check_choice(what, c("weights", "all"), "what")
  restore_model(model, dir, what, generation)
  invisible(model)
}

# @return what session_load() notes of the checkpoint.
restore_model <- function(
  model,
  dir,
  what,
  generation,
  call = rlang::caller_env()
) {
  refuse_big_endian()
  # A better checkpoint may replace the best one during the look.
  look_again(function() {
    file <- find_generation(dir, generation, call = call)
    restore_file(model, dir, what, file)
  })
}

# @param file list(path, generation), NULL for the newest.
restore_file <- function(model, dir, what, file) {
  reader <- rlang::env(
    store = store_open_to_read(dir),
    file = file,
    loaded = NULL,
    restored = NULL,
    error = NULL,
    looks = most_looks
  )
  on.exit(store_close(reader$store))
  functions <- list(
    load = function(verified) reader_load(reader, verified),
    read = function(places) reader_read(reader, places)
  )
  result <- bridge_restore(model, lapply(functions, reader_keeps, reader), what)
  if (!is.null(result$error)) {
    stop_told_by_python(result, reader$error)
  }
  if (!result$value) {
    refuse_no_backup(dir)
  }
  # Python is off the stack, so a handler may jump out of this.
  warn_skipped(reader$restored)
  reader$restored
}

# Keeps an error of R's with all its fields: Python is told only its class and
# its message.
reader_keeps <- function(fn, reader) {
  force(fn)
  function(...) {
    tryCatch(fn(...), kerasbackup_error = function(e) {
      reader$error <- e
      rlang::cnd_signal(e)
    })
  }
}

# As session_load(), of a directory that is not locked.
reader_load <- function(reader, verified) {
  if (!is.null(reader$file)) {
    return(reader_load_file(reader))
  }
  look_again(
    function() session_load(reader, verified),
    skipped = function(found) reader$loaded$skipped
  )
}

reader_load_file <- function(reader) {
  path <- reader$file$path
  header <- store_header(path)
  manifest <- manifest_parse(header, path)
  reader$loaded <- list(
    generation = reader$file$generation,
    path = path,
    skipped = list(),
    metadata = manifest$metadata,
    # No other one may be restored instead.
    verified = TRUE
  )
  list(header = header, path = path)
}

# @return FALSE if another look may find a checkpoint.
reader_read <- function(reader, places) {
  reader$restored <- session_read_data(
    reader,
    places,
    may_retry = function(error) {
      reader$looks <- reader$looks - 1
      is.null(reader$file) && is_gone(error) && reader$looks > 0
    }
  )
  !is.null(reader$restored)
}

#' Export a backup
#'
#' @description
#' `backup_export()` writes the weights of a checkpoint to a file for other
#' programs: a plain safetensors file, or a file of Keras' own.
#'
#' A checkpoint is a safetensors file already, so every reader of that format
#' opens it. An exported file has only what another program wants: no state of
#' the training, no checksums and no metadata.
#'
#' @details
#' The kind of file follows from the end of its name:
#'
#' * `.safetensors`: the variables, under the names that [backup_info()] shows.
#'   Python is not needed.
#' * `.weights.h5`: what `keras3::save_model_weights()` writes, for
#'   `keras3::load_model_weights()`.
#' * `.keras`: what `keras3::save_model()` writes, for `keras3::load_model()`:
#'   the architecture of `model`, how it is compiled, its weights and its
#'   optimizer.
#'
#' Keras writes the last two. So they need Python and `model`, into which
#' [backup_restore()] puts the checkpoint first. A `.keras` file gets the
#' optimizer of the checkpoint with `what = "all"`, and otherwise the one that
#' `model` has.
#'
#' The checkpoint is verified first. If the newest one is damaged, the one
#' before it is exported, with a warning.
#'
#' @inheritParams backup_restore
#' @param file String, the file to write. It must not exist, and must not have
#'   the name of a checkpoint.
#' @param model A Keras model that is built, for the files that Keras writes. It
#'   is changed in place. Leave it out for a safetensors file.
#' @param what `"weights"` (the default) writes the variables of the model, and
#'   `"all"` also those of the optimizer.
#' @return Invisibly the path of the file.
#' @section Errors:
#' `kerasbackup_error_argument` is raised for the name of a file that exists,
#' has another end or is in a folder that is missing, and if `model` is missing
#' or not needed. The errors of [backup_restore()] are raised too. On an error
#' no file is left.
#' @family backup functions
#' @examples
#' dir <- system.file("extdata", "example-backup", package = "kerasbackup")
#' file <- tempfile(fileext = ".safetensors")
#' backup_export(dir, file)
#' file.size(file)
#'
#' \dontrun{
#' # The best checkpoint, as a model that Keras loads.
#' backup_export("backup", "best.keras", model, generation = "best")
#' }
#' @export
backup_export <- function(
  dir,
  file,
  model = NULL,
  what = c("weights", "all"),
  generation = NULL
) {
  dir <- check_existing_dir(dir)
  file <- check_new_file(file)
  what <- check_choice(what, c("weights", "all"), "what")
  if (is_safetensors(file)) {
    check_no_model(model)
    export_tensors(dir, file, what, generation)
  } else {
    check_model(model, c(i = "Only .safetensors is written without a model."))
    restore_model(model, dir, what, generation)
    export_by_keras(model, file)
  }
  invisible(file)
}

is_safetensors <- function(file) endsWith(file, ".safetensors")

export_tensors <- function(
  dir,
  file,
  what,
  generation,
  call = rlang::caller_env()
) {
  loaded <- load_verified(dir, generation, call)
  on.exit(store_buffer_release(loaded$buffer))
  tensors <- manifest_parse(
    loaded$header,
    loaded$path,
    loaded$data_bytes
  )$tensors
  group <- sub("/.*", "", tensors$name)
  wanted <- c("variables", if (what == "all") "optimizer")
  tensors <- tensors[group %in% wanted, , drop = FALSE]
  plan <- manifest_plan(tensors$name, tensors$dtype, tensors$shape)
  header <- paste0("{", plan$tensors, "}")
  # As the format asks for, the data begin at a multiple of 8.
  padding <- strrep(" ", -nchar(header, "bytes") %% 8)
  result <- store_buffer_export(
    loaded$buffer,
    file,
    paste0(header, padding),
    tensors$begin,
    plan$sizes
  )
  stop_if_not_exported(result, file)
}

# @return as from store_find(), with its data.
load_verified <- function(dir, generation, call) {
  if (!is.null(generation)) {
    return(read_generation(dir, generation, store_read, call)$value)
  }
  store <- store_open_to_read(dir)
  on.exit(store_close(store))
  loaded <- look_again(
    function() store_find(store, "load"),
    skipped = function(found) found$skipped
  )
  if (is.null(loaded)) {
    refuse_no_backup(dir)
  }
  warn_skipped(loaded)
  loaded
}

# Warns of newer checkpoints that could not be used. Those that a training has
# removed are no loss.
warn_skipped <- function(loaded) {
  skipped <- loaded$skipped[!vapply(loaded$skipped, is_gone, NA)]
  if (length(skipped) > 0) {
    warn_fallback(lapply(skipped, with_tensor), loaded$path)
  }
}

# Keras chooses the format by the end of the name, and replaces what has that
# name.
export_by_keras <- function(model, file) {
  suffix <- if (is_weights_file(file)) ".weights.h5" else ".keras"
  temp <- tempfile(".kerasbackup-", dirname(file), suffix)
  on.exit(path_unlink(temp))
  if (is_weights_file(file)) {
    model$save_weights(temp)
  } else {
    model$save(temp)
  }
  stop_if_not_exported(path_rename(temp, file), file)
}

is_weights_file <- function(file) endsWith(file, ".weights.h5")
