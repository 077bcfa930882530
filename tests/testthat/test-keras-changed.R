# What is changed between an interruption and the resume. What can be gone on
# with is, and a message (class kerasbackup_message_notes) names what is no
# longer exact; what cannot is refused before anything is assigned (I6).
#
# Other sizes of batches and models of other shapes are in test-keras-resume.R
# and test-keras-directory.R.

# Trains until epoch `until` (the first is 0) begins, then hands over the
# directory. The defaults save at the end of an epoch.
interrupted <- function(
  model = build_model(),
  until = 3L,
  save_freq = "epoch",
  callbacks = list(),
  ...,
  .local_envir = parent.frame()
) {
  dir <- withr::local_tempdir(.local_envir = .local_envir)
  ours <- callback_backup_and_restore(dir, save_freq)
  expect_error(
    fit_model(
      model,
      ...,
      callbacks = c(list(ours), callbacks, interrupt_at(until))
    ),
    "interrupted"
  )
  dir
}

# Goes on. What is told of as a note, one a change.
notes_of_resume <- function(
  dir,
  model = build_model(),
  callbacks = list(),
  resume = "batch",
  ...
) {
  notes <- character()
  history <- withCallingHandlers(
    fit_model(
      model,
      ...,
      callbacks = c(
        list(callback_backup_and_restore(
          dir,
          resume = resume,
          on_change = "message"
        )),
        callbacks
      )
    ),
    kerasbackup_message_notes = function(cnd) {
      lines <- strsplit(cli::ansi_strip(conditionMessage(cnd)), "\n")[[1]]
      expect_match(lines[[1]], "result may differ")
      notes <<- c(notes, sub("^[*\u2022] ", "", lines[-1]))
      invokeRestart("muffleMessage")
    }
  )
  # All goes on: the last epoch is trained.
  expect_equal(utils::tail(unlist(history$epoch), 1), 5L)
  notes
}

was_and_is <- function(name, before, now) {
  paste(name, "was", before, "when the checkpoint was made and is", now, "now")
}

is_not_used <- function(callback) {
  paste0(
    "the checkpoint's state of callback ",
    callback,
    " is not used, because no callback of the script matches it"
  )
}

starts_without <- function(callback) {
  paste0(
    "callback ",
    callback,
    " starts without a state, because none in the checkpoint matches it"
  )
}

# Refused, and nothing of the model is touched (I6).
expect_refused <- function(dir, model, pattern, ...) {
  # All that fit() builds is there before.
  fit_model(model, epochs = 1L, ...)
  before <- variables_of(model)
  files <- tools::md5sum(store_list(dir)$path)
  error <- expect_error(
    fit_model(model, ..., callbacks = list(callback_backup_and_restore(dir))),
    "MismatchError|is of another"
  )
  expect_match(conditionMessage(error), pattern)
  expect_identical(variables_of(model), before)
  expect_identical(tools::md5sum(store_list(dir)$path), files)
  invisible(error)
}

test_that("nothing changed: nothing is told, and it is exact", {
  skip_without_keras()
  whole <- build_model()
  fit_model(whole)
  for (save_freq in list("epoch", 4L)) {
    dir <- interrupted(save_freq = save_freq)
    resumed <- rebuild_model()
    expect_identical(notes_of_resume(dir, resumed), character())
    expect_identical(variables_of(resumed), variables_of(whole))
  }
})

# Data ----------------------------------------------------------------------

test_that("data of another length are told of, in batches or in rows", {
  skip_without_keras()
  dir <- interrupted(save_freq = 4L)
  expect_equal(backup_info(dir)$batch, 2L)
  # As many batches, but the last one is smaller: other rows are shuffled.
  counter <- count_batches()
  expect_setequal(
    notes_of_resume(dir, data = train_data(95), callbacks = list(counter)),
    c(
      paste(
        "the last batch had all rows when the checkpoint was made",
        "and has 31 rows now"
      ),
      "the data have other values than when the checkpoint was made",
      "the unfinished epoch starts over"
    )
  )
  expect_equal(counter$batches, 4 * 3)

  dir <- interrupted(save_freq = 4L)
  counter <- count_batches()
  expect_setequal(
    notes_of_resume(dir, data = train_data(160), callbacks = list(counter)),
    c(
      paste(
        "an epoch had 3 batches when the checkpoint was made",
        "and has 5 batches now"
      ),
      "the data have other values than when the checkpoint was made",
      "the unfinished epoch starts over"
    )
  )
  expect_equal(counter$batches, 4 * 5)
})

test_that("data of the same size and of other values are told of", {
  skip_without_keras()
  dir <- interrupted()
  data <- train_data()
  data$y[[1]] <- data$y[[1]] + 1
  notes <- notes_of_resume(dir, data = data)
  expect_identical(
    notes[[1]],
    "the data have other values than when the checkpoint was made"
  )
  # Told once, also where a batch that is drawn again shows it too.
  expect_length(notes, 1)
})

test_that("data that come otherwise are told, though nothing else shows it", {
  skip_without_keras()
  k <- keras()
  # In batches of 32 rows, 3 an epoch; saved in front of the last one.
  fit_seeded <- function(kind, seed, callbacks) {
    data <- train_data()
    if (kind == "arrays") {
      # Other rows than the first and the last ones.
      some <- 33:64
      order <- withr::with_seed(seed, c(1:32, sample(some), 65:96))
      data <- lapply(data, function(one) one[order, , drop = FALSE])
      return(fit_model(build_model(), data = data, callbacks = callbacks))
    }
    source <- python_file("sources")$hidden_order(
      kind,
      data$x,
      data$y,
      32L,
      seed
    )
    build_model()$fit(
      source,
      epochs = 6L,
      verbose = 0L,
      callbacks = callbacks,
      steps_per_epoch = if (kind == "generator") 3L
    )
  }
  notes <- function(kind, seed) {
    dir <- withr::local_tempdir()
    ours <- function() {
      callback_backup_and_restore(dir, save_freq = 4L, on_change = "message")
    }
    expect_error(
      fit_seeded(kind, 1L, list(ours(), interrupt_at(3L))),
      "interrupted"
    )
    expect_equal(backup_info(dir)$batch, 2L)
    told <- character()
    withCallingHandlers(
      fit_seeded(kind, seed, list(ours())),
      kerasbackup_message_notes = function(cnd) {
        told <<- c(told, conditionMessage(cnd))
        invokeRestart("muffleMessage")
      }
    )
    told
  }
  kinds <- c(
    "dataset",
    "generator",
    if (reticulate::py_module_available("torch")) "loader"
  )
  # A graph of TensorFlow's draws the data: there is no batch to look at.
  sees <- k$backend$backend() != "tensorflow"
  expect_identical(notes("dataset", 1L), character())
  told <- notes("arrays", 2L)
  expect_length(told, 1L)
  expect_match(told, "the data have other values")
  for (kind in kinds) {
    told <- notes(kind, 2L)
    expect_length(told, as.integer(sees))
    if (sees) {
      expect_match(told, "interruption: batch [0-9]+ differs", label = kind)
    }
  }
})

test_that("data in another order are told of", {
  skip_without_keras()
  dir <- interrupted(save_freq = 4L)
  expect_setequal(
    notes_of_resume(dir, shuffle = FALSE),
    c(
      was_and_is("shuffle", "True", "False"),
      "the unfinished epoch starts over"
    )
  )
})

test_that("another batch_size is told of under resume = \"epoch\" too", {
  skip_without_keras()
  dir <- interrupted(save_freq = 4L)
  expect_setequal(
    notes_of_resume(dir, batch_size = 16L, resume = "epoch"),
    c(
      was_and_is("batch_size", 32, 16),
      paste(
        "an epoch had 3 batches when the checkpoint was made",
        "and has 6 batches now"
      )
    )
  )
})

test_that("another steps_per_epoch is told of", {
  skip_without_keras()
  data <- train_data()
  fit_endless <- function(model, steps, callbacks) {
    model$fit(
      python_file("sources")$endless(data$x, data$y, 32L),
      steps_per_epoch = steps,
      epochs = 6L,
      verbose = 0L,
      callbacks = callbacks
    )
  }
  # The data go on where they were, in an epoch that now ends elsewhere.
  dir <- withr::local_tempdir()
  ours <- function() callback_backup_and_restore(dir, save_freq = 4L)
  expect_error(
    fit_endless(build_model(), 3L, list(ours(), interrupt_at(3L))),
    "interrupted"
  )
  expect_equal(backup_info(dir)$batch, 2L)
  counter <- count_batches()
  messages <- capture_news(
    fit_endless(rebuild_model(), 4L, list(ours(), counter))
  )
  expect_match(messages, was_and_is("steps_per_epoch", 3, 4))
  expect_no_match(messages, "starts over")
  expect_equal(counter$batches, 2 + 3 * 4)

  # Without it every epoch has an iterator of its own.
  dir <- interrupted(save_freq = 4L, batch_size = 32L, steps_per_epoch = 2L)
  expect_setequal(
    notes_of_resume(dir),
    c(
      was_and_is("steps_per_epoch", 2, "None"),
      "the unfinished epoch starts over"
    )
  )
})

test_that("another kind of data is told of", {
  skip_without_keras()
  dir <- interrupted()
  data <- train_data()
  model <- build_model()
  source <- python_file("sources")$dataset(data$x, data$y, 32L)
  messages <- capture_news(
    history <- model$fit(
      source,
      epochs = 6L,
      verbose = 0L,
      callbacks = list(callback_backup_and_restore(dir))
    )
  )
  expect_match(messages, "the data were arrays when .* and are a PyDataset now")
  expect_equal(unlist(history$epoch), 3:5)
})

test_that("a tf.data pipeline that was used in this session is not used up", {
  skip_without_keras()
  skip_if_not(reticulate::py_module_available("tensorflow"), "no tf.data")
  pipeline <- function(seed = 3L) {
    arrays <- reticulate::tuple(numpy_data())
    data <- reticulate::import("tensorflow")$data$Dataset
    data$from_tensor_slices(arrays)$shuffle(96L, seed = seed)$batch(32L)
  }
  fit <- function(model, data, ...) {
    model$fit(data, epochs = 4L, verbose = 0L, callbacks = list(...))
  }
  whole <- build_model()
  fit(whole, pipeline())

  # The pipeline made anew, and the model that is there.
  dir <- withr::local_tempdir()
  model <- build_model()
  ours <- function() callback_backup_and_restore(dir, save_freq = 2L)
  data <- pipeline()
  expect_error(fit(model, data, ours(), interrupt_at(2L)), "interrupted")
  expect_no_news(
    fit(model, pipeline(), ours()),
    class = "kerasbackup_message_notes"
  )
  expect_identical(variables_of(model), variables_of(whole))

  # The one that was shuffled, as often as it is to be.
  dir <- withr::local_tempdir()
  model <- build_model()
  data <- pipeline()
  expect_error(fit(model, data, ours(), interrupt_at(2L)), "interrupted")
  expect_message(
    fit(model, data, ours()),
    "not known what has drawn from them besides",
    class = "kerasbackup_message_notes"
  )
  expect_identical(variables_of(model), variables_of(whole))

  # More often: the checkpoint is from the middle of an epoch.
  dir <- withr::local_tempdir()
  model <- build_model()
  data <- pipeline()
  ours <- function() callback_backup_and_restore(dir, save_freq = 4L)
  expect_error(fit(model, data, ours(), interrupt_at(2L)), "interrupted")
  expect_message(
    fit(model, data, ours()),
    "continue from where this session had left them",
    class = "kerasbackup_message_notes"
  )

  # One that is shuffled otherwise.
  dir <- withr::local_tempdir()
  model <- build_model()
  expect_error(fit(model, pipeline(), ours(), interrupt_at(2L)), "interrupted")
  expect_message(
    fit(build_model(), pipeline(4L), ours()),
    "seed of shuffle\\(\\) was",
    class = "kerasbackup_message_notes"
  )
})

# Callbacks -----------------------------------------------------------------

stopping <- function(monitor = "mae", patience = 50L) {
  keras()$callbacks$EarlyStopping(monitor, patience = patience)
}

plateau <- function(factor = 0.5) {
  keras()$callbacks$ReduceLROnPlateau(
    "mae",
    patience = 1L,
    min_delta = 10,
    factor = factor
  )
}

scheduler <- function() {
  keras()$callbacks$LearningRateScheduler(function(epoch, lr) lr * 0.9)
}

test_that("a callback more begins anew, and that is told", {
  skip_without_keras()
  dir <- interrupted(callbacks = list(stopping()))
  expect_equal(
    notes_of_resume(dir, callbacks = list(plateau(), stopping())),
    starts_without("ReduceLROnPlateau")
  )
})

test_that("a callback less is told, whether it had a state or not", {
  skip_without_keras()
  dir <- interrupted(callbacks = list(plateau(), stopping(), scheduler()))
  expect_equal(
    notes_of_resume(dir, callbacks = list(stopping())),
    c(
      is_not_used("ReduceLROnPlateau"),
      paste(
        "there was a callback LearningRateScheduler",
        "when the checkpoint was made, and there is none now"
      )
    )
  )
})

test_that("a callback of another type is one less and one more", {
  skip_without_keras()
  dir <- interrupted(callbacks = list(stopping()))
  expect_equal(
    notes_of_resume(dir, callbacks = list(plateau())),
    c(
      is_not_used("EarlyStopping"),
      starts_without("ReduceLROnPlateau")
    )
  )
})

test_that("callbacks in another order keep their states, and it is told", {
  skip_without_keras()
  dir <- interrupted(callbacks = list(stopping(), plateau()))
  again <- list(plateau(), stopping())
  expect_equal(
    notes_of_resume(dir, callbacks = again),
    paste(
      "the callbacks are in another order than when the checkpoint was made:",
      "ReduceLROnPlateau, EarlyStopping"
    )
  )
  # Of ours none counts: it may stand anywhere.
  dir <- interrupted(callbacks = list(stopping(), plateau()))
  expect_identical(
    notes_of_resume(dir, callbacks = list(stopping(), plateau())),
    character()
  )
})

test_that("two callbacks of one class keep their own states in any order", {
  skip_without_keras()
  # What each has seen as the best tells whose state it is.
  best <- function(callback) round(as.numeric(callback$best), 6)
  whole <- list(stopping("mae"), stopping("loss"))
  fit_model(build_model(), callbacks = whole)
  expect_false(best(whole[[1]]) == best(whole[[2]]))

  dir <- interrupted(callbacks = list(stopping("mae"), stopping("loss")))
  # One that stood first, and is new, must not take the state of another.
  again <- list(stopping("val_loss"), stopping("loss"), stopping("mae"))
  notes <- notes_of_resume(
    dir,
    callbacks = again,
    validation_split = NULL,
    model = rebuild_model()
  )
  expect_match(notes, "EarlyStopping starts without a state", all = FALSE)
  expect_match(notes, "another order", all = FALSE)
  expect_equal(best(again[[2]]), best(whole[[2]]))
  expect_equal(best(again[[3]]), best(whole[[1]]))
})

test_that("a callback that watches another log begins anew", {
  skip_without_keras()
  dir <- interrupted(callbacks = list(stopping("mae")))
  expect_equal(
    notes_of_resume(dir, callbacks = list(stopping("loss"))),
    c(
      is_not_used("EarlyStopping"),
      starts_without("EarlyStopping")
    )
  )
})

test_that("a callback that is set otherwise keeps its state, and it is told", {
  skip_without_keras()
  dir <- interrupted(callbacks = list(stopping(patience = 50L)))
  again <- stopping(patience = 40L)
  expect_equal(
    notes_of_resume(dir, callbacks = list(again)),
    was_and_is("callback EarlyStopping: patience", 50, 40)
  )
  expect_equal(again$patience, 40L)
})

test_that("a callback without a state or a setting may come and go", {
  skip_without_keras()
  # interrupt_at() is one: it was there, and it is not there now.
  dir <- interrupted()
  expect_identical(notes_of_resume(dir), character())
})

test_that("I7: a CSVLogger with another file harms no other file", {
  skip_without_keras()
  logger <- function(name) {
    keras()$callbacks$CSVLogger(file.path(logs, name), append = TRUE)
  }
  logs <- withr::local_tempdir()
  mine <- rep("mine", 200)
  writeLines(mine, file.path(logs, "other.csv"))
  dir <- interrupted(callbacks = list(logger("log.csv")))
  notes <- notes_of_resume(dir, callbacks = list(logger("other.csv")))
  expect_match(notes, "filename was .*log.csv when .* and is .*other.csv")
  expect_equal(readLines(file.path(logs, "other.csv"))[1:200], mine)

  # Two that change places: each goes on with its own.
  whole <- withr::local_tempdir()
  fit_model(
    build_model(),
    callbacks = list(
      keras()$callbacks$CSVLogger(file.path(whole, "log.csv"))
    )
  )
  writeLines("a,b", file.path(logs, "long.csv"))
  unlink(file.path(logs, "log.csv"))
  dir <- interrupted(callbacks = list(logger("log.csv"), logger("long.csv")))
  notes_of_resume(
    dir,
    callbacks = list(logger("long.csv"), logger("log.csv"))
  )
  reference <- readLines(file.path(whole, "log.csv"))
  expect_identical(readLines(file.path(logs, "log.csv")), reference)
  expect_identical(readLines(file.path(logs, "long.csv"))[[1]], "a,b")
  expect_length(readLines(file.path(logs, "long.csv")), 7)
})

# What is compiled ----------------------------------------------------------

recompiled <- function(optimizer = "adam", loss = "mse", ...) {
  model <- build_model(compile = FALSE)
  model$compile(
    optimizer = optimizer,
    loss = loss,
    metrics = list("mae"),
    ...
  )
  model
}

test_that("I6: another optimizer is refused, also with the same variables", {
  skip_without_keras()
  k <- keras()$optimizers
  dir <- interrupted()
  expect_refused(
    dir,
    recompiled("sgd"),
    "of another optimizer: Adam, not SGD"
  )
  # AdamW has the variables of Adam.
  expect_refused(
    dir,
    recompiled("adamw"),
    "of another optimizer: Adam, not AdamW"
  )
  dir <- interrupted(recompiled(k$SGD(momentum = 0.9)))
  expect_refused(dir, recompiled(k$Lion()), "SGD, not Lion")
  # The right one still goes on, and from where it was.
  expect_identical(
    notes_of_resume(dir, recompiled(k$SGD(momentum = 0.9))),
    character()
  )
})

test_that("another learning rate in the script is told, the saved one counts", {
  skip_without_keras()
  k <- keras()$optimizers
  rate <- function(model) {
    as.numeric(keras()$ops$convert_to_numpy(model$optimizer$learning_rate))
  }
  dir <- interrupted(recompiled(k$Adam(0.01)))
  model <- recompiled(k$Adam(0.001))
  expect_equal(
    notes_of_resume(dir, model),
    paste(
      "learning_rate is 0.001 in the script and 0.01 in the checkpoint:",
      "the checkpoint's is used (a callback can set another)"
    )
  )
  expect_equal(rate(model), 0.01, tolerance = 1e-6)

  # What a callback has made of it is no change of the script's. Neither is it
  # in the same process, with the same model.
  whole <- recompiled(k$Adam(0.01))
  fit_model(whole, callbacks = list(plateau()))
  expect_lt(rate(whole), 0.009)
  model <- recompiled(k$Adam(0.01))
  dir <- interrupted(model, until = 4L, callbacks = list(plateau()))
  expect_identical(
    notes_of_resume(dir, model, callbacks = list(plateau())),
    character()
  )
  expect_identical(rate(model), rate(whole))
})

test_that("a schedule of the learning rate that is another one is told", {
  skip_without_keras()
  k <- keras()$optimizers
  decay <- function(rate) {
    recompiled(k$Adam(k$schedules$ExponentialDecay(0.01, 10L, rate)))
  }
  dir <- interrupted(decay(0.9))
  notes <- notes_of_resume(dir, decay(0.5))
  expect_length(notes, 1)
  expect_match(notes, "learning_rate was .*0.9.* when .* and is .*0.5")
  # From a number to a schedule: a variable less.
  dir <- interrupted(recompiled(k$Adam(0.01)))
  expect_refused(dir, decay(0.9), "learning_rate: missing in the model")
})

test_that("other settings of the optimizer are told", {
  skip_without_keras()
  k <- keras()$optimizers
  dir <- interrupted(recompiled(k$Adam(0.01)))
  expect_equal(
    notes_of_resume(dir, recompiled(k$Adam(0.01, beta_1 = 0.8, clipnorm = 1))),
    c(was_and_is("clipnorm", "None", "1.0"), was_and_is("beta_1", 0.9, 0.8))
  )
})

test_that("what a callback had set of layers is told, and not restored", {
  skip_without_keras()
  model <- build_model()
  bend <- keras()$callbacks$LambdaCallback(
    on_epoch_begin = function(epoch, logs = NULL) {
      # Of no consequence to a step that is compiled already.
      reticulate::py_set_attr(
        model$layers[[1]],
        "activation",
        keras()$activations$tanh
      )
    }
  )
  dir <- interrupted(model, callbacks = list(bend))
  model <- build_model()
  notes <- notes_of_resume(dir, model)
  expect_length(notes, 1)
  expect_match(
    notes,
    "during the interrupted training the settings of layer dense changed"
  )
  expect_match(notes, "as the script sets it")
  expect_match(reticulate::py_str(model$layers[[1]]$activation), "relu")
})

test_that("another loss is told, another name of it is not", {
  skip_without_keras()
  dir <- interrupted()
  expect_equal(
    notes_of_resume(dir, recompiled(loss = "mae")),
    was_and_is("loss", "mean_squared_error", "mean_absolute_error")
  )
  dir <- interrupted()
  expect_identical(
    notes_of_resume(dir, recompiled(loss = "mean_squared_error")),
    character()
  )
  # The same class, set otherwise.
  huber <- function(delta) recompiled(loss = keras()$losses$Huber(delta))
  dir <- interrupted(huber(1))
  notes <- notes_of_resume(dir, huber(0.5))
  expect_match(notes, "loss was Huber .*delta 1.0.* and is Huber .*delta 0.5")
})

test_that("I6: other metrics are refused", {
  skip_without_keras()
  model <- build_model(compile = FALSE)
  model$compile("adam", "mse", metrics = list("mape"))
  dir <- interrupted()
  error <- expect_refused(dir, model, "mean_absolute_percentage_error")
  expect_match(
    conditionMessage(error),
    "this model compiled with other metrics"
  )
})

# The model -----------------------------------------------------------------

layered <- function(activation = "relu", rate = 0.3, wide = FALSE) {
  k <- keras()
  k$utils$set_random_seed(1L)
  model <- k$Sequential(c(
    list(
      k$Input(reticulate::tuple(4L)),
      k$layers$Dense(8L, activation = activation)
    ),
    if (wide) list(k$layers$Activation("tanh")),
    list(k$layers$Dropout(rate), k$layers$Dense(1L))
  ))
  model$compile("adam", "mse")
  model
}

test_that("a model that differs in no variable is told by its layers", {
  skip_without_keras()
  dir <- interrupted(layered())
  expect_equal(
    notes_of_resume(dir, layered("tanh", 0.5)),
    paste(
      "the settings of layers dense, dropout differ from those when the",
      "checkpoint was made"
    )
  )
  dir <- interrupted(layered())
  expect_equal(
    notes_of_resume(dir, layered(wide = TRUE)),
    "the model had 4 layers and has 5 now"
  )
})

test_that("I6: layers of another dtype are refused", {
  skip_without_keras()
  model <- function(dtype) {
    k <- keras()
    model <- k$Sequential(list(
      k$Input(reticulate::tuple(4L)),
      k$layers$Dense(8L, dtype = dtype, name = "first"),
      k$layers$Dense(1L, name = "second")
    ))
    model$compile("adam", "mse", metrics = list("mae"))
    model
  }
  dir <- interrupted(model("float32"))
  expect_refused(
    dir,
    model("float16"),
    "kernel: float16 \\(4, 8\\) in the model, float32 \\(4, 8\\)"
  )
})

# What the script runs with -------------------------------------------------

test_that("other versions are told, each by its name", {
  skip_without_keras()
  dir <- interrupted()
  now <- backup_info(dir)$versions
  backend <- Sys.getenv("KERAS_BACKEND")
  expect_setequal(
    names(now),
    c("kerasbackup", "R", "keras", backend, "numpy")
  )
  for (name in names(now)) {
    changed <- withr::local_tempdir()
    rewrite_backup(dir, changed, function(metadata) {
      versions <- jsonlite::parse_json(metadata$versions)
      versions[[name]] <- "0.0.1"
      metadata$versions <- jsonlite::toJSON(versions, auto_unbox = TRUE)
      metadata
    })
    expect_equal(
      notes_of_resume(changed, rebuild_model()),
      was_and_is(name, "0.0.1", now[[name]])
    )
  }
})

test_that("a checkpoint that tells nothing of the script is gone on with", {
  skip_without_keras()
  dir <- interrupted()
  bare <- withr::local_tempdir()
  rewrite_backup(dir, bare, function(metadata) {
    metadata[setdiff(names(metadata), c("script", "versions"))]
  })
  whole <- build_model()
  fit_model(whole)
  resumed <- rebuild_model()
  expect_identical(notes_of_resume(bare, resumed), character())
  expect_identical(variables_of(resumed), variables_of(whole))
})

test_that("a checkpoint of another backend is gone on with, and it is told", {
  skip_without_keras()
  here <- Sys.getenv("KERAS_BACKEND")
  tried <- character()
  for (other in setdiff(c("jax", "tensorflow", "torch"), here)) {
    if (!reticulate::py_module_available(other)) {
      next
    }
    dir <- withr::local_tempdir()
    saved_before <- withr::local_tempdir()
    train_elsewhere(other, dir)
    file.copy(store_list(dir)$path, saved_before)
    expect_equal(backup_info(dir)$batch, 2L)
    counter <- count_batches()
    model <- rebuild_model()
    look <- python_file("sources")$SeeVariables()
    notes <- notes_of_resume(dir, model, callbacks = list(counter, look))
    expect_true(was_and_is("backend", other, here) %in% notes)
    expect_true("the unfinished epoch starts over" %in% notes)
    expect_equal(counter$batches, 4 * 3)
    # Weights, moments and the count of steps came over.
    saved <- backup_read(saved_before)
    saved <- saved[grepl("^(variables|optimizer)", names(saved))]
    is_count <- grepl("iteration$|seed_generator", names(saved))
    expect_equal(
      lapply(look$floats, unlist),
      unname(lapply(saved[!is_count], as.numeric))
    )
    expect_equal(look$steps, saved[[grep("iteration$", names(saved))]])
    tried <- c(tried, other)
  }
  skip_if(length(tried) == 0, "there is no other backend")
})

test_that("the checkpoint of a later fit() is not an earlier one's", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  ours <- callback_backup_and_restore(dir)
  first <- build_model(1L)
  fit_model(first, epochs = 2L, callbacks = list(ours))
  fit_until(build_model(2L), 2L, ours)
  # In the same session the second one goes on.
  whole <- build_model(2L)
  fit_model(whole)
  fit_until(rebuild_model(2L), 4L, ours)

  # The script is run again: it comes to its first training.
  python_helpers()$forget_trainings()
  again <- build_model(1L)
  expect_refused(
    dir,
    again,
    "completed 1 training with this .* this process has completed 0 trainings"
  )
  expect_equal(backup_info(dir)$epoch, 4L)

  # With a directory of its own it does no harm, and the second one goes on.
  fit_model(
    again,
    epochs = 2L,
    callbacks = list(
      callback_backup_and_restore(withr::local_tempdir())
    )
  )
  resumed <- build_model(2L)
  fit_model(resumed, callbacks = list(callback_backup_and_restore(dir)))
  expect_identical(variables_of(resumed), variables_of(whole))
})

test_that("fit() in a loop over one directory is told at its second turn", {
  skip_without_keras()
  loops_told <- function(expr) {
    told <- 0
    withCallingHandlers(
      expr,
      kerasbackup_message_loop = function(cnd) {
        told <<- told + 1
        expect_match(conditionMessage(cnd), "Call `fit()` once", fixed = TRUE)
        invokeRestart("muffleMessage")
      }
    )
    told
  }
  fit_epoch <- function(model, dir, epoch = 1L, ...) {
    fit_model(
      model,
      epochs = epoch,
      ...,
      callbacks = list(callback_backup_and_restore(dir))
    )
  }
  model <- build_model()
  dir <- withr::local_tempdir()
  expect_equal(loops_told(fit_epoch(model, dir)), 0)
  expect_equal(loops_told(fit_epoch(model, dir)), 1)
  # Once, in whatever form the loop goes on.
  expect_equal(loops_told(fit_epoch(model, dir, 3L, initial_epoch = 2L)), 0)

  # Folds, each with a model of its own or with the first weights again; stages
  # with directories of their own; a checkpoint that is kept, and continued.
  dir <- withr::local_tempdir()
  first <- build_model()
  weights <- first$get_weights()
  expect_equal(
    loops_told({
      fit_epoch(first, dir)
      first$set_weights(weights)
      fit_epoch(first, dir)
      fit_epoch(build_model(), dir)
      fit_epoch(first, withr::local_tempdir())
      kept <- callback_backup_and_restore(
        withr::local_tempdir(),
        delete_checkpoint = FALSE
      )
      fit_model(model, epochs = 1L, callbacks = list(kept))
      fit_model(model, epochs = 2L, callbacks = list(kept))
    }),
    0
  )
})

test_that("a training that is complete may be gone on with", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  ours <- callback_backup_and_restore(dir, delete_checkpoint = FALSE)
  whole <- build_model()
  fit_model(whole)
  model <- build_model()
  fit_model(model, epochs = 3L, callbacks = list(ours))
  fit_model(model, callbacks = list(ours))
  expect_identical(variables_of(model), variables_of(whole))
})

test_that("two directories for one fit() are refused", {
  skip_without_keras()
  expect_error(
    fit_model(
      build_model(),
      callbacks = list(
        callback_backup_and_restore(withr::local_tempdir()),
        callback_backup_and_restore(withr::local_tempdir())
      )
    ),
    "UnsupportedError.*double_checkpoint"
  )
})

# Compiled anew ---------------------------------------------------------------

compile_at <- function(hook, epoch, optimizer = "adam") {
  python_helpers()$CompileAt(hook, as.integer(epoch), optimizer)
}

test_that("what a callback compiles in mid-training is saved, and told of", {
  skip_without_keras()
  callbacks <- function() list(compile_at("on_epoch_begin", 2L))
  whole <- build_model()
  fit_model(whole, callbacks = callbacks())
  dir <- interrupted(until = 4L, callbacks = callbacks())
  resumed <- rebuild_model()
  expect_identical(
    notes_of_resume(dir, resumed, callbacks = callbacks()),
    paste(
      "during the interrupted training the model was compiled again: this is",
      "not saved, so it is as the script sets it, unless a callback changes it",
      "again"
    )
  )
  # Nothing else of it is not as it was.
  expect_identical(variables_of(resumed), variables_of(whole))
})

test_that("another optimizer that a callback compiles is no longer restored", {
  skip_without_keras()
  expect_message(
    dir <- interrupted(
      callbacks = list(compile_at("on_epoch_begin", 2L, "sgd"))
    ),
    "only if the script compiles the model in the same way",
    class = "kerasbackup_message_compiled"
  )
  error <- expect_refused(
    dir,
    build_model(),
    "is of another optimizer: SGD, not Adam"
  )
  expect_match(
    conditionMessage(error),
    "compile it before `fit()` as that callback did",
    fixed = TRUE
  )
})

test_that("in the epoch that a callback compiles in, nothing is assigned", {
  skip_without_keras()
  callbacks <- function() list(compile_at("on_epoch_begin", 2L))
  whole <- build_model()
  fit_model(whole, callbacks = callbacks())
  dir <- interrupted(save_freq = 4L, callbacks = callbacks())
  expect_equal(backup_info(dir)$batch, 2L)
  resumed <- rebuild_model()
  fit <- function(resume = "batch") {
    fit_model(
      resumed,
      callbacks = c(
        callbacks(),
        list(callback_backup_and_restore(dir, resume = resume))
      )
    )
  }
  if (Sys.getenv("KERAS_BACKEND") == "tensorflow") {
    # What is new can be built without data.
    fit()
    expect_identical(variables_of(resumed), variables_of(whole))
  } else {
    expect_error(fit(), "compiles the model when training or an epoch")
    expect_true(backup_verify(dir))
    expect_length(fit("epoch")$epoch, 4)
  }
})

test_that("where the new metrics are not built yet, the save comes later", {
  skip_without_keras()
  callbacks <- function() list(compile_at("on_epoch_end", 2L))
  whole <- build_model()
  fit_model(whole, callbacks = callbacks())
  dir <- withr::local_tempdir()
  told <- capture_news(expect_error(
    fit_model(
      build_model(),
      callbacks = c(
        list(callback_backup_and_restore(dir)),
        callbacks(),
        list(interrupt_at(3L))
      )
    ),
    "interrupted"
  ))
  if (Sys.getenv("KERAS_BACKEND") == "tensorflow") {
    expect_length(told, 0)
    expect_equal(backup_info(dir)$epoch, 3L)
  } else {
    expect_match(told, "No checkpoint was saved this time")
    expect_equal(backup_info(dir)$epoch, 2L)
    # The lost run goes on from before, and does it again.
    resumed <- rebuild_model()
    fit_model(
      resumed,
      callbacks = c(
        list(callback_backup_and_restore(dir)),
        callbacks()
      )
    )
    expect_identical(variables_of(resumed), variables_of(whole))
  }
})
