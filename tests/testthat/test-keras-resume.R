# Interrupted and run again: what the user came for.

test_that("Keras' documented example: 4 epochs, an interruption, 6 more", {
  skip_without_keras()
  k <- keras()
  dir <- withr::local_tempfile()
  callback <- callback_backup_and_restore(dir)
  expect_s3_class(callback, "keras.src.callbacks.callback.Callback")
  model <- k$Sequential(list(
    k$Input(reticulate::tuple(10L)),
    k$layers$Dense(10L)
  ))
  model$compile(k$optimizers$SGD(), loss = "mse")
  fit <- function(callbacks) {
    model$fit(
      reticulate::np_array(matrix(0, 5, 10)),
      reticulate::np_array(matrix(0, 5, 1)),
      epochs = 10L,
      batch_size = 1L,
      verbose = 0L,
      callbacks = callbacks
    )
  }
  expect_error(fit(list(callback, interrupt_at(4L))), "interrupted")
  expect_equal(backup_info(dir)$epoch, 4L)
  expect_equal(nrow(backup_history(dir)), 4)
  history <- fit(list(callback))
  expect_length(history$history$loss, 6)
  expect_equal(unlist(history$epoch), 4:9)
  # We made the directory and nothing is left in it.
  expect_false(dir.exists(dir))
  # A later plain fit() starts at the beginning.
  expect_length(fit(list())$history$loss, 10)
})

test_that("resumed between epochs on arrays is bitwise equal", {
  skip_without_keras()
  for (shuffle in list(TRUE, FALSE, "batch")) {
    for (input in c(TRUE, FALSE)) {
      whole <- build_model(input = input)
      reference <- fit_model(whole, shuffle = shuffle)

      dir <- withr::local_tempdir()
      callback <- callback_backup_and_restore(dir)
      fit_until(
        build_model(input = input),
        3L,
        callback,
        shuffle = shuffle
      )
      resumed <- rebuild_model(input = input)
      callback <- callback_backup_and_restore(dir)
      history <- fit_model(
        resumed,
        shuffle = shuffle,
        callbacks = list(callback)
      )

      expect_identical(variables_of(resumed), variables_of(whole))
      expect_identical(
        history$history$loss,
        reference$history$loss[4:6]
      )
      expect_identical(history$history$mae, reference$history$mae[4:6])
    }
  }
})

test_that("interrupted twice, it is still bitwise equal", {
  skip_without_keras()
  whole <- build_model()
  fit_model(whole)
  dir <- withr::local_tempdir()
  fit_until(build_model(), 2L, callback_backup_and_restore(dir))
  fit_until(rebuild_model(), 4L, callback_backup_and_restore(dir))
  resumed <- rebuild_model()
  history <- fit_model(
    resumed,
    callbacks = list(callback_backup_and_restore(dir))
  )
  expect_length(history$history$loss, 2)
  expect_identical(variables_of(resumed), variables_of(whole))
})

test_that("an iterator that lives across epochs is made and drawn from again", {
  skip_without_keras()
  # 96 rows are six batches: it ends in the second epoch and in the fourth.
  fit <- function(...) fit_model(..., steps_per_epoch = 4L, batch_size = 16L)
  whole <- build_model()
  fit(whole)
  for (epoch in 1:5) {
    dir <- withr::local_tempdir()
    expect_error(
      fit(
        build_model(),
        callbacks = list(
          callback_backup_and_restore(dir),
          interrupt_at(epoch)
        )
      ),
      "interrupted"
    )
    resumed <- rebuild_model()
    fit(resumed, callbacks = list(callback_backup_and_restore(dir)))
    expect_identical(
      variables_of(resumed),
      variables_of(whole),
      info = paste("interrupted after", epoch)
    )
  }
})

test_that("R's random numbers go on where they were", {
  skip_without_keras()
  drawn <- numeric()
  draw <- function() {
    keras()$callbacks$LambdaCallback(
      on_epoch_end = function(epoch, logs = NULL) drawn <<- c(drawn, runif(1))
    )
  }
  withr::local_seed(7)
  fit_model(build_model(), callbacks = list(draw()))
  reference <- drawn

  dir <- withr::local_tempdir()
  drawn <- numeric()
  set.seed(7)
  expect_error(fit_model(
    build_model(),
    callbacks = list(
      callback_backup_and_restore(dir),
      draw(),
      interrupt_at(3L)
    )
  ))
  set.seed(8)
  fit_model(
    build_model(),
    callbacks = list(
      callback_backup_and_restore(dir),
      draw()
    )
  )
  expect_identical(drawn, reference)
})

test_that("an integer save_freq saves every so many batches", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  generations <- numeric()
  look <- keras()$callbacks$LambdaCallback(
    on_train_batch_begin = function(batch, logs = NULL) {
      newest <- store_list(dir)$generation
      generations <<- c(generations, if (length(newest)) max(newest) else 0)
    }
  )
  # 3 batches an epoch, 6 epochs, a save every 4 batches: it is made before any
  # callback hears of the batch that follows.
  fit_model(
    build_model(),
    callbacks = list(
      callback_backup_and_restore(dir, save_freq = 4, async = FALSE),
      look
    )
  )
  expect_equal(
    generations,
    rep(0:4, c(4, 4, 4, 4, 2))
  )
})

test_that("resume = \"epoch\" redoes the epoch that was under way", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  resume <- function(resume) {
    callback <- callback_backup_and_restore(dir, save_freq = 4, resume = resume)
    fit_until(build_model(), 3L, callback)
    info <- backup_info(dir)
    expect_equal(c(info$epoch, info$batch), c(2L, 2L))
    counter <- count_batches()
    history <- fit_model(
      build_model(),
      callbacks = list(
        callback_backup_and_restore(dir, save_freq = 4, resume = resume),
        counter
      )
    )
    expect_equal(unlist(history$epoch), 2:5)
    counter$batches
  }
  expect_equal(resume("epoch"), 12L)
  # Two of the three batches of that epoch were trained on already.
  expect_equal(resume("batch"), 10L)
})

test_that("resumed in the middle of an epoch is bitwise equal", {
  skip_without_keras()
  for (shuffle in list(TRUE, "batch")) {
    whole <- build_model()
    reference <- fit_model(whole, shuffle = shuffle)
    dir <- withr::local_tempdir()
    fit_until(
      build_model(),
      4L,
      callback_backup_and_restore(dir, save_freq = 5),
      shuffle = shuffle
    )
    expect_equal(backup_info(dir)$batch, 1L)
    resumed <- rebuild_model()
    history <- fit_model(
      resumed,
      shuffle = shuffle,
      callbacks = list(
        callback_backup_and_restore(dir, save_freq = 5, history = "full")
      )
    )
    expect_identical(variables_of(resumed), variables_of(whole))
    # history = "full": the epochs of the whole run, and its every value.
    expect_identical(history$history, reference$history)
    expect_equal(unlist(history$epoch), 0:5)
  }
})

test_that("an epoch whose data end is bitwise equal at its very end", {
  skip_without_keras()
  data <- numpy_data()
  fit <- function(model, steps, ...) {
    batches <- do.call(python_file("sources")$batches, c(data, 19L))
    # Two batches a step, where Keras can: the last of 5 has one.
    at_once <- if (keras()$backend$backend() == "torch") 1L else 2L
    model$compile("adam", "mse", steps_per_execution = at_once)
    model$fit(
      batches,
      epochs = 1L,
      steps_per_epoch = steps,
      verbose = 0L,
      callbacks = list(...)
    )$history
  }
  at_the_end <- keras()$callbacks$LambdaCallback(
    on_epoch_end = function(epoch, logs = NULL) stop("interrupted")
  )
  # How many there are nobody knows, or somebody is wrong.
  for (steps in list(NULL, 9L)) {
    whole <- build_model()
    reference <- fit(whole, steps)
    dir <- withr::local_tempdir()
    saved <- function() {
      callback_backup_and_restore(
        dir,
        save_freq = 1,
        history = "full",
        async = FALSE
      )
    }
    for (make in list(build_model, rebuild_model)) {
      ends <- 0
      heard <- keras()$callbacks$LambdaCallback(
        on_train_batch_end = function(batch, logs = NULL) ends <<- ends + 1
      )
      expect_error(
        fit(make(), steps, saved(), heard, at_the_end),
        "interrupted"
      )
      # Then nothing was left to train, and nobody heard of it.
      expect_equal(ends > 0, identical(make, build_model))
    }
    resumed <- rebuild_model()
    expect_no_news(history <- fit(resumed, steps, saved()))
    expect_identical(history, reference)
    expect_identical(variables_of(resumed), variables_of(whole))
  }
})

test_that("epochs after the data have ended are bitwise equal too", {
  skip_without_keras()
  data <- numpy_data()
  fit <- function(model, ...) {
    # 5 batches: epochs of 3, 2, and the 2 that Keras had taken to look at.
    batches <- do.call(python_file("sources")$batches, c(data, 19L))
    model$compile("adam", "mse")
    model$fit(
      batches,
      epochs = 4L,
      steps_per_epoch = 3L,
      verbose = 0L,
      callbacks = list(...)
    )$history
  }
  whole <- build_model()
  reference <- fit(whole)
  for (freq in list(1, "epoch")) {
    dir <- withr::local_tempdir()
    saved <- function() {
      callback_backup_and_restore(
        dir,
        save_freq = freq,
        history = "full",
        async = FALSE
      )
    }
    in_epoch <- keras()$callbacks$LambdaCallback(
      on_epoch_end = function(epoch, logs = NULL) {
        if (epoch == 2) stop("interrupted")
      }
    )
    expect_error(fit(build_model(), saved(), in_epoch), "interrupted")
    resumed <- rebuild_model()
    expect_no_news(history <- fit(resumed, saved()))
    expect_identical(history, reference)
    expect_identical(variables_of(resumed), variables_of(whole))
  }
})

test_that("other callbacks go on where they were, wherever they stand", {
  skip_without_keras()
  callbacks <- function() {
    k <- keras()$callbacks
    list(
      k$EarlyStopping(
        "mae",
        patience = 2L,
        min_delta = 0.2,
        restore_best_weights = TRUE
      ),
      k$ReduceLROnPlateau("mae", patience = 1L, min_delta = 0.3, factor = 0.5)
    )
  }
  whole <- build_model()
  reference <- fit_model(whole, epochs = 30, callbacks = callbacks())
  stopped <- length(reference$epoch)
  expect_lt(stopped, 30)
  for (first in c(TRUE, FALSE)) {
    dir <- withr::local_tempdir()
    with_ours <- function(...) {
      ours <- callback_backup_and_restore(dir, history = "full")
      if (first) c(ours, callbacks(), ...) else c(callbacks(), ours, ...)
    }
    expect_error(
      fit_model(
        build_model(),
        epochs = 30,
        callbacks = with_ours(interrupt_at(stopped - 2L))
      ),
      "interrupted"
    )
    resumed <- rebuild_model()
    history <- fit_model(resumed, epochs = 30, callbacks = with_ours())
    expect_identical(history$history, reference$history)
    expect_identical(variables_of(resumed), variables_of(whole))
  }
})

test_that("a CSVLogger's file is continued, no row lost or twice", {
  skip_without_keras()
  log <- withr::local_tempfile(fileext = ".csv")
  logger <- function() keras()$callbacks$CSVLogger(log)
  fit_model(build_model(), callbacks = list(logger()))
  reference <- readLines(log)
  dir <- withr::local_tempdir()
  # Saved after 8 batches, in the third epoch; three epochs are logged.
  expect_error(fit_model(
    build_model(),
    callbacks = list(
      logger(),
      callback_backup_and_restore(dir, save_freq = 8),
      interrupt_at(3L)
    )
  ))
  expect_length(readLines(log), 4)
  fit_model(
    build_model(),
    callbacks = list(
      logger(),
      callback_backup_and_restore(dir, save_freq = 8)
    )
  )
  expect_identical(readLines(log), reference)
})

test_that("what of a callback cannot be saved is named, once", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  odd <- python_helpers()$Odd()
  messages <- capture_news(
    fit_model(
      build_model(),
      callbacks = list(
        odd,
        callback_backup_and_restore(dir, delete_checkpoint = FALSE)
      )
    )
  )
  expect_length(grep("Odd.secret", messages), 1)
  header <- store_header(store_list(dir)$path)
  expect_match(manifest_parse(header, "file")$metadata$unsaved, "Odd.secret")
})

test_that("variables and callbacks in a callback's fields go on exactly", {
  skip_without_keras()
  average <- function() python_file("unseen_helpers")$Average()
  fit_model(build_model(), callbacks = list(whole <- average()))
  dir <- withr::local_tempdir()
  # Saved after 8 batches, lost after 9.
  expect_no_news(expect_error(
    fit_model(
      build_model(),
      callbacks = list(
        average(),
        callback_backup_and_restore(dir, save_freq = 8),
        interrupt_at(3L)
      )
    ),
    "interrupted"
  ))
  resumed <- average()
  expect_no_news(
    fit_model(
      build_model(),
      callbacks = list(
        resumed,
        callback_backup_and_restore(dir, save_freq = 8)
      )
    ),
    class = "kerasbackup_message_unsaved"
  )
  expect_identical(resumed$state(), whole$state())
})

test_that("what of a model is in no checkpoint is named, once", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  messages <- list()
  withCallingHandlers(
    fit_model(
      python_file("unseen_helpers")$eager_model(),
      callbacks = list(
        callback_backup_and_restore(dir, 2, delete_checkpoint = FALSE)
      )
    ),
    message = function(m) {
      messages[[length(messages) + 1]] <<- m
      invokeRestart("muffleMessage")
    }
  )
  expect_length(messages, 1)
  expect_s3_class(messages[[1]], "kerasbackup_message_unsaved")
  expect_match(
    conditionMessage(messages[[1]]),
    "layer counting_calls.late",
    fixed = TRUE
  )
  header <- store_header(store_list(dir)$path)
  metadata <- manifest_parse(header, "file")$metadata
  expect_match(metadata$unsaved, "counting_calls.late")
  # A number is saved instead.
  expect_no_match(conditionMessage(messages[[1]]), "count$")
  expect_match(metadata$attributes, "\"count\": [", fixed = TRUE)
})

test_that("what torch's modules keep beside their parameters comes back", {
  skip_without_keras()
  skip_if(Sys.getenv("KERAS_BACKEND") != "torch", "the backend has none")
  helpers <- python_file("unseen_helpers")
  fit_model(whole <- helpers$torch_model())
  dir <- withr::local_tempdir()
  expect_no_news(
    fit_until(helpers$torch_model(), 3L, callback_backup_and_restore(dir, 2))
  )
  resumed <- helpers$torch_model()
  fit_model(resumed, callbacks = list(callback_backup_and_restore(dir, 2)))
  expect_identical(
    helpers$torch_statistics(resumed),
    helpers$torch_statistics(whole)
  )
  expect_identical(variables_of(resumed), variables_of(whole))
})

test_that("with other data every batch of them is trained on", {
  skip_without_keras()
  # 96 rows: 3 batches of 32, 6 of 16. Saved in the third epoch's middle, or at
  # its end.
  for (freq in list("epoch", 8L)) {
    dir <- withr::local_tempdir()
    fit_until(build_model(), 3L, callback_backup_and_restore(dir, freq))
    done <- backup_info(dir)$epoch
    counter <- count_batches()
    messages <- capture_news(
      fit_model(
        build_model(),
        batch_size = 16L,
        callbacks = list(
          callback_backup_and_restore(dir, freq),
          counter
        )
      )
    )
    expect_match(
      paste(messages, collapse = ""),
      "batch_size was 32 when the checkpoint was made and is 16 now",
      fixed = TRUE
    )
    expect_equal(counter$batches, 6 * (6 - done))
  }
  # And fewer batches than were trained on already.
  dir <- withr::local_tempdir()
  fit_until(build_model(), 3L, callback_backup_and_restore(dir, 8L))
  expect_equal(backup_info(dir)$batch, 2L)
  counter <- count_batches()
  expect_message(
    fit_model(
      build_model(),
      batch_size = 96L,
      callbacks = list(
        callback_backup_and_restore(dir, 8L),
        counter
      )
    ),
    "starts over"
  )
  expect_equal(counter$batches, 4)
})

test_that("the same callback twice in the list is one", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  callback <- callback_backup_and_restore(dir, delete_checkpoint = FALSE)
  history <- fit_model(build_model(), callbacks = list(callback, callback))
  expect_length(history$epoch, 6)
  expect_equal(store_list(dir)$generation, 6)
})

test_that("a CallbackList can be used again", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  whole <- build_model()
  for (i in 1:2) {
    fit_model(whole)
  }
  model <- build_model()
  callbacks <- keras()$callbacks$CallbackList(
    list(callback_backup_and_restore(dir)),
    add_history = TRUE,
    model = model,
    epochs = 6L
  )
  for (i in 1:2) {
    fit_model(model, callbacks = callbacks)
  }
  expect_identical(variables_of(model), variables_of(whole))
})

test_that("options are as they were after fit(), however it ends", {
  skip_without_keras()
  withr::local_options(warning.length = 1234L)
  dir <- withr::local_tempdir()
  ours <- function() callback_backup_and_restore(dir)
  fit_model(build_model(), callbacks = list(ours()))
  expect_equal(getOption("warning.length"), 1234L)
  # The second finds the directory locked by the first.
  expect_error(fit_model(build_model(), callbacks = list(ours(), ours())))
  expect_equal(getOption("warning.length"), 1234L)
  fit_until(build_model(), 1L, ours())
  expect_equal(getOption("warning.length"), 1234L)
})

test_that("nothing left to do is said", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  run <- function() {
    fit_model(
      build_model(),
      callbacks = list(
        callback_backup_and_restore(dir, delete_checkpoint = FALSE)
      )
    )
  }
  expect_identical(capture_news(run()), character())
  expect_complete(run)
})

test_that("fewer epochs than are done are not the end of a training (I10)", {
  skip_without_keras()
  whole <- build_model()
  fit_model(whole)
  for (epochs in 2:3) {
    dir <- withr::local_tempdir()
    callback <- callback_backup_and_restore(dir, save_freq = 2L)
    # Three epochs of three batches, and one batch of the fourth.
    fit_until(build_model(), 5L, callback, steps_per_epoch = 3L)
    files <- files_in(dir)
    callback <- callback_backup_and_restore(dir)
    expect_message(
      history <- fit_model(
        build_model(),
        epochs = epochs,
        steps_per_epoch = 3L,
        callbacks = list(callback)
      ),
      "made after 4 epochs",
      class = "kerasbackup_message_beyond"
    )
    expect_length(history$epoch, 4)
    expect_setequal(files_in(dir), files)
    expect_true(backup_verify(dir))
  }
})

test_that("a `save_freq` that no batch reaches is told when training begins", {
  skip_without_keras()
  rare <- function(save_freq, ...) {
    dir <- withr::local_tempdir(.local_envir = parent.frame())
    callback_backup_and_restore(dir, save_freq, ...)
  }
  fit <- function(callback) {
    fit_model(build_model(), callbacks = list(callback))
  }
  # 6 epochs of 3 batches.
  expect_message(
    fit(rare(19L)),
    "`save_freq` is 19; 6 epochs of 3 batches are 18 batches",
    class = "kerasbackup_message_no_checkpoint"
  )
  expect_no_news(fit(rare(18L)))
  # The best epochs are saved nevertheless.
  told <- capture_messages(fit(rare(19L, keep = backup_keep(best = "loss"))))
  expect_identical(told, character())
  # Where the number of batches is not known, when training ends.
  data <- train_data()
  fit_some <- function(freq) {
    build_model()$fit(
      python_file("sources")$batches(data$x, data$y, 32L),
      verbose = 0L,
      callbacks = list(rare(freq))
    )
  }
  expect_message(fit_some(9L), class = "kerasbackup_message_no_checkpoint")
  expect_no_news(fit_some(3L))
})

test_that("numbers of NumPy's are numbers to a checkpoint too", {
  skip_without_keras()
  np <- reticulate::import("numpy", convert = FALSE)
  # torch itself refuses such a batch size.
  torch <- Sys.getenv("KERAS_BACKEND") == "torch"
  size <- if (torch) 16L else np$int32(16L)
  whole <- build_model()
  fit_model(whole, steps_per_epoch = 3L, batch_size = 16L)
  dir <- withr::local_tempdir()
  fit_until(
    build_model(),
    3L,
    callback_backup_and_restore(dir),
    steps_per_epoch = np$int64(3L),
    batch_size = size
  )
  resumed <- rebuild_model()
  fit_model(
    resumed,
    steps_per_epoch = np$int64(3L),
    batch_size = size,
    callbacks = list(callback_backup_and_restore(dir))
  )
  expect_identical(variables_of(resumed), variables_of(whole))
})

test_that("validation data that draw are bitwise equal too", {
  skip_without_keras()
  skip_where_generators_prefetch()
  skip_if(
    Sys.getenv("KERAS_BACKEND") == "jax" &&
      version_number(keras_version()) < "3.14",
    "Keras prefetches batches on JAX (inst/EXACTNESS.md)"
  )
  fit <- function(model, callbacks = list(), freq = 1L) {
    numbers <- python_helpers()$drawing_generator
    model$fit(
      numbers(),
      steps_per_epoch = 4L,
      epochs = 6L,
      verbose = 0L,
      validation_data = numbers(),
      validation_steps = 3L,
      validation_freq = freq,
      callbacks = callbacks
    )$history
  }
  # With every second one: epochs pass between what is drawn again and its use.
  for (freq in 1:2) {
    whole <- build_model()
    reference <- fit(whole, freq = freq)
    dir <- withr::local_tempdir()
    saved <- callback_backup_and_restore(dir, save_freq = 3L)
    # Before the first validation, between two, and once more.
    model <- build_model()
    for (epoch in c(1L, 3L, 4L)) {
      expect_error(
        fit(model, list(saved, interrupt_at(epoch)), freq),
        "interrupted"
      )
      model <- rebuild_model()
    }
    resumed <- model
    expect_no_news(
      history <- fit(
        resumed,
        list(
          callback_backup_and_restore(dir, history = "full")
        ),
        freq
      )
    )
    expect_identical(history, reference)
    expect_identical(variables_of(resumed), variables_of(whole))
  }
})

test_that("validation that draws otherwise than it did is told", {
  skip_without_keras()
  skip_where_generators_prefetch()
  fit <- function(model, validation_data, callbacks, steps = 2L) {
    model$fit(
      python_helpers()$drawing_generator(),
      steps_per_epoch = 4L,
      epochs = 6L,
      verbose = 0L,
      validation_data = validation_data,
      validation_steps = steps,
      callbacks = callbacks
    )
  }
  dir <- withr::local_tempdir()
  data <- lapply(train_data(), reticulate::np_array, dtype = "float32")
  quiet <- do.call(reticulate::tuple, unname(data))
  expect_error(
    fit(
      build_model(),
      quiet,
      list(
        callback_backup_and_restore(dir),
        interrupt_at(3L)
      ),
      steps = NULL
    ),
    "interrupted"
  )
  expect_message(
    fit(
      rebuild_model(),
      python_helpers()$drawing_generator(),
      list(callback_backup_and_restore(dir))
    ),
    "first batches differ",
    class = "kerasbackup_message_notes"
  )
})

test_that("datasets with an order of their own are bitwise equal", {
  skip_without_keras()
  sources <- python_file("sources")
  data <- numpy_data()
  fit <- function(model, kind, callbacks = list()) {
    make <- function() do.call(sources[[sub("Twice", "", kind)]], c(data, 16L))
    source <- make()
    validation <- if (grepl("Twice", kind)) source else make()
    model$fit(
      source,
      validation_data = validation,
      epochs = 6L,
      verbose = 0L,
      callbacks = callbacks
    )$history
  }
  for (kind in c("OwnOrder", "OffersState", "OwnOrderTwice")) {
    whole <- build_model()
    reference <- fit(whole, kind)
    # At the end of an epoch, in the middle of one, and before any validation.
    for (at in list(list("epoch", 3L), list(4L, 3L), list(4L, 1L))) {
      dir <- withr::local_tempdir()
      saved <- function() {
        callback_backup_and_restore(
          dir,
          save_freq = at[[1]],
          history = "full"
        )
      }
      expect_error(
        fit(build_model(), kind, list(saved(), interrupt_at(at[[2]]))),
        "interrupted"
      )
      # And once more: what was put back is saved again. What had not changed
      # is as the script makes it, which begins as it did.
      again <- if (at[[2]] == 1L) build_model else rebuild_model
      expect_error(
        fit(again(), kind, list(saved(), interrupt_at(4L))),
        "interrupted"
      )
      resumed <- rebuild_model()
      expect_no_news(history <- fit(resumed, kind, list(saved())))
      expect_identical(history, reference)
      expect_identical(variables_of(resumed), variables_of(whole))
    }
  }
})

test_that("a dataset that the script makes otherwise is told", {
  skip_without_keras()
  data <- numpy_data()
  fit <- function(model, ...) {
    source <- do.call(python_file("sources")$OwnOrder, c(data, 16L))
    model$fit(source, epochs = 4L, verbose = 0L, callbacks = list(...))
  }
  dir <- withr::local_tempdir()
  ours <- function() callback_backup_and_restore(dir, save_freq = 4L)
  expect_error(fit(build_model(), ours(), interrupt_at(1L)), "interrupted")
  # Other random numbers: Keras has had it shuffle before training begins.
  expect_message(
    fit(rebuild_model(), ours()),
    "the data's order differs from when",
    class = "kerasbackup_message_notes"
  )
})

test_that("what of a dataset changed and cannot be saved is named, once", {
  skip_without_keras()
  odd <- function() {
    data <- lapply(train_data(), reticulate::np_array, dtype = "float32")
    do.call(python_file("sources")$Odd, unname(c(data, 16L)))
  }
  messages <- capture_news(
    build_model()$fit(
      odd(),
      validation_data = odd(),
      epochs = 4L,
      verbose = 0L,
      callbacks = list(callback_backup_and_restore(withr::local_tempdir()))
    )
  )
  expect_length(grep("Odd.secret", messages), 1)
  expect_no_match(messages, "kept")
})

test_that("where a callback raises first, the next fit() begins at 0", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  ours <- function() callback_backup_and_restore(dir)
  fit_until(build_model(), 3L, ours())
  model <- build_model()
  expect_error(
    fit_model(model, callbacks = list(interrupt_at(3L), ours())),
    "interrupted"
  )
  expect_equal(unlist(fit_model(model, epochs = 2L)$epoch), 0:1)
  # And the checkpoint is there for whoever asks for it.
  history <- fit_model(model, callbacks = list(ours()))
  expect_equal(unlist(history$epoch), 3:5)
})

test_that("a model that JAX left without its weights is restored all the same", {
  skip_without_keras()
  skip_if(Sys.getenv("KERAS_BACKEND") != "jax", "others keep them")
  fit_model(whole <- build_model())
  dir <- withr::local_tempdir()
  fit_until(model <- build_model(), 2L, callback_backup_and_restore(dir))
  python_helpers()$lose_memory(model)
  python_helpers()$draw_from_everything()
  fit_model(model, callbacks = list(callback_backup_and_restore(dir)))
  expect_identical(variables_of(model), variables_of(whole))
  # Where nothing has been saved, it cannot be.
  dir <- withr::local_tempdir()
  fit_until(model, 0L, callback_backup_and_restore(dir))
  python_helpers()$lose_memory(model)
  expect_error(
    fit_model(model, callbacks = list(callback_backup_and_restore(dir))),
    "Build and compile the model again"
  )
  expect_length(list.files(dir, "safetensors$"), 0)
})
