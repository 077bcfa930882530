# Many backups: finds those under one folder, deletes old ones, and tells what
# several directories hold.
#
# May not touch Python or `.Call`.

#' List the backups under a folder
#'
#' Finds every directory under a folder that has checkpoints of this package.
#' Nothing is changed, and links are not followed.
#'
#' @param root String, the folder. It may be a backup itself.
#' @return A data frame with one row per directory that has a checkpoint, in the
#'   order of `dir`. Its columns are
#'   * `dir`: string, the directory;
#'   * `epoch`, `batch`: integer, how far training had come: complete epochs,
#'     and batches of the next one. `NA` if the newest checkpoint is damaged;
#'   * `generation`: number, the newest checkpoint;
#'   * `finished`: logical, whether training was complete: all epochs were done,
#'     or a callback had ended it for good. `NA` if the checkpoint does not say;
#'   * `saved_at`: time of the newest checkpoint (`POSIXct`, UTC);
#'   * `age`: the time since then (`difftime`, in hours);
#'   * `files`: integer, the number of checkpoints;
#'   * `bytes`: number, their size;
#'   * `running`: logical, whether a training uses the directory now. `NA` if
#'     the system does not tell, as where the lock file is another user's.
#' @section Errors:
#' `kerasbackup_error_io` is raised if there is no such folder.
#' @seealso [backup_prune()] to delete old ones.
#' @family backup functions
#' @examples
#' root <- tempfile()
#' dir.create(file.path(root, "run-1"), recursive = TRUE)
#' example <- system.file("extdata", "example-backup", package = "kerasbackup")
#' file.copy(list.files(example, full.names = TRUE), file.path(root, "run-1"))
#' backup_list(root)
#' @export
backup_list <- function(root) {
  root <- check_existing_dir(root, "root")
  list_backups(root)
}

#' Delete old backups under a folder
#'
#' @description
#' Deletes the backups under a folder whose training is finished, or, with
#' `older_than`, those that have not been saved to for some time. It shows them
#' and asks before it deletes anything.
#'
#' Only files that this package wrote are deleted, as by [backup_delete()]. A
#' directory goes too if the package created it and nothing else is in it. The
#' backup of a running training is never deleted, and neither is one to which a
#' checkpoint was saved since it was listed.
#'
#' @inheritParams backup_list
#' @param older_than A length of time, such as `"30 days"` or a `difftime`.
#'   Backups are deleted if their newest checkpoint is older, whether their
#'   training is finished or not. `NULL` (the default) stands for all backups of
#'   finished trainings, at any age. A training whose process has died is not
#'   finished, so its backup goes only with `older_than`. Text consists of a
#'   number and one of secs, mins, hours, days and weeks.
#' @param ask Flag, whether to ask before deleting. A script cannot be asked, so
#'   there the function does nothing but raise an error unless `ask = FALSE`.
#' @return Invisibly a data frame as from [backup_list()], of the backups that
#'   were deleted.
#' @section Errors:
#' `kerasbackup_error_argument` is raised if `ask` is `TRUE` in a script,
#' `kerasbackup_error_io` if there is no such folder. A backup that could not be
#' deleted causes a warning of class `kerasbackup_warning_delete`, and the
#' others are deleted.
#' @family backup functions
#' @examples
#' root <- tempfile()
#' dir.create(file.path(root, "run-1"), recursive = TRUE)
#' example <- system.file("extdata", "example-backup", package = "kerasbackup")
#' file.copy(list.files(example, full.names = TRUE), file.path(root, "run-1"))
#' backup_prune(root, older_than = "1 min", ask = FALSE)
#' @export
backup_prune <- function(root, older_than = NULL, ask = TRUE) {
  root <- check_existing_dir(root, "root")
  if (!is.null(older_than)) {
    older_than <- check_seconds(older_than, "older_than")
  }
  check_ask(check_flag(ask, "ask"))
  found <- list_backups(root)
  wanted <- if (is.null(older_than)) {
    found$finished
  } else {
    as.double(found$age, units = "secs") > older_than
  }
  found <- found[wanted %in% TRUE & found$running %in% FALSE, , drop = FALSE]
  rownames(found) <- NULL
  if (ask && !confirm_prune(found)) {
    return(invisible(found[0, , drop = FALSE]))
  }
  failures <- lapply(seq_len(nrow(found)), function(i) prune_one(found[i, ]))
  is_gone <- vapply(failures, is.null, NA)
  if (!all(is_gone)) {
    warn_not_pruned(found$dir[!is_gone], failures[!is_gone])
  }
  invisible(found[is_gone, , drop = FALSE])
}

# @return NULL, or why it was not deleted.
prune_one <- function(backup) {
  tryCatch(
    {
      lock <- lock_acquire(backup$dir)
      on.exit(lock_release(lock))
      now <- describe_backup(backup$dir)
      if (!identical(now$generation, backup$generation)) {
        return("A training has used it since it was listed.")
      }
      store_delete(backup$dir)
      lock_remove_files(lock)
      NULL
    },
    # Without locks it cannot be known whether a training uses the directory.
    kerasbackup_warning_lock = function(w) conditionMessage(w),
    kerasbackup_error = function(e) conditionMessage(e)
  )
}

list_backups <- function(root) {
  found <- lapply(directories_under(root), describe_backup)
  do.call(rbind, c(list(no_backups()), found))
}

# The directory itself and all below it. A link may lead anywhere, even above.
directories_under <- function(root) {
  found <- root
  at <- 1
  while (at <= length(found)) {
    below <- list.dirs(found[[at]], recursive = FALSE)
    found <- c(found, below[!vapply(below, is_link, NA)])
    at <- at + 1
  }
  sort(found, method = "radix")
}

# Several directories that the user named, one row for each.
info_of_many <- function(dirs, generation) {
  rows <- lapply(dirs, function(dir) {
    info <- backup_info(dir, generation)
    best <- best_epoch_of(info)
    data.frame(
      dir = info$dir,
      epoch = info$epoch,
      batch = info$batch,
      epochs = info$epochs,
      best_epoch = best$epoch %||% NA_integer_,
      best_log = best$log %||% NA_character_,
      best_value = best$value %||% NA_real_,
      learning_rate = info$learning_rate,
      duration = info$duration,
      saved_at = info$saved_at,
      age = difftime(Sys.time(), info$saved_at, units = "hours"),
      files = nrow(info$files),
      bytes = sum(info$files$bytes),
      running = info$running
    )
  })
  do.call(rbind, rows)
}

# One row, or NULL if the directory has no checkpoint.
describe_backup <- function(dir) {
  for (i in seq_len(most_looks)) {
    files <- own_checkpoints(dir)
    if (is.null(files)) {
      next
    }
    if (nrow(files) == 0) {
      return(NULL)
    }
    path <- files$path[[1]]
    manifest <- tryCatch(backup_manifest(path), kerasbackup_error = identity)
    if (!is_gone(manifest)) {
      break
    }
  }
  if (is.null(files)) {
    return(NULL)
  }
  is_damaged <- inherits(manifest, "condition")
  metadata <- if (is_damaged) list() else manifest$metadata
  place <- tryCatch(
    list(
      epoch = manifest_count(metadata, "epoch", path),
      batch = manifest_count(metadata, "batch", path),
      finished = manifest_is_finished(metadata, path),
      saved_at = manifest_saved_at(metadata, path)
    ),
    # backup_info() says what is wrong with it.
    kerasbackup_error_corrupt = function(e) {
      list(
        epoch = NA_integer_,
        batch = NA_integer_,
        finished = NA,
        saved_at = as.POSIXct(NA)
      )
    }
  )
  saved_at <- place$saved_at
  if (is.na(saved_at)) {
    saved_at <- file.mtime(path)
  }
  backups_frame(
    dir,
    place$epoch,
    place$batch,
    files$generation[[1]],
    place$finished,
    as.POSIXct(as.double(saved_at), origin = "1970-01-01", tz = "UTC"),
    nrow(files),
    sum(files$bytes),
    lock_is_held(dir)
  )
}

backups_frame <- function(
  dir,
  epoch,
  batch,
  generation,
  finished,
  saved_at,
  files,
  bytes,
  running
) {
  data.frame(
    dir = dir,
    epoch = epoch,
    batch = batch,
    generation = generation,
    finished = finished,
    saved_at = saved_at,
    age = difftime(Sys.time(), saved_at, units = "hours"),
    files = files,
    bytes = bytes,
    running = running
  )
}

no_backups <- function() {
  none <- as.POSIXct(double(), origin = "1970-01-01", tz = "UTC")
  backups_frame(
    character(),
    integer(),
    integer(),
    double(),
    logical(),
    none,
    integer(),
    double(),
    logical()
  )
}

# The checkpoints in a directory, without what only has such a name.
#
# @return data frame, or NULL if all of them have gone meanwhile.
own_checkpoints <- function(dir) {
  files <- tryCatch(list_checkpoints(dir), kerasbackup_error_io = function(e) {
    # What may not be read, or is gone by now, is no backup that can be listed.
    if (!e$errno %in% c("EACCES", "EPERM", "ENOENT")) {
      rlang::cnd_signal(e)
    }
    data.frame(path = character(), generation = double(), bytes = double())
  })
  is_own <- vapply(files$path, function(path) isTRUE(store_owns(path)), NA)
  if (!any(is_own) && any(!file.exists(files$path))) {
    return(NULL)
  }
  files[is_own, , drop = FALSE]
}

# Shows what would be deleted, and asks.
confirm_prune <- function(found) {
  if (nrow(found) == 0) {
    inform_nothing_to_prune()
    return(FALSE)
  }
  inform_prune(found)
  isTRUE(ask_yes_no("Delete them?"))
}

ask_yes_no <- function(question) utils::askYesNo(question, default = FALSE)
