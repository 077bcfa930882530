# Checkpoints that another number of workers has saved. On JAX a training can go
# on from them: the variables are put together, and divided as they are now.
#
# May not touch Python or `.Call`.

# The directories with checkpoints of another number of workers.
#
# @param dir the `backup_dir` that the user gave.
# @param worker see worker_dir().
# @return list by the number of workers, as text: the directories of these
#   workers, in their order.
other_sets <- function(dir, worker) {
  if (!dir.exists(dir)) {
    return(list())
  }
  found <- worker_dirs(dir)
  sets <- split(found$path, found$count)
  if (has_checkpoint(dir)) {
    sets[["1"]] <- dir
  }
  own <- if (length(worker) == 0) 1L else worker[[2]]
  sets[setdiff(names(sets), as.character(own))]
}

# The newest checkpoint of another number of workers that all of these have,
# intact and in directories that are here.
#
# @return list(workers, epoch, batch, saved_at as text, paths); NULL if there is
#   none.
newest_of_others <- function(dir, worker) {
  sets <- other_sets(dir, worker)
  # A look at a lock holds it for a moment, so only one worker looks. Its error
  # is one on all workers.
  if (length(worker) == 0 || worker[[1]] == 1) {
    for (place in unlist(sets, use.names = FALSE)) {
      if (isTRUE(lock_is_held(place))) {
        stop_locked(place, owner_read(place), same_process = FALSE)
      }
    }
  }
  is_whole <- lengths(sets) == as.integer(names(sets))
  found <- lapply(sets[is_whole], newest_intact)
  found <- found[!vapply(found, is.null, NA)]
  if (length(found) == 0) {
    return(NULL)
  }
  found[[order(vapply(found, `[[`, "", "saved_at"), decreasing = TRUE)[[1]]]]
}

# @param places the directories of all workers of one training.
newest_intact <- function(places) {
  each <- lapply(places, intact_places)
  keys <- lapply(each, function(one) paste(one$epoch, one$batch))
  for (key in Reduce(intersect, keys)) {
    at <- vapply(keys, function(own) match(key, own), 0L)
    paths <- mapply(function(one, i) one$path[[i]], each, at)
    is_intact <- vapply(paths, is_verified, NA)
    if (all(is_intact)) {
      first <- each[[1]][at[[1]], ]
      return(list(
        workers = length(places),
        epoch = first$epoch,
        batch = first$batch,
        saved_at = text_of_time(first$saved_at),
        paths = unname(paths)
      ))
    }
  }
  NULL
}

is_verified <- function(path) {
  tryCatch(store_verify(path), kerasbackup_error_corrupt = function(e) FALSE)
}

# Notes the files for session_load_other().
#
# @param dir the `backup_dir` that the user gave.
# @return string, JSON: the members `workers`, `epoch`, `batch` and `saved_at`
#   of newest_of_others(), or null.
session_others <- function(session, config, dir) {
  found <- newest_of_others(dir, config$worker)
  if (is.null(found)) {
    # They are there, and this training can make nothing of them.
    if (!has_checkpoint(config$backup_dir)) {
      refuse_other_workers(dir, config$worker)
    }
    return("null")
  }
  for (path in found$paths) {
    versions <- manifest_versions(backup_manifest(path)$metadata, path)
    if (!"jax" %in% names(versions)) {
      refuse_other_workers(dir, config$worker)
    }
  }
  session$others <- found$paths
  found$paths <- NULL
  jsonlite::toJSON(found, auto_unbox = TRUE)
}

# As session_load(), of one worker of another number of workers.
#
# @param number which one, counted from 1.
session_load_other <- function(session, number) {
  path <- session$others[[number]]
  header <- store_header(path)
  manifest <- manifest_parse(header, path)
  if (number == 1) {
    session$saved_at <- manifest_saved_at(manifest$metadata, path)
    session$restored <- path
  }
  list(header = header, path = path)
}

# As session_read(). There is no other one, so what is damaged is an error.
session_read_other <- function(session, number, places) {
  path <- session$others[[number]]
  files <- store_list(dirname(path))
  store <- store_open_to_read(dirname(path))
  on.exit(store_close(store))
  store_read_into(store, files$generation[match(path, files$path)], places)
  TRUE
}

# Deletes the checkpoints of other numbers of workers. To be called when all
# workers of this training have one of their own.
session_drop_others <- function(session, config, dir) {
  session$others <- NULL
  tryCatch(
    for (place in unlist(other_sets(dir, config$worker), use.names = FALSE)) {
      drop_other(session, config, dir, place)
    },
    # Old checkpoints that stay do no harm, so training goes on.
    kerasbackup_error = function(e) warn_others_left(e)
  )
  invisible()
}

drop_other <- function(session, config, dir, place) {
  lock <- lock_acquire(place)
  on.exit(lock_release(lock))
  # The directory that the user gave is deleted at the end if a training made
  # it. The one before may have, so this one remembers it.
  if (length(config$worker) == 0) {
    session$lock$made_dir <- session$lock$made_dir || lock$made_parent
  } else {
    made <- if (place == dir) lock$made_dir else lock$made_parent
    session$lock$made_parent <- session$lock$made_parent || made
  }
  store_delete(place)
  lock_remove_files(lock)
}
