# What the `backup_*()` functions do with a directory of several workers: they
# show the newest checkpoint that all workers have, with the shards of variables
# put together.
#
# May not touch Python or `.Call`.

# Whether a directory has checkpoints of several workers, and none of its own.
has_workers <- function(dir) {
  nrow(list_checkpoints(dir)) == 0 && nrow(worker_dirs(dir)) > 0
}

# The newest checkpoint that all workers have whose directories are here.
#
# @return data frame, one row for each worker: path, index, count; the column
#   `manifest` is a list.
common_checkpoint <- function(dir) {
  found <- worker_dirs(dir)
  # After a change of their number, only the newest training counts.
  if (length(unique(found$count)) > 1) {
    stop_several_trainings(dir, unique(found$count))
  }
  # A training may have gone on between the look at one worker and at the next.
  for (i in seq_len(most_looks)) {
    each <- lapply(found$path, intact_places)
    keys <- lapply(each, function(one) paste(one$epoch, one$batch))
    common <- Reduce(intersect, keys)
    if (length(common) > 0) {
      break
    }
  }
  if (length(common) == 0) {
    stop_none_in_common(dir, found$index)
  }
  found$path <- mapply(
    function(one, key) one$path[match(common[[1]], key)],
    each,
    keys
  )
  found$manifest <- lapply(found$path, backup_manifest)
  found
}

# The checkpoints of one worker whose headers are intact, the newest first.
intact_places <- function(dir) {
  files <- describe_checkpoints(backup_files(dir))$files
  files[!is.na(files$epoch), , drop = FALSE]
}

info_of_workers <- function(dir) {
  found <- common_checkpoint(dir)
  path <- found$path[[1]]
  metadata <- found$manifest[[1]]$metadata
  every <- worker_dirs(dir)
  times <- times_of(metadata, path)
  described <- lapply(every$path, function(dir) {
    describe_checkpoints(backup_files(dir))
  })
  files <- lapply(seq_along(described), function(i) {
    files <- described[[i]]$files
    cbind(files, worker = rep(every$index[[i]], nrow(files)))
  })
  whole <- whole_variables(all_pieces(found))
  structure(
    list(
      dir = dir,
      files = do.call(rbind, files),
      watched = described[[1]]$watched,
      epoch = manifest_count(metadata, "epoch", path),
      batch = manifest_count(metadata, "batch", path),
      epochs = manifest_count(metadata, "epochs", path),
      running = any(vapply(every$path, lock_is_held, NA)),
      owner = NULL,
      saved_at = times$saved_at,
      began_at = times$began_at,
      duration = times$duration,
      learning_rate = learning_rate_in(path, found$manifest[[1]]$tensors),
      versions = manifest_versions(metadata, path),
      metadata = manifest_user(metadata, path),
      history = manifest_history(metadata, path),
      interruptions = times$interruptions,
      variables = whole,
      workers = found$count[[1]]
    ),
    class = "keras_backup"
  )
}

verify_workers <- function(dir, all) {
  common_checkpoint(dir)
  for (one in worker_dirs(dir)$path) {
    backup_verify(one, all = all)
  }
  invisible(TRUE)
}

history_of_workers <- function(dir) {
  found <- common_checkpoint(dir)
  manifest_history(found$manifest[[1]]$metadata, found$path[[1]])
}

# Reads each file once. What several workers have is read from one.
read_workers <- function(dir, names, call = rlang::caller_env()) {
  found <- common_checkpoint(dir)
  pieces <- all_pieces(found)
  known <- unique(pieces$variable)
  wanted <- known[check_names(names, known, call)]
  place <- vapply(pieces$begin, paste, "", collapse = " ")
  is_first <- !duplicated(paste(pieces$variable, place, sep = "@"))
  pieces <- pieces[is_first & pieces$variable %in% wanted, , drop = FALSE]
  pieces$value <- I(vector("list", nrow(pieces)))
  for (worker in unique(pieces$worker)) {
    own <- which(pieces$worker == worker)
    pieces$value[own] <- read_loaded(
      store_read(found$path[[worker]]),
      pieces$name[own]
    )
  }
  missing <- intersect(wanted, pieces$variable[lacks_pieces(pieces)])
  if (length(missing) > 0) {
    stop_missing_shards(dir, missing[[1]], found$index, found$count[[1]])
  }
  values_of_pieces(pieces, wanted)
}

# As backup_read(), of one checkpoint with shards in it: those of a worker, or
# of variables that a process had divided.
read_pieces <- function(manifest, path, names, call) {
  pieces <- pieces_there(manifest, path)
  known <- unique(pieces$variable)
  wanted <- known[check_names(names, known, call)]
  pieces <- pieces[pieces$variable %in% wanted, , drop = FALSE]
  values <- if (is.null(names)) {
    # All of the file is verified.
    read_loaded(store_read(path), pieces$name)
  } else {
    read_some(path, pieces$name, call)
  }
  pieces$value <- I(unname(values))
  values_of_pieces(pieces, wanted)
}

has_shards <- function(manifest) !is.null(manifest$metadata[["shards"]])

# The variables of these names, whole.
values_of_pieces <- function(pieces, names) {
  values <- lapply(names, function(name) {
    own <- pieces[pieces$variable == name, , drop = FALSE]
    if (is.null(own$begin[[1]])) own$value[[1]] else put_together(own)
  })
  stats::setNames(values, names)
}

# For each piece, whether others of the same variable are missing.
lacks_pieces <- function(pieces) {
  sizes <- vapply(pieces$shape, prod, 0)
  there <- stats::ave(sizes, pieces$variable, FUN = sum)
  there < vapply(pieces$whole, prod, 0)
}

# The pieces in one file. Those of a variable that is not all there, as in the
# directory of one worker, count as variables of their own.
#
# @return data frame as from pieces_of().
pieces_there <- function(manifest, path) {
  pieces <- pieces_of(manifest, path)
  alone <- if (has_shards(manifest)) {
    lacks_pieces(pieces)
  } else {
    logical(nrow(pieces))
  }
  pieces$variable[alone] <- pieces$name[alone]
  pieces$whole[alone] <- pieces$shape[alone]
  pieces$begin[alone] <- list(NULL)
  pieces
}

# @param pieces the shards of one variable, with their values.
put_together <- function(pieces) {
  value <- array(pieces$value[[1]][1], pieces$whole[[1]])
  for (i in seq_len(nrow(pieces))) {
    at <- Map(
      function(first, n) first + seq_len(n),
      pieces$begin[[i]],
      pieces$shape[[i]]
    )
    value <- do.call(`[<-`, c(list(value), at, list(pieces$value[[i]])))
  }
  value
}

# Nothing is deleted while a worker trains.
delete_workers <- function(dir) {
  locks <- list()
  on.exit(
    for (lock in locks) {
      lock_release(lock)
    }
  )
  for (one in worker_dirs(dir)$path) {
    locks <- c(locks, lock_acquire(one))
  }
  deleted <- character()
  for (lock in locks) {
    deleted <- c(deleted, store_delete(lock$dir))
    lock_remove_files(lock)
  }
  invisible(deleted)
}

# The variables that are in pieces, each once and whole.
#
# @return data frame: name, dtype, shape, bytes.
whole_variables <- function(pieces) {
  pieces <- pieces[!duplicated(pieces$variable), , drop = FALSE]
  rownames(pieces) <- NULL
  shapes <- pieces$whole
  data.frame(
    name = pieces$variable,
    dtype = pieces$dtype,
    shape = I(shapes),
    bytes = vapply(shapes, prod, 0) * unname(dtype_sizes[pieces$dtype])
  )
}

# The tensors of all workers, one worker after the other.
#
# @return data frame as from pieces_of(), and `worker`: a row of `found`.
all_pieces <- function(found) {
  do.call(
    rbind,
    lapply(seq_len(nrow(found)), function(i) {
      cbind(pieces_of(found$manifest[[i]], found$path[[i]]), worker = i)
    })
  )
}

# The tensors of one file, with the variable that each is a part of.
#
# @return data frame: name, dtype, shape, variable, whole (the shape of the
#   variable), begin (where the part begins in each dimension; NULL where it is
#   all of it).
pieces_of <- function(manifest, path) {
  tensors <- manifest$tensors
  shards <- manifest_shards(manifest$metadata, tensors, path)
  pieces <- data.frame(
    name = tensors$name,
    dtype = tensors$dtype,
    shape = I(tensors$shape),
    variable = tensors$name,
    whole = I(tensors$shape),
    begin = I(vector("list", nrow(tensors)))
  )
  for (shard in shards) {
    pieces$variable[[shard$at]] <- shard$variable
    pieces$whole[[shard$at]] <- shard$shape
    pieces$begin[[shard$at]] <- shard$begin
  }
  pieces
}
