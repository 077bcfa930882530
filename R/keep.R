# Which checkpoints are kept: the user's policy, and the time and the value of
# each checkpoint, by which the policy decides.
#
# May not touch `.Call` or Python. The C core decides by the policy and removes
# (src/keep.c, src/store.c).

#' Choose which checkpoints to keep
#'
#' @description
#' Makes a policy for the `keep` argument of [callback_backup_and_restore()]. A
#' checkpoint is kept if at least one of the rules keeps it. The newest
#' checkpoint is always kept.
#'
#' Older checkpoints are removed after the next one is safely on the disk. Each
#' checkpoint is complete by itself, so none of those that are kept needs
#' another one. After damage to the newest, training resumes from the newest
#' that is intact, for whichever reason it was kept.
#'
#' @details
#' Each checkpoint file says when it was saved, and has the logs of its epochs.
#' So the rules also hold after an interruption. If another policy is used when
#' training resumes, the next save applies it to all checkpoints in the
#' directory, including older ones.
#'
#' The rules read only the headers of older checkpoints. If the data of the best
#' checkpoint are damaged, it keeps its place until a better one is saved, and
#' `generation = "best"` is an error. [backup_verify()] with `all = TRUE` finds
#' such damage. Training never needs the best checkpoint to resume.
#'
#' A checkpoint that was found damaged, or whose save was reported as failed, is
#' not kept by any rule. A checkpoint that could not be read when `fit()` began
#' stays until a later run can read it.
#'
#' When training is complete, `delete_checkpoint = TRUE` deletes all
#' checkpoints, also those that a rule keeps. Use
#' `delete_checkpoint = FALSE` to have them afterwards.
#' @param last Whole number, how many of the newest checkpoints to keep. `Inf`
#'   keeps all.
#' @param every Time, as a `difftime` or as text such as `"6 hours"` or
#'   `"1 day"`: also keeps the oldest checkpoint, and from there on the first
#'   one that was saved at least this long after the one that was kept before.
#'   Their number grows with the length of the training. `NULL` (the default)
#'   keeps none for its time.
#' @param best String, the name of a log such as `"val_loss"`: also keeps the
#'   checkpoint that was saved at the end of the epoch with the best value. An
#'   epoch that is better than all before it is saved at its end, whatever
#'   `save_freq` says. A checkpoint from within an epoch has no value of its own
#'   and never counts as the best, and neither does an epoch without the log or
#'   with the value `NaN`. Of equal values, the oldest is kept. If the epochs do
#'   not have the log, a message says so once. `NULL` (the default) keeps none
#'   for its value.
#' @param mode `"min"` if the lowest value is the best, `"max"` if the highest
#'   is. It may be left out for a loss (`"loss"`, or a name that ends in
#'   `"_loss"`), of which the lowest is the best.
#' @return An object of class `backup_keep`.
#' @section Errors:
#' `kerasbackup_error_argument` is raised if an argument is invalid.
#' @seealso [backup_info()] lists the checkpoints that are kept, with their
#'   values, and shows which is the best. `generation = "best"` of
#'   [backup_restore()], [backup_export()] and [backup_read()] uses that one.
#' @examples
#' # The last three, one for every six hours, and the best.
#' backup_keep(last = 3, every = "6 hours", best = "val_loss")
#'
#' backup_keep(best = "val_accuracy", mode = "max")
#'
#' \dontrun{
#' library(keras3)
#' model |> fit(
#'   x, y,
#'   epochs = 100,
#'   validation_split = 0.2,
#'   callbacks = list(callback_backup_and_restore(
#'     "backup",
#'     delete_checkpoint = FALSE,
#'     keep = backup_keep(last = 2, best = "val_loss")
#'   ))
#' )
#' # Which one is the best, and its weights.
#' backup_info("backup")$files[c("generation", "epoch", "value", "best")]
#' backup_restore(model, "backup", generation = "best")
#' }
#' @export
backup_keep <- function(last = 1, every = NULL, best = NULL, mode = NULL) {
  best <- check_best(best)
  structure(
    list(
      last = check_last(last, "last", "a positive whole number or Inf"),
      every = if (!is.null(every)) check_seconds(every, "every"),
      best = best,
      mode = check_mode(mode, best)
    ),
    class = "backup_keep"
  )
}

#' @export
format.backup_keep <- function(x, ...) {
  c(
    "<backup_keep> keeps",
    paste0(
      "* ",
      c(
        if (x$last == .Machine$integer.max) {
          "all checkpoints"
        } else if (x$last == 1) {
          "the newest checkpoint"
        } else {
          paste("the newest", count(x$last, "checkpoint"))
        },
        if (!is.null(x$every)) {
          # This chooses the unit.
          time <- difftime(.POSIXct(x$every), .POSIXct(0))
          paste("one for every", sub("^1 ", "", format_span(time)))
        },
        if (!is.null(x$best)) {
          end <- if (x$mode == "min") "lowest" else "highest"
          paste0("the one with the ", end, " `", x$best, "`")
        }
      )
    )
  )
}

#' @export
print.backup_keep <- function(x, ...) {
  cat(format(x, ...), sep = "\n")
  invisible(x)
}

# Tells an open store what to keep in addition to the newest checkpoints.
keep_older <- function(store, keep, dir) {
  if (!is.null(keep$every) || !is.null(keep$best)) {
    store_keep(
      store,
      keep$every %||% 0,
      best_end(keep$mode),
      keep_marks(dir, keep$best)
    )
  }
}

# Which end of the values is the best, as store_keep() has it.
best_end <- function(mode) {
  switch(mode %||% "none", min = "lowest", max = "highest", "none")
}

# The marks of the checkpoints in a directory, see store_keep(). A checkpoint
# that cannot be read now has no mark, so it stays. A damaged one has a mark
# without a time and a value, so no rule keeps it.
keep_marks <- function(dir, best) {
  files <- store_list(dir)
  marks <- lapply(seq_len(nrow(files)), function(i) {
    path <- files$path[[i]]
    mark <- tryCatch(
      keep_mark(backup_manifest(path)$metadata, path, best),
      kerasbackup_error_corrupt = function(e) unmarked,
      kerasbackup_error_io = function(e) NULL
    )
    if (!is.null(mark)) c(files$generation[[i]], mark)
  })
  marks <- do.call(rbind, c(list(matrix(0, 0, 3)), marks))
  data.frame(generation = marks[, 1], time = marks[, 2], value = marks[, 3])
}

# The mark of one checkpoint: its time, and the value of a log. Only at the end
# of an epoch does the log's last value belong to the checkpoint's weights.
keep_mark <- function(metadata, path, best) {
  value <- NA_real_
  is_end <- identical(manifest_count(metadata, "batch", path), 0L)
  if (!is.null(best) && is_end) {
    column <- manifest_history(metadata, path)[-1][[best]]
    value <- c(column[length(column)], NA_real_)[[1]]
  }
  c(as.double(manifest_saved_at(metadata, path)), value)
}

# Which of the values the C core keeps as the best, the oldest of equal ones.
#
# @param values double, of the checkpoints from the newest to the oldest.
# @param watched list(log, mode), or NULL.
# @return logical, TRUE at most once.
is_best <- function(values, watched) {
  rev(seq_along(values)) == store_best(best_end(watched$mode), rev(values))
}
