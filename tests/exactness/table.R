# Owns the exactness table: runs every row, three processes each, and writes the
# result as Markdown. Started by tools/exactness.
#
#   Rscript table.R BACKEND DIR PART PATTERN SEED
#
# PART: every so-manieth row, 1 for all. Prints "ok" and "not ok" lines.

args <- commandArgs(trailingOnly = TRUE)
backend <- args[[1]]
base <- args[[2]]
part <- as.integer(args[[3]])
pattern <- args[[4]]
seed <- as.integer(args[[5]])
here <- Sys.getenv("EXACTNESS_HOME")
Sys.setenv(KERAS_BACKEND = backend, TF_CPP_MIN_LOG_LEVEL = "3")

child <- function(...) {
  log <- tempfile("child-", base)
  # Its status is that of a killed process where it is the victim.
  suppressWarnings(system2(
    file.path(R.home("bin"), "Rscript"),
    shQuote(c("--vanilla", file.path(here, "child.R"), ...)),
    stdout = log, stderr = log, timeout = 300
  ))
}

read <- function(row, mode) {
  file <- file.path(base, gsub("/", "_", row), paste0(mode, ".txt"))
  if (file.exists(file)) readLines(file) else "error: the process died"
}

listed <- read.csv(
  file.path(here, "rows.csv"),
  comment.char = "#", colClasses = "character", na.strings = character()
)
listed <- listed[grepl(pattern, listed$row), ]
why <- listed[[backend]]
rows <- listed$row
pick <- seq_along(rows) %% part == 0
rows <- rows[pick]
why <- why[pick]

has <- function(module) {
  code <- "import importlib.util as u, sys; sys.exit(not u.find_spec(sys.argv[1]))"
  system2(
    Sys.getenv("RETICULATE_PYTHON"), c("-c", shQuote(code), module)
  ) == 0
}
for (module in c("torch", "tensorflow")) {
  needs <- grepl(c(torch = "^loader", tensorflow = "^tfdata|dataset")[[module]], rows)
  needs <- needs & !grepl("^pydataset", rows)
  if (any(needs) && !has(module)) {
    why[needs] <- paste(module, "is not installed")
  }
}

message(sprintf("%s: %d rows, seed %d", backend, length(rows), seed))
set.seed(seed)
# Somewhere in epochs 1 to 3 (the first is 0), never before the first save.
epochs <- sample(1:3, length(rows), replace = TRUE)
# Where a callback stops training early, it must not have done so yet.
stops <- grepl("/(early-stopping|several)$", rows)
epochs[stops] <- pmin(epochs[stops], 1)
batches <- sample(0:5, length(rows), replace = TRUE)
freqs <- sample(c("epoch", "1", "2"), length(rows), replace = TRUE)

possible <- !nzchar(why)
halves <- split(rows[possible], seq_len(sum(possible)) %% 2)
invisible(parallel::mclapply(
  halves,
  function(half) child("reference", paste(half, collapse = ","), base),
  mc.cores = 2
))

one <- function(i) {
  row <- rows[[i]]
  if (!possible[[i]]) {
    return(why[[i]])
  }
  reference <- read(row, "reference")
  if (startsWith(reference[[1]], "error:")) {
    return(paste("FAILED: reference,", reference[[1]]))
  }
  child("victim", row, base, epochs[[i]], batches[[i]], freqs[[i]])
  if (file.exists(file.path(base, gsub("/", "_", row), "victim.txt"))) {
    return(paste("FAILED: not killed,", read(row, "victim")[[1]]))
  }
  child("resumed", row, base, freqs[[i]])
  resumed <- read(row, "resumed")
  if (identical(resumed, reference)) {
    return("equal")
  }
  differs <- setdiff(resumed, reference)
  paste("FAILED:", length(differs), "lines differ,", differs[[1]])
}
results <- unlist(parallel::mclapply(
  seq_along(rows), one,
  mc.cores = 2, mc.preschedule = FALSE
))

kill <- sprintf("epoch %d, batch %d, saved every %s", epochs + 1, batches, freqs)
kill[!possible] <- ""
failed <- startsWith(results, "FAILED")
cat(sprintf(
  "%s %d - exact %s %s [%s] %s%s\n", ifelse(failed, "not ok", "ok"),
  seq_along(rows), backend, rows, kill, ifelse(possible, "", "# SKIP "), results
), sep = "")
cat(
  c(
    sprintf("| data / model / callbacks | %s | killed at |", backend),
    "|---|---|---|",
    sprintf("| %s | %s | %s |", rows, results, kill)
  ),
  file = file.path(base, paste0(backend, ".md")), sep = "\n"
)
