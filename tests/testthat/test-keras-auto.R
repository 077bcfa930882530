# save_freq = "auto" in real training. When it saves is tested, on a clock of
# its own, in test-keras-interval.R; here it saves as soon and as often as it
# may.

# In the third step, and then after every step but an epoch's first: of what is
# written at once it is known at once what it cost, and that is little enough.
auto <- function(dir, ..., async = FALSE) {
  callback <- callback_backup_and_restore(
    dir,
    save_freq = "auto",
    async = async,
    ...
  )
  reticulate::py_set_attr(callback, "max_overhead", 1e9)
  callback
}

local_interval <- function(..., env = parent.frame()) {
  bridge_module()
  end <- python_helpers()$set_interval(...)
  withr::defer(end(), envir = env)
}

local_haste <- function(env = parent.frame()) {
  bridge_module()
  end <- python_helpers()$hasten()
  withr::defer(end(), envir = env)
}

test_that("it saves at the third batch, and resumed there it is bitwise equal", {
  skip_without_keras()
  local_haste()
  whole <- build_model()
  reference <- fit_model(whole)
  dir <- withr::local_tempdir()
  stop_before <- keras()$callbacks$LambdaCallback(
    on_train_batch_begin = function(batch, logs = NULL) {
      if (batch == 2L) stop("interrupted")
    }
  )
  expect_error(
    fit_model(build_model(), callbacks = list(auto(dir), stop_before)),
    "interrupted"
  )
  info <- backup_info(dir)
  expect_equal(c(info$epoch, info$batch), c(0L, 2L))
  fit_until(rebuild_model(), 4L, auto(dir))
  # After two steps again, so in the next epoch, and then at each batch.
  expect_equal(store_list(dir)$generation, 1 + 3 * 3)
  resumed <- rebuild_model()
  history <- fit_model(resumed, callbacks = list(auto(dir, history = "full")))
  expect_identical(variables_of(resumed), variables_of(whole))
  expect_identical(history$history, reference$history)
})

test_that("with other callbacks and validation it is bitwise equal too", {
  skip_without_keras()
  local_haste()
  fit <- function(model, ...) {
    fit_model(model, ..., epochs = 8L, validation_split = 0.25)
  }
  others <- function() {
    list(keras()$callbacks$ReduceLROnPlateau(
      "val_loss",
      patience = 1L,
      min_delta = 0.5,
      factor = 0.5
    ))
  }
  whole <- build_model()
  reference <- fit(whole, callbacks = others())
  dir <- withr::local_tempdir()
  ours <- function(...) auto(dir, async = TRUE, ...)
  expect_error(
    fit(build_model(), callbacks = c(others(), ours(), interrupt_at(2L))),
    "interrupted"
  )
  expect_error(
    fit(rebuild_model(), callbacks = c(ours(), others(), interrupt_at(5L))),
    "interrupted"
  )
  expect_equal(nrow(store_list(dir)), 1)
  resumed <- rebuild_model()
  history <- fit(resumed, callbacks = c(ours(history = "full"), others()))
  expect_identical(history$history, reference$history)
  expect_identical(variables_of(resumed), variables_of(whole))
})

test_that("a training of less than a second is not saved, but at its end if asked", {
  skip_without_keras()
  # However slow the machine is.
  local_interval(FIRST = 1e9)
  dir <- withr::local_tempdir()
  fit_until(build_model(), 4L, auto(dir))
  expect_equal(nrow(store_list(dir)), 0)
  fit_model(
    build_model(),
    callbacks = list(auto(dir, delete_checkpoint = FALSE))
  )
  expect_equal(backup_info(dir)$epoch, 6L)
})

test_that("with verbose it says what it chose", {
  skip_without_keras()
  local_haste()
  dir <- withr::local_tempdir()
  said <- list()
  fit <- function(...) {
    said <<- list()
    suppressMessages(withCallingHandlers(
      fit_model(build_model(), callbacks = list(auto(dir, ...))),
      kerasbackup_message_auto = function(m) said <<- c(said, list(m))
    ))
  }
  fit(verbose = TRUE)
  expect_gt(length(said), 0)
  expect_match(
    conditionMessage(said[[1]]),
    "about every [0-9]+ batches, or [0-9.]+ seconds"
  )
  expect_match(
    conditionMessage(said[[1]]),
    "a checkpoint costs [0-9.]+ ms of training"
  )
  fit()
  expect_length(said, 0)
})

test_that("no hook for batches is there, so Keras' own thread stays on", {
  skip_without_keras()
  plain <- python_helpers()$SeeHooks()
  fit_model(build_model(), epochs = 1L, callbacks = list(plain))
  expect_equal(plain$seen, 0)
  for (freq in list("epoch", 2L, "auto")) {
    see <- python_helpers()$SeeHooks()
    dir <- withr::local_tempdir()
    fit_model(
      build_model(),
      epochs = 1L,
      callbacks = list(
        callback_backup_and_restore(dir, save_freq = freq),
        see
      )
    )
    # The one in the user's list, and the helper that acts last.
    expect_equal(see$seen, 2)
    expect_identical(see$hooks, list())
    expect_identical(see$in_thread, plain$in_thread)
    expect_identical(
      isTRUE(see$in_thread),
      Sys.getenv("KERAS_BACKEND") != "tensorflow"
    )
  }
})

test_that("nothing crosses into R between saves, however many batches", {
  skip_without_keras()
  calls <- function(freq, n) {
    dir <- withr::local_tempdir()
    callback <- callback_backup_and_restore(dir, save_freq = freq)
    counts <- python_helpers()$count_calls(callback)
    fit_model(
      build_model(),
      epochs = 2L,
      batch_size = 2L,
      data = train_data(n),
      callbacks = list(callback)
    )
    unlist(counts())
  }
  local_interval(FIRST = 1e9)
  for (freq in list("epoch", 1000L, "auto")) {
    few <- calls(freq, 8)
    expect_equal(few[["open"]], 1, info = freq)
    expect_equal(few[["save"]], if (freq == "epoch") 2 else 0, info = freq)
    # R's random state: when an epoch begins and with a save.
    expect_equal(few[["r_seed"]], 2 + few[["save"]], info = freq)
    expect_equal(calls(freq, 200), few, info = freq)
  }
  # And one call a save.
  expect_equal(calls(10L, 100)[["save"]], 10)
})

test_that("validation is not taken for steps", {
  skip_without_keras()
  see <- python_helpers()$SeePause()
  fit_model(
    build_model(),
    epochs = 2L,
    validation_split = 1 / 3,
    callbacks = list(
      see,
      auto(withr::local_tempdir())
    )
  )
  # Two batches of training, then one of validation.
  expect_identical(unlist(see$paused), rep(c(FALSE, FALSE, TRUE), 2))
})

test_that("Python reads what the writer does from memory", {
  skip_without_keras()
  bridge_module()
  expect_identical(python_helpers()$writing_times(), list(NULL, 2))
  dir <- withr::local_tempdir()
  store <- store_open(dir, async = TRUE)
  read <- function() python_helpers()$read_two(store_activity(store))
  expect_equal(unlist(read()), c(0, 0))
  plan <- tensor_plan(some_bytes(3e6))
  store_plan(store, plan$text, plan$sizes)
  store_submit(store, plan$addresses, metadata_text())
  store_wait(store)
  expect_equal(read()[[1]], 0)
  expect_gt(read()[[2]], 0)
  store_close(store)
  expect_error(store_activity(store), class = "kerasbackup_error_argument")
})
