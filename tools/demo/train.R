# Owns: the training of the demo, as a user would write it. Run it again after
# an interruption and it goes on where it was.
#
# Arguments: the directory of the backups, or "" to train without; the .rds file
# for what came out. Lines for the reader start with "> ".

arguments <- commandArgs(trailingOnly = TRUE)
backup_dir <- arguments[[1]]
result_file <- arguments[[2]]
epochs <- 20L

source("tools/demo/diamonds.R")
source("tools/demo/variables.R")

say <- function(...) {
  cat("> ", sprintf(...), "\n", sep = "")
  flush(stdout())
}

keras <- reticulate::import("keras")
layer <- keras$layers

keras$utils$set_random_seed(2024L)
model <- keras$Sequential(list(
  keras$Input(reticulate::tuple(9L)),
  layer$Dense(64L, activation = "relu"),
  layer$BatchNormalization(),
  layer$Dropout(0.05),
  layer$Dense(64L, activation = "relu"),
  layer$Dense(1L)
))
model$compile(optimizer = "adam", loss = "mse")

progress <- keras$callbacks$LambdaCallback(
  on_train_begin = function(logs = NULL) say("training"),
  on_epoch_end = function(epoch, logs = NULL) {
    say("epoch %2i of %i, loss %.5f", epoch + 1L, epochs, logs$loss)
  }
)
backup <- if (nzchar(backup_dir)) {
  kerasbackup::callback_backup_and_restore(
    backup_dir,
    delete_checkpoint = FALSE
  )
}

data <- diamonds_data()
history <- model$fit(
  reticulate::np_array(data$x, "float32"),
  reticulate::np_array(data$y, "float32"),
  batch_size = 256L,
  epochs = epochs,
  verbose = 0L,
  callbacks = c(list(progress), backup)
)

predicted <- exp(
  data$centre +
    model$predict(
      reticulate::np_array(data$x_new, "float32"),
      batch_size = 1024L,
      verbose = 0L
    )
)
error <- stats::median(abs(predicted / data$price_new - 1))

saveRDS(
  list(
    variables = variables_of(model),
    error = error,
    epochs = length(history$epoch),
    loss = unlist(history$history$loss)
  ),
  result_file
)
say("done")
