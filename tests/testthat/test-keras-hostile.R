# Checkpoints that are damaged, or written to do harm, met by real training:
# nothing of the model is assigned, whatever the file says (I5, I6), and what is
# raised is CorruptError, or UnsupportedError where a field is missing.

hostile <- function() {
  reticulate::import_from_path(
    "hostile_helpers",
    testthat::test_path("python"),
    delay_load = FALSE
  )
}

# Trains with what is in `dir`; the class of the exception, "trained" for none,
# and the message.
try_fit <- function(model, dir, ..., callbacks = list(), epochs = 2L) {
  data <- train_data()
  result <- suppressMessages(hostile()$try_fit(
    model,
    reticulate::np_array(data$x, dtype = "float32"),
    reticulate::np_array(data$y, dtype = "float32"),
    c(
      callbacks,
      list(callback_backup_and_restore(
        dir,
        delete_checkpoint = FALSE,
        ...
      ))
    ),
    epochs
  ))
  list(kind = result[[1]], message = result[[2]])
}

test_that("I5: with a damaged checkpoint alone nothing is assigned", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  fit_until(build_model(), 2L, callback_backup_and_restore(dir))
  path <- store_list(dir)$path
  good <- readBin(path, "raw", 1e7)
  n <- length(good)
  model <- build_model(seed = 3L)
  # Trained a little, so that the optimizer has its variables.
  fit_model(model, epochs = 1L)
  before <- variables_of(model)
  places <- round(seq(1, n, length.out = 25))
  damages <- c(
    lapply(places, function(i) {
      replace(good, i, xor(good[[i]], as.raw(2^(i %% 8))))
    }),
    lapply(places[-1] - 1, function(i) good[seq_len(i)]),
    list(
      replace(good, 1:min(n, 4096), as.raw(0)),
      replace(good, max(1, n - 4095):n, as.raw(0)),
      rev(good),
      c(good, good)
    )
  )
  for (bad in damages) {
    writeBin(bad, path)
    result <- try_fit(model, dir)
    expect_equal(result$kind, "CorruptError")
    expect_match(result$message, path, fixed = TRUE)
    expect_identical(variables_of(model), before)
    expect_identical(readBin(path, "raw", 1e7), bad)
  }
  writeBin(good, path)
  expect_equal(try_fit(model, dir)$kind, "trained")
  expect_false(identical(variables_of(model), before))
})

test_that("I5: with an older checkpoint training goes on from that, exactly", {
  skip_without_keras()
  whole <- build_model()
  fit_model(whole, epochs = 5L)
  for (at in c(20, 0.3, 0.7, -10)) {
    dir <- withr::local_tempdir()
    backup <- function() {
      callback_backup_and_restore(
        dir,
        double_checkpoint = TRUE,
        delete_checkpoint = FALSE
      )
    }
    fit_until(build_model(), 4L, backup(), epochs = 5L)
    newest <- store_list(dir)$path[[1]]
    n <- file.size(newest)
    data_len <- sum(backup_info(dir)$variables$bytes)
    in_data <- at > 0 && at < 1
    # A share of the data, or bytes from the beginning or the end.
    flip_bit(
      newest,
      if (in_data) {
        n - trailer_length(data_len) - floor(at * data_len)
      } else {
        at %% n
      }
    )
    model <- rebuild_model()
    warning <- expect_warning(
      history <- fit_model(model, epochs = 5L, callbacks = list(backup())),
      class = "kerasbackup_warning_fallback"
    )
    message <- conditionMessage(warning)
    expect_match(message, newest, fixed = TRUE)
    if (in_data) {
      expect_match(message, "Damaged tensor: [a-z]+/")
    }
    expect_equal(unlist(history$epoch), 3:4)
    expect_identical(variables_of(model), variables_of(whole))
  }
})

test_that("metadata of the wrong kind are refused, nothing is assigned", {
  skip_without_keras()
  from <- withr::local_tempdir()
  log <- withr::local_tempfile()
  callbacks <- function() {
    k <- keras()
    list(
      k$callbacks$EarlyStopping(
        "loss",
        patience = 9L,
        restore_best_weights = TRUE
      ),
      k$callbacks$CSVLogger(log),
      hostile()$keeper()
    )
  }
  # In the middle of an epoch, so that all of the position is used.
  expect_error(
    fit_model(
      build_model(),
      batch_size = 32L,
      callbacks = c(
        callbacks(),
        list(
          callback_backup_and_restore(from, save_freq = 4L),
          interrupt_at(2)
        )
      )
    ),
    "interrupted"
  )
  path <- store_list(from)$path
  expect_equal(backup_info(from)$batch, 1L)
  metadata <- hostile()$metadata_of(store_header(path))
  dir <- withr::local_tempdir()

  model <- build_model(seed = 3L)
  fit_model(model, epochs = 1L)
  before <- variables_of(model)
  # A field that is missing may be unknown to the version that wrote them.
  refused <- c("CorruptError", "UnsupportedError")
  # What fit() ends with, where the metadata are these.
  meet <- function(where, ...) {
    rewrite_metadata(path, ..., to = dir)
    written <- readLines(log)
    # In this session others have trained here, so data that differ would be
    # refused as another fold.
    result <- try_fit(
      model,
      dir,
      callbacks = callbacks(),
      on_change = "message"
    )
    if (result$kind %in% refused) {
      expect_match(result$message, dir, fixed = TRUE)
      expect_identical(variables_of(model), before, label = where)
      expect_identical(readLines(log), written, label = where)
    } else {
      before <<- variables_of(model)
      writeLines(written, log)
    }
    result$kind
  }

  for (field in c(
    "epoch",
    "batch",
    "validation",
    "stopped",
    "history",
    "callbacks",
    "position",
    "training"
  )) {
    arguments <- stats::setNames(list(NULL), field)
    expect_equal(
      do.call(meet, c(paste(field, "gone"), arguments)),
      "UnsupportedError"
    )
    for (text in c(
      "",
      "x",
      "-1",
      "null",
      "\"x\"",
      "0.5",
      "[]",
      "[[]]",
      "{",
      "\ud7ff",
      strrep("9", 5000),
      hostile()$deep(100000L)
    )) {
      arguments[[field]] <- text
      expect_equal(
        do.call(meet, c(paste(field, substr(text, 1, 20)), arguments)),
        "CorruptError",
        label = paste(field, substr(text, 1, 20))
      )
    }
  }

  # What is read is not done 10^12 times.
  for (one in hostile()$counts(metadata)) {
    where <- paste(one[[1]], one[[2]])
    arguments <- stats::setNames(list(one[[3]]), one[[1]])
    expect_equal(
      do.call(meet, c(where, arguments)),
      "CorruptError",
      label = where
    )
  }

  number <- as.integer(Sys.getenv("KERASBACKUP_MUTATIONS", "40"))
  seed <- as.integer(Sys.getenv("KERASBACKUP_SEED", "1"))
  kinds <- character()
  for (one in hostile()$mutations(metadata, seed, number)) {
    where <- paste(one[[1]], one[[2]])
    arguments <- stats::setNames(list(one[[3]]), one[[1]])
    kind <- do.call(meet, c(where, arguments))
    expect_true(kind %in% c(refused, "trained"), label = paste(where, kind))
    kinds <- c(kinds, kind)
  }
  expect_gt(sum(kinds == "CorruptError"), length(kinds) / 4)
  expect_equal(meet("as it was"), "trained")
})

test_that("a state that would replace a callback's methods is refused", {
  skip_without_keras()
  from <- withr::local_tempdir()
  fit_until(build_model(), 2L, callback_backup_and_restore(from))
  path <- store_list(from)$path
  dir <- withr::local_tempdir()
  model <- build_model(seed = 3L)
  fit_model(model, epochs = 1L)
  before <- variables_of(model)
  for (attribute in c(
    "on_epoch_end",
    "__class__",
    "__dict__",
    "model",
    "_model",
    "params",
    "set_model"
  )) {
    rewrite_metadata(
      path,
      callbacks = paste0(
        "{\"CountBatches\":{},\"EarlyStopping\":{\"attributes\":{\"",
        attribute,
        "\":1}}}"
      ),
      to = dir
    )
    result <- try_fit(
      model,
      dir,
      callbacks = list(keras()$callbacks$EarlyStopping("loss"))
    )
    expect_equal(result$kind, "CorruptError", label = attribute)
    expect_match(result$message, attribute, fixed = TRUE)
    expect_identical(variables_of(model), before)
  }
})

test_that("a header that only some parsers read is refused by all", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  fit_until(build_model(), 2L, callback_backup_and_restore(dir))
  path <- store_list(dir)$path
  generation <- store_list(dir)$generation
  parts <- hostile_parts(path)
  model <- build_model(seed = 3L)
  fit_model(model, epochs = 1L)
  before <- variables_of(model)
  for (change in list(
    c("\"data_offsets\":[0,", "\"data_offsets\":[0.0,"),
    c("\"shape\":[1]", "\"shape\":[1e0]"),
    c("/kernel\"", "/\\ud800\"")
  )) {
    header <- sub(change[[1]], change[[2]], parts$header, fixed = TRUE)
    expect_false(header == parts$header, label = change[[2]])
    write_hostile(path, header, parts$data, generation)
    result <- try_fit(model, dir)
    expect_equal(result$kind, "CorruptError", label = change[[2]])
    expect_match(result$message, path, fixed = TRUE)
    expect_identical(variables_of(model), before)
  }
})

test_that("what is nested too deeply is named, and training goes on", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  told <- expect_message(
    fit_model(
      build_model(),
      epochs = 2L,
      callbacks = list(
        hostile()$looper(),
        callback_backup_and_restore(dir)
      )
    ),
    "Loops.deep",
    class = "kerasbackup_message_unsaved"
  )
  # What is nested in itself is saved.
  expect_no_match(conditionMessage(told), "Loops.loop")
})
