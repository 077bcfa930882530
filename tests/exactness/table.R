# Owns the exactness table of one backend: runs every row and compares it with a
# run that was not interrupted. Started by tools/exactness.
#
#   Rscript table.R BACKEND DIR PART PATTERN SEED
#
# BACKEND: one of Keras 3, or tf_keras, which computes with TensorFlow.
# PART: every so-manieth row, 1 for all. A row is interrupted where it is in the
# whole table. KEEP in the environment: rows that an earlier run has left equal
# in DIR are not run again. ABLATE in the environment: names of
# states to leave out, see ablate.py; then the table shows which rows notice,
# and which of those tell of it. REPEAT in the environment: how often to train
# each row without an interruption, and nothing else, also of the rows that are
# not run because they are not repeatable. Prints "ok" and "not ok" lines, and
# writes the file table.csv in DIR.

args <- commandArgs(trailingOnly = TRUE)
backend <- args[[1]]
base <- normalizePath(args[[2]])
part <- as.integer(args[[3]])
pattern <- args[[4]]
seed <- as.integer(args[[5]])
repeats <- as.integer(Sys.getenv("REPEAT", "0"))
ablations <- strsplit(Sys.getenv("ABLATE"), "[ ,]+")[[1]]
here <- Sys.getenv("EXACTNESS_HOME")
# Workers that are started anew, as Grain's, have the cases to import.
Sys.setenv(
  KERAS_BACKEND = if (backend == "tf_keras") "tensorflow" else backend,
  EXACTNESS_KERAS = if (backend == "tf_keras") "tf_keras" else "keras",
  TF_CPP_MIN_LOG_LEVEL = "3",
  PYTHONPATH = here
)

library(kerasbackup)
source(file.path(here, "cases.R"))
source(file.path(here, "plan.R"))
source(file.path(here, "process.R"))
source(file.path(here, "notes.R"))
source(file.path(here, "run.R"))
# Loaded here, so that the processes that are forked have them at once.
has <- vapply(
  c("tensorflow", "torch", "tensorboard", "grain"),
  function(module) {
    there <- reticulate::py_module_available(module)
    if (there) {
      reticulate::import(module, delay_load = FALSE)
    }
    there
  },
  logical(1)
)
# R's library path may give them another version of Python's library.
Sys.unsetenv("LD_LIBRARY_PATH")
cases <- reticulate::import_from_path("cases", here, delay_load = FALSE)
if (length(ablations) > 0) {
  invisible(reticulate::import_from_path(
    "kerasbackup",
    system.file("python", package = "kerasbackup")
  ))
  ablate <- reticulate::import_from_path("ablate", here, delay_load = FALSE)
  if ("all" %in% ablations) ablations <- names(ablate$KINDS)
}

# Rows ----------------------------------------------------------------------

rows <- read.csv(
  file.path(here, "rows.csv"),
  comment.char = "#",
  colClasses = "character",
  na.strings = character()
)
rows$why <- rows[[backend]]
rows$name <- trimws(paste(rows$row, rows$kill))
rows$directory <- gsub("[^a-z0-9-]", "_", rows$name)
set.seed(seed)
rows$plan <- Map(plan_row, rows$kill, rows$row, MoreArgs = list(cases$EPOCHS))
rows <- rows[grepl(pattern, rows$name), ]
rows <- rows[seq_len(nrow(rows)) %% part == 0, ]
needs_board <- grepl("/tensorboard", rows$row)
needs_torch <- grepl("^loader", rows$row)
needs_grain <- grepl("^grain", rows$row)
needs_tensorflow <- grepl(
  paste0(
    "^tfdata|dataset/|/tensorboard|",
    "^guide/(intro_|text_classification_from|image_|mixup)"
  ),
  rows$row
) &
  !grepl("^pydataset", rows$row)
rows$why[needs_torch & !has[["torch"]]] <- "torch is not installed"
rows$why[needs_grain & !has[["grain"]]] <- "grain is not installed"
rows$why[needs_tensorflow & !has[["tensorflow"]]] <-
  "tensorflow is not installed"

rows$why[needs_board & !has[["tensorboard"]]] <-
  "tensorboard is not installed"

message(sprintf("%s: %d rows, seed %d", backend, nrow(rows), seed))
plans <- rows$plan

# Running -------------------------------------------------------------------

run_row <- function(i) {
  dir <- file.path(base, rows$directory[[i]])
  dir.create(dir)
  plan <- plans[[i]]
  job <- function(name, ...) {
    run_job(utils::modifyList(
      list(
        row = rows$row[[i]],
        dir = dir,
        name = name,
        backup = TRUE,
        freq = plan$freq,
        keep = plan$keep,
        delete = TRUE,
        epochs = cases$EPOCHS,
        ablate = "",
        out = "out",
        saved = "backup",
        await = !rows$kill[[i]] %in% c("first", "preempted")
      ),
      list(...)
    ))
    read_run(dir, name)
  }
  alone <- function(name) {
    # With this callback, random layers of tf_keras draw other numbers.
    job(
      name,
      backup = backend == "tf_keras",
      saved = paste0("backup-", name),
      out = paste0("out-", name)
    )
  }
  if (repeats > 0) {
    ends <- lapply(paste0("alone-", seq_len(repeats)), alone)
    return(list(result = describe_repeats(ends)))
  }
  reference <- alone("reference")
  if (startsWith(reference[[1]], "error:")) {
    return(list(result = paste("FAILED: reference,", reference[[1]])))
  }
  for (k in seq_along(plan$runs)) {
    run <- plan$runs[[k]]
    name <- paste0("victim-", k)
    end <- job(
      name,
      kill = run$kill,
      epochs = run$epochs,
      delete = !is.null(run$kill)
    )
    # It must be killed, or end well where it is not to be.
    if (is.null(run$kill) == grepl("^error: ", end[[1]])) {
      return(list(result = paste("FAILED:", name, "gave", end[[1]])))
    }
  }
  checkpoints <- function() {
    rev(list.files(
      file.path(dir, "backup"),
      "^backup-.*[.]safetensors$",
      full.names = TRUE
    ))
  }
  lost <- utils::head(checkpoints(), plan$lost)
  if (plan$lost != 0 && length(lost) == 0) {
    return(list(result = "FAILED: only the newest checkpoint was kept"))
  }
  unlink(lost)
  # Beginning anew would be equal too.
  saved <- checkpoints()
  if (rows$kill[[i]] != "first" && length(saved) == 0) {
    return(list(result = "FAILED: there is no checkpoint to go on from"))
  }
  noticed <- lapply(ablations, function(kind) {
    for (what in c("out", "backup")) {
      to <- file.path(dir, paste0(what, "-", kind))
      dir.create(to)
      from <- list.files(file.path(dir, what), full.names = TRUE)
      file.copy(from, to, recursive = TRUE)
    }
    name <- paste0("without-", kind)
    end <- job(
      name,
      out = paste0("out-", kind),
      saved = paste0("backup-", kind),
      ablate = kind
    )
    if (!identical(reference, end)) {
      paste0(kind, if (length(read_notes(dir, name)) > 0) " (told)")
    }
  })
  resumed <- job("resumed")
  notes <- read_notes(
    dir,
    c(paste0("victim-", seq_along(plan$runs)), "resumed")
  )
  false <- false_alarms(notes, rows$notes[[i]])
  result <- "equal"
  if (!identical(resumed, reference)) {
    differs <- setdiff(resumed, reference)
    result <- sprintf(
      "FAILED: %d lines differ, %s",
      length(differs),
      differs[1]
    )
  } else if (length(false) > 0) {
    result <- paste(
      "FAILED: equal, but told was:",
      paste(false, collapse = "; ")
    )
  }
  list(result = result, noticed = unlist(noticed), notes = notes)
}

# @param ends list of what runs left that nothing had interrupted.
# @return string: how many of them are equal to the first.
describe_repeats <- function(ends) {
  failed <- Filter(function(end) startsWith(end[[1]], "error:"), ends)
  if (length(failed) > 0) {
    return(paste("FAILED:", failed[[1]][[1]]))
  }
  same <- sum(vapply(ends, identical, logical(1), ends[[1]]))
  sprintf("%d of %d uninterrupted runs equal", same, length(ends))
}

# Each result is left beside the row's directory, where the next run finds it.
run_row_once <- function(i) {
  dir <- file.path(base, rows$directory[[i]])
  file <- paste0(dir, ".rds")
  if (file.exists(file)) {
    return(readRDS(file))
  }
  unlink(paste0(dir, c("", "-data")), recursive = TRUE)
  result <- run_row(i)
  if (!startsWith(result$result, "FAILED")) {
    saveRDS(result, file)
  }
  result
}

possible <- !nzchar(rows$why)
if (repeats > 0) {
  possible <- possible | grepl("^(not |R cannot)", rows$why)
}
results <- lapply(rows$why, function(why) list(result = why, noticed = NULL))
results[possible] <- parallel::mclapply(
  which(possible),
  run_row_once,
  mc.cores = as.integer(Sys.getenv("CORES", "2")),
  mc.preschedule = FALSE
)

# Reporting -----------------------------------------------------------------

rows$result <- vapply(
  results,
  function(one) {
    if (is.list(one)) one$result else paste("FAILED:", one[[1]])
  },
  character(1)
)
rows$killed <- vapply(plans, `[[`, character(1), "label")
rows$noticed <- vapply(
  results,
  function(one) {
    if (!is.list(one)) {
      return("")
    }
    paste(one$noticed, collapse = " ")
  },
  character(1)
)
rows$told <- vapply(
  results,
  function(one) {
    if (!is.list(one)) {
      return("")
    }
    # Where the rows ran is of no interest to readers of the table.
    notes <- gsub(paste0(base, "/"), "", one$notes, fixed = TRUE)
    paste(notes, collapse = "; ")
  },
  character(1)
)
failed <- startsWith(rows$result, "FAILED")
cat(
  sprintf(
    "%s %d - exact %s %s [%s] %s%s%s%s\n",
    ifelse(failed, "not ok", "ok"),
    seq_len(nrow(rows)),
    backend,
    rows$name,
    rows$killed,
    ifelse(possible, "", "# SKIP "),
    rows$result,
    ifelse(nzchar(rows$told), paste("; told:", rows$told), ""),
    if (length(ablations) > 0) paste("; notices:", rows$noticed) else ""
  ),
  sep = ""
)
columns <- c("name", "result", "killed", "noticed", "told")
write.csv(
  rows[columns],
  file.path(base, "table.csv"),
  row.names = FALSE
)
