# Signals, sent for real to a real R process in fit(): the exact position is
# saved, training stops, and another process ends with the same bits (I10).

validate <- function(...) fit_model(..., validation_split = 0.25)

# 72 rows to train on: 3 batches an epoch, 6 epochs.
reference <- function() {
  model <- build_model()
  list(
    losses = validate(model)$history$val_loss,
    variables = variables_of(model)
  )
}

expect_resumed <- function(
  dir,
  whole,
  freq = "epoch",
  model = rebuild_model()
) {
  # That the callback which sent the signal is not there is said.
  suppressMessages(
    history <- validate(
      model,
      callbacks = list(
        callback_backup_and_restore(dir, freq, history = "full")
      )
    ),
    classes = "kerasbackup_message_notes"
  )
  expect_identical(variables_of(model), whole$variables)
  expect_identical(history$history$val_loss, whole$losses)
  expect_length(list.files(dir), 0)
}

test_that("a signal at any moment: saved at that batch, resumed bitwise equal", {
  skip_without_keras()
  skip_on_os("windows")
  root <- withr::local_tempdir()
  process <- start_training(
    {
      stopped <- function(name, freq, hook, epoch, batch = NULL, ...) {
        preempted <- tryCatch(
          fit_model(
            build_model(),
            validation_split = 0.25,
            callbacks = list(
              signal_at("SIGTERM", hook, epoch, batch),
              ...,
              callback_backup_and_restore(
                file.path(args, name),
                freq,
                save_before_preemption = TRUE
              )
            )
          ),
          kerasbackup_preempted = identity
        )
        cat(
          name,
          class(preempted)[[1]],
          preempted$saved,
          basename(paste0(preempted$path, "")),
          preempted$signals,
          count_threads_left(),
          catches(15L),
          "\n"
        )
      }
      stopped("batch", "epoch", "on_train_batch_begin", 2, 1)
      stopped("validation", 4L, "on_test_begin", 1)
      stopped("end", 8L, "on_epoch_end", 1)
      stopped("begin", "epoch", "on_epoch_begin", 3)
      stopped("alone", FALSE, "on_epoch_begin", 3)
      stopped("first", FALSE, "on_epoch_begin", 0)
      # A second one while it saves.
      stopped(
        "twice",
        FALSE,
        "on_train_batch_begin",
        4,
        1,
        signal_at("SIGTERM", "get_state", 4)
      )
      # And one when it is run again, before anything is trained.
      stopped("again", 4L, "on_train_batch_begin", 1, 1)
      stopped("again", 4L, "on_train_begin", 0)

      cat("# With nothing left to save training is complete.\n")
      told <- character()
      history <- withCallingHandlers(
        fit_model(
          build_model(),
          callbacks = list(
            signal_at("SIGTERM", "on_epoch_end", 5),
            callback_backup_and_restore(
              tempfile(),
              save_before_preemption = TRUE
            )
          )
        ),
        kerasbackup_message_signal = function(m) {
          told <<- conditionMessage(m)
          invokeRestart("muffleMessage")
        }
      )
      cat(length(history$epoch), sub(".* ", "", gsub("\n", " ", told)), "\n")
      cat(catches(15L), "\n")

      cat("# Whatever else ends fit(): the handler goes.\n")
      fit_until(
        build_model(),
        1L,
        callback_backup_and_restore(tempfile(), save_before_preemption = TRUE)
      )
      cat(catches(15L), count_threads_left(), "\n")

      cat("# Python code that deals with it itself is not disturbed.\n")
      data <- train_data()
      caught <- python_helpers()$fit_caught(
        build_model(),
        data$x,
        data$y,
        list(
          signal_at("SIGTERM", "on_train_batch_begin", 1, 1),
          callback_backup_and_restore(tempfile(), save_before_preemption = TRUE)
        )
      )
      cat(caught, "\n")

      cat("# A script's own handler is called on, and put back.\n")
      by_user <- function(name, ...) {
        fit_model(
          build_model(),
          callbacks = list(
            signal_at(name, "on_train_batch_begin", 1, 1),
            callback_backup_and_restore(
              ...,
              save_before_preemption = c("SIGUSR1", "SIGUSR2")
            )
          )
        )
      }
      handler <- python_helpers()$CountSignals("SIGUSR1")
      signals <- tryCatch(
        by_user("SIGUSR1", tempfile()),
        kerasbackup_preempted = function(e) e$signals
      )
      cat(signals, handler$calls, handler$is_set(), "")
      handler$send()
      cat(handler$calls, "\n")

      cat("# A handler for any error gets the same.\n")
      any <- tryCatch(by_user("SIGUSR1", tempfile()), error = identity)
      cat(class(any)[[1]], "\n")

      # Uncaught. R's own handler would save the workspace and quit, with
      # status 2.
      by_user("SIGUSR2", file.path(args, "uncaught"), FALSE)
      cat("went on\n")
    },
    root
  )
  whole <- reference()
  result <- end_of(process)
  expect_equal(result$status, 1, info = result$err)
  saved <- function(name, generation) {
    sprintf(
      "%s kerasbackup_preempted TRUE backup-%012i.safetensors SIGTERM",
      name,
      generation
    )
  }
  # No thread of ours is left, and no handler.
  stopped <- sub(" (0|NA) (FALSE|NA) $", "", result$out[1:9])
  expect_equal(
    stopped,
    c(
      saved("batch", 3),
      saved("validation", 2),
      saved("end", 1),
      saved("begin", 3),
      saved("alone", 1),
      "first kerasbackup_preempted FALSE  SIGTERM",
      saved("twice", 1),
      saved("again", 2),
      saved("again", 2)
    )
  )
  rest <- trimws(grep("^#", result$out[-(1:9)], value = TRUE, invert = TRUE))
  expect_length(rest, 6)
  expect_equal(rest[[1]], "6 SIGTERM")
  expect_match(rest[[2]], "^(FALSE|NA)$")
  expect_match(rest[[3]], "^(FALSE|NA) (0|NA)$")
  expect_equal(rest[[4]], "PreemptedError")
  expect_equal(rest[[5]], "SIGUSR1 1 TRUE 2")
  expect_equal(rest[[6]], "kerasbackup_preempted")

  dir <- function(name) file.path(root, name)
  expect_left(dir("batch"), 2, 2)
  expect_left(dir("validation"), 2)
  expect_left(dir("end"), 2)
  expect_left(dir("begin"), 3)
  expect_left(dir("alone"), 3, 1)
  expect_left(dir("twice"), 4, 2)
  expect_left(dir("again"), 1, 2)
  expect_equal(nrow(store_list(dir("first"))), 0)
  expect_left(dir("uncaught"), 1, 2)
  said <- grep(
    "SIGUSR2 was received, and training was stopped",
    result$err,
    value = TRUE
  )
  expect_length(said, 1)
  expect_match(said, "PreemptedError: SIGUSR2")
  expect_match(said, store_list(dir("uncaught"))$path, fixed = TRUE)

  names <- c(
    "batch",
    "validation",
    "end",
    "begin",
    "alone",
    "twice",
    "again"
  )
  for (name in names) {
    expect_resumed(dir(name), whole, if (name == "again") 4L else "epoch")
  }
  # There is nothing to go on from.
  expect_resumed(dir("first"), whole, model = build_model())
})

test_that("a signal from outside: the script says how it exits", {
  skip_without_keras()
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  process <- start_training(
    {
      writeLines(as.character(Sys.getpid()), paste0(args, "-pid"))
      tryCatch(
        fit_model(
          build_model(),
          validation_split = 0.25,
          callbacks = list(
            python_helpers()$SlowFrom(2L),
            callback_backup_and_restore(args, save_before_preemption = TRUE)
          )
        ),
        kerasbackup_preempted = function(e) {
          cat(conditionMessage(e), "\n")
          quit(status = 75)
        }
      )
    },
    dir
  )
  whole <- reference()
  withr::defer(unlink(paste0(dir, "-pid")))
  deadline <- Sys.time() + 200
  while (!identical(store_list(dir)$generation, 2) && Sys.time() < deadline) {
    Sys.sleep(0.02)
  }
  pid <- as.integer(readLines(paste0(dir, "-pid")))
  tools::pskill(pid, tools::SIGTERM)
  result <- end_of(process)
  expect_equal(result$status, 75, info = result$err)
  expect_match(result$out, "SIGTERM was received, and training was stopped")
  expect_match(result$out, store_list(dir)$path[[1]], fixed = TRUE)
  # Before the first batch or after one that was slow.
  info <- backup_info(dir)
  expect_gte(info$epoch, 2)
  expect_left(dir, info$epoch, info$batch)
  expect_resumed(dir, whole)
})
