# What the tests that train need. They run once a backend, each in a process of
# its own: KERAS_BACKEND says which, RETICULATE_PYTHON which Python.

skip_without_keras <- function() {
  skip_if(
    Sys.getenv("KERAS_BACKEND") == "",
    "KERAS_BACKEND is not set"
  )
  skip_if_not(
    reticulate::py_available(initialize = TRUE) &&
      reticulate::py_module_available("keras"),
    "there is no Python with keras"
  )
}

keras <- function() reticulate::import("keras")

# The same data and the same model in every process.
train_data <- function(n = 96) {
  withr::with_seed(1, {
    x <- matrix(rnorm(n * 4), n, 4)
    list(x = x, y = matrix(x %*% c(1, -2, 3, 0.5) + rnorm(n), n, 1))
  })
}

# Dropout has a seed generator, BatchNormalization has states that are no
# weights, Adam has moments: all of it must come back.
build_model <- function(seed = 1L, units = 8L, compile = TRUE, input = TRUE) {
  k <- keras()
  k$utils$set_random_seed(as.integer(seed))
  model <- k$Sequential(c(
    if (input) list(k$Input(reticulate::tuple(4L))),
    list(
      k$layers$Dense(units, activation = "relu"),
      k$layers$BatchNormalization(),
      k$layers$Dropout(0.3),
      k$layers$Dense(1L)
    )
  ))
  if (compile) {
    model$compile(optimizer = "adam", loss = "mse", metrics = list("mae"))
  }
  model
}

# The model of a script that is run again: the same seed, but everything that
# can be drawn from was drawn from, so that the rest must come from the
# checkpoint. (TensorFlow seeds the shuffling of arrays when fit() is called.)
rebuild_model <- function(...) {
  model <- build_model(...)
  python_helpers()$draw_from_everything()
  model
}

fit_model <- function(model, ..., epochs = 6L, callbacks = list(),
                      data = train_data()) {
  model$fit(
    reticulate::np_array(data$x, dtype = "float32"),
    reticulate::np_array(data$y, dtype = "float32"),
    epochs = as.integer(epochs), verbose = 0L, callbacks = callbacks, ...
  )
}

# Every variable's bytes, as text, in Keras' order: the model's, then the
# optimizer's, then the metrics'.
variables_of <- function(model) {
  unlist(python_helpers()$variables_of(model))
}

# Ends training at the end of epoch `epoch` (the first is 0).
stop_at <- function(epoch) python_helpers()$StopAt(as.integer(epoch))

# Counts the batches that are trained on.
count_batches <- function() python_helpers()$CountBatches()

# Tells the class of the callback that acts last.
see_last <- function() python_helpers()$SeeLast()

python_helpers <- function() python_file("keras_helpers")

# A file of the directory `python`, as a module.
python_file <- function(name) {
  reticulate::import_from_path(
    name, testthat::test_path("python"), delay_load = FALSE
  )
}

# Raises when epoch `epoch` (the first is 0) begins, as the example in Keras'
# documentation does.
interrupt_at <- function(epoch) {
  keras()$callbacks$LambdaCallback(
    on_epoch_begin = function(e, logs = NULL) {
      if (e == epoch) stop("interrupted")
    }
  )
}

# Trains until it is interrupted, and makes sure that it was.
fit_until <- function(model, epoch, callback, ...) {
  expect_error(
    fit_model(model, ..., callbacks = list(callback, interrupt_at(epoch))),
    "interrupted"
  )
}

# Keras before 3.7 fails, but on TensorFlow, where no epoch is left to train.
needs_an_epoch <- function() {
  numeric_version(keras_version()) < "3.7" &&
    Sys.getenv("KERAS_BACKEND") != "tensorflow"
}

keras_version <- function() keras()$`__version__`

# That training is complete, and a further fit() is told so.
expect_complete <- function(fit) {
  if (needs_an_epoch()) {
    error <- expect_error(fit(), "No epoch was left to train")
    expect_match(conditionMessage(error), keras_version(), fixed = TRUE)
  } else {
    history <- NULL
    expect_message(
      history <- fit(), "complete already",
      class = "kerasbackup_message_complete"
    )
    expect_length(history$epoch, 0)
  }
}

files_in <- function(dir) {
  list.files(dir, all.files = TRUE, no.. = TRUE)
}
