# Runs the rows of rows.csv: interrupts a training of several workers, runs it
# again, and compares what each worker ends with, bit for bit, with a training
# that was left alone. Started by tools/test-distributed.
#
#   Rscript main.R OUT PATTERN
#
# Prints "ok" and "not ok" lines, and writes OUT/table.md.

args <- commandArgs(trailingOnly = TRUE)
out <- normalizePath(args[[1]])
pattern <- args[[2]]
here <- Sys.getenv("DISTRIBUTED_HOME")
source(file.path(here, "processes.R"))

rows <- read.csv(file.path(here, "rows.csv"), comment.char = "#")
labels <- do.call(paste, c(rows[c(1, 2, 3, 4, 5)], sep = "/"))
rows <- rows[grepl(pattern, labels), ]

# Where the interruption comes: epoch and batch, both counted from 0.
interruptions <- list(
  epoch = list(at = c(2, 0), how = "kill"),
  batch = list(at = c(2, 3), how = "kill"),
  save = list(at = 3, how = "save"),
  end = list(at = "end", how = "kill"),
  removed = list(at = c(2, 3), how = "kill"),
  damaged = list(at = c(2, 3), how = "kill"),
  signal = list(at = c(2, 2), how = "signal")
)

# What a training that was left alone ends with, once for each strategy.
references <- list()
reference <- function(row) {
  key <- paste(row$strategy, row$workers)
  if (is.null(references[[key]])) {
    dir <- file.path(out, make.names(key))
    ended <- run_workers(row, dir, callback = list(save_freq = "epoch"))
    references[[key]] <<- ended
  }
  references[[key]]
}

# What is wrong with a row, or nothing.
faults <- function(row, label) {
  callback <- list(save_freq = type.convert(row$save_freq, as.is = TRUE))
  if (row$when == "signal") {
    callback$save_before_preemption <- TRUE
  }
  dir <- file.path(out, make.names(label))
  interruption <- interruptions[[row$when]]
  first <- run_workers(row, dir, callback, row$killed, interruption)
  if (row$expected != "equal") {
    return(unlist(lapply(first, function(one) {
      if (!identical(one$end, row$expected)) text_of(one)
    })))
  }
  if (row$when == "signal") {
    ends <- vapply(first, function(one) one$end, "")
    if (any(ends != "kerasbackup_preempted")) {
      return(c("the signal did not stop all:", vapply(first, text_of, "")))
    }
  }
  lost <- newest_file(dir, row)
  if (row$when == "removed") {
    unlink(lost)
  } else if (row$when == "damaged") {
    damage(lost)
  }
  expected <- reference(row)
  again <- run_workers(row, dir, callback)
  allowed <- c(
    if (row$when == "damaged") "kerasbackup_warning_fallback",
    if (row$when == "end") "kerasbackup_message_complete"
  )
  c(
    unlist(Map(compare, seq_along(again), again, expected)),
    unlist(lapply(again, function(one) setdiff(kinds_of(one), allowed))),
    if (most_lines(dir) >= most_lines_of_reference(row)) {
      "nothing was resumed"
    },
    if (dir.exists(file.path(dir, "backup"))) "the checkpoints were left"
  )
}

compare <- function(number, one, expected) {
  if (one$end != "complete") {
    return(paste0("worker ", number, ": ", text_of(one)))
  }
  now <- jsonlite::parse_json(one$ends_with)
  before <- jsonlite::parse_json(expected$ends_with)
  differ <- names(now$variables)[
    !mapply(identical, now$variables, before$variables[names(now$variables)])
  ]
  c(
    if (length(differ) > 0) {
      paste0("worker ", number, ": ", differ, " differs")
    },
    if (!identical(now$logs, before$logs)) {
      paste0("worker ", number, ": the logs differ")
    }
  )
}

kinds_of <- function(one) {
  grep("^kerasbackup_", unlist(one$messages), value = TRUE)
}

most_lines_of_reference <- function(row) {
  key <- paste(row$strategy, row$workers)
  most_lines(file.path(out, make.names(key)))
}

results <- data.frame()
for (i in seq_len(nrow(rows))) {
  row <- rows[i, ]
  label <- paste(row[c(1, 2, 3, 4, 5)], collapse = "/")
  wrong <- tryCatch(
    faults(row, label),
    error = function(e) conditionMessage(e)
  )
  is_ok <- length(wrong) == 0
  cat(if (is_ok) "ok" else "not ok", i, "-", label, "\n")
  cat(sprintf("# %s\n", head(wrong, 12)), sep = "")
  row$result <- if (is_ok) row$expected else "NOT AS EXPECTED"
  results <- rbind(results, row)
}
columns <- lapply(results[names(rows)[-6]], as.character)
columns$result <- results$result
writeLines(
  c(
    paste0("| ", paste(names(columns), collapse = " | "), " |"),
    paste0(strrep("|---", length(columns)), "|"),
    paste0("| ", do.call(paste, c(unname(columns), sep = " | ")), " |")
  ),
  file.path(out, "table.md")
)
quit(status = as.integer(any(results$result != results$expected)))
