# Owns: what damage is noticed, in a process of its own.
#
# Arguments: bytes, tries, the CSV file.

arguments <- commandArgs(trailingOnly = TRUE)
source("tools/bench/functions.R")

folder <- tempfile("bits", Sys.getenv("BENCH_DIR", tempdir()))
invisible(dir.create(folder))
bench <- reticulate::import("bench")
bench$flip_bits(
  size = as.integer(arguments[[1]]),
  tries = as.integer(arguments[[2]]),
  folder = folder,
  # Where `files()` looks for what it saved.
  functions = bench_functions(file.path(folder, "a", "OursWaiting"), FALSE),
  out = arguments[[3]]
)
unlink(folder, recursive = TRUE)
