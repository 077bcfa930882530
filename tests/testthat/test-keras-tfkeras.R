# tf_keras, which has the API of Keras 2: the same callback serves its `fit()`.
# unit_tf_keras.py has more kinds of data, unit_tf_keras_own.py what tf_keras
# tests of its own callback.

skip_without_tf_keras <- function() {
  skip_without_keras()
  skip_if(Sys.getenv("KERAS_BACKEND") != "tensorflow", "it is TensorFlow's")
  skip_if_not(
    reticulate::py_module_available("tf_keras"),
    "there is no tf_keras"
  )
}

test_that("a training with tf_keras resumes bit for bit (I9)", {
  skip_without_tf_keras()
  reticulate::import("tf_keras")
  bridge_module()
  helpers <- python_file("tf_keras_helpers")
  train <- function(dir, save_freq, ...) {
    callback <- callback_backup_and_restore(dir, save_freq = save_freq)
    unlist(helpers$train(callback, ...))
  }
  for (case in list(
    list(save_freq = 3L, kill = list(1L, 3L)),
    list(save_freq = "epoch", kill = list(1L, NULL))
  )) {
    expected <- train(withr::local_tempdir(), case$save_freq)
    dir <- withr::local_tempdir()
    expect_error(train(dir, case$save_freq, kill = case$kill), "Killed")
    expect_gt(length(files_in(dir)), 0)
    resumed <- suppressMessages(train(dir, case$save_freq))
    expect_identical(resumed, expected)
    # Complete, so deleted.
    expect_equal(length(dir(dir, pattern = "safetensors")), 0)
  }
})

test_that("one process may train with both Kerases", {
  skip_without_tf_keras()
  reticulate::import("tf_keras")
  helpers <- python_file("tf_keras_helpers")
  dir <- withr::local_tempdir()
  callback <- callback_backup_and_restore(withr::local_tempdir())
  fit_until(build_model(), 2L, callback_backup_and_restore(dir))
  expect_gt(length(helpers$train(callback)), 0)
  expect_left(dir, 2)
})

test_that("one checkpoint is left where it is not to be deleted, else none", {
  # test_backup_and_restore_steps_clean_up in tf_keras/callbacks_test.py, and
  # testCheckpointExists in tf_keras/distribute/worker_training_state_test.py.
  skip_without_tf_keras()
  reticulate::import("tf_keras")
  bridge_module()
  helpers <- python_file("tf_keras_helpers")
  for (delete in c(TRUE, FALSE)) {
    dir <- withr::local_tempdir()
    helpers$train(callback_backup_and_restore(dir, delete_checkpoint = delete))
    left <- list.files(dir, "safetensors$")
    expect_length(left, if (delete) 0 else 1)
  }
  expect_left(dir, helpers$EPOCHS)
})
