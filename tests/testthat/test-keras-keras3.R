# Through keras3, R's own front end: its fit(), its Callback() classes, its
# history, and data that R functions make. Where it is not installed, a stand-in
# takes its place (helper-keras3-standin.R).
#
# keras3 counts epochs and batches from 1 where it calls functions of R.

keras3 <- keras3_or_standin()

# What every script of these begins with, here and in a process of its own.
# Takes `keras3`, and defines `model`, `gen` (an R function that draws from R's
# generator and keeps its place in a closure), `interrupt()` and `rates()`.
script <- quote({
  keras3$set_random_seed(3)
  x <- matrix(rnorm(96 * 4), 96, 4)
  y <- matrix(x %*% c(1, -2, 3, 0.5) + rnorm(96), 96, 1)
  place <- 0
  gen <- function() {
    place <<- place + 1
    pick <- c(sample(96, 7), place %% 96 + 1)
    list(x[pick, ] + rnorm(32) / 10, y[pick, , drop = FALSE])
  }
  model <- keras3$keras_model_sequential(input_shape = 4)
  model <- keras3$layer_dense(model, 8, activation = "relu")
  model <- keras3$layer_batch_normalization(model)
  model <- keras3$layer_dropout(model, 0.3)
  model <- keras3$layer_dense(model, 1)
  keras3$compile(model, optimizer = "adam", loss = "mse", metrics = "mae")
  # Does something before batch `at_batch` of epoch `at_epoch`.
  interrupt <- function(at_epoch, at_batch, how) {
    keras3$Callback(
      "Interrupt",
      initialize = function() {
        super$initialize()
        self$now <- 0
      },
      on_epoch_begin = function(epoch, logs = NULL) self$now <- epoch,
      on_train_batch_begin = function(batch, logs = NULL) {
        if (self$now >= at_epoch && batch >= at_batch) how()
      }
    )()
  }
  # Keeps what it draws on `self`, and the learning rate hangs on all of it.
  rates <- function() {
    keras3$Callback(
      "Rates",
      initialize = function() {
        super$initialize()
        self$drawn <- list()
        self$total <- 0
      },
      on_epoch_begin = function(epoch, logs = NULL) {
        new <- runif(1)
        self$drawn <- c(self$drawn, new)
        self$total <- self$total + new
        optimizer <- self$model$optimizer
        optimizer$learning_rate <- 0.01 * self$total / length(self$drawn)
      }
    )()
  }
  state <- function(model) {
    lapply(
      c(model$variables, model$optimizer$variables),
      function(v) as.numeric(keras3$op_convert_to_numpy(v))
    )
  }
})

# A fresh run of the script: its variables, in an environment.
run_script <- function() {
  env <- new.env(parent = globalenv())
  env$keras3 <- keras3
  eval(script, env)
  env
}

fit_arrays <- function(env, callbacks = list(), epochs = 5) {
  keras3$fit(
    env$model,
    env$x,
    env$y,
    batch_size = 10,
    epochs = epochs,
    verbose = 0,
    callbacks = callbacks
  )
}

test_that("keras3's documented example: 4 epochs, an interruption, 6 more", {
  skip_without_keras()
  dir <- withr::local_tempfile()
  model <- keras3$keras_model_sequential(input_shape = 10)
  model <- keras3$layer_dense(model, 10)
  keras3$compile(model, optimizer = keras3$optimizer_sgd(), loss = "mse")
  interrupting <- keras3$Callback(
    "InterruptingCallback",
    on_epoch_begin = function(epoch, logs = NULL) {
      if (epoch == 5) stop("interrupted on purpose")
    }
  )
  fit <- function(...) {
    keras3$fit(
      model,
      matrix(0, 5, 10),
      matrix(0, 5, 1),
      epochs = 10,
      batch_size = 1,
      verbose = 0,
      callbacks = list(...)
    )
  }
  callback <- callback_backup_and_restore(dir)
  expect_error(fit(callback, interrupting()), "interrupted on purpose")
  expect_equal(backup_info(dir)$epoch, 4L)
  # The one that interrupts is gone, and nothing is told of that.
  messages <- capture_news(history <- fit(callback))
  expect_identical(messages, character())
  expect_length(history$metrics$loss, 6)
  expect_false(dir.exists(dir))
})

test_that("arrays, interrupted in the middle of an epoch, end equal", {
  skip_without_keras()
  whole <- run_script()
  reference <- fit_arrays(whole, list(whole$rates()))
  dir <- withr::local_tempdir()
  ours <- function() {
    callback_backup_and_restore(dir, save_freq = 3, history = "full")
  }
  lost <- run_script()
  stopper <- lost$interrupt(3, 6, function() stop("interrupted on purpose"))
  expect_error(
    fit_arrays(lost, list(ours(), lost$rates(), stopper)),
    "interrupted on purpose"
  )
  expect_gt(backup_info(dir)$batch, 0L)

  again <- run_script()
  # What was drawn must not matter.
  runif(3)
  python_helpers()$draw_from_everything()
  history <- fit_arrays(again, list(ours(), again$rates()))
  expect_identical(again$state(again$model), whole$state(whole$model))
  expect_identical(history$metrics, reference$metrics)
})

test_that("fields on self of a Callback() of R go on where they were", {
  skip_without_keras()
  whole <- run_script()
  reference <- whole$rates()
  fit_arrays(whole, list(reference))
  dir <- withr::local_tempdir()
  lost <- run_script()
  stopper <- lost$interrupt(4, 1, function() stop("interrupted on purpose"))
  expect_error(
    fit_arrays(
      lost,
      list(lost$rates(), callback_backup_and_restore(dir), stopper)
    ),
    "interrupted on purpose"
  )
  again <- run_script()
  resumed <- again$rates()
  fit_arrays(again, list(resumed, callback_backup_and_restore(dir)))
  expect_length(unlist(resumed$drawn), 5)
  expect_identical(unlist(resumed$drawn), unlist(reference$drawn))
  expect_identical(resumed$total, reference$total)
  expect_identical(again$state(again$model), whole$state(whole$model))
})

test_that("a generator written in R, killed by SIGKILL, ends equal", {
  skip_without_keras()
  skip_on_os("windows")
  # An older one may also wait for ever.
  skip_if(
    Sys.getenv("KERAS_BACKEND") == "tensorflow" &&
      utils::packageVersion("reticulate") < "1.29",
    "this reticulate calls no R function in a thread of tf.data"
  )
  run <- function(mode, dir = withr::local_tempfile()) {
    out <- withr::local_tempfile()
    here <- normalizePath(test_path())
    code <- c(
      "args <- commandArgs(TRUE)",
      "Sys.setenv(TESTTHAT = 'true')",
      "setwd(args[[4]])",
      "for (file in Sys.glob('helper-keras*.R')) source(file)",
      "keras3 <- keras3_or_standin()",
      deparse(script),
      "ours <- kerasbackup::callback_backup_and_restore(",
      # Saved when it says so, so that it is known where it goes on.
      "  args[[2]], save_freq = 3, history = 'full', async = FALSE",
      ")",
      "die <- function() tools::pskill(Sys.getpid(), tools::SIGKILL)",
      # On TensorFlow the generator is ahead: nobody else may draw from R's.
      "callbacks <- c(",
      "  if (Sys.getenv('KERAS_BACKEND') != 'tensorflow') list(rates()),",
      "  if (args[[1]] != 'whole') list(ours),",
      "  if (args[[1]] == 'killed') list(interrupt(3, 6, die))",
      ")",
      "history <- keras3$fit(model, gen, steps_per_epoch = 9, epochs = 5,",
      "  verbose = 0, callbacks = callbacks)",
      "saveRDS(list(state(model), history$metrics), args[[3]])"
    )
    # A process that is killed has a status, which is a warning.
    log <- suppressWarnings(run_r(code, mode, dir, out, here))
    if (file.exists(out)) readRDS(out) else paste(log, collapse = "\n")
  }
  whole <- run("whole")
  expect_type(whole, "list")
  dir <- withr::local_tempfile()
  expect_type(run("killed", dir), "character")
  expect_gt(backup_info(dir)$batch, 0L)
  resumed <- run("resumed", dir)
  expect_identical(resumed, whole)
  expect_length(resumed[[2]]$loss, 5)
  expect_false(dir.exists(dir))
})

test_that("history = \"full\" is the whole run, as R shows it", {
  skip_without_keras()
  whole <- run_script()
  reference <- fit_arrays(whole)
  for (kind in c("full", "resumed")) {
    dir <- withr::local_tempdir()
    ours <- function() callback_backup_and_restore(dir, history = kind)
    lost <- run_script()
    stopper <- lost$interrupt(4, 1, function() stop("interrupted on purpose"))
    expect_error(
      fit_arrays(lost, list(ours(), stopper)),
      "interrupted on purpose"
    )
    again <- run_script()
    history <- fit_arrays(again, list(ours()))
    first <- if (kind == "full") 1 else 4
    expect_s3_class(history, "keras_training_history")
    frame <- as.data.frame(history)
    expected <- as.data.frame(reference)$value
    expect_identical(
      frame$value[!is.na(frame$value)],
      expected[rep(first:5, 2) + rep(c(0, 5), each = 6 - first)]
    )
    expect_length(unlist(again$model$history$epoch), 6 - first)
    expect_identical(
      unlist(again$model$history$history$loss),
      history$metrics$loss
    )
    # Drawn, not only made.
    file <- withr::local_tempfile(fileext = ".pdf")
    grDevices::pdf(file)
    drawn <- plot(history, method = "base")
    grDevices::dev.off()
    expect_gt(file.size(file), 0)
  }
})

test_that("a history can be shown, also if no epoch was left", {
  skip_without_keras()
  show <- function(history) {
    file <- withr::local_tempfile(fileext = ".pdf")
    grDevices::pdf(file)
    plot(history, method = "base")
    grDevices::dev.off()
    printed <- capture.output(print(history))
    expect_match(paste(printed, collapse = ""), "loss: [0-9]")
    frame <- as.data.frame(history)
    frame$value[frame$metric == "loss" & !is.na(frame$value)]
  }
  dir <- withr::local_tempdir()
  ours <- function() callback_backup_and_restore(dir, delete_checkpoint = FALSE)
  again <- function(epochs, ...) {
    fit_arrays(run_script(), list(ours(), ...), epochs)
  }
  whole <- show(again(4))
  # Complete; from a longer training; and with one epoch left.
  expect_message(history <- again(4), class = "kerasbackup_message_complete")
  expect_identical(show(history), whole)
  expect_message(history <- again(2), class = "kerasbackup_message_beyond")
  expect_identical(show(history), whole)
  expect_length(show(again(5)), 1)

  # Ended by a callback.
  backup_delete(dir)
  stopping <- function() {
    keras3$callback_early_stopping("loss", min_delta = 100, patience = 1)
  }
  whole <- show(again(4, stopping()))
  expect_length(whole, 2)
  expect_message(
    history <- again(4, stopping()),
    class = "kerasbackup_message_complete"
  )
  expect_identical(show(history), whole)
})

test_that("errors reach R through fit() with their classes", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  lost <- run_script()
  stopper <- lost$interrupt(3, 1, function() stop("interrupted on purpose"))
  expect_error(
    fit_arrays(lost, list(callback_backup_and_restore(dir), stopper)),
    "interrupted on purpose"
  )
  files <- tools::md5sum(store_list(dir)$path)
  # Older versions of reticulate name the class in the text alone.
  has_classes <- utils::packageVersion("reticulate") >= "1.29"
  refused <- function(class, ...) {
    if (has_classes) {
      error <- expect_error(..., class = class)
      expect_s3_class(error, "kerasbackup_error")
    } else {
      error <- expect_error(..., "kerasbackup.store.errors")
    }
    conditionMessage(error)
  }
  other <- run_script()
  keras3$compile(other$model, optimizer = "sgd", loss = "mse")
  expect_match(
    refused(
      "kerasbackup_error_mismatch",
      fit_arrays(
        other,
        list(callback_backup_and_restore(dir))
      )
    ),
    "momentum: missing in the model"
  )
  again <- run_script()
  expect_match(
    refused(
      "kerasbackup_error_locked",
      fit_arrays(
        again,
        list(
          callback_backup_and_restore(dir),
          callback_backup_and_restore(dir)
        )
      )
    ),
    "is in use"
  )
  expect_identical(tools::md5sum(store_list(dir)$path), files)

  path <- store_list(dir)$path
  flip_bit(path, file.size(path) - 500)
  expect_match(
    refused(
      "kerasbackup_error_corrupt",
      fit_arrays(
        again,
        list(callback_backup_and_restore(dir))
      )
    ),
    path,
    fixed = TRUE
  )
})
