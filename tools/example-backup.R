# Makes inst/extdata/example-backup, the backup that the help pages' examples
# look at: a small training that was interrupted after three epochs.
#
# Run it with the package installed and RETICULATE_PYTHON set, from the
# checkout's root: Rscript tools/example-backup.R

library(kerasbackup)

keras <- reticulate::import("keras")
keras$utils$set_random_seed(1L)

model <- keras$Sequential(list(
  keras$Input(reticulate::tuple(4L)),
  keras$layers$Dense(3L, activation = "relu", name = "hidden"),
  keras$layers$Dense(1L, name = "output")
))
model$compile(optimizer = "adam", loss = "mse")

x <- as.matrix(iris[, 1:4])
y <- matrix(as.numeric(iris$Species))

interrupt <- keras$callbacks$LambdaCallback(
  on_epoch_begin = function(epoch, logs = NULL) {
    if (epoch == 3) stop("interrupted")
  }
)
dir <- file.path("inst", "extdata", "example-backup")
unlink(dir, recursive = TRUE)
try(
  model$fit(
    reticulate::np_array(x),
    reticulate::np_array(y),
    epochs = 10L,
    verbose = 0L,
    callbacks = list(callback_backup_and_restore(dir), interrupt)
  ),
  silent = TRUE
)
# The note about the lock's owner says nothing about the training.
unlink(file.path(dir, c("kerasbackup.lock", "kerasbackup-owner.json")))
print(backup_info(dir))
