# Owns: the benchmark of several workers: how long a save lets two processes of
# JAX wait, beside one process with the same state, beside what one exchange
# between them takes, and beside Orbax in the same two processes.

source("tools/bench/report.R")

out <- ".cache/bench-distributed"
unlink(out, recursive = TRUE)
dir.create(out, recursive = TRUE)
size <- as.numeric(Sys.getenv("SIZE", "300")) * 1e6
launches <- as.integer(Sys.getenv("ROUNDS", "5"))
saves <- as.integer(Sys.getenv("SAVES", "3"))
csv <- file.path(out, "times.csv")

# Processes of one training. Each writes how long each of its saves took.
run <- function(workers, division, launch) {
  port <- sample(20000:40000, 1)
  folder <- tempfile("bench", Sys.getenv("BENCH_DIR", tempdir()))
  dir.create(folder)
  on.exit(unlink(folder, recursive = TRUE))
  processes <- lapply(seq_len(workers), function(number) {
    processx::process$new(
      file.path(R.home("bin"), "Rscript"),
      c(
        "--vanilla",
        "tools/bench/distributed_worker.R",
        sprintf("%.0f", c(number - 1, workers, port, size, saves)),
        division,
        folder
      ),
      stdout = file.path(out, paste0("log-", number)),
      stderr = "2>&1"
    )
  })
  for (one in processes) {
    one$wait(1000 * 600)
    one$kill()
    if (!identical(one$get_exit_status(), 0L)) {
      stop("a worker failed; see the logs in ", out, call. = FALSE)
    }
  }
  files <- file.path(folder, paste0("times-", seq_len(workers) - 1))
  times <- do.call(rbind, lapply(files, utils::read.csv))
  # Training goes on when the slowest worker does.
  times <- stats::aggregate(seconds ~ system + save, times, max)
  cbind(times, workers = workers, division = division, launch = launch)
}

runs <- list(
  list(workers = 1, division = "replicated"),
  list(workers = 2, division = "replicated"),
  list(workers = 2, division = "divided")
)
times <- NULL
for (launch in seq_len(launches)) {
  cli::cli_inform("launch {launch} of {launches}")
  # Who comes after whom must not decide.
  for (one in sample(runs)) {
    times <- rbind(times, run(one$workers, one$division, launch))
  }
}
utils::write.csv(times, csv, row.names = FALSE)

# The middle of the saves of each launch.
middle <- stats::aggregate(
  seconds ~ system + workers + division + launch,
  times,
  stats::median
)
of <- function(system, workers, division) {
  one <- middle[
    middle$system == system &
      middle$workers == workers &
      middle$division == division,
  ]
  one$seconds[order(one$launch)]
}
figure <- function(x, digits) {
  sprintf(
    paste0("%.", digits, "f (%.", digits, "f to %.", digits, "f)"),
    stats::median(x),
    min(x),
    max(x)
  )
}
one <- of("kerasbackup", 1, "replicated")
alike <- of("kerasbackup", 2, "replicated")
parts <- of("kerasbackup", 2, "divided")
exchange <- of("exchange", 2, "replicated")
table <- data.frame(
  what = c(
    "wait for a save, one process",
    "wait for a save, two processes, each with the whole state",
    "wait for a save, two processes, each with half of the state",
    "one exchange between two processes",
    "Orbax, two processes, each with the whole state",
    "Orbax, two processes, each with half of the state"
  ),
  seconds = c(
    figure(one, 3),
    figure(alike, 3),
    figure(parts, 3),
    figure(exchange, 4),
    figure(of("Orbax", 2, "replicated"), 3),
    figure(of("Orbax", 2, "divided"), 3)
  )
)
ratios <- data.frame(
  `measured / baseline` = c(
    "wait of two processes / wait of one, as much state in each",
    "wait of two processes / wait of one and an exchange",
    "wait of two processes / Orbax, asynchronous, the whole state in each",
    "wait of two processes / Orbax, asynchronous, half of the state in each"
  ),
  ratio = c(
    figure(alike / one, 2),
    figure(alike / (one + exchange), 2),
    figure(alike / of("Orbax", 2, "replicated"), 2),
    figure(parts / of("Orbax", 2, "divided"), 2)
  ),
  check.names = FALSE
)
for (name in c("table", "ratios")) {
  lines <- markdown(get(name))
  writeLines(c("", lines))
  writeLines(lines, file.path(out, paste0(name, ".md")))
}
