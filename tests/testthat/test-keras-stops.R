# Training that ends before all epochs are done: complete, as after
# EarlyStopping; stopped, to go on when the script is run again; or diverged
# (I10).

# A training with validation; `dir` NULL: without ours. `log`: a CSVLogger's.
train <- function(
  model,
  dir,
  ...,
  log = NULL,
  epochs = 4L,
  freq = "epoch",
  delete = TRUE,
  history = "full",
  async = TRUE
) {
  data <- lapply(train_data(), reticulate::np_array, dtype = "float32")
  callbacks <- list(...)
  if (!is.null(log)) {
    callbacks <- c(callbacks, keras()$callbacks$CSVLogger(log))
  }
  if (!is.null(dir)) {
    callbacks <- c(
      callbacks,
      callback_backup_and_restore(
        dir,
        freq,
        delete,
        history = history,
        async = async
      )
    )
  }
  model$fit(
    data$x,
    data$y,
    batch_size = 16L,
    epochs = as.integer(epochs),
    verbose = 0L,
    validation_data = reticulate::tuple(data$x, data$y),
    callbacks = callbacks
  )
}

test_that("training that a callback stopped goes on when it is run again", {
  skip_without_keras()
  log <- withr::local_tempfile()
  whole <- build_model()
  reference <- train(whole, NULL, log = log)$history
  rows <- readLines(log)
  # At an epoch's end; in its middle, where Keras ends it as if it were whole;
  # after its last batch; and before anything was saved.
  for (at in list(list(1), list(2, 3), list(2, 5), list(0, 0))) {
    dir <- withr::local_tempdir()
    label <- paste("stopped at", paste(at, collapse = ", "))
    is_whole <- length(at) == 1 || at[[2]] == 5
    epoch <- at[[1]] + is_whole
    batch <- if (is_whole) 0 else at[[2]] + 1
    place <- format_place(epoch, batch)
    expect_message(
      train(build_model(), dir, do.call(stop_at, at), log = log),
      paste0("Run the same script again .*: ", place, "\\."),
      class = "kerasbackup_message_paused"
    )
    expect_left(dir, epoch, batch)
    resumed <- rebuild_model()
    news <- capture_news(history <- train(resumed, dir, log = log)$history)
    # That the callback which stopped training is not there is all there is.
    expect_length(news, 1)
    expect_match(news, "state of callback StopAt is not used, [^*]*$")
    expect_identical(variables_of(resumed), variables_of(whole), label = label)
    expect_identical(history, reference, label = label)
    expect_identical(readLines(log), rows, label = label)
    expect_length(files_in(dir), 0)
  }
})

test_that("a stop after the last batch of an epoch lets its data end", {
  skip_without_keras()
  # Its on_epoch_end() shuffles: Keras does not call it where training stops.
  fit <- function(model, ...) {
    data <- train_data()
    order <- python_file("sources")$OwnOrder(data$x, data$y, 16L)
    model$fit(order, epochs = 4L, verbose = 0L, callbacks = list(...))
    variables_of(model)
  }
  whole <- fit(build_model())
  dir <- withr::local_tempdir()
  expect_message(
    fit(build_model(), stop_at(1, 5), callback_backup_and_restore(dir)),
    "2 epochs complete\\.",
    class = "kerasbackup_message_paused"
  )
  resumed <- fit(rebuild_model(), callback_backup_and_restore(dir))
  expect_identical(resumed, whole)
})

test_that("where a stopped training goes on is said of what is on disk (I2)", {
  skip_without_keras()
  # Saves fail from one on: the first, or that at the stop.
  stop_without_saves <- function(from, async) {
    local_fault(op = "reserve", at = from, errno = "ENOSPC", persistent = TRUE)
    dir <- withr::local_tempdir()
    capture_news(suppressWarnings(
      train(build_model(), dir, stop_at(2, 3), async = async)
    ))
  }
  for (async in c(TRUE, FALSE)) {
    expect_match(stop_without_saves(1, async), "There is no checkpoint")
    expect_match(
      stop_without_saves(3, async),
      "checkpoint: 2 epochs complete\\."
    )
  }
})

test_that("a stop is saved where it is, whenever saves are due", {
  skip_without_keras()
  for (freq in list(4L, "auto")) {
    dir <- withr::local_tempdir()
    expect_message(
      train(build_model(), dir, stop_at(2, 2), freq = freq),
      class = "kerasbackup_message_paused"
    )
    expect_left(dir, 2, 3)
  }
})

test_that("training that a callback ended for good is complete", {
  skip_without_keras()
  k <- keras()$callbacks
  # The first never improves, and says so as Keras' own does.
  enders <- list(
    function() k$EarlyStopping("loss", patience = 1L, min_delta = 1e6),
    function() stop_at(1, for_good = TRUE),
    function() stop_at(1, 2, for_good = TRUE)
  )
  for (ender in enders) {
    dir <- withr::local_tempdir()
    run <- function(delete, epochs = 4L) {
      train(
        build_model(),
        dir,
        ender(),
        delete = delete,
        epochs = epochs,
        history = "resumed"
      )
    }
    expect_no_news(run(TRUE))
    expect_length(files_in(dir), 0)
    run(FALSE)
    expect_left(dir, 2)
    # Whatever `epochs` is now.
    expect_complete(function() run(FALSE))
    expect_message(
      run(FALSE, 8L),
      "a callback\\s+ended\\s+it",
      class = "kerasbackup_message_stopped"
    )
  }
})

test_that("a stop with the last epoch is the end of these epochs only", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  expect_no_news(train(
    build_model(),
    dir,
    stop_at(1),
    epochs = 2L,
    delete = FALSE
  ))
  history <- train(rebuild_model(), dir)
  expect_length(history$epoch, 4)
  expect_length(files_in(dir), 0)
})

test_that("what has diverged replaces no good checkpoint, and is not complete", {
  skip_without_keras()
  whole <- build_model()
  train(whole, NULL)
  lost <- python_helpers()$LoseWeights(2L)
  terminate <- keras()$callbacks$TerminateOnNaN()
  # After each batch, where the next ones are lost too; and at epochs' ends.
  for (callbacks in list(list(lost, terminate), list(lost))) {
    for (freq in list(1L, "epoch")) {
      dir <- withr::local_tempdir()
      messages <- list()
      withCallingHandlers(
        do.call(
          train,
          c(
            list(
              build_model(),
              dir,
              freq = freq,
              delete = length(callbacks) == 2
            ),
            callbacks
          )
        ),
        message = function(m) {
          messages[[length(messages) + 1]] <<- m
          invokeRestart("muffleMessage")
        }
      )
      kinds <- vapply(messages, function(m) class(m)[[1]], "")
      expect_equal(
        kinds,
        paste0("kerasbackup_message_", c("diverged", "diverged_end"))
      )
      skipped <- if (length(callbacks) == 2) {
        1
      } else if (freq == 1) {
        12
      } else {
        2
      }
      expect_match(
        conditionMessage(messages[[2]]),
        paste("Saves skipped since then:", skipped),
        fixed = TRUE
      )
      expect_left(dir, 2)
      resumed <- rebuild_model()
      train(resumed, dir)
      expect_identical(variables_of(resumed), variables_of(whole))
    }
  }
})

test_that("training that recovers from a lost loss is complete", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  # The best weights come back when training ends.
  early <- keras()$callbacks$EarlyStopping(
    "loss",
    patience = 1L,
    restore_best_weights = TRUE
  )
  expect_message(
    train(build_model(), dir, python_helpers()$LoseWeights(1L), early),
    class = "kerasbackup_message_diverged"
  )
  expect_length(files_in(dir), 0)
})
