# Owns: the course of the benchmark: which sizes, then a real training.

source("tools/bench/report.R")

out <- ".cache/bench"
unlink(out, recursive = TRUE)
dir.create(out, recursive = TRUE)

setting <- function(name, default) {
  value <- Sys.getenv(name, default)
  as.numeric(strsplit(value, " +")[[1]])
}
sizes <- setting("SIZES", "1 30 300 1500") * 1e6
if (nzchar(Sys.getenv("LARGE"))) {
  sizes <- c(sizes, 8e9)
}
tensors <- setting("TENSORS", "10 10000")
rounds <- setting("ROUNDS", "5")
# A model of the largest sizes is beside its copies in memory.
largest_model <- setting("LARGEST_MODEL", "300") * 1e6
large <- 4e9

child <- function(script, arguments) {
  lines <- system2(
    file.path(R.home("bin"), "Rscript"),
    c("--vanilla", file.path("tools/bench", script), arguments),
    stdout = TRUE,
    timeout = 3600
  )
  if (!is.null(attr(lines, "status"))) {
    stop(script, " failed", call. = FALSE)
  }
  lines
}
show <- function(name, frame) {
  lines <- markdown(frame)
  writeLines(c("", lines))
  writeLines(lines, file.path(out, paste0(name, ".md")))
}

# After an interruption a process is new, and so is its memory.
restore_anew <- function(size, n) {
  folder <- tempfile("fresh", Sys.getenv("BENCH_DIR", tempdir()))
  dir.create(folder)
  on.exit(unlink(folder, recursive = TRUE))
  run <- function(which, round) {
    numbers <- sprintf("%.0f", c(round, size, n))
    child("fresh.R", c(which, numbers, folder, csv))
  }
  run("save", 0)
  for (round in seq_len(rounds)) {
    for (which in sample(c("ours", "keras"))) {
      run(which, round)
    }
  }
}

columns <- c(
  "size",
  "tensors",
  "system",
  "round",
  "operation",
  "seconds",
  "peak",
  "written"
)
csv <- file.path(out, "times.csv")
writeLines(paste(columns, collapse = ","), csv)
for (size in sizes) {
  for (n in tensors) {
    cli::cli_inform("{size / 1e6} MB in {n} tensors")
    what <- "arrays"
    if (size <= largest_model) {
      what <- "models"
    }
    if (size >= large) {
      what <- "large"
    }
    child("state.R", c(sprintf("%.0f", c(size, n, rounds)), what, csv))
    if (what == "models") restore_anew(size, n)
  }
}
if (length(sizes) > 0) {
  times <- utils::read.csv(csv)
  summary <- summarise_times(times)
  show("times", format_summary(summary))
  show("ratios", ratio_table(times))
  if (length(tensors) > 1) {
    show("tensors", tensors_table(summary))
  }
  plot_times(summary, file.path(out, "times.png"))
}

flips <- setting("FLIPS", "100")
if (flips > 0) {
  cli::cli_inform("one flipped bit, {flips} times")
  bits <- file.path(out, "bits.csv")
  child("bits.R", c("1000000", flips, bits))
  show("bits", utils::read.csv(bits))
}

lines <- grep("^cost ", child("hook.R", character()), value = TRUE)
costs <- as.numeric(sub(".* ", "", lines))
show(
  "hook",
  data.frame(
    save_freq = sub("cost (\\w+) .*", "\\1", lines),
    `microseconds a batch` = sprintf("%.3f", costs / 1000),
    `above none` = sprintf("%.3f", (costs - costs[[1]]) / 1000),
    check.names = FALSE
  )
)

lines <- grep("^cost ", child("checksums.R", character()), value = TRUE)
show(
  "checksums",
  data.frame(
    batch = sub("cost (.*):.*", "\\1", lines),
    `microseconds for its checksum` = sub(".*: ", "", lines),
    check.names = FALSE
  )
)

trainings <- c("none", "kerasbackup", "kerasbackup-auto", "keras")
training_rounds <- setting("TRAINING_ROUNDS", "5")
n_epochs <- setting("EPOCHS", "20")
runs <- NULL
for (round in seq_len(training_rounds)) {
  cli::cli_inform("training, round {round} of {training_rounds}")
  # Who comes after whom must not decide.
  for (callback in sample(trainings)) {
    lines <- child("train.R", c(callback, n_epochs))
    figures <- function(name) {
      line <- grep(paste0("^", name, " "), lines, value = TRUE)
      as.numeric(strsplit(line, " ")[[1]][-1])
    }
    took <- c(figures("seconds"), figures("epochs"))
    runs <- rbind(
      runs,
      data.frame(
        callback = callback,
        round = round,
        what = rep(c("fit", "epoch"), c(1, length(took) - 1)),
        seconds = took
      )
    )
  }
}
if (!is.null(runs)) {
  utils::write.csv(runs, file.path(out, "training.csv"), row.names = FALSE)
  show("training", training_table(runs, trainings))
}
