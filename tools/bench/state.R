# Owns: one size of the benchmark, in a process of its own.
#
# Arguments: bytes, tensors, rounds, "models" to compare them too or "arrays" or
# "large", the CSV file.

arguments <- commandArgs(trailingOnly = TRUE)
number <- as.numeric(arguments[1:3])
what <- arguments[[4]]

folder <- tempfile("bench", Sys.getenv("BENCH_DIR", tempdir()))
invisible(dir.create(folder))

source("tools/bench/functions.R")
# Each where the class looks for what it saved.
functions <- function(dir, async) {
  bench_functions(file.path(folder, dir), async)
}

bench <- reticulate::import("bench")
run <- if (what == "large") bench$run_large else bench$run
settings <- list(
  # Beyond an R integer.
  size = reticulate::import_builtins(convert = FALSE)$int(number[[1]]),
  tensors = as.integer(number[[2]]),
  rounds = as.integer(number[[3]]),
  folder = folder,
  functions = reticulate::dict(
    background = functions("a/Ours", TRUE),
    waiting = functions("b/OursWaiting", FALSE),
    model = functions("e/OursOnModel", TRUE)
  ),
  out = arguments[[5]]
)
if (what == "models") {
  settings$with_model <- TRUE
}
do.call(run, settings)
unlink(folder, recursive = TRUE)
