# Looks at the checkpoints of a directory without locking it. A training may be
# running there, and may remove a checkpoint between the listing and the look.
# What has gone is neither damaged nor missing: it is passed over, or everything
# is listed anew.
#
# May not touch Python or `.Call`.

most_looks <- 10

# Whether a failure, or an error about one, is that a file is not there.
is_gone <- function(x) is.list(x) && identical(x[["errno"]], "ENOENT")

# The value of `expr`, or NULL if the file that it reads has gone.
unless_gone <- function(expr) {
  tryCatch(expr, kerasbackup_error_io = function(e) {
    if (!is_gone(e)) {
      rlang::cnd_signal(e)
    }
    NULL
  })
}

# Looks for a checkpoint again if one is removed during the look.
#
# @param look function that returns what was found, or NULL.
# @param skipped function from that to the failures of newer checkpoints.
look_again <- function(
  look,
  skipped = function(found) NULL,
  looks = most_looks
) {
  for (i in seq_len(looks)) {
    found <- tryCatch(look(), kerasbackup_error_io = function(e) {
      if (!is_gone(e) || i == looks) {
        rlang::cnd_signal(e)
      }
      e
    })
    if (!any(vapply(c(list(found), skipped(found)), is_gone, NA))) {
      break
    }
  }
  found
}

# The checkpoints in a directory, the newest first. While files are renamed and
# removed, the system may list none of them. So an empty list is made again.
list_checkpoints <- function(dir) {
  for (i in 1:3) {
    files <- store_list(dir)
    if (nrow(files) > 0) {
      break
    }
  }
  files
}

backup_files <- function(dir) {
  files <- list_checkpoints(dir)
  if (nrow(files) == 0) {
    refuse_no_backup(dir)
  }
  files
}

# Reads the newest checkpoint. If it has gone, the next one is read.
#
# @param read function of the path.
# @return list(files, value): the checkpoints, and what `read` returned. If the
#   newest is damaged, the error names the checkpoint that would be restored.
read_newest <- function(dir, read) {
  look_again(function() {
    files <- backup_files(dir)
    tryCatch(
      list(files = files, value = read(files$path[[1]])),
      kerasbackup_error_corrupt = function(e) {
        rlang::cnd_signal(with_good(e, newest_good(files$path[-1])))
      }
    )
  })
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

# Reads the newest checkpoint, or the one that the user named.
#
# @return list(files, path, value): as from read_newest(), and which it was.
read_generation <- function(
  dir,
  generation,
  read,
  call = rlang::caller_env()
) {
  if (is.null(generation)) {
    newest <- read_newest(dir, read)
    return(c(newest, path = newest$files$path[[1]]))
  }
  look_again(function() {
    files <- backup_files(dir)
    path <- find_generation(dir, generation, files, call)$path
    list(files = files, path = path, value = read(path))
  })
}

# @param generation as the user gave it.
# @return list(path, generation), or NULL where none was asked for.
find_generation <- function(
  dir,
  generation,
  files = backup_files(dir),
  call = rlang::caller_env()
) {
  if (is.null(generation)) {
    return(NULL)
  }
  if (identical(generation, "best")) {
    return(find_best(dir, files, call))
  }
  there <- c(
    i = paste0("There are: ", paste(files$generation, collapse = ", "), ".")
  )
  if (!is_whole_number(generation)) {
    known <- "the number of a checkpoint or \"best\""
    stop_must_be("generation", known, generation, there, call = call)
  }
  file <- as.list(files[files$generation == generation, ])
  if (length(file$path) == 0) {
    stop_argument(
      c(paste0("There is no generation ", generation, "."), there),
      "generation",
      call
    )
  }
  file[c("path", "generation")]
}

find_best <- function(dir, files, call) {
  described <- describe_checkpoints(files)
  best <- described$files[described$files$best %in% TRUE, ]
  if (nrow(best) == 0) {
    stop_no_best(dir, described$watched$log, call)
  }
  as.list(best[c("path", "generation")])
}
