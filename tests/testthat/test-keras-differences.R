# What differs between the script and the checkpoint, as a field of the error or
# of the message. Which differences there are is in test-keras-changed.R.

# Interrupts a training of the model, and hands over the directory.
interrupted <- function(model, .local_envir = parent.frame()) {
  dir <- withr::local_tempdir(.local_envir = .local_envir)
  fit_until(model, 3L, callback_backup_and_restore(dir))
  dir
}

recompiled <- function(optimizer) {
  model <- build_model(compile = FALSE)
  model$compile(optimizer = optimizer, loss = "mse")
  model
}

refusal <- function(dir, model) {
  # Older versions keep only the message of a Python exception.
  skip_if_not_installed("reticulate", "1.29")
  expect_error(
    fit_model(model, callbacks = list(callback_backup_and_restore(dir))),
    class = "kerasbackup_error_mismatch"
  )
}

test_that("another model's error has all differences as a data frame", {
  skip_without_keras()
  k <- keras()
  deep <- function(units) {
    model <- k$Sequential(c(
      list(k$Input(reticulate::tuple(4L))),
      lapply(1:6, function(i) k$layers$Dense(units)),
      list(k$layers$Dense(1L))
    ))
    model$compile("adam", "mse")
    model
  }
  dir <- interrupted(deep(3L))
  error <- refusal(dir, deep(4L))
  more <- "* and 29 more: see `cnd$differences`"
  expect_match(conditionMessage(error), more, fixed = TRUE)
  found <- error$differences
  expect_identical(names(found), c("what", "script", "checkpoint"))
  # Of seven layers kernels and biases but the last bias, and Adam's moments.
  expect_identical(nrow(found), 39L)
  expect_match(found$what[[1]], "^variables/.*kernel$")
  expect_identical(found$script[[1]], "float32 (4, 4)")
  expect_identical(found$checkpoint[[1]], "float32 (4, 3)")
  expect_identical(
    names(tryCatch(stop(error), error = identity)$differences),
    names(found)
  )
})

test_that("another optimizer is no frozen layer", {
  skip_without_keras()
  k <- keras()$optimizers
  dir <- interrupted(recompiled(k$SGD(momentum = 0.9)))
  error <- refusal(dir, recompiled(k$SGD()))
  changed <- "momentum was 0.9 when the checkpoint was made and is 0.0 now"
  expect_match(conditionMessage(error), changed, fixed = TRUE)
  expect_no_match(conditionMessage(error), "frozen")
  expect_true(all(is.na(error$differences$script)))
  error <- refusal(dir, recompiled("adam"))
  expect_no_match(conditionMessage(error), "frozen")
  expect_identical(
    unlist(error$differences[1, ], use.names = FALSE),
    c("class of the optimizer", "Adam", "SGD")
  )
})

test_that("what has changed in the script is a data frame of the message", {
  skip_without_keras()
  k <- keras()$optimizers
  dir <- interrupted(recompiled(k$Adam(0.01)))
  message <- expect_message(
    fit_model(
      recompiled(k$Adam(0.001, clipnorm = 1)),
      callbacks = list(callback_backup_and_restore(dir))
    ),
    class = "kerasbackup_message_notes"
  )
  expect_identical(
    message$changes,
    data.frame(
      what = c("learning_rate", "clipnorm"),
      script = c("0.001", "1.0"),
      checkpoint = c("0.01", "None")
    )
  )
})

test_that("a message lists ten changes, and has all", {
  lines <- sprintf("change %02i", 1:12)
  changes <- list(what = lines, script = rep(NA, 12), checkpoint = rep("x", 12))
  message <- rlang::catch_cnd(
    inform_training("notes", lines, changes = jsonlite::toJSON(changes))
  )
  expect_match(
    conditionMessage(message),
    "and 2 more: see `cnd$changes`",
    fixed = TRUE
  )
  expect_match(conditionMessage(message), "change 10")
  expect_no_match(conditionMessage(message), "change 11")
  expect_identical(message$changes$what, lines)
  expect_identical(message$changes$script, rep(NA_character_, 12))
})
