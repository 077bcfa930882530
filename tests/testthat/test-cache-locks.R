# The lock files of tf.data's caches that a killed training leaves.

make_lock <- function(dir, text = "Created at: 1795983475") {
  path <- file.path(dir, "cache_0.lockfile")
  writeLines(text, path)
  path
}

test_that("a lock file that was noted is removed, and told", {
  dir <- withr::local_tempdir()
  lock <- make_lock(withr::local_tempdir())
  cache_locks_note(dir, lock)
  message <- expect_message(
    cache_locks_remove(dir),
    class = "kerasbackup_message_cache_lock"
  )
  expect_match(conditionMessage(message), lock, fixed = TRUE)
  expect_false(file.exists(lock))
  expect_length(list.files(dir, all.files = TRUE, no.. = TRUE), 0)
})

test_that("any other stays: of another process, made anew, or no lock file", {
  dir <- withr::local_tempdir()
  data <- withr::local_tempdir()
  lock <- make_lock(data)
  expect_no_message(cache_locks_remove(dir))
  cache_locks_note(dir, lock)
  # In place of the one that was noted.
  unlink(lock)
  keep <- make_lock(data, "Created at: 1795983999")
  expect_no_message(cache_locks_remove(dir))
  expect_true(file.exists(keep))
  other <- file.path(data, "important")
  writeLines("mine", other)
  cache_locks_note(dir, other)
  expect_no_message(cache_locks_remove(dir))
  expect_true(file.exists(other))
})

test_that("none is removed as long as somebody trains in the directory", {
  dir <- withr::local_tempdir()
  lock <- make_lock(withr::local_tempdir())
  cache_locks_note(dir, lock)
  held <- lock_acquire(dir)
  expect_no_message(cache_locks_remove_unused(dir))
  expect_true(file.exists(lock))
  lock_release(held)
  expect_message(
    cache_locks_remove_unused(dir),
    class = "kerasbackup_message_cache_lock"
  )
  expect_false(file.exists(lock))
})

test_that("a note that is damaged or not ours removes nothing", {
  for (text in c("{\"written_by\":\"kerasbackup\", \"locks\": [7, {", "{}")) {
    dir <- withr::local_tempdir()
    lock <- make_lock(dir)
    note <- file.path(dir, cache_note_name)
    writeLines(text, note)
    expect_no_message(cache_locks_remove(dir))
    expect_true(file.exists(lock))
  }
  # The last one is not ours.
  expect_true(file.exists(note))
  cache_locks_note(dir, lock)
  expect_identical(readLines(note), "{}")
  cache_note_unlink(dir)
  expect_true(file.exists(note))
})
