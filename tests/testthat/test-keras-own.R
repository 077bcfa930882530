# What Keras tests of its own BackupAndRestore holds for ours, with the same
# counts, under `resume = "epoch"`: there an unfinished epoch is redone with the
# weights from its middle. Each test names its equal in Keras'
# backup_and_restore_test.py. A layer counts the batches that it was trained on;
# 10 rows in batches of 4 are 3 batches an epoch.
#
# Where Keras' tests look at private fields for the epoch and batch that were
# saved, these ask backup_info().

counting <- function() python_file("counting_layer")

fit_ten_rows <- function(model, callbacks, epochs) {
  data <- train_data(10)
  model$fit(
    reticulate::np_array(data$x[, 1:3], dtype = "float32"),
    reticulate::np_array(data$y, dtype = "float32"),
    batch_size = 4L,
    epochs = as.integer(epochs),
    verbose = 0L,
    callbacks = callbacks
  )
}

# Raises at the so-many-th call of a hook.
interrupt_call <- function(hook, number) {
  calls <- 0
  count <- function(index, logs = NULL) {
    calls <<- calls + 1
    if (calls == number) stop("interrupted on purpose")
  }
  do.call(
    keras()$callbacks$LambdaCallback,
    stats::setNames(list(count), hook)
  )
}

expect_interrupted <- function(fit) {
  expect_error(fit, "interrupted on purpose")
}

saved_at <- function(dir) {
  info <- backup_info(dir)
  c(info$epoch, info$batch)
}

test_that("a save_freq that is neither \"epoch\" nor whole is refused", {
  # Keras: test_save_freq_unknown_error.
  skip_without_keras()
  for (save_freq in list("batch", 0.15)) {
    expect_error(
      callback_backup_and_restore("backup_dir", save_freq = save_freq),
      "must be",
      class = "kerasbackup_error_argument"
    )
  }
})

test_that("a save at every batch: 2 batches, an interruption, 15 more", {
  # Keras: test_best_case_step. Keras saves after a batch, ours before the next
  # one, so the interruption that loses nothing is one hook later.
  skip_without_keras()
  dir <- file.path(withr::local_tempdir(), "subdir")
  model <- counting()$counting_model()
  callback <- callback_backup_and_restore(dir, 1, resume = "epoch")
  expect_false(dir.exists(dir))
  expect_interrupted(fit_ten_rows(
    model,
    list(callback, interrupt_call("on_train_batch_begin", 3)),
    2
  ))
  expect_true(dir.exists(dir))
  expect_equal(saved_at(dir), c(0, 2))
  expect_equal(counting()$trained_batches(model), 2)

  history <- fit_ten_rows(model, list(callback), 5)
  expect_equal(max(unlist(history$epoch)), 4)
  expect_equal(counting()$trained_batches(model), 17)
})

test_that("an error at the very end of a batch redoes that batch", {
  # Keras: test_best_case_step, interrupted by the same hook as there.
  skip_without_keras()
  # By how much of the unfinished epoch is redone: the whole of it, or what the
  # checkpoint lacks of it.
  for (case in list(list("epoch", 1 + 15), list("batch", 15))) {
    dir <- withr::local_tempfile()
    model <- counting()$counting_model()
    callback <- callback_backup_and_restore(dir, 1, resume = case[[1]])
    expect_interrupted(fit_ten_rows(
      model,
      list(callback, interrupt_call("on_train_batch_end", 2)),
      2
    ))
    expect_equal(saved_at(dir), c(0, 1))
    history <- fit_ten_rows(model, list(callback), 5)
    expect_equal(unlist(history$epoch), 0:4)
    expect_equal(counting()$trained_batches(model), case[[2]])
  }
})

test_that("a save at every epoch: 2 epochs, an interruption, 3 more", {
  # Keras: test_best_case_epoch. The interruption there is in the hook in which
  # Keras saves, after it did; ours saves when all other callbacks are done, so
  # here it is in the next hook.
  skip_without_keras()
  dir <- file.path(withr::local_tempdir(), "subdir")
  model <- counting()$counting_model()
  expect_equal(counting()$trained_batches(model), 0)
  callback <- callback_backup_and_restore(dir, "epoch", resume = "epoch")
  expect_interrupted(fit_ten_rows(
    model,
    list(callback, interrupt_call("on_epoch_begin", 3)),
    6
  ))
  expect_true(dir.exists(dir))
  expect_equal(saved_at(dir), c(2, 0))
  expect_equal(counting()$trained_batches(model), 6)

  history <- fit_ten_rows(model, list(callback), 5)
  expect_equal(unlist(history$epoch), 2:4)
  expect_equal(counting()$trained_batches(model), 5 * 3)
})

test_that("an error at the very end of an epoch redoes that epoch", {
  # Keras: test_best_case_epoch, interrupted by the same hook as there.
  skip_without_keras()
  dir <- withr::local_tempfile()
  model <- counting()$counting_model()
  callback <- callback_backup_and_restore(dir, "epoch", resume = "epoch")
  expect_interrupted(fit_ten_rows(
    model,
    list(callback, interrupt_call("on_epoch_end", 2)),
    6
  ))
  expect_equal(saved_at(dir), c(1, 0))
  history <- fit_ten_rows(model, list(callback), 5)
  expect_equal(unlist(history$epoch), 1:4)
  # No batch counts twice: the checkpoint is from the end of the first epoch.
  expect_equal(counting()$trained_batches(model), 5 * 3)
})

test_that("the newest checkpoint is overwritten: the one before is used", {
  # Keras: test_backup_corrupted. There the epoch comes from a second file,
  # which is whole; ours is one file, so the epoch before is redone too. The
  # count of batches is the same.
  skip_without_keras()
  dir <- file.path(withr::local_tempdir(), "subdir")
  model <- counting()$counting_model()
  callback <- callback_backup_and_restore(
    dir,
    "epoch",
    resume = "epoch",
    double_checkpoint = TRUE
  )
  expect_interrupted(fit_ten_rows(
    model,
    list(callback, interrupt_call("on_epoch_begin", 3)),
    6
  ))
  expect_equal(nrow(store_list(dir)), 2)
  expect_equal(counting()$trained_batches(model), 6)
  cat("0", file = store_list(dir)$path[[1]])

  history <- NULL
  expect_warning(
    history <- fit_ten_rows(model, list(callback), 5),
    class = "kerasbackup_warning_fallback"
  )
  expect_equal(unlist(history$epoch), 1:4)
  expect_equal(counting()$trained_batches(model), 5 * 3)
})

test_that("training that is complete leaves no directory behind", {
  # Keras: test_model_deleted_case_epoch.
  skip_without_keras()
  dir <- file.path(withr::local_tempdir(), "subdir")
  callback <- callback_backup_and_restore(dir, "epoch", resume = "epoch")
  saved <- NULL
  look <- keras()$callbacks$LambdaCallback(
    on_epoch_begin = function(epoch, logs = NULL) saved <<- dir.exists(dir)
  )
  fit_ten_rows(counting()$counting_model(), list(callback, look), 2)
  expect_true(saved)
  expect_false(dir.exists(dir))
})

test_that("an empty backup_dir is refused", {
  # Keras: test_backup_dir_empty_error, test_backup_dir_none_error.
  skip_without_keras()
  for (dir in list("", NULL)) {
    expect_error(
      callback_backup_and_restore(dir, save_freq = "epoch"),
      "`backup_dir` must be the path of a directory",
      class = "kerasbackup_error_argument"
    )
  }
})
