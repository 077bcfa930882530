# A checkpoint of each schema that the metadata had so far: an update of the
# package between an interruption and the resume costs nothing.

kept <- list.files(test_path("checkpoints"), "^schema-", full.names = TRUE)

resume_from <- function(kept) {
  dir <- withr::local_tempdir()
  file.copy(list.files(kept, full.names = TRUE), dir)
  python_file("old_training")$resumed(callback_backup_and_restore(dir))
}

test_that("a checkpoint of every schema is resumed, and to the same end", {
  skip_without_keras()
  skip_if_not(
    Sys.getenv("KERAS_BACKEND") == "jax",
    "they were made on JAX"
  )
  expect_length(kept, 3)
  ends <- lapply(kept, function(one) {
    withCallingHandlers(
      resume_from(one),
      # Keras and NumPy are of today, and their changes are told.
      kerasbackup_message_notes = function(m) {
        lines <- strsplit(conditionMessage(m), "\n")[[1]]
        expect_match(
          grep("^[*]", lines, value = TRUE),
          "^[*] [A-Za-z0-9]+ was [0-9.]+ when .* and is [0-9.]+ now$"
        )
        invokeRestart("muffleMessage")
      }
    )
  })
  for (end in ends) {
    # The first checkpoint of the epoch, after its second batch.
    expect_equal(unlist(end[[2]]), 2:4)
    expect_equal(unlist(end[[3]]), 0:4)
    expect_equal(end[[4]]$rate, 0.5^5)
    expect_identical(end[[1]], ends[[1]][[1]])
  }
})
