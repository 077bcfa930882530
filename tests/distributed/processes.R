# The processes of one training: starts them, follows how far they come, and
# ends those that wait for a worker that is gone.

# Seconds without progress after which a training counts as hanging, and after
# which workers that another has left are ended.
patience <- as.numeric(Sys.getenv("PATIENCE", "180"))
grace <- 10

# Runs all workers of a training until they have ended.
#
# @param row the strategy and the number of workers.
# @param dir a directory for their files.
# @param callback arguments of the callback.
# @param killed which worker is interrupted, as text; or "all".
# @param interruption list(at, how), or NULL.
# @param watched list(folder, is_resumed), see values.py; NULL where nothing is
#   compared inside a training.
# @return list, one for each worker: what it wrote, or end = "killed".
run_workers <- function(
  row,
  dir,
  callback,
  killed = "none",
  interruption = NULL,
  watched = NULL
) {
  dir.create(dir, recursive = TRUE, showWarnings = FALSE)
  unlink(file.path(dir, c("progress-*", "result-*")))
  ports <- free_ports(row$workers)
  backend <- switch(
    sub(" .*", "", row$strategy),
    tf_keras = "tensorflow",
    torch = "torch",
    jax = "jax"
  )
  workers <- lapply(seq_len(row$workers), function(number) {
    is_hit <- killed %in% c("all", as.character(number))
    spec <- list(
      strategy = row$strategy,
      data = row$data,
      rank = number - 1,
      count = row$workers,
      ports = ports,
      dir = file.path(dir, "backup"),
      progress = file.path(dir, paste0("progress-", number)),
      result = file.path(dir, paste0("result-", number)),
      callback = callback,
      at = if (is_hit) as_at(interruption$at),
      how = if (is_hit) interruption$how else "none",
      watched = watched
    )
    file <- file.path(dir, paste0("spec-", number, ".json"))
    jsonlite::write_json(spec, file, auto_unbox = TRUE, null = "null")
    processx::process$new(
      file.path(R.home("bin"), "Rscript"),
      c("--vanilla", file.path(here, "worker.R"), file),
      env = c("current", KERAS_BACKEND = backend),
      stdout = file.path(dir, paste0("log-", number)),
      stderr = "2>&1"
    )
  })
  follow(workers, dir)
  lapply(seq_along(workers), function(number) {
    result <- file.path(dir, paste0("result-", number))
    if (file.exists(result)) {
      jsonlite::read_json(result)
    } else {
      list(
        end = "killed",
        text = utils::tail(
          readLines(file.path(dir, paste0("log-", number)), warn = FALSE),
          3
        )
      )
    }
  })
}

as_at <- function(at) if (length(at) > 1) as.list(at) else at

# Waits until all have ended. What was not seen to move for long is ended.
follow <- function(workers, dir) {
  on.exit(
    for (one in workers) {
      one$kill()
    }
  )
  moved <- Sys.time()
  before <- NULL
  while (any(vapply(workers, function(one) one$is_alive(), NA))) {
    Sys.sleep(0.2)
    files <- list.files(dir, "^(progress|result)-", full.names = TRUE)
    ended <- !vapply(workers, function(one) one$is_alive(), NA)
    cpu <- floor(sum(vapply(workers[!ended], cpu_seconds, 0)))
    is_left <- any(vapply(
      workers[ended],
      function(one) !identical(one$get_exit_status(), 0L),
      NA
    ))
    # A worker that waits for one that is gone may do so in a loop.
    state <- list(file.size(files), ended, if (!is_left) cpu)
    if (!identical(state, before)) {
      moved <- Sys.time()
      before <- state
    }
    waited <- as.numeric(Sys.time() - moved, units = "secs")
    if (is_left && waited > grace) {
      break
    }
    if (waited > patience) {
      # Each writes into its log where it hangs.
      for (one in workers) {
        one$signal(12)
      }
      Sys.sleep(2)
      stop("nothing moved for ", patience, " s; see the logs in ", dir)
    }
  }
  for (one in workers) {
    one$kill()
    one$wait()
  }
}

cpu_seconds <- function(process) {
  tryCatch(
    sum(process$get_cpu_times()[c("user", "system")]),
    error = function(e) 0
  )
}

free_ports <- function(count) {
  found <- list()
  for (port in sample(20000:40000, 50)) {
    socket <- tryCatch(serverSocket(port), error = function(e) NULL)
    if (!is.null(socket)) {
      close(socket)
      found <- c(found, port)
    }
    if (length(found) == count) {
      return(found)
    }
  }
  stop("there are too few free ports")
}

# The newest checkpoint of the worker that is interrupted.
newest_file <- function(dir, row) {
  number <- if (row$killed == "all") 1 else row$killed
  place <- file.path(
    dir,
    "backup",
    paste0("worker-", number, "-of-", row$workers)
  )
  files <- list.files(place, "[.]safetensors$", full.names = TRUE)
  utils::tail(sort(files), 1)
}

# Flips a bit of the data, which are behind the header.
damage <- function(path) {
  bytes <- readBin(path, raw(), file.size(path))
  at <- 8 + sum(as.integer(bytes[1:4]) * 256^(0:3)) + 5
  bytes[at] <- xor(bytes[at], as.raw(1))
  writeBin(bytes, path)
}

# The batches that a worker has trained, of the one that has trained most.
most_lines <- function(dir) {
  files <- list.files(dir, "^progress-", full.names = TRUE)
  max(0, vapply(files, function(file) length(readLines(file)), 0L))
}

text_of <- function(one) {
  paste(c(one$end, unlist(one$text)), collapse = ": ")
}
