# Owns the verbs that look at checkpoints and the class `keras_backup`. None of
# them needs Python.
#
# May not touch Python or `.Call` (R/store.R has that). Only `backup_delete()`
# changes anything on disk.

#' Look at a backup
#'
#' @description
#' `backup_info()` says what the checkpoints in a directory hold: how far
#' training had come, when it was saved, which variables there are. It reads the
#' header of the newest checkpoint only, so it is quick whatever the size; use
#' [backup_verify()] to check every byte.
#'
#' None of the `backup_*()` functions needs Python, and all but
#' [backup_delete()] leave the directory as it is.
#'
#' @param dir String, the `backup_dir` that was given to
#'   [callback_backup_and_restore()].
#' @return An object of class `keras_backup`: a list with
#'   * `dir`: string, the directory;
#'   * `files`: data frame, one row a checkpoint, the newest first: `path`,
#'     `generation` (number), `bytes`;
#'   * `epoch`: integer, how many epochs are complete;
#'   * `batch`: integer, how many batches of the next epoch are trained;
#'   * `saved_at`: time of the save (`POSIXct`, UTC);
#'   * `versions`: named character, what it was written with;
#'   * `variables`: data frame, one row a variable: `name`, `dtype` (as in
#'     safetensors), `shape` (list of numeric, `numeric(0)` for a scalar),
#'     `bytes`.
#'
#'   `as.data.frame()` of it gives `variables` with the shape as text.
#' @section Errors:
#' `kerasbackup_error_io` where there is no checkpoint,
#' `kerasbackup_error_corrupt` where the newest one's header is damaged.
#' @family looking at backups
#' @examples
#' dir <- system.file("extdata", "example-backup", package = "kerasbackup")
#' backup_info(dir)
#' head(as.data.frame(backup_info(dir)))
#' @export
backup_info <- function(dir) {
  dir <- check_existing_dir(dir)
  newest <- read_newest(dir, backup_manifest)
  files <- newest$files
  path <- files$path[[1]]
  manifest <- newest$value
  metadata <- manifest$metadata
  tensors <- manifest$tensors
  structure(
    list(
      dir = dir,
      files = files,
      epoch = manifest_count(metadata, "epoch", path),
      batch = manifest_count(metadata, "batch", path),
      saved_at = manifest_saved_at(metadata, path),
      versions = manifest_versions(metadata, path),
      variables = data.frame(
        name = tensors$name,
        dtype = tensors$dtype,
        shape = I(tensors$shape),
        bytes = tensors$end - tensors$begin
      )
    ),
    class = "keras_backup"
  )
}

#' Verify a backup
#'
#' Reads every byte of the newest checkpoint (or of all of them) and compares it
#' with the checksums that were written with it.
#'
#' @inheritParams backup_info
#' @param all Flag. `TRUE`: every checkpoint in the directory. `FALSE` (the
#'   default): the newest, the one that would be restored.
#' @return Invisibly `TRUE`.
#' @section Errors:
#' `kerasbackup_error_corrupt` names the file and the tensor, and has them as
#' fields `path` and `tensor`; `kerasbackup_error_io` where there is no
#' checkpoint or it cannot be read.
#' @family looking at backups
#' @examples
#' dir <- system.file("extdata", "example-backup", package = "kerasbackup")
#' backup_verify(dir)
#' @export
backup_verify <- function(dir, all = FALSE) {
  dir <- check_existing_dir(dir)
  all <- check_flag(all, "all")
  verify <- function(path) {
    backup_manifest(path)
    store_verify(path)
  }
  files <- read_newest(dir, verify)$files
  for (path in if (all) files$path[-1]) verify(path)
  invisible(TRUE)
}

#' The history of a run
#'
#' The logs of every epoch that the whole run has completed so far, over all its
#' interruptions.
#'
#' @inheritParams backup_info
#' @return A data frame with one row an epoch: `epoch` (integer, the first is
#'   1), then one numeric column a log, such as `loss` and `val_loss`. `NA` where
#'   an epoch did not have that log.
#' @inheritSection backup_info Errors
#' @family looking at backups
#' @examples
#' dir <- system.file("extdata", "example-backup", package = "kerasbackup")
#' backup_history(dir)
#' @export
backup_history <- function(dir) {
  dir <- check_existing_dir(dir)
  read_newest(dir, function(path) {
    manifest_history(backup_manifest(path)$metadata, path)
  })$value
}

#' Read the variables of a backup
#'
#' Reads variables into R, each byte verified first. The file is an ordinary
#' safetensors file too: any reader of that format opens it.
#'
#' @inheritParams backup_info
#' @param names Character, the variables to read, as `backup_info()` names them;
#'   `NULL` (the default) reads all.
#' @return A named list with one element a variable: a vector without dimensions
#'   for a scalar, else an array with the variable's shape, so that
#'   `x[i, j]` in R is `x[i - 1, j - 1]` in Python. BOOL is logical; integers up
#'   to 32 bits are integer (32 bits unsigned are double); 64-bit integers are
#'   double, exact up to 2^53; every kind of float is double.
#' @section Errors:
#' `kerasbackup_error_corrupt`, `kerasbackup_error_io`, and
#' `kerasbackup_error_argument` for a name that the checkpoint does not have.
#' @family looking at backups
#' @examples
#' dir <- system.file("extdata", "example-backup", package = "kerasbackup")
#' str(backup_read(dir))
#' @export
backup_read <- function(dir, names = NULL) {
  dir <- check_existing_dir(dir)
  loaded <- read_newest(dir, store_read)$value
  on.exit(store_buffer_release(loaded$buffer))
  tensors <- manifest_parse(
    loaded$header, loaded$path, loaded$data_bytes
  )$tensors
  tensors <- tensors[check_names(names, tensors$name), , drop = FALSE]
  values <- lapply(seq_len(nrow(tensors)), function(i) {
    read_tensor(
      loaded$buffer, tensors$dtype[[i]], tensors$shape[[i]],
      tensors$begin[[i]], tensors$end[[i]]
    )
  })
  stats::setNames(values, tensors$name)
}

#' Delete a backup
#'
#' Deletes the checkpoints in a directory. Only files that this package wrote
#' are deleted, told by name and content; others, links and the directory itself
#' stay. Refused while a training uses the directory.
#'
#' @inheritParams backup_info
#' @return Invisibly a character vector, the paths of the deleted files.
#' @section Errors:
#' `kerasbackup_error_locked` where a training uses the directory,
#' `kerasbackup_error_io` where a file cannot be deleted.
#' @family looking at backups
#' @examples
#' dir <- tempfile()
#' dir.create(dir)
#' example <- system.file("extdata", "example-backup", package = "kerasbackup")
#' file.copy(list.files(example, full.names = TRUE), dir)
#' backup_delete(dir)
#' @export
backup_delete <- function(dir) {
  dir <- check_existing_dir(dir)
  lock <- lock_acquire(dir)
  on.exit(lock_release(lock))
  deleted <- store_delete(dir)
  lock_unlink(dir, keep_dir = TRUE)
  invisible(deleted)
}

# The class ---------------------------------------------------------------

#' @export
format.keras_backup <- function(x, ...) {
  total <- sum(x$variables$bytes)
  n <- nrow(x$variables)
  c(
    paste0("<keras_backup> ", x$dir),
    paste0(
      "progress: ", count(x$epoch, "epoch"), " complete",
      if (isTRUE(x$batch > 0)) paste0(" and ", count(x$batch, "batch", "batches"))
    ),
    paste0("saved at: ", format(x$saved_at, "%Y-%m-%d %H:%M:%S", usetz = TRUE)),
    paste0("variables: ", count(n, "variable"), ", ", format_bytes(total)),
    if (length(x$versions) > 0) {
      paste0(
        "written by: ",
        paste(names(x$versions), x$versions, collapse = ", ")
      )
    },
    "checkpoints:",
    paste0(
      "  ", basename(x$files$path), "  ",
      vapply(x$files$bytes, format_bytes, "")
    )
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
  variables$shape <- vapply(variables$shape, function(shape) {
    paste0("(", paste(shape, collapse = ", "), ")")
  }, "")
  variables
}

# Helpers -----------------------------------------------------------------

backup_files <- function(dir) {
  files <- store_list(dir)
  if (nrow(files) == 0) {
    stop_no_backup(dir)
  }
  files
}

# Reads the newest checkpoint. A training that goes on may commit the next one
# and delete this one meanwhile: then the next one it is.
#
# @param read function of the path.
# @return list(files, value): the checkpoints, and what `read` returned.
read_newest <- function(dir, read, attempts = 10) {
  for (attempt in seq_len(attempts)) {
    files <- backup_files(dir)
    result <- tryCatch(
      list(files = files, value = read(files$path[[1]])),
      kerasbackup_error_io = function(e) {
        gone <- identical(e$errno, "ENOENT") && attempt < attempts
        if (!gone) rlang::cnd_signal(e)
      }
    )
    if (!is.null(result)) {
      return(result)
    }
  }
}

backup_manifest <- function(path) {
  header <- store_header(path)
  manifest_parse(header, path)
}

check_names <- function(names, known, call = rlang::caller_env()) {
  if (is.null(names)) {
    return(known %in% known)
  }
  if (!is.character(names)) {
    stop_argument(
      c(
        "Invalid value for argument `names`.",
        x = paste0("Received: ", describe(names), "."),
        i = "Expected names of variables; `backup_info()` lists them."
      ),
      "names",
      call
    )
  }
  unknown <- setdiff(names, known)
  if (length(unknown) > 0) {
    stop_argument(
      c(
        "Invalid value for argument `names`.",
        x = paste0(
          "The checkpoint has no variable ",
          paste0("`", unknown, "`", collapse = ", "), "."
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
  values <- dtype_decode(store_buffer_read(buffer, begin, end - begin), dtype)
  if (length(shape) == 0) {
    return(values)
  }
  # The file has the last dimension running fastest, R has the first.
  values <- array(values, dim = rev(shape))
  if (length(shape) > 1) aperm(values) else values
}

count <- function(n, one, many = paste0(one, "s")) {
  paste(format(n, big.mark = ","), if (identical(as.numeric(n), 1)) one else many)
}
