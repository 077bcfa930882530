# The directories of several workers: `worker-1-of-2` and so on, in the
# `backup_dir` that the user gave. Each worker locks and writes its own, so no
# file has two writers, and no worker needs a directory that others see.
#
# May not touch Python or `.Call`.

# How many checkpoints of a worker are verified and compared when training
# begins.
most_compared <- 5

worker_pattern <- "^worker-([1-9][0-9]{0,8})-of-([1-9][0-9]{0,8})$"

# @param worker integer, the number of a worker (the first is 1) and of all
#   workers; empty for a training that has only one.
# @return where its checkpoints are.
worker_dir <- function(dir, worker) {
  if (length(worker) == 0) {
    return(dir)
  }
  file.path(dir, paste0("worker-", worker[[1]], "-of-", worker[[2]]))
}

# The workers' directories in a directory that have a checkpoint.
#
# @return data frame: path, index (the first worker is 1) and count, ordered by
#   both.
worker_dirs <- function(dir) {
  names <- list.files(dir, pattern = worker_pattern)
  paths <- file.path(dir, names)
  number <- function(group) as.integer(sub(worker_pattern, group, names))
  found <- data.frame(
    path = paths,
    index = number("\\1"),
    count = number("\\2"),
    stringsAsFactors = FALSE
  )
  has_checkpoint <- vapply(
    paths,
    function(path) {
      dir.exists(path) &&
        !is_link(path) &&
        isTRUE(nrow(unless_gone(list_checkpoints(path))) > 0)
    },
    NA
  )
  found <- found[has_checkpoint & found$index <= found$count, , drop = FALSE]
  found <- found[order(found$count, found$index), , drop = FALSE]
  rownames(found) <- NULL
  found
}

# Checkpoints of another number of workers cannot be continued: each has the
# data, the random states and the part of the variables of its own worker.
refuse_other_workers <- function(dir, worker) {
  if (!dir.exists(dir)) {
    return(invisible())
  }
  count <- if (length(worker) == 0) 1L else worker[[2]]
  found <- unique(worker_dirs(dir)$count)
  if (count > 1 && has_checkpoint(dir)) {
    found <- c(1L, found)
  }
  others <- setdiff(found, count)
  if (length(others) > 0) {
    stop_other_workers(dir, others[[1]], count)
  }
  invisible()
}

# Where the intact checkpoints of a worker were made, the newest first. Notes
# their paths for session_drop_newer().
#
# @return string, JSON: `places`, a list of pairs of numbers; `times`, when each
#   was saved; and `has_one_save`, whether there is no file but the first that
#   this worker has made, intact.
session_positions <- function(session, config) {
  files <- store_list(config$backup_dir)
  # More than these are never needed: the newest that all have is among the two
  # last, unless some are damaged.
  paths <- utils::head(files$path, most_compared)
  found <- lapply(paths, function(path) {
    tryCatch(
      {
        metadata <- backup_manifest(path)$metadata
        store_verify(path)
        list(
          place = c(
            manifest_count(metadata, "epoch", path),
            manifest_count(metadata, "batch", path)
          ),
          time = text_of_time(manifest_saved_at(metadata, path))
        )
      },
      # session_load() says why, where nothing is left to restore.
      kerasbackup_error_corrupt = function(e) NULL
    )
  })
  is_intact <- !vapply(found, is.null, NA)
  found <- found[is_intact]
  session$positions <- paths[is_intact]
  jsonlite::toJSON(
    list(
      places = lapply(found, `[[`, "place"),
      times = vapply(found, `[[`, "", "time"),
      has_one_save = jsonlite::unbox(all(is_intact, files$generation == 1))
    ),
    na = "null"
  )
}

# A time as text, in an order in which texts can be compared.
text_of_time <- function(time) {
  text <- format(time, "%Y-%m-%dT%H:%M:%S", tz = "UTC")
  if (is.na(text)) "" else text
}

# Deletes checkpoints that other workers lack, so that no later training resumes
# from them.
#
# @param number how many of those that session_positions() found.
session_drop_newer <- function(session, config, number) {
  # So that this is no loss to notice_loss().
  session$last <- NULL
  lock_renew(session$lock)
  for (path in session$positions[seq_len(number)]) {
    drop_checkpoint(path)
  }
  invisible()
}

# Deletes the checkpoint that this session has committed last.
session_drop_last <- function(session, config) {
  path <- session$last
  session$last <- NULL
  if (!is.null(path)) {
    lock_renew(session$lock)
    drop_checkpoint(path)
  }
  invisible()
}

drop_checkpoint <- function(path) {
  if (isTRUE(store_owns(path))) {
    failure <- path_unlink(path)
    if (inherits(failure, "kb_failure")) {
      store_result(failure)
    }
  }
}
