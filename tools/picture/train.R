# The training of the picture in the README. Its argument is the directory of
# the backup.

library(keras3)
set_random_seed(1)
y <- log(ggplot2::diamonds$price)
x <- scale(sapply(ggplot2::diamonds[-7], as.numeric))
model <- keras_model_sequential(input_shape = 9) |>
  layer_dense(64, activation = "relu") |>
  layer_dropout(0.1) |>
  layer_dense(1)
model |> compile(optimizer = "adam", loss = "mse")
model |>
  fit(
    x,
    y,
    epochs = 6,
    verbose = 2,
    callbacks = list(kerasbackup::callback_backup_and_restore(
      commandArgs(trailingOnly = TRUE),
      delete_checkpoint = FALSE
    ))
  )
