# Owns the verbs that look at checkpoints and the class `keras_backup`. None of
# them needs Python.
#
# May not touch Python or `.Call` (R/store.R has that). Only `backup_delete()`
# changes anything on disk.

#' Look at a backup
#'
#' @description
#' `backup_info()` says what the checkpoints in a directory hold: how far
#' training had come, when it was saved, which variables there are. It reads
#' headers only, so it is quick whatever the size; use [backup_verify()] to check
#' every byte.
#'
#' None of the `backup_*()` functions needs Python, and all but
#' [backup_delete()] leave the directory as it is.
#'
#' @param dir String, the `backup_dir` that was given to
#'   [callback_backup_and_restore()].
#' @return An object of class `keras_backup`: a list with
#'   * `dir`: string, the directory;
#'   * `files`: data frame, one row a checkpoint, the newest first: `path`,
#'     `generation` (number), `bytes`, and how far training had come: `epoch`,
#'     `batch` (`NA` where an older one's header is damaged);
#'   * `epoch`: integer, how many epochs are complete;
#'   * `batch`: integer, how many batches of the next epoch are trained;
#'   * `saved_at`: time of the save (`POSIXct`, UTC);
#'   * `versions`: named character, what it was written with;
#'   * `history`: data frame, the logs so far, as from [backup_history()];
#'   * `variables`: data frame, one row a variable: `name`, `dtype` (as in
#'     safetensors), `shape` (list of numeric, `numeric(0)` for a scalar),
#'     `bytes`.
#'
#'   `as.data.frame()` of it gives `variables` with the shape as text;
#'   `summary()` the latest logs and the space that each part takes; `plot()`
#'   draws the losses over the epochs.
#' @section Errors:
#' `kerasbackup_error_io` where there is no checkpoint,
#' `kerasbackup_error_corrupt` where the newest one's header is damaged. Where an
#' older checkpoint is good, the error names it, also as its field `good`: that is
#' the one which training would go on from.
#' @seealso [plot.keras_backup()]
#' @family looking at backups
#' @examples
#' dir <- system.file("extdata", "example-backup", package = "kerasbackup")
#' backup_info(dir)
#' head(as.data.frame(backup_info(dir)))
#' summary(backup_info(dir))
#' @export
backup_info <- function(dir) {
  dir <- check_existing_dir(dir)
  newest <- read_newest(dir, backup_manifest)
  files <- newest$files
  path <- files$path[[1]]
  manifest <- newest$value
  metadata <- manifest$metadata
  tensors <- manifest$tensors
  place <- function(metadata, path) {
    vapply(
      c("epoch", "batch"),
      manifest_count,
      0L,
      metadata = metadata,
      path = path
    )
  }
  places <- lapply(files$path[-1], function(path) {
    tryCatch(
      place(backup_manifest(path)$metadata, path),
      # That it cannot be used is for backup_verify() to say.
      kerasbackup_error = function(e) {
        c(epoch = NA_integer_, batch = NA_integer_)
      }
    )
  })
  places <- do.call(rbind, c(list(place(metadata, path)), places))
  files$epoch <- places[, "epoch"]
  files$batch <- places[, "batch"]
  structure(
    list(
      dir = dir,
      files = files,
      epoch = files$epoch[[1]],
      batch = files$batch[[1]],
      saved_at = manifest_saved_at(metadata, path),
      versions = manifest_versions(metadata, path),
      history = manifest_history(metadata, path),
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
#' fields `path` and `tensor`, and an older checkpoint that is good, where there
#' is one, as `good`; `kerasbackup_error_io` where there is no
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
  for (path in if (all) files$path[-1]) {
    verify(path)
  }
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
    loaded$header,
    loaded$path,
    loaded$data_bytes
  )$tensors
  tensors <- tensors[check_names(names, tensors$name), , drop = FALSE]
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
    paste0("variables: ", count(n, "variable"), ", ", format_bytes(total)),
    if (length(x$versions) > 0) {
      paste0(
        "written by: ",
        paste(names(x$versions), x$versions, collapse = ", ")
      )
    },
    "checkpoints:",
    paste0(
      "  ",
      basename(x$files$path),
      "  ",
      vapply(x$files$bytes, format_bytes, "")
    )
  )
}

format_headline <- function(x) {
  c(
    paste0("<keras_backup> ", x$dir),
    paste0("progress: ", format_place(x$epoch, x$batch)),
    paste0("saved at: ", format(x$saved_at, "%Y-%m-%d %H:%M:%S", usetz = TRUE))
  )
}

# How far training had come.
format_place <- function(epoch, batch) {
  paste0(
    count(epoch, "epoch"),
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
  # What stands before the first slash: variables, optimizer, callbacks, ...
  part <- sub("/.*", "", variables$name)
  parts <- unique(part)
  logs <- object$history[-1]
  structure(
    list(
      dir = object$dir,
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

#' Plot a backup
#'
#' Draws the losses over the epochs of the whole run so far, and where in it the
#' checkpoints are that training can go on from.
#'
#' @param x What [backup_info()] returns.
#' @param logs Character, the logs to draw; by default the loss, and the
#'   validation loss where there is one. [backup_history()] has their names.
#' @param xlab,ylab,main Titles.
#' @param ... Further arguments for [graphics::matplot()].
#' @return Invisibly a data frame with one row a checkpoint: `epoch` and `batch`,
#'   and `at`, where its line is. One that was saved between the end of an epoch
#'   and the next is drawn half way.
#' @section Errors:
#' `kerasbackup_error_argument` where there is no such log, or no epoch is
#' complete.
#' @family looking at backups
#' @examples
#' dir <- system.file("extdata", "example-backup", package = "kerasbackup")
#' plot(backup_info(dir))
#' @export
plot.keras_backup <- function(
  x,
  logs = NULL,
  ...,
  xlab = "epoch",
  ylab = NULL,
  main = "Training so far"
) {
  known <- names(x$history)[-1]
  logs <- logs %||% intersect(c("loss", "val_loss"), known)
  check_logs(logs, known, nrow(x$history))
  saves <- x$files[!is.na(x$files$epoch), c("epoch", "batch")]
  saves$at <- saves$epoch + (saves$batch > 0) / 2
  rownames(saves) <- NULL
  graphics::matplot(
    x$history$epoch,
    as.matrix(x$history[logs]),
    type = "b",
    pch = 19,
    lty = 1,
    cex = 0.6,
    col = seq_along(logs),
    xlim = range(x$history$epoch, saves$at),
    xlab = xlab,
    ylab = ylab %||% paste(logs, collapse = ", "),
    main = main,
    ...
  )
  graphics::abline(v = saves$at, lty = "dashed", col = "grey40")
  graphics::legend(
    "topright",
    legend = c(logs, "checkpoint"),
    col = c(seq_along(logs), "grey40"),
    lty = c(rep(1, length(logs)), 2),
    bty = "n"
  )
  invisible(saves)
}

# Helpers -----------------------------------------------------------------

# A function that gives `of` the values that are numbers, or `NA`.
extreme <- function(of) {
  function(x) if (all(is.na(x))) NA_real_ else of(x, na.rm = TRUE)
}

check_logs <- function(logs, known, epochs, call = rlang::caller_env()) {
  unknown <- setdiff(logs, known)
  if (epochs == 0 || length(logs) == 0 || length(unknown) > 0) {
    stop_argument(
      c(
        "There is nothing to draw.",
        x = if (epochs == 0) {
          "No epoch is complete."
        } else if (length(unknown) > 0) {
          paste0(
            "There is no log ",
            paste0("`", unknown, "`", collapse = ", "),
            "."
          )
        } else {
          "There is no log `loss`."
        },
        i = if (epochs > 0) {
          paste0("Logs: ", paste0("`", known, "`", collapse = ", "), ".")
        }
      ),
      "logs",
      call
    )
  }
}

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
# @return list(files, value): the checkpoints, and what `read` returned. The error
#   for a damaged one names the next that is good, as restoring would find it.
read_newest <- function(dir, read, attempts = 10) {
  for (attempt in seq_len(attempts)) {
    files <- backup_files(dir)
    result <- tryCatch(
      list(files = files, value = read(files$path[[1]])),
      kerasbackup_error_io = function(e) {
        gone <- identical(e$errno, "ENOENT") && attempt < attempts
        if (!gone) rlang::cnd_signal(e)
      },
      kerasbackup_error_corrupt = function(e) {
        rlang::cnd_signal(with_good(e, newest_good(files$path[-1])))
      }
    )
    if (!is.null(result)) {
      return(result)
    }
  }
}

newest_good <- function(paths) {
  for (path in paths) {
    good <- tryCatch(
      {
        backup_manifest(path)
        store_verify(path)
      },
      kerasbackup_error = function(e) FALSE
    )
    if (good) {
      return(path)
    }
  }
  NULL
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
  values <- dtype_decode(store_buffer_read(buffer, begin, end - begin), dtype)
  if (length(shape) == 0) {
    return(values)
  }
  # The file has the last dimension running fastest, R has the first.
  values <- array(values, dim = rev(shape))
  if (length(shape) > 1) aperm(values) else values
}

count <- function(n, one, many = paste0(one, "s")) {
  paste(
    format(n, big.mark = ","),
    if (identical(as.numeric(n), 1)) one else many
  )
}
