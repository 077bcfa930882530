# The functions that inspect and delete backups, and the class `keras_backup`.
# They need no Python.
#
# May not touch Python or `.Call` (R/store.R has that). Only `backup_delete()`
# changes anything on disk.

#' Inspect a backup
#'
#' @description
#' `backup_info()` reports what the checkpoints in a directory hold: how far
#' training had come, when it was saved, and which variables there are. It reads
#' only headers and the learning rate, so it is quick at any size. Use
#' [backup_verify()] to check every byte.
#'
#' Python is needed only by [backup_restore()], and by [backup_export()] for the
#' files that Keras writes. Only [backup_delete()] and [backup_prune()] change
#' anything in a directory; the other `backup_*()` functions only read it, so
#' they also work while a training uses it.
#'
#' @param dir String, the `backup_dir` that was given to
#'   [callback_backup_and_restore()]. `backup_info()` also takes the path of one
#'   checkpoint in it, or several directories. [backup_list()] finds all
#'   directories under a folder.
#' @param generation Which checkpoint to look at: a number, as in
#'   `backup_info(dir)$files`, or `"best"` for the best one by the log that
#'   [backup_keep()] watches. `NULL` (the default) stands for the newest. It
#'   cannot be given for a directory of several workers.
#' @return An object of class `keras_backup` (for several directories a data
#'   frame, see below): a list with
#'   * `dir`: string, the directory;
#'   * `files`: data frame with one row per checkpoint, the newest first. Its
#'     columns are `path`, `generation` (number), `bytes`, how far training
#'     had come, as `epoch` and `batch`, `saved_at`, `value` (what the log that
#'     [backup_keep()] watches was then, `NA` for a checkpoint from within an
#'     epoch) and `best` (`TRUE` for the best of them). All but the first three
#'     are `NA` if the header of an older checkpoint is damaged;
#'   * `watched`: `NULL`, or a list with the name of that log (`log`) and its
#'     `mode`, if the training kept the best checkpoint;
#'   * `generation`: number, the checkpoint that the following elements
#'     describe;
#'   * `epoch`: integer, the number of complete epochs;
#'   * `batch`: integer, the number of batches of the next epoch that are
#'     trained;
#'   * `epochs`: integer, how many epochs the training is to have, `NA` if the
#'     checkpoint does not say;
#'   * `running`: logical, whether a training uses the directory now, `NA` if
#'     the system does not tell;
#'   * `owner`: list, the process that uses it (`pid`, `host` and the time
#'     `started`, as text), `NULL` if none does or it is not known;
#'   * `saved_at`: time of the save (`POSIXct`, UTC);
#'   * `began_at`: time when the run began (`POSIXct`, UTC), `NA` if the
#'     checkpoint does not say;
#'   * `duration`: `difftime` in seconds, how long the run was trained until the
#'     save. The time between a checkpoint and the resume from it does not
#'     count. `NA` if it is not known;
#'   * `learning_rate`: number, the learning rate of the optimizer then. `NA` if
#'     no variable has it, as with a schedule;
#'   * `versions`: named character, the versions of the software that wrote
#'     the checkpoint;
#'   * `metadata`: named list, what the callback was given as `metadata`;
#'   * `history`: data frame, the logs so far, as from [backup_history()];
#'   * `interruptions`: data frame with one row for each time that the run was
#'     resumed: `epoch` and `batch` of the checkpoint, `saved_at` and
#'     `resumed_at` (`POSIXct`, UTC);
#'   * `variables`: data frame with one row per variable: `name`, `dtype` (as in
#'     safetensors), `shape` (list of numeric, `numeric(0)` for a scalar),
#'     `bytes`;
#'   * `workers`: integer, the number of workers. It is there only if several
#'     workers trained the model. Then `files` has the checkpoints of all of
#'     them and a column `worker`, and the other elements describe the newest
#'     checkpoint that all of them have: see `vignette("several-workers")`.
#'
#'   `as.data.frame()` returns `variables` with the shapes as text. The method
#'   `summary()` shows the latest logs and the space that each part takes, and
#'   `plot()` draws the losses over the epochs.
#' @section Several directories:
#' For several directories, `backup_info()` returns a data frame with one row
#' per directory. Its columns are
#' * `dir`, `epoch`, `batch`, `epochs`, `learning_rate`, `duration`, `saved_at`
#'   and `running`, as above;
#' * `best_epoch`, `best_log` and `best_value`: the best epoch by the log that
#'   [backup_keep()] watches, or else by the validation loss or the loss. `NA`
#'   until two epochs are complete;
#' * `age`: the time since the save (`difftime`, in hours);
#' * `files` and `bytes`: the number of checkpoints and their size.
#' @section Errors:
#' `kerasbackup_error_io` is raised if there is no checkpoint. If there is a
#' backup of Keras' own callback instead, the error prints the lines of R that
#' put its weights into the model and train on after its last epoch, and has
#' them as the field `import`.
#'
#' `kerasbackup_error_corrupt` is raised if the header of the newest checkpoint
#' is damaged. If an older checkpoint is intact, the error names it and has its
#' path as the field `good`. The functions that show a backup stop there, so
#' that nothing older is taken for the newest. Those that use its weights
#' ([backup_restore()], [backup_export()] and training) go on with the older
#' checkpoint and warn.
#' @seealso [plot.keras_backup()]
#' @family backup functions
#' @examples
#' dir <- system.file("extdata", "example-backup", package = "kerasbackup")
#' backup_info(dir)
#' head(as.data.frame(backup_info(dir)))
#' summary(backup_info(dir))
#'
#' \dontrun{
#' # All runs of a grid:
#' backup_info(Sys.glob("grid/*"))
#'
#' # With keep = backup_keep(last = 3, best = "val_loss"):
#' backup_info("backup")$files[c("generation", "epoch", "value", "best")]
#' backup_info("backup", generation = "best")$epoch
#' }
#' @export
backup_info <- function(dir, generation = NULL) {
  if (missing(dir)) {
    check_existing_dir(dir)
  }
  if (is.character(dir) && length(dir) > 1) {
    return(info_of_many(dir, generation))
  }
  if (is.null(generation) && is_checkpoint_file(dir)) {
    generation <- as.double(gsub("[^0-9]", "", basename(dir)))
    dir <- dirname(dir)
  }
  dir <- check_existing_dir(dir)
  if (has_workers(dir)) {
    check_no_generation(generation, dir)
    return(look_again(function() info_of_workers(dir)))
  }
  read <- read_generation(dir, generation, function(path) {
    manifest <- backup_manifest(path)
    list(
      manifest = manifest,
      learning_rate = learning_rate_in(path, manifest$tensors)
    )
  })
  path <- read$path
  manifest <- read$value$manifest
  metadata <- manifest$metadata
  known <- stats::setNames(list(metadata), path)
  described <- describe_checkpoints(read$files, known)
  running <- lock_is_held(dir)
  times <- times_of(metadata, path)
  structure(
    list(
      dir = dir,
      files = described$files,
      watched = described$watched,
      generation = read$files$generation[read$files$path == path],
      epoch = manifest_count(metadata, "epoch", path),
      batch = manifest_count(metadata, "batch", path),
      epochs = manifest_count(metadata, "epochs", path),
      saved_at = times$saved_at,
      began_at = times$began_at,
      duration = times$duration,
      learning_rate = read$value$learning_rate,
      running = running,
      owner = if (isTRUE(running)) {
        owner_read(dir)[c("pid", "host", "started")]
      },
      versions = manifest_versions(metadata, path),
      metadata = manifest_user(metadata, path),
      history = manifest_history(metadata, path),
      interruptions = times$interruptions,
      variables = whole_variables(pieces_there(manifest, path))
    ),
    class = "keras_backup"
  )
}

#' Verify a backup
#'
#' Reads every byte of the newest checkpoint (or of all checkpoints) and
#' compares it with the checksums that were written with it. If all are right, a
#' message of class `kerasbackup_message_verified` says so in one line.
#'
#' @inheritParams backup_info
#' @param all Flag. `TRUE` verifies every checkpoint in the directory. `FALSE`
#'   (the default) verifies the newest, which would be restored.
#' @return Invisibly `TRUE`.
#' @section Errors:
#' `kerasbackup_error_corrupt` is raised if a checkpoint is damaged. The error
#' names the file and the tensor, and has them as the fields `path` and
#' `tensor`. If an older checkpoint is intact, its path is the field `good`.
#' `kerasbackup_error_io` is raised if there is no checkpoint or it cannot be
#' read.
#' @family backup functions
#' @examples
#' dir <- system.file("extdata", "example-backup", package = "kerasbackup")
#' backup_verify(dir)
#' @export
backup_verify <- function(dir, all = FALSE) {
  dir <- check_existing_dir(dir)
  all <- check_flag(all, "all")
  if (has_workers(dir)) {
    return(look_again(function() verify_workers(dir, all)))
  }
  verify <- function(path) {
    backup_manifest(path)
    store_verify(path)
  }
  files <- read_newest(dir, verify)$files
  bytes <- files$bytes[[1]]
  for (i in if (all) seq_len(nrow(files))[-1]) {
    if (!is.null(unless_gone(verify(files$path[[i]])))) {
      bytes <- c(bytes, files$bytes[[i]])
    }
  }
  inform_verified(dir, length(bytes), sum(bytes))
  invisible(TRUE)
}

#' Get the history of a run
#'
#' Returns the logs of every epoch that the whole run has completed so far,
#' including epochs before interruptions.
#'
#' @inheritParams backup_info
#' @return A data frame with one row per epoch. Its columns are `epoch`
#'   (integer, starting at 1) and one numeric column per log, such as `loss` and
#'   `val_loss`. The value is `NA` if an epoch did not have that log.
#' @inheritSection backup_info Errors
#' @family backup functions
#' @examples
#' dir <- system.file("extdata", "example-backup", package = "kerasbackup")
#' backup_history(dir)
#' @export
backup_history <- function(dir) {
  dir <- check_existing_dir(dir)
  if (has_workers(dir)) {
    return(look_again(function() history_of_workers(dir)))
  }
  read_newest(dir, function(path) {
    manifest_history(backup_manifest(path)$metadata, path)
  })$value
}

#' Read the variables of a backup
#'
#' Reads variables into R and verifies each byte first. With `names`, only the
#' parts of the file that have those variables are read and verified. The file
#' is also an ordinary safetensors file, so any reader of that format can open
#' it.
#'
#' @inheritParams backup_info
#' @param generation Which checkpoint to read: a number, as in
#'   `backup_info(dir)$files`, or `"best"`. `NULL` (the default) reads the
#'   newest.
#' @param names Character, the variables to read, by their names in
#'   [backup_info()]; `NULL` (the default) reads all.
#' @return A named list with one element per variable. A scalar is a vector
#'   without dimensions. Any other variable is an array with the variable's
#'   shape, so `x[i, j]` in R is `x[i - 1, j - 1]` in Python. BOOL becomes
#'   logical. Integers up to 32 bits become integer, except unsigned 32-bit
#'   integers, which become double. 64-bit integers become double, which is
#'   exact up to 2^53. Every kind of float becomes double.
#'
#'   If several workers trained the model, the parts of a variable are put
#'   together. What differs between workers is read from the first; name the
#'   directory of one worker to read its own.
#' @section Errors:
#' `kerasbackup_error_corrupt` is raised if the checkpoint is damaged,
#' `kerasbackup_error_io` if there is none or it cannot be read, and
#' `kerasbackup_error_argument` for a name that the checkpoint does not have.
#' @family backup functions
#' @examples
#' dir <- system.file("extdata", "example-backup", package = "kerasbackup")
#' str(backup_read(dir))
#' @export
backup_read <- function(dir, names = NULL, generation = NULL) {
  dir <- check_existing_dir(dir)
  if (has_workers(dir)) {
    check_no_generation(generation, dir)
    return(look_again(function() read_workers(dir, names)))
  }
  call <- rlang::current_env()
  read <- function(path) {
    manifest <- backup_manifest(path)
    if (has_shards(manifest)) {
      read_pieces(manifest, path, names, call)
    } else if (is.null(names)) {
      read_loaded(store_read(path), NULL)
    } else {
      read_some(path, names, call)
    }
  }
  read_generation(dir, generation, read)$value
}

# Reads some variables of a checkpoint, and no others.
read_some <- function(path, names, call) {
  tensors <- backup_manifest(path)$tensors
  tensors <- tensors[check_names(names, tensors$name, call), , drop = FALSE]
  values <- lapply(seq_len(nrow(tensors)), function(i) {
    bytes <- store_read_part(path, tensors$begin[[i]], tensors$end[[i]])
    tensor_of_bytes(bytes, tensors$dtype[[i]], tensors$shape[[i]])
  })
  stats::setNames(values, tensors$name)
}

# @param loaded as from store_read(); its memory is freed.
read_loaded <- function(loaded, names, call = rlang::caller_env()) {
  # An error in reading it comes here, before there is memory to free.
  force(loaded)
  on.exit(store_buffer_release(loaded$buffer))
  tensors <- manifest_parse(
    loaded$header,
    loaded$path,
    loaded$data_bytes
  )$tensors
  tensors <- tensors[check_names(names, tensors$name, call), , drop = FALSE]
  values <- lapply(seq_len(nrow(tensors)), function(i) {
    read_tensor(
      loaded$buffer,
      tensors$dtype[[i]],
      tensors$shape[[i]],
      tensors$begin[[i]],
      tensors$end[[i]]
    )
  })
  stats::setNames(values, tensors$name)
}

#' Delete a backup
#'
#' Deletes the checkpoints in a directory. It deletes only files that this
#' package wrote, and recognizes them by name and content. Other files, links
#' and the directory itself stay. The function refuses to delete anything while
#' a training run uses the directory.
#'
#' @inheritParams backup_info
#' @return Invisibly a character vector, the paths of the deleted files.
#' @section Errors:
#' `kerasbackup_error_locked` is raised if a training run uses the directory,
#' `kerasbackup_error_io` if a file cannot be deleted.
#' @family backup functions
#' @examples
#' dir <- tempfile()
#' dir.create(dir)
#' example <- system.file("extdata", "example-backup", package = "kerasbackup")
#' file.copy(list.files(example, full.names = TRUE), dir)
#' backup_delete(dir)
#' @export
backup_delete <- function(dir) {
  dir <- check_existing_dir(dir)
  if (has_workers(dir)) {
    return(delete_workers(dir))
  }
  lock <- lock_acquire(dir)
  on.exit(lock_release(lock))
  deleted <- store_delete(dir)
  lock_remove_files(lock, keep_dir = TRUE)
  invisible(deleted)
}

# The class ---------------------------------------------------------------

#' @export
format.keras_backup <- function(x, ...) {
  total <- sum(x$variables$bytes)
  n <- nrow(x$variables)
  c(
    format_headline(x),
    if (!is.null(x$workers)) paste0("workers: ", x$workers),
    format_training(x),
    format_best(x),
    format_running(x),
    paste0("variables: ", count(n, "variable"), ", ", format_bytes(total)),
    format_rest(x, total),
    if (length(x$versions) > 0) {
      paste0(
        "written by: ",
        paste(names(x$versions), x$versions, collapse = ", ")
      )
    },
    format_user(x$metadata),
    "checkpoints:",
    format_files(x)
  )
}

# One line for each checkpoint. Where there are several, each says how far
# training had come, when it was saved, and how good it was.
format_files <- function(x) {
  files <- x$files
  worker <- if (!is.null(x$workers)) paste0(basename(dirname(files$path)), "/")
  columns <- list(
    paste0(worker, basename(files$path)),
    vapply(files$bytes, format_bytes, "")
  )
  if (nrow(files) > 1) {
    columns <- c(
      columns,
      list(
        ifelse(
          is.na(files$epoch),
          "progress unknown",
          mapply(format_place, files$epoch, files$batch)
        ),
        ifelse(is.na(files$saved_at), "", format_time(files$saved_at)),
        format_value(x)
      )
    )
  }
  trimws(do.call(paste, c("", lapply(columns, format), sep = "  ")), "right")
}

# The log that is watched, or else the validation loss or the loss, of each
# checkpoint that was made at the end of an epoch.
format_value <- function(x) {
  files <- x$files
  if (!is.null(x$watched)) {
    best <- ifelse(files$best %in% TRUE, " (best)", "")
    text <- paste0(shown(x$watched$log), " ", signif(files$value, 5), best)
    return(ifelse(is.na(files$value), "", text))
  }
  log <- intersect(c("val_loss", "loss"), names(x$history))
  if (length(log) == 0) {
    return("")
  }
  value <- x$history[[log[[1]]]][match(files$epoch, x$history$epoch)]
  has <- !is.na(value) & files$batch %in% 0L
  ifelse(has, paste(log[[1]], signif(value, 5)), "")
}

format_time <- function(time) format(time, "%Y-%m-%d %H:%M:%S", usetz = TRUE)

# The user's own notes, which anyone may have written into the file.
format_user <- function(values) {
  if (length(values) == 0) {
    return(NULL)
  }
  texts <- vapply(values, function(x) format(x, digits = 15), "")
  c(
    "metadata:",
    paste0(
      "  ",
      vapply(names(values), shown, ""),
      ": ",
      vapply(texts, shown, "")
    )
  )
}

format_headline <- function(x) {
  is_older <- isTRUE(x$generation < max(x$files$generation))
  c(
    paste0("<keras_backup> ", x$dir),
    if (is_older) {
      newest <- max(x$files$generation)
      paste0("generation: ", x$generation, " (the newest is ", newest, ")")
    },
    paste0("progress: ", format_place(x$epoch, x$batch, x$epochs)),
    paste0("saved at: ", format_time(x$saved_at))
  )
}

# The epoch with the best value of the log that is watched, or else of the
# validation loss or the loss.
#
# @return list(log, epoch, value), NULL if there are no two epochs with one.
best_epoch_of <- function(x) {
  log <- x$watched$log %||%
    intersect(c("val_loss", "loss"), names(x$history))[1]
  values <- if (!is.na(log)) x$history[[log]]
  if (length(values) < 2 || all(is.na(values))) {
    return(NULL)
  }
  best <- if (identical(x$watched$mode, "max")) which.max else which.min
  at <- best(values)
  list(log = log, epoch = x$history$epoch[[at]], value = values[[at]])
}

format_best <- function(x) {
  best <- best_epoch_of(x)
  if (is.null(best)) {
    return(NULL)
  }
  paste0(
    "best epoch: ",
    best$epoch,
    " (",
    shown(best$log),
    " ",
    signif(best$value, 5),
    ")"
  )
}

# Whether a training uses the directory, and which.
format_running <- function(x) {
  if (!isTRUE(x$running)) {
    return(if (isFALSE(x$running)) "running: no")
  }
  owner <- x$owner
  paste0(
    "running: yes",
    if (is_scalar(owner$pid)) paste0(", process ", shown(owner$pid)),
    if (is_scalar(owner$host)) paste0(" on ", shown(owner$host)),
    if (is_scalar(owner$started)) paste0(", since ", shown(owner$started))
  )
}

is_scalar <- function(x) is.atomic(x) && length(x) == 1

# What else is in the file, whose size is listed.
format_rest <- function(x, total) {
  is_this <- x$files$generation %in% x$generation
  rest <- x$files$bytes[is_this] - total
  if (is.null(x$workers) && length(rest) == 1) {
    paste0(
      "other contents: ",
      format_bytes(rest),
      " (logs, and the state of data, callbacks and random generators)"
    )
  }
}

# How far training had come.
#
# @param epochs how many epochs the training is to have, NA if not known.
format_place <- function(epoch, batch, epochs = NA) {
  epochs_complete <- if (isTRUE(epochs >= epoch)) {
    paste(epoch, "of", count(epochs, "epoch"))
  } else {
    count(epoch, "epoch")
  }
  paste0(
    epochs_complete,
    " complete",
    if (isTRUE(batch > 0)) paste0(" and ", count(batch, "batch", "batches"))
  )
}

#' @export
print.keras_backup <- function(x, ...) {
  cat(format(x, ...), sep = "\n")
  invisible(x)
}

#' @export
as.data.frame.keras_backup <- function(x, ...) {
  variables <- x$variables
  variables$shape <- vapply(
    variables$shape,
    function(shape) {
      paste0("(", paste(shape, collapse = ", "), ")")
    },
    ""
  )
  variables
}

#' @export
summary.keras_backup <- function(object, ...) {
  variables <- object$variables
  # The part of a name before the first slash: variables, optimizer, ...
  part <- sub("/.*", "", variables$name)
  parts <- unique(part)
  logs <- object$history[-1]
  structure(
    list(
      dir = object$dir,
      generation = object$generation,
      files = object$files,
      epoch = object$epoch,
      batch = object$batch,
      saved_at = object$saved_at,
      logs = data.frame(
        log = names(logs),
        last = vapply(logs, function(x) x[length(x)][1], 0, USE.NAMES = FALSE),
        lowest = vapply(logs, extreme(min), 0, USE.NAMES = FALSE),
        highest = vapply(logs, extreme(max), 0, USE.NAMES = FALSE)
      ),
      parts = data.frame(
        part = parts,
        variables = as.integer(table(factor(part, parts))),
        bytes = vapply(
          parts,
          function(one) {
            sum(variables$bytes[part == one])
          },
          0,
          USE.NAMES = FALSE
        )
      )
    ),
    class = "summary.keras_backup"
  )
}

#' @export
format.summary.keras_backup <- function(x, ...) {
  table_lines <- function(frame) {
    if (nrow(frame) == 0) {
      return("  none yet")
    }
    frame[] <- lapply(frame, function(column) {
      if (is.numeric(column)) signif(column, 5) else column
    })
    paste0("  ", utils::capture.output(print(frame, row.names = FALSE)))
  }
  parts <- x$parts
  parts$bytes <- vapply(parts$bytes, format_bytes, "")
  c(
    format_headline(x),
    "logs:",
    table_lines(x$logs),
    "variables:",
    table_lines(parts)
  )
}

#' @export
print.summary.keras_backup <- function(x, ...) {
  cat(format(x, ...), sep = "\n")
  invisible(x)
}

# Helpers -----------------------------------------------------------------

# A function that applies `of` to the values that are not missing.
extreme <- function(of) {
  function(x) if (all(is.na(x))) NA_real_ else of(x, na.rm = TRUE)
}

# How far training had come, and when.
#
# @return data frame of one row.
checkpoint_place <- function(metadata, path) {
  data.frame(
    epoch = manifest_count(metadata, "epoch", path),
    batch = manifest_count(metadata, "batch", path),
    saved_at = manifest_saved_at(metadata, path)
  )
}

# What checkpoints hold, by their headers.
#
# @param files data frame as from backup_files().
# @param known named list, metadata that have been read, by the path.
# @return list(files, watched): `files` without those that have gone meanwhile,
#   with more columns; and the log by which the best is kept, as from
#   manifest_watched().
describe_checkpoints <- function(files, known = list()) {
  metadata <- lapply(files$path, function(path) {
    known[[path]] %||%
      tryCatch(
        unless_gone(backup_manifest(path)$metadata),
        # backup_verify() says why it cannot be used.
        kerasbackup_error = function(e) list()
      )
  })
  is_here <- !vapply(metadata, is.null, NA)
  files <- files[is_here, , drop = FALSE]
  metadata <- metadata[is_here]
  watched <- NULL
  for (i in which(lengths(metadata) > 0)) {
    # The newest readable checkpoint has the policy in force.
    watched <- tryCatch(
      manifest_watched(metadata[[i]], files$path[[i]]),
      kerasbackup_error_corrupt = function(e) NULL
    )
    break
  }
  rows <- lapply(seq_along(metadata), function(i) {
    describe_checkpoint(metadata[[i]], files$path[[i]], watched)
  })
  files <- cbind(files, do.call(rbind, c(list(no_description), rows)))
  files$best <- is_best(files$value, watched)
  files$best[is.na(files$epoch)] <- NA
  list(files = files, watched = watched)
}

# Whether the user named one checkpoint instead of its directory.
is_checkpoint_file <- function(path) {
  rlang::is_string(path) &&
    grepl(checkpoint_name, basename(path)) &&
    file.exists(path) &&
    !dir.exists(path)
}

describe_checkpoint <- function(metadata, path, watched) {
  tryCatch(
    data.frame(
      epoch = manifest_count(metadata, "epoch", path),
      batch = manifest_count(metadata, "batch", path),
      saved_at = manifest_saved_at(metadata, path),
      value = keep_mark(metadata, path, watched$log)[[2]]
    ),
    kerasbackup_error_corrupt = function(e) no_description[NA_integer_, ]
  )
}

no_description <- data.frame(
  epoch = integer(),
  batch = integer(),
  saved_at = .POSIXct(double(), "UTC"),
  value = double()
)

backup_manifest <- function(path) {
  header <- store_header(path)
  manifest_parse(header, path)
}

check_names <- function(names, known, call = rlang::caller_env()) {
  if (is.null(names)) {
    return(known %in% known)
  }
  if (!is.character(names)) {
    hint <- c(i = "`backup_info()` lists them.")
    stop_must_be("names", "names of variables", names, hint, call = call)
  }
  unknown <- setdiff(names, known)
  if (length(unknown) > 0) {
    stop_argument(
      c(
        "`names` must be names of variables in the checkpoint.",
        x = paste0(
          "The checkpoint has no variable ",
          paste0("`", unknown, "`", collapse = ", "),
          "."
        ),
        i = "`backup_info()` lists them."
      ),
      "names",
      call
    )
  }
  match(names, known)
}

read_tensor <- function(buffer, dtype, shape, begin, end) {
  tensor_of_bytes(store_buffer_read(buffer, begin, end - begin), dtype, shape)
}

tensor_of_bytes <- function(bytes, dtype, shape) {
  values <- dtype_decode(bytes, dtype)
  if (length(shape) == 0) {
    return(values)
  }
  # In the file the last dimension varies fastest, in R the first.
  values <- array(values, dim = rev(shape))
  if (length(shape) > 1) aperm(values) else values
}

count <- function(n, one, many = paste0(one, "s")) {
  paste(
    format(n, big.mark = ","),
    if (identical(as.numeric(n), 1)) one else many
  )
}
