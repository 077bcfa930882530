# That the stand-in for keras3 does what keras3 does, where that is installed.

# One training, with callbacks of each kind that R can make. What they see of it
# is written down.
record <- function(front, seed = 4) {
  seen <- list()
  note <- function(...) seen[[length(seen) + 1]] <<- list(...)
  watcher <- front$Callback(
    "Watcher",
    initialize = function(first) {
      super$initialize()
      self$count <- first
    },
    on_train_begin = function(logs = NULL) note("begin", logs),
    on_epoch_begin = function(epoch, logs = NULL) {
      private$epoch <- epoch
      self$count <- self$count + 1
    },
    on_train_batch_end = function(batch, logs = NULL) {
      note("batch", private$epoch, batch, names(logs), typeof(batch))
    },
    on_epoch_end = function(epoch, logs = NULL) {
      note("epoch", epoch, logs, self$params$epochs)
      list(added = epoch * 2)
    },
    private = list(epoch = NULL)
  )
  lambda <- front$callback_lambda(
    on_epoch_begin = function(epoch, logs = NULL) note("lambda", epoch),
    on_epoch_end = function(epoch, logs = NULL) note("lambda", logs$added),
    on_train_end = function(logs = NULL) note("end", sort(names(logs)))
  )
  front$set_random_seed(seed)
  drawn <- runif(1)
  model <- front$keras_model_sequential(input_shape = 2)
  model <- front$layer_dense(model, 3, activation = "relu")
  model <- front$layer_batch_normalization(model)
  model <- front$layer_dropout(model, 0.5)
  model <- front$layer_dense(model, 1)
  front$compile(model, optimizer = front$optimizer_sgd(), loss = "mse")
  made <- watcher(3)
  result <- withVisible(front$fit(
    model,
    matrix(1:16 / 8, 8),
    matrix(1:8 / 8, 8),
    batch_size = 4,
    epochs = 5,
    initial_epoch = 2,
    validation_data = list(matrix(1:4 / 8, 2), matrix(1:2 / 8, 2)),
    verbose = 0,
    callbacks = list(
      made,
      lambda,
      front$callback_early_stopping("loss", min_delta = 100, patience = 2)
    )
  ))
  history <- result$value
  type <- reticulate::import_builtins()$type(made)
  list(
    seen = seen,
    drawn = drawn,
    count = made$count,
    class = c(type$`__module__`, type$`__name__`, class(made)),
    visible = result$visible,
    history = unclass(history),
    history_class = class(history),
    frame = as.data.frame(history),
    printed = grep(": ", capture.output(print(history)), value = TRUE),
    weights = lapply(model$weights, function(one) {
      as.numeric(front$op_convert_to_numpy(one))
    })
  )
}

test_that("the stand-in does what keras3 does", {
  skip_without_keras()
  skip_if_not_installed("keras3")
  real <- record(keras3_or_standin())
  standin <- record(keras3_standin())
  expect_gt(length(real$seen), 10)
  expect_identical(standin, real)
})

test_that("an R function is a generator for the stand-in too", {
  skip_without_keras()
  skip_if_not_installed("keras3")
  skip_where_generators_prefetch()
  record <- function(front) {
    front$set_random_seed(1)
    model <- front$keras_model_sequential(input_shape = 2)
    model <- front$layer_dense(model, 1)
    front$compile(model, optimizer = "sgd", loss = "mse", metrics = "mae")
    calls <- 0
    draw <- function() {
      calls <<- calls + 1
      list(matrix(runif(8), 4), matrix(runif(4), 4))
    }
    history <- front$fit(
      model,
      draw,
      epochs = 2,
      steps_per_epoch = 3,
      verbose = 0
    )
    list(calls, runif(1), history$metrics)
  }
  expect_identical(record(keras3_standin()), record(keras3_or_standin()))
})

# keras3's methods print, draw and convert the history where it is loaded, so
# the stand-in's are called by name.
test_that("the stand-in shows a history as keras3 does", {
  skip_if_not_installed("keras3")
  history <- structure(
    list(
      params = list(epochs = 4L, verbose = 0L, steps = 2L),
      metrics = list(
        loss = c(3, 2.5, 1.25),
        mae = c(1, 2, 3),
        val_loss = c(4, 3, 2)
      )
    ),
    class = "keras_training_history"
  )
  requireNamespace("keras3")
  expect_identical(standin_as_data_frame(history), as.data.frame(history))
  expect_identical(
    capture.output(standin_print(history)),
    capture.output(print(history))
  )
  # What cannot be shown with keras3 cannot be shown with the stand-in.
  history$metrics <- list()
  expect_error(print(history), "subscript out of bounds")
  expect_error(standin_print(history), "subscript out of bounds")
  history$metrics <- list(loss = numeric())
  expect_error(print(history), "less than one element")
  expect_error(standin_print(history), "less than one element")
  history$params$epochs <- 2L
  history$metrics <- list(loss = c(3, 2, 1))
  expect_error(as.data.frame(history))
  expect_error(standin_as_data_frame(history))
})
