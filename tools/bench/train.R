# Owns: a real training, from R, in a process of its own: a convolutional
# network, saved at each of its epochs, or as often as costs 1 %.
#
# Arguments: which callback ("none", "kerasbackup", "kerasbackup-auto" or
# "keras"), epochs. Prints the seconds that fit() took, and those from each
# epoch's begin to the next one's: a save is in them.

arguments <- commandArgs(trailingOnly = TRUE)
epochs <- as.integer(arguments[[2]])
keras <- reticulate::import("keras")
layer <- keras$layers
keras$utils$set_random_seed(1L)

model <- keras$Sequential(list(
  keras$Input(reticulate::tuple(28L, 28L, 1L)),
  layer$Conv2D(32L, 3L, activation = "relu"),
  layer$MaxPooling2D(),
  layer$Conv2D(64L, 3L, activation = "relu"),
  layer$MaxPooling2D(),
  layer$Flatten(),
  layer$Dense(512L, activation = "relu"),
  layer$Dropout(0.3),
  layer$Dense(10L, activation = "softmax")
))
model$compile(optimizer = "adam", loss = "sparse_categorical_crossentropy")

random <- reticulate::import("numpy", convert = FALSE)$random$default_rng(1L)
x <- random$random(reticulate::tuple(4096L, 28L, 28L, 1L), dtype = "float32")
y <- random$integers(0L, 10L, size = 4096L)
fit <- function(epochs, callbacks) {
  model$fit(
    x,
    y,
    batch_size = 64L,
    epochs = epochs,
    verbose = 0L,
    callbacks = callbacks
  )
}
# What is compiled is compiled before the clock starts.
invisible(fit(1L, list()))

backup_dir <- tempfile("bench", Sys.getenv("BENCH_DIR", tempdir()))
callbacks <- switch(
  arguments[[1]],
  none = list(),
  kerasbackup = list(kerasbackup::callback_backup_and_restore(backup_dir)),
  `kerasbackup-auto` = list(
    kerasbackup::callback_backup_and_restore(backup_dir, save_freq = "auto")
  ),
  keras = list(keras$callbacks$BackupAndRestore(backup_dir))
)
begins <- numeric()
clock <- keras$callbacks$LambdaCallback(on_epoch_begin = function(epoch, logs) {
  begins <<- c(begins, as.numeric(Sys.time()))
})
started <- Sys.time()
invisible(fit(epochs, c(clock, callbacks)))
cat(sprintf("seconds %.4f\n", as.numeric(Sys.time() - started, units = "secs")))
cat("epochs", sprintf("%.4f", diff(begins)), "\n")
unlink(backup_dir, recursive = TRUE)
