# What happens if the script or its data have changed: `on_change`. The changes
# themselves are in test-keras-changed.R.

backed_up <- function(dir, ...) {
  callback_backup_and_restore(dir, ...)
}

# Interrupts a training before its fourth epoch.
interrupted <- function(data = train_data(), .local_envir = parent.frame()) {
  dir <- withr::local_tempdir(.local_envir = .local_envir)
  fit_until(build_model(), 3L, backed_up(dir), data = data)
  dir
}

with_clipnorm <- function() {
  model <- build_model(compile = FALSE)
  model$compile(
    optimizer = keras()$optimizers$Adam(clipnorm = 1),
    loss = "mse",
    metrics = list("mae")
  )
  model
}

# Refused, while neither the model nor the checkpoint is touched (I6).
expect_refused <- function(dir, model, pattern, ..., data = train_data()) {
  fit_model(model, epochs = 1L)
  before <- variables_of(model)
  files <- tools::md5sum(store_list(dir)$path)
  error <- expect_error(
    fit_model(model, data = data, callbacks = list(backed_up(dir, ...))),
    "MismatchError|was left as it is"
  )
  expect_match(conditionMessage(error), pattern)
  expect_identical(variables_of(model), before)
  expect_identical(tools::md5sum(store_list(dir)$path), files)
  expect_left(dir, 3L)
  error
}

test_that("\"stop\" names what has changed before anything is assigned", {
  skip_without_keras()
  dir <- interrupted()
  python_helpers()$forget_trainings()
  error <- expect_refused(
    dir,
    with_clipnorm(),
    "clipnorm was None when the checkpoint was made and is 1.0 now",
    on_change = "stop"
  )
  skip_if_not_installed("reticulate", "1.29")
  expect_s3_class(error, "kerasbackup_error_mismatch")
  expect_identical(
    error$differences,
    data.frame(what = "clipnorm", script = "1.0", checkpoint = "None")
  )
})

test_that("\"stop\" names other callbacks and other data", {
  skip_without_keras()
  dir <- interrupted()
  python_helpers()$forget_trainings()
  model <- build_model()
  fit_model(model, epochs = 1L)
  before <- variables_of(model)
  stopping <- keras()$callbacks$EarlyStopping("loss", patience = 9L)
  error <- expect_error(fit_model(
    model,
    data = train_data(95),
    callbacks = list(backed_up(dir, on_change = "stop"), stopping)
  ))
  expect_match(conditionMessage(error), "callback EarlyStopping starts without")
  expect_match(conditionMessage(error), "the data have other values")
  expect_match(conditionMessage(error), "the last batch had all rows")
  expect_identical(variables_of(model), before)
})

test_that("\"stop\" resumes if nothing has changed", {
  skip_without_keras()
  whole <- build_model()
  fit_model(whole)
  dir <- interrupted()
  resumed <- rebuild_model()
  ours <- backed_up(dir, on_change = "stop")
  expect_no_news(fit_model(resumed, callbacks = list(ours)))
  expect_identical(variables_of(resumed), variables_of(whole))
})

test_that("\"stop\" ends fit() if the batches that are drawn again differ", {
  skip_without_keras()
  skip_if(
    Sys.getenv("KERAS_BACKEND") == "tensorflow",
    "a graph draws the batches, so none is seen"
  )
  data <- train_data()
  train <- function(seed, ...) {
    source <- python_file("sources")$hidden_order(
      "dataset",
      data$x,
      data$y,
      32L,
      seed
    )
    build_model()$fit(source, epochs = 6L, verbose = 0L, callbacks = list(...))
  }
  dir <- withr::local_tempdir()
  expect_error(
    train(1L, backed_up(dir, save_freq = 4L), interrupt_at(3L)),
    "interrupted"
  )
  files <- tools::md5sum(store_list(dir)$path)
  expect_error(
    train(2L, backed_up(dir, save_freq = 4L, on_change = "stop")),
    "drawn again.*batch [0-9]+ differs"
  )
  expect_identical(tools::md5sum(store_list(dir)$path), files)
  expect_left(dir, 2L, 2L)
})

test_that("\"warn\" lists the changes in a warning and resumes", {
  skip_without_keras()
  dir <- interrupted()
  told <- NULL
  withCallingHandlers(
    expect_no_news(
      history <- fit_model(
        with_clipnorm(),
        callbacks = list(backed_up(dir, on_change = "warn"))
      ),
      class = "kerasbackup_message_notes"
    ),
    kerasbackup_warning_notes = function(cnd) {
      told <<- cnd
      invokeRestart("muffleWarning")
    }
  )
  expect_match(conditionMessage(told), "result may differ.*clipnorm was None")
  expect_identical(told$changes$what, "clipnorm")
  expect_equal(unlist(history$epoch), 3:5)
})

# Rows in the middle, of which a comparison of the first and last ones and of
# the number of rows knows nothing.
fold_data <- function(fold) {
  data <- train_data(128)
  held_out <- 16 + 32 * (fold - 1) + 1:32
  lapply(data, function(one) one[-held_out, , drop = FALSE])
}

test_that("a fold does not go on from another one that failed", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  fit_model(
    build_model(),
    data = fold_data(1),
    epochs = 4L,
    callbacks = list(backed_up(dir))
  )
  # The second one fails inside `try()`.
  fit_until(build_model(), 3L, backed_up(dir), data = fold_data(2))
  expect_refused(
    dir,
    build_model(),
    "was made with other data, and this session has trained",
    data = fold_data(3)
  )
  # That may be what is wanted.
  message <- expect_message(
    fit_model(
      build_model(),
      data = fold_data(3),
      callbacks = list(backed_up(dir, on_change = "message"))
    ),
    class = "kerasbackup_message_notes"
  )
  expect_match(message$changes$what, "the data have other values")
})

test_that("a script that is run again goes on with other data", {
  skip_without_keras()
  dir <- interrupted(fold_data(2))
  python_helpers()$forget_trainings()
  expect_message(
    history <- fit_model(
      build_model(),
      data = fold_data(3),
      callbacks = list(backed_up(dir))
    ),
    class = "kerasbackup_message_notes"
  )
  expect_equal(unlist(history$epoch), 3:5)
})
