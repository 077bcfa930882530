# backup_restore() and backup_export(): a checkpoint outside of fit().

# Trains three epochs, keeps the last two checkpoints, and returns the directory
# and what the model had in the end.
trained_backup <- function(env = parent.frame()) {
  dir <- withr::local_tempdir(.local_envir = env)
  model <- build_model()
  fit_model(
    model,
    epochs = 3,
    callbacks = list(callback_backup_and_restore(
      dir,
      delete_checkpoint = FALSE,
      double_checkpoint = TRUE
    ))
  )
  list(dir = dir, model = model)
}

weights_of <- function(model) lapply(model$get_weights(), as.numeric)

optimizer_of <- function(model) {
  lapply(model$optimizer$variables, function(one) {
    as.numeric(keras()$ops$convert_to_numpy(one))
  })
}

# As backup_read() has them, in no order.
expect_has <- function(model, dir, group = "^variables/") {
  saved <- backup_read(dir)
  saved <- saved[grepl(group, names(saved))]
  sums <- function(values) sort(vapply(values, function(x) sum(x), 0))
  found <- lapply(model$variables, function(one) {
    as.numeric(keras()$ops$convert_to_numpy(one))
  })
  expect_equal(unname(sums(saved)), unname(sums(found)))
}

test_that("the weights go into a model that is not compiled", {
  skip_without_keras()
  run <- trained_backup()
  model <- build_model(seed = 2, compile = FALSE)
  # What was compiled for these weights must not serve the new ones.
  x <- reticulate::np_array(train_data()$x, dtype = "float32")
  model$predict(x, verbose = 0L)
  expect_identical(backup_restore(model, run$dir), model)
  expect_identical(weights_of(model), weights_of(run$model))
  expect_identical(
    model$predict(x, verbose = 0L),
    run$model$predict(x, verbose = 0L)
  )
  # fit() finds the directory as it was.
  expect_identical(nrow(store_list(run$dir)), 2L)
})

test_that("all of it goes into a compiled model, and fit() goes on with it", {
  skip_without_keras()
  run <- trained_backup()
  model <- build_model(seed = 2)
  # Keras draws random numbers in a model's first fit() that no other fit()
  # draws, and the other model has had its first.
  fit_model(model, epochs = 1)
  backup_restore(model, run$dir, what = "all")
  expect_identical(weights_of(model), weights_of(run$model))
  expect_identical(optimizer_of(model), optimizer_of(run$model))
  for (one in list(model, run$model)) {
    keras()$utils$set_random_seed(5L)
    fit_model(one, epochs = 1)
  }
  expect_equal(weights_of(model), weights_of(run$model), tolerance = 1e-6)
})

test_that("layers that compute with derived values are brought up to date", {
  skip_without_keras()
  x <- reticulate::np_array(train_data()$x, dtype = "float32")
  normalized <- function(scale) {
    k <- keras()
    layer <- k$layers$Normalization()
    layer$adapt(reticulate::np_array(train_data()$x * scale, dtype = "float32"))
    model <- k$Sequential(list(
      k$Input(reticulate::tuple(4L)),
      layer,
      k$layers$Dense(1L)
    ))
    model$compile(optimizer = "adam", loss = "mse")
    model
  }
  dir <- withr::local_tempdir()
  before <- normalized(1)
  fit_model(
    before,
    epochs = 1,
    callbacks = list(callback_backup_and_restore(
      dir,
      delete_checkpoint = FALSE
    ))
  )
  model <- normalized(10)
  model$predict(x, verbose = 0L)
  backup_restore(model, dir)
  expect_equal(
    model$predict(x, verbose = 0L),
    before$predict(x, verbose = 0L),
    tolerance = 1e-6
  )
})

test_that("a given generation is restored", {
  skip_without_keras()
  run <- trained_backup()
  older <- withr::local_tempdir()
  file.copy(store_list(run$dir)$path[[2]], older)
  model <- build_model(seed = 2)
  backup_restore(model, run$dir, generation = 2)
  expect_has(model, older)
  error <- expect_error(
    backup_restore(model, run$dir, generation = 9),
    "There are: 3, 2",
    class = "kerasbackup_error_argument"
  )
  expect_identical(error$arg, "generation")
})

test_that("what cannot be restored is an error of its class", {
  skip_without_keras()
  run <- trained_backup()
  model <- build_model(units = 9L)
  before <- weights_of(model)
  error <- expect_error(
    backup_restore(model, run$dir),
    "float32 \\(4, 9\\) in the model, float32 \\(4, 8\\) in the checkpoint",
    class = "kerasbackup_error_mismatch"
  )
  expect_identical(error$differences$script[[1]], "float32 (4, 9)")
  expect_identical(error$differences$checkpoint[[1]], "float32 (4, 8)")
  expect_identical(weights_of(model), before)
  expect_error(
    backup_restore(build_model(input = FALSE), run$dir),
    "not built",
    class = "kerasbackup_error_argument"
  )
  expect_error(
    backup_restore(build_model(compile = FALSE), run$dir, what = "all"),
    "not compiled",
    class = "kerasbackup_error_argument"
  )
  expect_error(
    backup_restore(dir = run$dir),
    "`model` is missing",
    class = "kerasbackup_error_argument"
  )
  expect_error(
    backup_restore(1, run$dir),
    "a Keras model",
    class = "kerasbackup_error_argument"
  )
  expect_error(
    backup_restore(keras()$layers$Dense(1L), run$dir),
    "must be a model of Keras 3 or of tf_keras, not an object of the .*Dense",
    class = "kerasbackup_error_unsupported"
  )
  expect_error(
    backup_restore(model, withr::local_tempdir()),
    "no checkpoint",
    class = "kerasbackup_error_io"
  )
})

test_that("where the newest is damaged, the one before is restored (I5)", {
  skip_without_keras()
  run <- trained_backup()
  files <- store_list(run$dir)$path
  older <- withr::local_tempdir()
  file.copy(files[[2]], older)
  flip_bit(files[[1]], data_at(files[[1]]) + 10)
  model <- build_model(seed = 2)
  warning <- expect_warning(
    backup_restore(model, run$dir),
    class = "kerasbackup_warning_fallback"
  )
  expect_identical(warning$path, files[[2]])
  expect_has(model, older)
  # A handler may jump: Python has returned, and the model is restored.
  model <- build_model(seed = 2)
  tryCatch(backup_restore(model, run$dir), warning = function(w) NULL)
  expect_has(model, older)
  # A generation that is asked for is not replaced by another, and the error
  # has all that R knows of it.
  error <- expect_error(
    backup_restore(model, run$dir, generation = 3),
    class = "kerasbackup_error_corrupt"
  )
  expect_identical(error$path, files[[1]])
  expect_false(is.null(error$tensor))
  flip_bit(files[[2]], data_at(files[[2]]) + 10)
  expect_error(
    backup_restore(model, run$dir),
    class = "kerasbackup_error_corrupt"
  )
})

test_that("a training that is running is looked at, and not disturbed", {
  skip_without_keras()
  run <- trained_backup()
  lock <- lock_acquire(run$dir)
  model <- build_model(seed = 2)
  backup_restore(model, run$dir)
  expect_identical(weights_of(model), weights_of(run$model))
  expect_true(lock_file_holds(lock$handle))
  lock_release(lock)
})

test_that("a checkpoint of another backend is restored", {
  skip_without_keras()
  here <- Sys.getenv("KERAS_BACKEND")
  tried <- character()
  for (other in setdiff(c("jax", "tensorflow", "torch"), here)) {
    if (!reticulate::py_module_available(other)) {
      next
    }
    dir <- withr::local_tempdir()
    train_elsewhere(other, dir)
    model <- build_model(seed = 2)
    backup_restore(model, dir, what = "all")
    expect_has(model, dir)
    saved <- backup_read(dir)
    expect_equal(
      as.numeric(keras()$ops$convert_to_numpy(model$optimizer$iterations)),
      saved[[grep("iteration$", names(saved))]]
    )
    moments <- saved[grepl("^optimizer/.*(momentum|velocity)", names(saved))]
    expect_equal(
      sort(unname(vapply(moments, sum, 0))),
      sort(vapply(optimizer_of(model)[-(1:2)], sum, 0)),
      tolerance = 1e-6
    )
    tried <- c(tried, other)
  }
  skip_if(length(tried) == 0, "there is no other backend")
})

test_that("Keras writes the files that only Keras can", {
  skip_without_keras()
  run <- trained_backup()
  root <- withr::local_tempdir()
  weights <- file.path(root, "x.weights.h5")
  whole <- file.path(root, "x.keras")
  backup_export(run$dir, weights, model = build_model(seed = 2))
  backup_export(run$dir, whole, model = build_model(seed = 2), what = "all")
  expect_setequal(
    list.files(root, all.files = TRUE, no.. = TRUE),
    c("x.weights.h5", "x.keras")
  )
  model <- build_model(seed = 3)
  model$load_weights(weights)
  expect_identical(weights_of(model), weights_of(run$model))
  loaded <- keras()$models$load_model(whole)
  expect_identical(weights_of(loaded), weights_of(run$model))
  expect_identical(optimizer_of(loaded), optimizer_of(run$model))
  # What help pages say of Keras' own function.
  expect_error(model$load_weights(store_list(run$dir)$path[[1]]))
})
