# Owns: one training of the demo, in a process of its own, to its end or to the
# kill in the middle of an epoch.

#' `name` names its files in demo-output. With `kill_after` it is killed half an
#' epoch after the end of that one. Returns how it went and what came out.
run_training <- function(name, backup_dir, kill_after = Inf) {
  started <- Sys.time()
  training <- NULL
  ends <- numeric()
  # What a process that was killed had still said is heard afterwards.
  hear <- function(line) {
    cli::cli_verbatim(cli::col_grey(paste0("  | ", line)))
    if (line == "training") {
      training <<- Sys.time()
    }
    if (grepl("^epoch", line)) {
      ends <<- c(ends, Sys.time())
    }
    length(ends) >= kill_after
  }

  result <- file.path("demo-output", paste0(name, ".rds"))
  child <- start_child(
    "tools/demo/train.R",
    c(backup_dir, result),
    file.path("demo-output", paste0(name, ".log"))
  )
  on.exit(if (child_runs(child)) kill_child(child))
  status <- follow_child(child, hear)
  if (is.null(status)) {
    Sys.sleep(mean(diff(ends)) / 2)
    kill_child(child)
    status <- follow_child(child, function(line) {
      hear(line)
      FALSE
    })
  }
  ended <- as.numeric(Sys.time())

  list(
    pid = child$pid,
    status = status,
    log = child$log,
    starting = as.numeric(difftime(training, started, units = "secs")),
    done = length(ends),
    lost = ended - tail(ends, 1),
    epoch_length = mean(diff(ends)),
    result = if (file.exists(result)) readRDS(result)
  )
}
