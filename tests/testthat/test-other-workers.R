# Checkpoints that another number of workers has saved: which of them a training
# goes on from, and when they are deleted. Whole trainings are in
# `tools/test-distributed`.

# Saves one checkpoint of each of so many workers; of one, without a directory
# of its own.
save_workers <- function(
  dir,
  count,
  epoch,
  saved_at = "2026-12-01T12:00:00",
  which = seq_len(count),
  backend = "jax"
) {
  for (index in which) {
    place <- worker_dir(dir, if (count > 1) c(index, count))
    dir.create(place, recursive = TRUE, showWarnings = FALSE)
    store <- store_open(place, keep = 9L)
    bytes <- some_bytes()
    plan <- tensor_plan(bytes)
    store_plan(store, plan$text, plan$sizes)
    store_save(
      store,
      plan$addresses,
      manifest_metadata(list(
        epoch = as.character(epoch),
        batch = "0",
        saved_at = saved_at,
        versions = sprintf("{\"%s\":\"1\"}", backend)
      ))
    )
    store_close(store)
  }
}

# The functions of a training with so many workers, which has opened the
# directory.
local_session <- function(
  dir,
  index = 1L,
  count = 3L,
  envir = parent.frame()
) {
  functions <- bridge_functions(training_config(dir))
  worker <- if (count > 1) list(index, count) else list()
  value_of(functions$open(function() TRUE, worker, TRUE))
  withr::defer(functions$close(), envir = envir)
  functions
}

# What a training with so many workers is told of others.
others_in <- function(dir, count = 3L) {
  functions <- local_session(dir, count = count)
  jsonlite::fromJSON(value_of(functions$others()))
}

test_that("the newest checkpoint of another number of workers is found", {
  dir <- withr::local_tempdir()
  save_workers(dir, 2L, 1, "2026-12-01T12:00:00")
  save_workers(dir, 2L, 2, "2026-12-01T12:01:00")
  # The second worker was killed before it had it.
  save_workers(dir, 2L, 3, "2026-12-01T12:02:00", which = 1L)
  # Not all of these are here.
  save_workers(dir, 4L, 9, "2026-12-01T12:03:00", which = 2:4)
  expect_equal(
    others_in(dir),
    list(workers = 2L, epoch = 2L, batch = 0L, saved_at = "2026-12-01T12:01:00")
  )
  # A process that had trained alone.
  save_workers(dir, 1L, 4, "2026-12-01T12:04:00")
  expect_equal(others_in(dir)$workers, 1L)
  # The own ones are no others.
  expect_equal(others_in(dir, count = 1L)$workers, 2L)
})

test_that("there may be none", {
  dir <- withr::local_tempdir()
  expect_null(others_in(dir))
  save_workers(dir, 3L, 1)
  expect_null(others_in(dir))
})

test_that("an older one stands in for one that is damaged", {
  dir <- withr::local_tempdir()
  save_workers(dir, 2L, 1)
  save_workers(dir, 2L, 2)
  flip_bit(store_list(worker_dir(dir, c(2, 2)))$path[[1]], 4200)
  expect_equal(others_in(dir)$epoch, 1L)
})

test_that("each file is read and verified", {
  dir <- withr::local_tempdir()
  save_workers(dir, 2L, 1)
  functions <- local_session(dir)
  value_of(functions$others())
  for (number in 1:2) {
    found <- value_of(functions$load_other(number))
    expect_equal(
      found$path,
      store_list(worker_dir(dir, c(number, 2)))$path
    )
    expect_match(found$header, "kerasbackup.trailer", fixed = TRUE)
  }
  into <- lapply(unname(some_bytes()), function(one) raw(length(one)))
  places <- unlist(lapply(into, function(one) {
    c(store_raw_address(one), native64(length(one)))
  }))
  value_of(functions$read_other(2, places))
  expect_equal(into, unname(some_bytes()))
  flip_bit(found$path, 4200)
  expect_equal(
    functions$read_other(2, places)$error,
    "kerasbackup_error_corrupt"
  )
})

test_that("those that a training cannot use are refused if it has none", {
  dir <- withr::local_tempdir()
  save_workers(dir, 2L, 1, which = 2L)
  functions <- local_session(dir)
  refused <- functions$others()
  functions$close()
  expect_equal(refused$error, "kerasbackup_error_mismatch")
  expect_match(refused$message, "2 workers, and this training has 3 workers")
  # With one of its own it goes on.
  save_workers(dir, 3L, 1)
  expect_null(others_in(dir))
})

test_that("those of other engines are refused", {
  dir <- withr::local_tempdir()
  save_workers(dir, 2L, 1, backend = "torch")
  refused <- local_session(dir)$others()
  expect_equal(refused$error, "kerasbackup_error_mismatch")
})

test_that("those of a training that runs are refused", {
  dir <- withr::local_tempdir()
  save_workers(dir, 2L, 1)
  lock <- lock_acquire(worker_dir(dir, c(2, 2)))
  withr::defer(lock_release(lock))
  refused <- local_session(dir)$others()
  expect_equal(refused$error, "kerasbackup_error_locked")
  expect_match(refused$message, "worker-2-of-2")
  # One worker looks. If several did, each might find the others looking.
  expect_equal(
    jsonlite::fromJSON(value_of(local_session(dir, 2L)$others()))$workers,
    2L
  )
})

test_that("they are deleted with their locks, and nothing else", {
  dir <- withr::local_tempdir()
  save_workers(dir, 2L, 1)
  save_workers(dir, 1L, 1)
  save_workers(dir, 3L, 2)
  writeLines("mine", file.path(dir, "mine"))
  functions <- local_session(dir)
  value_of(functions$drop_others())
  expect_setequal(
    list.files(dir, recursive = TRUE),
    c(
      "mine",
      file.path(
        "worker-1-of-3",
        c(
          "backup-000000000001.safetensors",
          "kerasbackup-owner.json",
          "kerasbackup.lock"
        )
      ),
      file.path(
        paste0("worker-", 2:3, "-of-3"),
        "backup-000000000001.safetensors"
      )
    )
  )
})

test_that("one that cannot be deleted is a warning", {
  dir <- withr::local_tempdir()
  save_workers(dir, 2L, 1)
  functions <- local_session(dir)
  lock <- lock_acquire(worker_dir(dir, c(1, 2)))
  withr::defer(lock_release(lock))
  expect_warning(
    value_of(functions$drop_others()),
    "earlier number of workers",
    class = "kerasbackup_warning_delete"
  )
})

test_that("a directory that training made is gone in the end", {
  for (change in list(c(2L, 1L), c(1L, 2L), c(2L, 3L))) {
    root <- withr::local_tempdir()
    dir <- file.path(root, "backup")
    for (index in seq_len(change[[1]])) {
      before <- local_session(dir, index, change[[1]])
      before$close()
    }
    save_workers(dir, change[[1]], 1)
    here <- environment()
    now <- lapply(seq_len(change[[2]]), function(index) {
      local_session(dir, index, change[[2]], envir = here)
    })
    value_of(now[[1]]$drop_others())
    made <- any(vapply(now, function(one) value_of(one$has_made_parent()), NA))
    for (one in now) {
      value_of(one$finish(made))
    }
    expect_equal(list.files(root), character())
  }
})
