# Owns: one size of the benchmark, in a process of its own.
#
# Arguments: bytes, tensors, rounds, 1 to compare models too, the CSV file.

arguments <- commandArgs(trailingOnly = TRUE)
number <- as.numeric(arguments[1:4])

folder <- tempfile("bench", Sys.getenv("BENCH_DIR", tempdir()))
invisible(dir.create(folder))

source("tools/bench/functions.R")
functions <- function(name, async) {
  bench_functions(file.path(folder, name), async)
}

bench <- reticulate::import("bench")
bench$run(
  size = as.integer(number[[1]]), tensors = as.integer(number[[2]]),
  rounds = as.integer(number[[3]]), folder = folder,
  functions = reticulate::dict(
    background = functions("background", TRUE),
    waiting = functions("waiting", FALSE),
    model = functions("model", TRUE)
  ),
  out = arguments[[5]], with_model = number[[4]] == 1
)
unlink(folder, recursive = TRUE)
