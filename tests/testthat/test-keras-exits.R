# However fit() is left: the newest checkpoint stays, the lock is free, no
# thread is left (I8, I10). Errors, a model or a directory that does not fit,
# and failing saves are in test-keras-directory.R, kills in tests/exactness,
# signals that are waited for in test-keras-preemption.R.

test_that("an error, a callback that goes, the package that goes, q()", {
  skip_without_keras()
  skip_on_os("windows")
  root <- withr::local_tempdir()
  process <- start_training(
    {
      backup <- function(name, ...) {
        callback_backup_and_restore(file.path(args, name), ...)
      }
      left <- function(name) {
        dir <- file.path(args, name)
        # Before anybody takes over what is held by a training that is over.
        held <- length(ls(lock_table))
        lock_release(lock_acquire(dir))
        info <- backup_info(dir)
        cat(
          info$epoch,
          info$batch,
          backup_verify(dir),
          count_threads_left(),
          held,
          "\n"
        )
      }

      cat("# error\n")
      fit_until(build_model(), 2L, backup("error"))
      left("error")

      cat(
        "# The garbage collector takes the callback of a fit() that failed,\n"
      )
      cat("# while another one trains in the directory.\n")
      first <- backup("garbage")
      fit_until(build_model(), 1L, first)
      collect <- keras()$callbacks$LambdaCallback(
        on_epoch_begin = function(epoch, logs = NULL) {
          if (epoch == 2) {
            first <<- NULL
            gc()
            python_helpers()$collect_garbage()
            gc()
            held <- tryCatch(
              lock_acquire(file.path(args, "garbage")),
              kerasbackup_error_locked = function(e) "locked"
            )
            cat(if (is.character(held)) held else "free", "")
          }
        }
      )
      expect_error(
        fit_model(
          build_model(),
          callbacks = list(
            backup("garbage"),
            collect,
            interrupt_at(3L)
          )
        ),
        "interrupted"
      )
      left("garbage")

      cat("# The package is unloaded while it trains.\n")
      unload <- keras()$callbacks$LambdaCallback(
        on_epoch_begin = function(epoch, logs = NULL) {
          if (epoch == 2) {
            unloadNamespace("kerasbackup")
            cat("kerasbackup" %in% loadedNamespaces(), "")
          }
        }
      )
      message <- tryCatch(
        fit_model(
          build_model(),
          callbacks = list(
            backup("unload", save_before_preemption = TRUE),
            unload
          )
        ),
        error = conditionMessage
      )
      cat(grepl("closed", message), catches(15L), "")
      left("unload")

      # q(), from an R function that Python calls.
      quit_at <- keras()$callbacks$LambdaCallback(
        on_epoch_begin = function(epoch, logs = NULL) {
          if (epoch == 2) quit("no", status = 9)
        }
      )
      library(kerasbackup)
      fit_model(
        build_model(),
        callbacks = list(
          kerasbackup::callback_backup_and_restore(file.path(args, "quit")),
          quit_at
        )
      )
      cat("went on\n")
    },
    root
  )
  whole <- build_model()
  fit_model(whole)
  result <- end_of(process)
  expect_equal(result$status, 9, info = result$err)
  lines <- trimws(grep("^#", result$out, value = TRUE, invert = TRUE))
  expect_equal(
    sub(" NA ", " 0 ", lines),
    c(
      "2 0 TRUE 0 0",
      "locked 3 0 TRUE 0 0",
      "FALSE TRUE FALSE 2 0 TRUE 0 0"
    )
  )
  for (name in c("error", "garbage", "unload", "quit")) {
    dir <- file.path(root, name)
    expect_left(dir, if (name == "garbage") 3 else 2)
    model <- rebuild_model()
    # That the callback which sent the signal is not there is said.
    suppressMessages(
      fit_model(model, callbacks = list(callback_backup_and_restore(dir))),
      classes = "kerasbackup_message_notes"
    )
    expect_identical(variables_of(model), variables_of(whole))
  }
})

test_that("Ctrl+C", {
  # It has a process of its own, because reticulate before 1.37 may jump over
  # Python's frames when Python's handler of the signal calls R. Whatever Python
  # runs next may then crash.
  skip_without_keras()
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  process <- start_training(
    {
      outcome <- tryCatch(
        fit_model(
          build_model(),
          callbacks = list(
            callback_backup_and_restore(args),
            signal_at("SIGINT", "on_train_batch_begin", 2, 1)
          )
        ),
        interrupt = function(e) "interrupted",
        error = function(e) "interrupted"
      )
      held <- length(ls(lock_table))
      lock_release(lock_acquire(args))
      cat(outcome, count_threads_left(), held, "\n")
    },
    dir
  )
  result <- end_of(process)
  expect_equal(result$status, 0, info = result$err)
  expect_equal(trimws(sub("NA", "0", result$out)), "interrupted 0 0")
  expect_match(
    paste(result$err, collapse = " "),
    "`backup_history(",
    fixed = TRUE
  )
  expect_left(dir, 2)
  model <- rebuild_model()
  # That the callback which sent the signal is not there is said.
  suppressMessages(
    fit_model(model, callbacks = list(callback_backup_and_restore(dir))),
    classes = "kerasbackup_message_notes"
  )
  whole <- build_model()
  fit_model(whole)
  expect_identical(variables_of(model), variables_of(whole))
})

test_that("SIGTERM that nobody waits for ends the process, the checkpoint stays", {
  skip_without_keras()
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  process <- start_training(
    {
      fit_model(
        build_model(),
        callbacks = list(
          callback_backup_and_restore(args),
          signal_at("SIGTERM", "on_train_batch_begin", 3, 1)
        )
      )
      cat("went on\n")
    },
    dir
  )
  result <- end_of(process)
  expect_equal(result$status, 128 + 15)
  expect_length(result$out, 0)
  # What was being saved may not have been committed.
  epoch <- backup_info(dir)$epoch
  expect_true(epoch %in% 2:3)
  # A killed process leaves its temporary file: the next training sweeps it.
  unlink(list.files(dir, "tmp$", full.names = TRUE))
  expect_left(dir, epoch)
})

test_that("nothing of the data is kept when fit() has returned", {
  # An iterator of TensorFlow's that is there when Python ends may wait for a
  # thread of its own forever.
  skip_without_keras()
  dir <- withr::local_tempdir()
  data <- numpy_data()
  left <- function(callbacks) {
    python_helpers()$iterators_left(
      build_model(),
      data[[1]],
      data[[2]],
      callbacks
    )
  }
  # Keras 3.8 keeps one itself.
  expect_identical(
    left(list(callback_backup_and_restore(dir))),
    left(list())
  )
})
