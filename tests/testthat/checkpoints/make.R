# Writes the checkpoint of a training that was interrupted in the middle of an
# epoch, as the package writes it that is installed now. One is kept of each
# schema of the metadata; see ../test-keras-schema.R.
#
#   KERAS_BACKEND=jax Rscript make.R schema-2
#
# All are of one training, so that what goes on from them ends alike.

library(kerasbackup)
dir <- commandArgs(TRUE)[[1]]
reticulate::import_from_path("old_training", path = "../python")$interrupted(
  callback_backup_and_restore(dir, save_freq = 5L)
)
