# What vignette("changing-a-run") shows: a run is changed on purpose, one way
# for each change.

ours <- function(dir, ...) callback_backup_and_restore(dir, ...)

rate_of <- function(model) {
  as.numeric(keras()$ops$convert_to_numpy(model$optimizer$learning_rate))
}

steps_of <- function(model) {
  as.numeric(keras()$ops$convert_to_numpy(model$optimizer$iterations))
}

# Sets the learning rate at the beginning of every epoch.
set_rate <- function(rate) {
  keras()$callbacks$LearningRateScheduler(function(epoch, lr) rate)
}

test_that("more epochs: a completed and a killed training go on with them", {
  skip_without_keras()
  whole <- build_model()
  fit_model(whole, epochs = 5L)
  dir <- withr::local_tempdir()
  fit_model(
    build_model(),
    epochs = 3L,
    callbacks = list(ours(dir, delete_checkpoint = FALSE))
  )
  more <- rebuild_model()
  history <- fit_model(more, epochs = 5L, callbacks = list(ours(dir)))
  expect_identical(unlist(history$epoch), 3:4)
  expect_identical(variables_of(more), variables_of(whole))

  dir <- withr::local_tempdir()
  fit_until(build_model(), 2L, ours(dir), epochs = 3L)
  more <- rebuild_model()
  fit_model(more, epochs = 5L, callbacks = list(ours(dir)))
  expect_identical(variables_of(more), variables_of(whole))
})

test_that("another learning rate: a callback sets it, the optimizer goes on", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  fit_until(build_model(), 3L, ours(dir))
  model <- rebuild_model()
  expect_message(
    history <- fit_model(model, callbacks = list(ours(dir), set_rate(1e-4))),
    "LearningRateScheduler starts without a state",
    class = "kerasbackup_message_notes"
  )
  expect_identical(unlist(history$epoch), 3:5)
  expect_equal(rate_of(model), 1e-4, tolerance = 1e-6)
  expect_equal(steps_of(model), 6 * 3)
})

test_that("other callbacks: those of the script count", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  k <- keras()$callbacks
  expect_error(
    fit_model(
      build_model(),
      callbacks = list(
        ours(dir),
        k$EarlyStopping(monitor = "loss", patience = 9L),
        interrupt_at(2L)
      )
    ),
    "interrupted"
  )
  counter <- count_batches()
  expect_message(
    fit_model(build_model(), callbacks = list(ours(dir), counter)),
    "state of callback EarlyStopping is not used",
    class = "kerasbackup_message_notes"
  )
  expect_equal(counter$batches, 4 * 3)
})

test_that("the weights alone: a new training begins with them, and resumes", {
  skip_without_keras()
  old <- withr::local_tempdir()
  model <- build_model()
  fit_model(
    model,
    epochs = 2L,
    callbacks = list(ours(old, delete_checkpoint = FALSE))
  )
  # As a script does it, whichever time it is run.
  script <- function(dir, ...) {
    model <- rebuild_model()
    keras()$utils$set_random_seed(7L)
    backup_restore(model, old)
    history <- fit_model(
      model,
      callbacks = list(ours(dir, history = "full"), ...),
      epochs = 4L
    )
    list(
      variables = variables_of(model),
      epochs = unlist(history$epoch),
      steps = steps_of(model)
    )
  }
  before <- tools::md5sum(store_list(old)$path)
  whole <- script(withr::local_tempdir())
  # Epochs, optimizer and callbacks begin anew.
  expect_identical(whole$epochs, 0:3)
  expect_equal(whole$steps, 4 * 3)
  dir <- withr::local_tempdir()
  expect_error(script(dir, interrupt_at(2L)), "interrupted")
  expect_identical(script(dir), whole)
  expect_identical(tools::md5sum(store_list(old)$path), before)
})
