# What is in the directory before, during and after training (I1, I4, I7, I8,
# I10), and what the flags do.

test_that("I10: interruption keeps the checkpoint, completion deletes it", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  writeLines("mine", file.path(dir, "notes.txt"))
  fit_until(build_model(), 2L, callback_backup_and_restore(dir))
  expect_equal(nrow(store_list(dir)), 1)
  fit_model(build_model(), callbacks = list(callback_backup_and_restore(dir)))
  # I7: what is not ours stays, and so does a directory that was there before.
  expect_equal(files_in(dir), "notes.txt")
})

test_that("delete_checkpoint = FALSE leaves nothing to do", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  for (freq in list("epoch", 7L)) {
    path <- file.path(dir, freq)
    callback <- callback_backup_and_restore(path, freq, FALSE)
    model <- build_model()
    fit_model(model, callbacks = list(callback))
    expect_true(backup_verify(path))
    expect_equal(backup_info(path)$epoch, 6L)
    expect_equal(backup_history(path)$epoch, 1:6)

    again <- build_model(seed = 3L)
    expect_complete(function() {
      fit_model(
        again,
        callbacks = list(callback_backup_and_restore(path, freq, FALSE))
      )
    })
    expect_identical(variables_of(again)[1:9], variables_of(model)[1:9])
    # More epochs go on from there.
    history <- fit_model(
      again,
      epochs = 8L,
      callbacks = list(callback_backup_and_restore(path, freq, FALSE))
    )
    expect_equal(unlist(history$epoch), 6:7)
    expect_length(fit_model(again, epochs = 2L)$epoch, 2)
  }
})

test_that("double_checkpoint keeps two, without it there is one", {
  skip_without_keras()
  for (double in c(FALSE, TRUE)) {
    dir <- withr::local_tempdir()
    fit_until(
      build_model(),
      4L,
      callback_backup_and_restore(dir, double_checkpoint = double)
    )
    expect_equal(nrow(store_list(dir)), 1 + double)
  }
})

test_that("I5: a damaged newest one falls back with a warning", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  fit_until(
    build_model(),
    4L,
    callback_backup_and_restore(dir, double_checkpoint = TRUE)
  )
  newest <- store_list(dir)$path[[1]]
  flip_bit(newest, file.size(newest) - 500)
  history <- NULL
  warning <- expect_warning(
    history <- fit_model(
      build_model(),
      callbacks = list(
        callback_backup_and_restore(dir, double_checkpoint = TRUE)
      )
    ),
    class = "kerasbackup_warning_fallback"
  )
  expect_match(conditionMessage(warning), newest, fixed = TRUE)
  expect_match(conditionMessage(warning), "Damaged tensor: ")
  expect_equal(unlist(history$epoch), 3:5)
})

test_that("I5: a damaged only one is an error, nothing is changed", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  fit_until(build_model(), 3L, callback_backup_and_restore(dir))
  path <- store_list(dir)$path
  flip_bit(path, file.size(path) - 500)
  before <- tools::md5sum(path)
  model <- build_model(seed = 3L)
  variables <- variables_of(model)[1:8]
  error <- expect_error(
    fit_model(model, callbacks = list(callback_backup_and_restore(dir))),
    "CorruptError|damaged"
  )
  expect_match(conditionMessage(error), path, fixed = TRUE)
  expect_identical(tools::md5sum(path), before)
  expect_identical(variables_of(model)[1:8], variables)
  # The failed attempt does not hold the directory.
  expect_no_error(lock_release(lock_acquire(dir)))
})

test_that("I6: another model is an error that lists every difference", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  fit_until(build_model(), 3L, callback_backup_and_restore(dir))
  path <- store_list(dir)$path
  before <- tools::md5sum(path)

  other <- build_model(seed = 3L, units = 5L)
  variables <- variables_of(other)[1:9]
  error <- expect_error(
    fit_model(other, callbacks = list(callback_backup_and_restore(dir))),
    "of another model"
  )
  message <- conditionMessage(error)
  expect_match(
    message,
    "kernel: float32 (4, 5) in the model, float32 (4, 8) in the checkpoint",
    fixed = TRUE
  )
  expect_match(
    message,
    "bias: float32 (5) in the model, float32 (8) in the checkpoint",
    fixed = TRUE
  )
  expect_match(message, "moving_mean: float32 (5)", fixed = TRUE)
  expect_identical(variables_of(other)[1:9], variables)

  k <- keras()
  deeper <- k$Sequential(list(
    k$Input(reticulate::tuple(4L)),
    k$layers$Dense(8L, name = "first"),
    k$layers$Dense(1L, name = "second")
  ))
  deeper$compile("sgd", "mse")
  error <- expect_error(
    fit_model(deeper, callbacks = list(callback_backup_and_restore(dir)))
  )
  message <- conditionMessage(error)
  expect_match(
    message,
    "/first/kernel: float32 (4, 8) in the model, missing in the checkpoint",
    fixed = TRUE
  )
  expect_match(
    message,
    "moving_mean: missing in the model, float32 (8) in the checkpoint",
    fixed = TRUE
  )
  expect_identical(tools::md5sum(path), before)
  # The right model still goes on.
  history <- fit_model(
    build_model(),
    callbacks = list(callback_backup_and_restore(dir))
  )
  expect_equal(unlist(history$epoch), 3:5)
})

test_that("I8: two callbacks with one directory are refused", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  error <- expect_error(
    fit_model(
      build_model(),
      callbacks = list(
        callback_backup_and_restore(dir),
        callback_backup_and_restore(dir)
      )
    ),
    "is in use"
  )
  expect_match(conditionMessage(error), paste("pid", Sys.getpid()))
  # After the error nobody holds it.
  history <- fit_model(
    build_model(),
    callbacks = list(callback_backup_and_restore(dir))
  )
  expect_length(history$epoch, 6)
})

test_that("I8: a directory another process trains with is refused", {
  skip_without_keras()
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  stop_file <- withr::local_tempfile()
  run_r(
    c(
      "args <- commandArgs(TRUE)",
      "lock <- kerasbackup:::lock_acquire(args[[1]])",
      "writeLines(as.character(Sys.getpid()), args[[2]])",
      "for (i in 1:600) if (file.exists(args[[2]])) Sys.sleep(0.1)"
    ),
    dir,
    stop_file,
    wait = FALSE
  )
  for (i in 1:300) {
    if (!file.exists(stop_file)) Sys.sleep(0.1)
  }
  Sys.sleep(0.2)
  pid <- readLines(stop_file)
  withr::defer(tools::pskill(as.integer(pid), 9))
  error <- expect_error(
    fit_model(
      build_model(),
      callbacks = list(callback_backup_and_restore(dir))
    ),
    "is in use"
  )
  expect_match(conditionMessage(error), paste("Process", pid, "on host"))
})

test_that("I8: after fit() raised, another process may train", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  fit_until(build_model(), 2L, callback_backup_and_restore(dir))
  out <- run_r(
    c(
      "lock <- kerasbackup:::lock_acquire(commandArgs(TRUE))",
      "cat('locked')"
    ),
    dir
  )
  expect_equal(out, "locked")
})

test_that("I8: fit() that raised inside Python frees the directory too", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  model <- build_model()
  data <- train_data()
  result <- python_helpers()$fit_twice(
    model,
    reticulate::np_array(data$x),
    reticulate::np_array(data$y),
    list(callback_backup_and_restore(dir), interrupt_at(3L)),
    list(callback_backup_and_restore(dir))
  )
  expect_match(result[[1]], "interrupted")
  expect_equal(result[[2]], 1L)
})

test_that("paths with spaces, letters, links and missing parents work", {
  skip_without_keras()
  base <- withr::local_tempdir()
  real <- file.path(base, "real")
  dir.create(real)
  file.symlink(real, file.path(base, "link"))
  withr::local_dir(base)
  for (path in c(
    file.path(base, "a b", "missing parent", "\u00fc\u4e2d \U1F600"),
    "relative",
    file.path(base, "link")
  )) {
    fit_until(build_model(), 2L, callback_backup_and_restore(path))
    expect_equal(backup_info(path)$epoch, 2L)
    history <- fit_model(
      build_model(),
      callbacks = list(callback_backup_and_restore(path))
    )
    expect_length(history$epoch, 4)
  }
  # Links stay, and so does what they point to.
  expect_true(dir.exists(real))
  expect_true(dir.exists(file.path(base, "link")))
})

test_that("a directory that cannot be made is an error before training", {
  skip_without_keras()
  file <- withr::local_tempfile(lines = "mine")
  error <- expect_error(
    fit_model(
      build_model(),
      callbacks = list(
        callback_backup_and_restore(file.path(file, "sub"))
      )
    ),
    "Cannot use the directory"
  )
  expect_equal(readLines(file), "mine")
})

test_that("a model that is not compiled is refused, nothing is created", {
  skip_without_keras()
  dir <- withr::local_tempfile()
  callback <- callback_backup_and_restore(dir)
  expect_error(
    fit_model(build_model(compile = FALSE), callbacks = list(callback)),
    "compile"
  )
  expect_false(dir.exists(dir))
})

test_that("verbose says what is saved and restored", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  messages <- capture_news(
    fit_until(
      build_model(),
      2L,
      callback_backup_and_restore(dir, verbose = TRUE)
    )
  )
  expect_length(grep("Saved", messages), 2)
  messages <- capture_messages(fit_model(
    build_model(),
    callbacks = list(callback_backup_and_restore(dir, verbose = TRUE))
  ))
  expect_match(
    messages[[1]],
    "^Resuming after epoch 2, .*backup-000000000002.safetensors'[.]"
  )
})

# Takes the directory away when epoch `from` (the first is 0) begins, so that
# saves into it fail, and brings it back when epoch `to` does. What is still
# being saved is waited for, and so what fails is known: the save before counts
# one generation an epoch.
move_away <- function(dir, from, to = Inf) {
  away <- paste0(dir, "-away")
  keras()$callbacks$LambdaCallback(
    on_epoch_begin = function(epoch, logs = NULL) {
      if (epoch == from) {
        deadline <- Sys.time() + 60
        while (
          !identical(store_list(dir)$generation, as.numeric(from)) &&
            Sys.time() < deadline
        ) {
          Sys.sleep(0.01)
        }
        file.rename(dir, away)
      }
      if (epoch == to) file.rename(away, dir)
    }
  )
}

test_that("I4: a save that fails warns, training goes on, the next one saves", {
  skip_without_keras()
  skip_on_os("windows")
  for (async in c(TRUE, FALSE)) {
    dir <- withr::local_tempdir()
    callback <- callback_backup_and_restore(
      dir,
      delete_checkpoint = FALSE,
      async = async
    )
    # In the background a save may come when the directory is back already: so
    # there it stays away.
    warnings <- capture_warnings(
      history <- fit_model(
        build_model(),
        callbacks = list(callback, move_away(dir, 2, if (async) Inf else 4))
      )
    )
    expect_length(history$epoch, 6)
    failed <- grep("could not be saved", warnings, value = TRUE)
    # The first one in full, and those after it in one line at the end.
    expect_length(failed, if (async) 2 else 1)
    expect_match(failed, dir, fixed = TRUE)
    expect_match(failed, "ENOENT")
    expect_match(failed[[1]], "next save will try again")
    if (async) {
      expect_match(
        failed[[2]],
        "checkpoint of this training could not be saved \\(4 saves failed\\)"
      )
      expect_no_match(failed[[2]], "\n")
      file.rename(paste0(dir, "-away"), dir)
      expect_equal(backup_info(dir)$epoch, 2L)
      fit_model(build_model(), callbacks = list(callback))
    }
    expect_equal(backup_info(dir)$epoch, 6L)
    expect_true(backup_verify(dir))
  }
})

test_that("I4: on_save_error = \"stop\" ends fit(), the last save stays", {
  skip_without_keras()
  skip_on_os("windows")
  for (async in c(TRUE, FALSE)) {
    dir <- withr::local_tempdir()
    callback <- callback_backup_and_restore(
      dir,
      on_save_error = "stop",
      async = async
    )
    expect_error(
      fit_model(build_model(), callbacks = list(callback, move_away(dir, 2))),
      "ENOENT"
    )
    file.rename(paste0(dir, "-away"), dir)
    expect_equal(backup_info(dir)$epoch, 2L)
    history <- fit_model(
      build_model(),
      callbacks = list(callback_backup_and_restore(dir))
    )
    expect_equal(unlist(history$epoch), 2:5)
  }
})

test_that("I4 I10: a save that fails in the background is told of, whatever ends fit()", {
  skip_without_keras()
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  warnings <- capture_warnings(fit_until(
    build_model(),
    3L,
    callback_backup_and_restore(dir)
  ))
  expect_length(grep("could not be saved", warnings), 0)
  # The save at the end of epoch 3 fails, and then nothing else is saved.
  warnings <- capture_warnings(expect_error(
    fit_model(
      build_model(),
      callbacks = list(
        callback_backup_and_restore(dir),
        move_away(dir, 3),
        interrupt_at(4L)
      )
    ),
    "interrupted"
  ))
  expect_match(
    warnings,
    "checkpoint of this training could not be saved",
    all = FALSE
  )
  file.rename(paste0(dir, "-away"), dir)
  expect_equal(backup_info(dir)$epoch, 3L)
})

test_that("a training within a training does not take the other's callback", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  callback <- callback_backup_and_restore(dir, save_freq = 2L)
  refused <- NULL
  other <- build_model()
  inner <- keras()$callbacks$LambdaCallback(
    on_epoch_end = function(epoch, logs = NULL) {
      if (epoch == 1) {
        refused <<- tryCatch(
          fit_model(other, callbacks = list(callback)),
          error = conditionMessage
        )
      }
    }
  )
  model <- build_model()
  expect_error(
    fit_model(model, callbacks = list(callback, inner, interrupt_at(3L))),
    "interrupted"
  )
  expect_match(refused, "in use by another `fit()`", fixed = TRUE)
  # The outer one went on saving: before the last of nine batches.
  info <- backup_info(dir)
  expect_equal(c(info$epoch, info$batch), c(2L, 2L))
  expect_length(fit_model(rebuild_model(), callbacks = list(callback))$epoch, 4)
})

test_that("a backup that Keras' own callback made is told, and stays (I7)", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  writeLines("{}", file.path(dir, "training_metadata.json"))
  train <- function() {
    fit_model(
      build_model(),
      epochs = 2L,
      callbacks = list(
        callback_backup_and_restore(dir)
      )
    )
  }
  expect_message(
    history <- train(),
    "training_metadata.json",
    class = "kerasbackup_message_keras"
  )
  expect_length(history$epoch, 2)
  expect_equal(files_in(dir), "training_metadata.json")
})

test_that("old checkpoints that cannot be removed are told once a fit()", {
  skip_without_keras()
  local_fault(op = "unlink", at = 1, errno = "EACCES", persistent = TRUE)
  for (async in c(TRUE, FALSE)) {
    dir <- withr::local_tempdir()
    warnings <- capture_warnings(fit_model(
      build_model(),
      epochs = 4L,
      callbacks = list(
        callback_backup_and_restore(
          dir,
          delete_checkpoint = FALSE,
          async = async
        )
      )
    ))
    expect_length(warnings, 1)
    expect_match(warnings, "Old checkpoint files.*backup-000000000001.*EACCES")
    expect_equal(store_list(dir)$generation, 4:1)
  }
})

test_that("a last checkpoint that may not survive a power cut is told when fit() ends (I2, I4)", {
  skip_without_keras()
  # After the parent of the directory, and two saves.
  local_fault(op = "sync_dir", at = 4, errno = "EIO")
  for (async in c(TRUE, FALSE)) {
    dir <- withr::local_tempdir()
    messages <- capture_news(
      warnings <- capture_warnings(fit_model(
        build_model(),
        epochs = 3L,
        callbacks = list(callback_backup_and_restore(
          dir,
          delete_checkpoint = FALSE,
          async = async,
          verbose = TRUE
        ))
      ))
    )
    expect_length(grep("Saved", messages), 2)
    expect_match(warnings, "power cut")
    expect_match(utils::tail(warnings, 1), "last checkpoint of this training")
    # It is complete all the same, and the one before is there.
    expect_equal(store_list(dir)$generation, 3:2)
  }
})

test_that("a state that cannot be saved obeys `on_save_error`", {
  skip_without_keras()
  helpers <- reticulate::import_from_path(
    "hostile_helpers",
    testthat::test_path("python"),
    delay_load = FALSE
  )
  for (async in c(TRUE, FALSE)) {
    dir <- withr::local_tempdir()
    callback <- callback_backup_and_restore(
      dir,
      delete_checkpoint = FALSE,
      async = async
    )
    allow <- helpers$refuse_captures(1L)
    warnings <- capture_warnings(
      fit_model(build_model(), epochs = 3L, callbacks = list(callback))
    )
    allow()
    expect_length(warnings, 1)
    expect_match(warnings, "training continues.*too odd")
    expect_equal(backup_info(dir)$epoch, 3L)
  }
  dir <- withr::local_tempdir()
  allow <- helpers$refuse_captures(1L)
  expect_error(
    fit_model(
      build_model(),
      epochs = 3L,
      callbacks = list(
        callback_backup_and_restore(dir, on_save_error = "stop")
      )
    ),
    "too odd"
  )
  allow()
  expect_equal(nrow(store_list(dir)), 0)
})
