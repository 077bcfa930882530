# Real training that saves by time, and keeps more than the newest checkpoint.

test_that("saved by time, it resumes at the batch", {
  skip_without_keras()
  whole <- build_model()
  whole_history <- fit_model(whole)
  for (freq in list("0.0001 secs", as.difftime(1e-6, units = "mins"))) {
    dir <- withr::local_tempdir()
    callback <- callback_backup_and_restore(dir, freq, history = "full")
    expect_error(
      fit_model(
        build_model(),
        callbacks = list(callback, python_helpers()$RaiseAt(3L, 1L))
      ),
      "interrupted"
    )
    info <- backup_info(dir)
    expect_equal(c(info$epoch, info$batch), c(3L, 1L))
    again <- rebuild_model()
    history <- fit_model(again, callbacks = list(callback))
    expect_identical(variables_of(again), variables_of(whole))
    expect_equal(history$history, whole_history$history)
    expect_equal(files_in(dir), character())
  }
})

test_that("a time that is not up saves nothing", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  expect_no_news(
    fit_until(build_model(), 4L, callback_backup_and_restore(dir, "1 hour"))
  )
  expect_equal(nrow(store_list(dir)), 0)
})

# The number of the epoch of each checkpoint, oldest first.
kept_epochs <- function(dir) rev(backup_info(dir)$files$epoch)

test_that("keep = n keeps the last n, and each of them resumes", {
  skip_without_keras()
  whole <- build_model()
  fit_model(whole)
  dir <- withr::local_tempdir()
  callback <- callback_backup_and_restore(dir, keep = 3)
  fit_until(build_model(), 5L, callback)
  expect_equal(kept_epochs(dir), 3:5)
  expect_true(backup_verify(dir, all = TRUE))
  # The two newest are lost.
  unlink(store_list(dir)$path[1:2])
  again <- rebuild_model()
  fit_model(again, callbacks = list(callback))
  expect_identical(variables_of(again), variables_of(whole))
})

# A callback that sets the log `score` to the next value in each epoch.
scores <- function(values) {
  python_helpers()$Scores(as.list(values))
}

test_that("the best epoch is saved at its end and kept, over a resume", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  values <- c(5, 3, 4, 2, 6, 7)
  # Every two epochs and a half, were it not for the best.
  callback <- callback_backup_and_restore(
    dir,
    7L,
    FALSE,
    keep = backup_keep(best = "score", mode = "min")
  )
  expect_error(
    fit_model(
      build_model(),
      callbacks = list(
        scores(values),
        callback,
        python_helpers()$RaiseAt(2L, 2L)
      )
    ),
    "interrupted"
  )
  expect_equal(kept_epochs(dir), c(2L, 2L))
  fit_model(
    rebuild_model(),
    callbacks = list(scores(values), callback)
  )
  expect_equal(kept_epochs(dir), c(4L, 6L))
  expect_equal(backup_history(dir)$score, values)
})

test_that("the highest is the best where it should be, and ties keep the first", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  fit_model(
    build_model(),
    callbacks = list(
      scores(c(1, 5, NaN, 5, 2, 3)),
      callback_backup_and_restore(
        dir,
        delete_checkpoint = FALSE,
        keep = backup_keep(2, best = "score", mode = "max")
      )
    )
  )
  expect_equal(kept_epochs(dir), c(2L, 5L, 6L))
})

test_that("a log that is missing is told once", {
  skip_without_keras()
  told <- character()
  fit_telling <- function(best, ..., keep = backup_keep(2, best = best)) {
    dir <- withr::local_tempdir()
    told <<- character()
    withCallingHandlers(
      fit_model(
        build_model(),
        epochs = 4L,
        ...,
        callbacks = list(callback_backup_and_restore(
          dir,
          delete_checkpoint = FALSE,
          keep = keep
        ))
      ),
      kerasbackup_message_best = function(m) {
        told <<- c(told, conditionMessage(m))
        rlang::cnd_muffle(m)
      }
    )
    kept_epochs(dir)
  }
  expect_equal(fit_telling("val_loss"), 3:4)
  expect_length(told, 1)
  expect_match(
    told,
    "There is no `val_loss`. The logs are: `loss`, `mae`.",
    fixed = TRUE
  )
  fit_telling("val_loss", validation_split = 0.25)
  expect_length(told, 0)
  # Validation in every other epoch only.
  fit_telling("val_loss", validation_split = 0.25, validation_freq = 2L)
  expect_length(told, 0)
  fit_telling("val_other_loss", validation_split = 0.25, validation_freq = 2L)
  expect_length(told, 1)
})

test_that("the best is restored, and a log that an epoch lacks is told truly", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  told <- character()
  model <- build_model()
  best <- NULL
  note <- function(info) {
    if (info$epoch == 2) {
      best <<- model$get_weights()
    }
  }
  withCallingHandlers(
    fit_model(
      model,
      epochs = 4L,
      callbacks = list(
        python_helpers()$Scores(list(3, 2, NULL, 4)),
        callback_backup_and_restore(
          dir,
          delete_checkpoint = FALSE,
          keep = backup_keep(best = "score", mode = "min"),
          async = FALSE,
          on_save = note
        )
      )
    ),
    kerasbackup_message_best = function(m) {
      told <<- c(told, conditionMessage(m))
      rlang::cnd_muffle(m)
    }
  )
  expect_length(told, 1)
  # The second epoch is kept as the best.
  expect_no_match(told, "No checkpoint is kept")
  expect_match(told, "cannot count as the best")
  files <- backup_info(dir)$files
  expect_equal(files$epoch, c(4L, 2L))
  expect_equal(files$value, c(4, 2))
  expect_equal(files$best, c(FALSE, TRUE))
  again <- rebuild_model()
  backup_restore(again, dir, generation = "best")
  expect_identical(again$get_weights(), best)
})
