# Owns: one process of the benchmark of several workers.
#
#   Rscript distributed_worker.R RANK WORKERS PORT BYTES SAVES DIVISION FOLDER

args <- commandArgs(trailingOnly = TRUE)
numbers <- as.numeric(args[1:5])
worker <- reticulate::import("distributed_training")
backup <- kerasbackup::callback_backup_and_restore(
  file.path(args[[7]], "backup"),
  history = "full"
)
worker$run(
  as.integer(numbers[[1]]),
  as.integer(numbers[[2]]),
  as.integer(numbers[[3]]),
  numbers[[4]],
  as.integer(numbers[[5]]),
  args[[6]],
  args[[7]],
  backup
)
