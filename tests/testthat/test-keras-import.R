# A backup of Keras' own callback is imported by the lines that backup_info()
# prints.

keras3 <- keras3_or_standin()

# What Keras saves: not the state of the model's random generators.
state_of <- function(model) {
  lapply(c(model$weights, model$optimizer$variables), function(one) {
    as.numeric(keras()$ops$convert_to_numpy(one))
  })
}

test_that("the printed lines import a backup of Keras' own callback", {
  skip_without_keras()
  dir <- withr::local_tempfile()
  model <- build_model()
  own <- keras()$callbacks$BackupAndRestore(dir)
  expect_error(
    fit_model(model, callbacks = list(own, interrupt_at(3L))),
    "interrupted"
  )
  refused <- expect_error(backup_info(dir), class = "kerasbackup_error_io")
  expect_identical(refused$epoch, 3L)
  lines <- gsub("keras3::", "keras3$", refused$import, fixed = TRUE)
  expect_length(lines, 3)

  run <- function(lines, model, ...) eval(parse(text = lines))
  again <- build_model(seed = 2)
  run(lines[1:2], again)
  expect_identical(state_of(again), state_of(model))
  ours <- withr::local_tempdir()
  data <- train_data()
  history <- run(
    lines[[3]],
    again,
    data$x,
    data$y,
    epochs = 6,
    verbose = 0,
    callbacks = list(callback_backup_and_restore(
      ours,
      delete_checkpoint = FALSE
    ))
  )
  expect_length(history$metrics$loss, 3)
  expect_identical(backup_history(ours)$epoch, 4:6)
  # Keras' files are as they were.
  expect_true(all(keras_files %in% files_in(dir)))
})
