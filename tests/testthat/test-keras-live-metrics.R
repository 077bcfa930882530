# What shows the metrics while fit() runs has the whole run after a resume: the
# live plot of RStudio (`view_metrics`), and tfruns.

keras3 <- keras3_or_standin()

# The data frames that the live plot is given while `code` runs.
shown_by <- function(code) {
  shown <- list()
  show <- function(metrics) shown[[length(shown) + 1]] <<- metrics
  if (has_keras3()) {
    replace_in_tfruns("view_run_metrics", show)
    replace_in_tfruns("update_run_metrics", function(viewer, metrics) {
      show(metrics)
    })
  } else {
    withr::local_options(keras3_standin.show = show)
  }
  code
  shown
}

replace_in_tfruns <- function(name, fn, env = parent.frame()) {
  old <- get(name, asNamespace("tfruns"))
  assignInNamespace(name, fn, "tfruns")
  withr::defer(assignInNamespace(name, old, "tfruns"), env)
}

train <- function(callbacks = list(), view_metrics = TRUE) {
  data <- train_data()
  keras3$fit(
    build_model(),
    data$x,
    data$y,
    epochs = 4,
    batch_size = 32,
    verbose = 0,
    callbacks = callbacks,
    view_metrics = view_metrics
  )
}

# Trains until epoch 3 begins.
lose <- function(dir, ...) {
  expect_error(
    train(list(callback_backup_and_restore(dir), interrupt_at(2L)), ...),
    "interrupted"
  )
}

test_that("the live plot shows the whole run after a resume", {
  skip_without_keras()
  whole <- shown_by(train())
  expect_length(whole, 4)
  expect_identical(names(whole[[1]]), c("loss", "mae"))
  expect_identical(sum(!is.na(whole[[4]]$loss)), 4L)
  for (had_plot in c(TRUE, FALSE)) {
    dir <- withr::local_tempdir()
    lost <- shown_by(lose(dir, view_metrics = had_plot))
    expect_identical(lost, if (had_plot) whole[1:2] else list())
    # The plot is no other callback of the script, so nothing is told of it.
    messages <- capture_news(
      shown <- shown_by(train(list(callback_backup_and_restore(dir))))
    )
    expect_identical(messages, character())
    expect_identical(shown, whole)
  }
})

test_that("the live plot shows the whole run if no epoch is left", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  ours <- function() {
    list(callback_backup_and_restore(dir, delete_checkpoint = FALSE))
  }
  whole <- shown_by(train(ours()))
  expect_message(
    shown <- shown_by(train(ours())),
    class = "kerasbackup_message_complete"
  )
  expect_identical(shown, whole)
})

test_that("tfruns records the whole run after a resume", {
  skip_without_keras()
  skip_if_not_installed("keras3")
  run <- function(dir) {
    script <- withr::local_tempfile(fileext = ".R")
    writeLines("train(callbacks, view_metrics = FALSE)", script)
    run_dir <- withr::local_tempdir()
    env <- new.env(parent = environment(train))
    env$callbacks <- list(
      callback_backup_and_restore(dir),
      # keras3 would add one that logs to the working directory.
      keras()$callbacks$TensorBoard(withr::local_tempdir())
    )
    # It comes with keras3.
    training_run <- getExportedValue("tfruns", "training_run")
    suppressMessages(training_run(
      script,
      run_dir = run_dir,
      echo = FALSE,
      view = "no",
      envir = env
    ))
    jsonlite::read_json(file.path(run_dir, "tfruns.d", "metrics.json"))
  }
  whole <- run(withr::local_tempfile())
  expect_length(unlist(whole$loss), 4)
  dir <- withr::local_tempdir()
  lose(dir, view_metrics = FALSE)
  expect_identical(run(dir), whole)
})
