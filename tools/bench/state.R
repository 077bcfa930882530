# Owns: one size of the benchmark, in a process of its own.
#
# Arguments: bytes, tensors, rounds, 1 to compare models too, the CSV file.

arguments <- commandArgs(trailingOnly = TRUE)
number <- as.numeric(arguments[1:4])

folder <- tempfile("bench", Sys.getenv("BENCH_DIR", tempdir()))
invisible(dir.create(folder))

# What the callback hands to Python, for a directory of its own; and a way to
# wait for a save, which fit() has no use for.
functions <- function(name, async) {
  made <- kerasbackup:::bridge_functions(list(
    backup_dir = file.path(folder, name), double_checkpoint = FALSE,
    async = async, on_save_error = "stop", verbose = FALSE
  ))
  session <- environment(environment(made$save)$fn)$session
  made$wait <- function() {
    kerasbackup:::store_wait(session$store)
    invisible()
  }
  reticulate::r_to_py(made, convert = TRUE)
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
