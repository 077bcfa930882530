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

# Of data that draw in Python: what they draw is then a matter of chance.
skip_where_generators_prefetch <- function() {
  skip_if(
    Sys.getenv("KERAS_BACKEND") == "tensorflow",
    "tf.data reads ahead: not repeatable without an interruption either"
  )
}

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

# The data of a training as Python takes them: x, y.
numpy_data <- function() {
  unname(lapply(train_data(), reticulate::np_array, dtype = "float32"))
}

fit_model <- function(
  model,
  ...,
  epochs = 6L,
  callbacks = list(),
  data = train_data()
) {
  model$fit(
    reticulate::np_array(data$x, dtype = "float32"),
    reticulate::np_array(data$y, dtype = "float32"),
    epochs = as.integer(epochs),
    verbose = 0L,
    callbacks = callbacks,
    ...
  )
}

# Every variable's bytes, as text, in Keras' order: the model's, then the
# optimizer's, then the metrics'.
variables_of <- function(model) {
  unlist(python_helpers()$variables_of(model))
}

# Stops training at the end of epoch `epoch`, or after its batch `batch` (the
# first is 0).
stop_at <- function(epoch, batch = NULL, for_good = FALSE) {
  python_helpers()$StopAt(
    as.integer(epoch),
    if (!is.null(batch)) as.integer(batch),
    for_good
  )
}

# Lets operations of the store's saves fail in a fit(), see store_open_faulty().
local_fault <- function(..., envir = parent.frame()) {
  fault_library()
  local_function(
    "store_open",
    function(dir, keep, async) {
      store_open_faulty(dir, keep, async, fault = list(...))
    },
    envir = envir
  )
}

# Counts the batches that are trained on.
count_batches <- function() python_helpers()$CountBatches()

# Tells the class of the callback that acts last.
see_last <- function() python_helpers()$SeeLast()

python_helpers <- function() python_file("keras_helpers")

# A file of the directory `python`, as a module.
python_file <- function(name) {
  reticulate::import_from_path(
    name,
    testthat::test_path("python"),
    delay_load = FALSE
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

# That training is complete, and a further fit() is told so. It returns the
# history of the whole run.
expect_complete <- function(fit) {
  history <- NULL
  expect_message(
    history <- fit(),
    "already complete",
    class = "kerasbackup_message_complete"
  )
  expect_gt(length(history$epoch), 0)
  expect_length(unlist(history$history$loss), length(history$epoch))
}

files_in <- function(dir) {
  list.files(dir, all.files = TRUE, no.. = TRUE)
}

# Sends a signal to this process when a hook is called, see keras_helpers.py.
signal_at <- function(name, hook, epoch, batch = NULL) {
  python_helpers()$SignalAt(
    name,
    hook,
    as.integer(epoch),
    if (!is.null(batch)) as.integer(batch)
  )
}

# Training in an R process of its own. `code` sees what is in the package and in
# this file, and `args`. It goes on beside this process until end_of() is
# called.
start_training <- function(code, args = character(), env = parent.frame()) {
  base <- withr::local_tempfile(.local_envir = env)
  writeLines(
    c(
      "env <- new.env(parent = asNamespace('kerasbackup'))",
      "suppressPackageStartupMessages(library(testthat))",
      "sys.source('helper-keras.R', env)",
      "env$args <- commandArgs(TRUE)",
      sprintf("sys.source('%s.R', env)", base)
    ),
    paste0(base, "-start.R")
  )
  dump_code <- deparse(substitute(code))
  writeLines(dump_code[-c(1, length(dump_code))], paste0(base, ".R"))
  rscript <- file.path(R.home("bin"), "Rscript")
  command <- paste0(
    shQuote(rscript),
    " --vanilla ",
    shQuote(paste0(base, "-start.R")),
    " ",
    paste(shQuote(args), collapse = " "),
    " >",
    shQuote(paste0(base, ".out")),
    " 2>",
    shQuote(paste0(base, ".err")),
    " </dev/null; echo $? >",
    shQuote(paste0(base, ".status"))
  )
  system2(
    "sh",
    c("-c", shQuote(command)),
    wait = FALSE,
    env = c(
      "TESTTHAT=true",
      paste0("R_LIBS=", shQuote(paste(.libPaths(), collapse = ":")))
    )
  )
  base
}

# @return list(status, out, err): the exit status, and what it wrote.
end_of <- function(base, limit = 300) {
  file <- paste0(base, ".status")
  deadline <- Sys.time() + limit
  status <- character()
  while (length(status) == 0 && Sys.time() < deadline) {
    Sys.sleep(0.05)
    if (file.exists(file)) status <- readLines(file)
  }
  if (length(status) == 0) {
    stop(
      "a process that trains did not end:\n",
      paste(
        readLines(paste0(base, ".err")),
        collapse = "\n"
      )
    )
  }
  list(
    status = as.integer(status),
    out = readLines(paste0(base, ".out")),
    err = readLines(paste0(base, ".err"))
  )
}

# Our threads, by their name. NA where the system does not tell.
count_our_threads <- function() {
  if (!dir.exists("/proc/self/task")) {
    return(NA_integer_)
  }
  files <- file.path("/proc/self/task", list.files("/proc/self/task"), "comm")
  # Some may end meanwhile.
  names <- lapply(files, function(file) {
    tryCatch(suppressWarnings(readLines(file)), error = function(e) NULL)
  })
  sum(unlist(names) == "kerasbackup")
}

# Those that are left of more than there were. The system may list a thread that
# has been waited for a moment longer.
count_threads_left <- function(before = 0) {
  deadline <- Sys.time() + 10
  while (isTRUE(count_our_threads() > before) && Sys.time() < deadline) {
    Sys.sleep(0.01)
  }
  count_our_threads()
}

# Whether this process does something about a signal. NA as above.
catches <- function(signal) {
  if (!file.exists("/proc/self/status")) {
    return(NA)
  }
  line <- grep("^SigCgt", readLines("/proc/self/status"), value = TRUE)
  half <- strtoi(substr(line, nchar(line) - 3, nchar(line)), 16L)
  bitwAnd(half, bitwShiftL(1L, signal - 1L)) != 0
}

# That a training has left a directory to whoever comes.
expect_left <- function(dir, epoch, batch = 0) {
  expect_true(backup_verify(dir))
  info <- backup_info(dir)
  expect_equal(c(info$epoch, info$batch), c(epoch, batch))
  expect_length(list.files(dir, "tmp$"), 0)
  lock_release(lock_acquire(dir))
}

# Trains with another backend, in a process of its own, until it is interrupted.
train_elsewhere <- function(backend, dir) {
  run_r(
    c(
      "args <- commandArgs(TRUE)",
      "Sys.setenv(KERAS_BACKEND = args[[1]], TESTTHAT = 'true')",
      "library(testthat)",
      "library(kerasbackup)",
      "setwd(args[[3]])",
      "source('helper-keras.R')",
      "ours <- callback_backup_and_restore(args[[2]], save_freq = 4)",
      "try(fit_model(",
      "  build_model(), callbacks = list(ours, interrupt_at(3L))",
      "))"
    ),
    backend,
    dir,
    normalizePath(test_path())
  )
}

# What is told beside the lines that say that training resumes, or that it was
# interrupted and where its logs are.
without_resume_line <- function(expr) {
  withCallingHandlers(
    expr,
    kerasbackup_message_resume = rlang::cnd_muffle,
    kerasbackup_message_left = rlang::cnd_muffle
  )
}

capture_news <- function(expr) capture_messages(without_resume_line(expr))

expect_no_news <- function(expr, class = "message") {
  expect_no_message(without_resume_line(expr), class = class)
}
