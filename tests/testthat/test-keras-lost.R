# Something else deletes the checkpoints of a training that runs, as Keras' own
# callback does with its directory when its training ends.

# Does something when epoch `epoch` (the first is 0) begins.
when_epoch <- function(epoch, what) {
  keras()$callbacks$LambdaCallback(
    on_epoch_begin = function(e, logs = NULL) if (e == epoch) what()
  )
}

# Keras' own callback, in a training of its own with the same directory.
train_with_keras_own <- function(dir) {
  model <- keras()$Sequential(list(
    keras()$Input(reticulate::tuple(4L)),
    keras()$layers$Dense(1L)
  ))
  model$compile("sgd", "mse")
  fit_model(
    model,
    epochs = 1L,
    callbacks = list(keras()$callbacks$BackupAndRestore(dir))
  )
}

advice <- "Keras' own\\s+callback\\s+deletes its\\s+directory"

test_that("a directory that Keras' own callback has removed is noticed", {
  skip_without_keras()
  for (action in c("warn", "stop")) {
    dir <- withr::local_tempfile()
    lose <- when_epoch(3L, function() train_with_keras_own(dir))
    run <- function() {
      fit_model(
        build_model(),
        callbacks = list(
          callback_backup_and_restore(
            dir,
            on_save_error = action,
            async = FALSE
          ),
          lose
        )
      )
    }
    if (action == "warn") {
      warnings <- capture_warnings(run())
      expect_match(warnings[[1]], "has deleted the directory", fixed = TRUE)
      expect_match(warnings[[1]], advice)
    } else {
      error <- expect_error(run())
      expect_match(conditionMessage(error), "has deleted the directory")
      expect_match(conditionMessage(error), advice)
    }
  }
})

test_that("a directory that was emptied is noticed, and saved to again", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  empty <- when_epoch(3L, function() {
    unlink(list.files(dir, "safetensors$", full.names = TRUE))
  })
  ours <- function(...) {
    callback_backup_and_restore(dir, delete_checkpoint = FALSE, ...)
  }
  warnings <- capture_warnings(
    fit_model(build_model(), callbacks = list(ours(async = FALSE), empty))
  )
  expect_length(warnings, 1)
  expect_match(warnings, "Something has deleted checkpoints", fixed = TRUE)
  expect_match(warnings, advice)
  expect_match(warnings, "backup-0+3.safetensors is gone")
  expect_identical(backup_info(dir)$epoch, 6L)
})

test_that("Keras' own callback in the same directory is refused", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  own <- keras()$callbacks$BackupAndRestore
  expect_error(
    fit_model(
      build_model(),
      callbacks = list(
        own(paste0(dir, "/")),
        callback_backup_and_restore(dir)
      )
    ),
    "Keras' own callback has the same directory"
  )
  expect_length(files_in(dir), 0)
  fit_model(
    build_model(),
    epochs = 1L,
    callbacks = list(
      own(withr::local_tempfile()),
      callback_backup_and_restore(dir, delete_checkpoint = FALSE)
    )
  )
  expect_identical(backup_info(dir)$epoch, 1L)
})
