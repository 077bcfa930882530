# Runs the rows of rows.csv: interrupts a training of several workers, runs it
# again, and compares what each worker ends with, bit for bit, with a training
# that was left alone. Started by tools/test-distributed.
#
#   Rscript main.R OUT PATTERN TABLE
#
# Prints "ok" and "not ok" lines, and writes the results of the rows that were
# run into the table in the file TABLE.

args <- commandArgs(trailingOnly = TRUE)
out <- normalizePath(args[[1]])
pattern <- args[[2]]
here <- Sys.getenv("DISTRIBUTED_HOME")
source(file.path(here, "processes.R"))
source(file.path(here, "table.R"))

rows <- read.csv(file.path(here, "rows.csv"), comment.char = "#")
cases <- setdiff(names(rows), "expected")
all_rows <- rows
labels <- do.call(paste, c(rows[cases], sep = "/"))
rows <- rows[grepl(pattern, labels, perl = TRUE), ]

# Where the interruption comes: epoch and batch, both counted from 0.
interruptions <- list(
  epoch = list(at = c(2, 0), how = "kill"),
  batch = list(at = c(2, 3), how = "kill"),
  first = list(at = 1, how = "before"),
  save = list(at = 3, how = "save"),
  end = list(at = "end", how = "kill"),
  removed = list(at = c(2, 3), how = "kill"),
  damaged = list(at = c(2, 3), how = "kill"),
  signal = list(at = c(2, 2), how = "signal")
)

key_of <- function(row) paste(row$strategy, row$workers, row$data)

# What a training that was left alone ends with, once for each strategy.
references <- list()
reference <- function(row) {
  key <- key_of(row)
  if (is.null(references[[key]])) {
    dir <- file.path(out, make.names(key))
    ended <- run_workers(row, dir, callback = list(save_freq = "epoch"))
    ended <- ended[is_training(row)]
    references[[key]] <<- ended
  }
  references[[key]]
}

# The message of a training that resumes.
resume <- "kerasbackup_message_resume"

# What is wrong with a row in which other workers go on, or nothing.
faults_of_others <- function(row, label) {
  callback <- list(save_freq = type.convert(row$save_freq, as.is = TRUE))
  dir <- file.path(out, make.names(label))
  folder <- file.path(dir, "values")
  watched <- list(folder, FALSE)
  run_workers(row, dir, callback, "all", interruptions$batch, watched)
  now <- row
  now$workers <- as.integer(sub("then ", "", row$when))
  again <- run_workers(now, dir, callback, watched = list(folder, TRUE))
  notes <- "kerasbackup_message_notes"
  c(
    unlist(lapply(seq_along(again), function(i) {
      one <- again[[i]]
      if (one$end != "complete") {
        return(paste0("worker ", i, ": ", text_of(one)))
      }
      found <- jsonlite::parse_json(one$ends_with)
      c(
        if (found$compared == 0) "no values were compared",
        sprintf("worker %d: %s differs", i, unlist(found$differ)),
        setdiff(kinds_of(one), c(resume, notes)),
        if (!notes %in% kinds_of(one)) "no message tells of other workers"
      )
    })),
    if (most_lines(dir) >= 20) "nothing was resumed",
    if (dir.exists(file.path(dir, "backup"))) "the checkpoints were left"
  )
}

# What is wrong with a row, or nothing.
faults <- function(row, label) {
  if (startsWith(row$when, "then ")) {
    return(faults_of_others(row, label))
  }
  callback <- list(save_freq = type.convert(row$save_freq, as.is = TRUE))
  if (row$when == "signal") {
    callback$save_before_preemption <- TRUE
  }
  if (row$when %in% c("removed", "damaged")) {
    # Its newest save may be lost by the kill and the one before by this.
    callback$double_checkpoint <- TRUE
  }
  dir <- file.path(out, make.names(label))
  interruption <- interruptions[[row$when]]
  first <- run_workers(row, dir, callback, row$killed, interruption)
  first <- first[is_training(row)]
  if (!row$expected %in% c("equal", "counts")) {
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
  again <- run_workers(row, dir, callback)[is_training(row)]
  resumes <- !row$when %in% c("end", "first")
  allowed <- c(
    # The save of the last epoch may have been under way.
    if (resumes || row$when == "end") resume,
    if (row$expected == "counts") "kerasbackup_message_notes",
    if (row$when == "damaged") "kerasbackup_warning_fallback",
    if (row$when == "end") "kerasbackup_message_complete",
    if (row$when == "first") "kerasbackup_message_no_first"
  )
  c(
    if (
      row$expected == "counts" &&
        !"kerasbackup_message_notes" %in% kinds_of(again[[1]])
    ) {
      "no message says that it is not exact"
    },
    unlist(Map(
      compare,
      seq_along(again),
      again,
      expected,
      if (row$expected == "counts") "iteration|counter" else "."
    )),
    unlist(lapply(again, function(one) setdiff(kinds_of(one), allowed))),
    if (resumes && !resume %in% kinds_of(again[[1]])) {
      "worker 1 does not say that training resumes"
    },
    if (resumes && most_lines(dir) >= most_lines_of_reference(row)) {
      "nothing was resumed"
    },
    if (dir.exists(file.path(dir, "backup"))) "the checkpoints were left"
  )
}

# Which of the processes of a row train.
is_training <- function(row) {
  if (grepl("ParameterServer", row$strategy)) 1L else seq_len(row$workers)
}

# @param pattern a regular expression of the variables that count.
compare <- function(number, one, expected, pattern) {
  if (one$end != "complete") {
    return(paste0("worker ", number, ": ", text_of(one)))
  }
  now <- jsonlite::parse_json(one$ends_with)
  before <- jsonlite::parse_json(expected$ends_with)
  names <- grep(pattern, names(now$variables), value = TRUE)
  if (length(names) == 0) {
    return("there are no such variables")
  }
  now$variables <- now$variables[names]
  differ <- names(now$variables)[
    !mapply(identical, now$variables, before$variables[names(now$variables)])
  ]
  c(
    if (length(differ) > 0) {
      paste0("worker ", number, ": ", differ, " differs")
    },
    if (pattern == "." && !identical(now$logs, before$logs)) {
      paste0("worker ", number, ": the logs differ")
    }
  )
}

kinds_of <- function(one) {
  grep("^kerasbackup_", unlist(one$messages), value = TRUE)
}

most_lines_of_reference <- function(row) {
  most_lines(file.path(out, make.names(key_of(row))))
}

# JAX looks for the address of this machine's name. A bare system may have none.
has_address <- !is.null(suppressWarnings(
  utils::nsl(Sys.info()[["nodename"]])
))

results <- data.frame()
for (i in seq_len(nrow(rows))) {
  row <- rows[i, ]
  label <- paste(row[cases], collapse = "/")
  if (grepl("^jax ", row$strategy) && !has_address) {
    cat("ok", i, "-", label, "# SKIP this machine's name has no address\n")
    next
  }
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
if (nrow(results) == 0) {
  quit(save = "no")
}
columns <- c(lapply(results[cases], as.character), results["result"])
lines <- paste0("| ", do.call(paste, c(unname(columns), sep = " | ")), " |")
known <- paste0("| ", do.call(paste, c(all_rows[cases], sep = " | ")), " |")
update_table(args[[3]], names(columns), lines, known)
quit(status = as.integer(any(results$result != results$expected)))
