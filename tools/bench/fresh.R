# Owns: one restore into a model as it is after an interruption: in a process
# that has done nothing else.
#
# Arguments: "save" what is restored, "ours" or "keras"; round; bytes; tensors;
# the folder; the CSV file.

arguments <- commandArgs(trailingOnly = TRUE)
which <- arguments[[1]]
number <- as.integer(arguments[2:4])
folder <- arguments[[5]]

source("tools/bench/functions.R")
functions <- bench_functions(file.path(folder, "e", "OursOnModel"), FALSE)
bench <- reticulate::import("bench")
if (which == "save") {
  bench$save_model(number[[2]], number[[3]], folder, functions)
} else {
  bench$restore_model(
    which,
    number[[1]],
    number[[2]],
    number[[3]],
    folder,
    functions,
    arguments[[6]]
  )
}
