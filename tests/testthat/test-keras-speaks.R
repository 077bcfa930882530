# What is told when training resumes or a checkpoint is saved, by `verbose`.

told_by <- function(model, callbacks, ...) {
  capture_messages(fit_model(model, callbacks = callbacks, ...))
}

test_that("a resume says from where, in one line", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  ours <- function(...) callback_backup_and_restore(dir, ...)
  expect_match(
    capture_messages(fit_until(build_model(), 2L, ours())),
    "^Training has ended before it was complete"
  )
  saved_at <- format(backup_info(dir)$saved_at, "%H:%M:%S", tz = "")
  message <- expect_message(
    fit_model(build_model(), callbacks = list(ours(), interrupt_at(9L))),
    class = "kerasbackup_message_resume"
  )
  expect_match(
    conditionMessage(message),
    paste0(
      "^Resuming after epoch 2, saved .*",
      saved_at,
      ", from '",
      dir,
      "'[.]\\n?$"
    )
  )
  expect_identical(message$from, dir)
})

test_that("a resume within an epoch names the batch", {
  skip_without_keras()
  said <- function(until, resume = "batch") {
    dir <- withr::local_tempdir()
    ours <- function(...) callback_backup_and_restore(dir, save_freq = 2L, ...)
    expect_error(
      fit_model(build_model(), callbacks = list(ours(), stop_in(until))),
      "interrupted"
    )
    told_by(build_model(), list(ours(resume = resume)))
  }
  stop_in <- function(epoch) {
    force(epoch)
    now <- -1
    keras()$callbacks$LambdaCallback(
      on_epoch_begin = function(e, logs = NULL) now <<- e,
      on_train_batch_end = function(b, logs = NULL) {
        if (now == epoch && b == 2) stop("interrupted")
      }
    )
  }
  expect_match(said(0L), "^Resuming after batch 2 of 3 of epoch 1, saved ")
  expect_match(
    said(2L),
    "^Resuming after epoch 2, batch 2 of 3 of epoch 3, saved "
  )
  expect_match(
    said(2L, "epoch"),
    "^Resuming after .*epoch 3 \\(that epoch starts over\\), saved "
  )
})

test_that("`verbose` is FALSE, \"normal\" or TRUE", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  ours <- function(...) callback_backup_and_restore(dir, ...)
  said <- capture_messages(
    fit_until(build_model(), 2L, ours(verbose = TRUE, async = FALSE))
  )
  expect_match(
    said[[1]],
    paste0("There is no checkpoint in '", dir, "'. Training starts"),
    fixed = TRUE
  )
  expect_match(
    said[2:3],
    paste0("^Saved after epoch [12]: [0-9.]+ kB in [0-9.e-]+ seconds, '", dir)
  )
  expect_length(said, 4)
  expect_match(said[[4]], "The last checkpoint has 2 epochs complete")
  expect_match(
    said[[4]],
    paste0("`backup_history(\"", dir, "\")` returns the logs so far"),
    fixed = TRUE
  )
  expect_identical(
    capture_messages(
      fit_until(build_model(), 4L, ours(verbose = FALSE))
    ),
    character()
  )
  # Nothing resumes where nothing is left.
  said <- told_by(build_model(), list(ours()), epochs = 4L)
  expect_length(said, 1)
  expect_match(said, "already complete")
})

test_that("a relative `backup_dir` is fixed when the callback is made", {
  skip_without_keras()
  first <- withr::local_tempdir()
  other <- withr::local_tempdir()
  ours <- withr::with_dir(first, callback_backup_and_restore("backup"))
  withr::with_dir(other, fit_until(build_model(), 1L, ours))
  expect_identical(files_in(other), character())
  expect_identical(backup_info(file.path(first, "backup"))$epoch, 1L)
  said <- withr::with_dir(other, told_by(build_model(), list(ours)))
  expect_match(said, paste0("from '", first, "/backup'"), fixed = TRUE)
})
