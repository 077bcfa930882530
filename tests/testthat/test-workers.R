# The directories of several workers, and what each does with its checkpoints
# when they agree. What they tell each other is tested in Python.

# One worker of several, as Python drives it.
worker <- function(dir, index, count = 2L, ...) {
  functions <- bridge_functions(training_config(dir, ...))
  bytes <- some_bytes()$a
  list(
    functions = functions,
    open = function() {
      value_of(functions$open(function() TRUE, list(index, count)))
      value_of(functions$plan("[[\"a\",\"U8\",[40]]]"))
    },
    save = function(epoch, batch = 0) {
      value_of(functions$save(
        store_raw_address(bytes),
        manifest_metadata(list(
          epoch = as.character(epoch),
          batch = as.character(batch)
        ))
      ))
    },
    positions = function() {
      jsonlite::fromJSON(value_of(functions$positions()))$places
    },
    files = function() {
      basename(store_list(worker_dir(dir, c(index, count)))$path)
    }
  )
}

test_that("each worker has a directory and a lock of its own", {
  dir <- file.path(withr::local_tempdir(), "backup")
  workers <- lapply(1:2, worker, dir = dir)
  for (one in workers) {
    one$open()
    one$save(1)
  }
  expect_setequal(list.files(dir), c("worker-1-of-2", "worker-2-of-2"))
  for (place in list.files(dir, full.names = TRUE)) {
    expect_error(lock_acquire(place), class = "kerasbackup_error_locked")
    expect_equal(nrow(store_list(place)), 1)
  }
  for (one in workers) {
    one$functions$close()
  }
})

test_that("a directory that training made is gone when all are complete", {
  root <- withr::local_tempdir()
  dir <- file.path(root, "backup")
  workers <- lapply(1:2, worker, dir = dir)
  for (one in workers) {
    one$open()
    one$save(1)
    one$functions$close()
  }
  # Killed and run again: who made the directory is still known.
  for (one in workers) {
    one$open()
  }
  made <- vapply(
    workers,
    function(one) value_of(one$functions$has_made_parent()),
    NA
  )
  expect_equal(made, c(TRUE, FALSE))
  value_of(workers[[1]]$functions$finish(TRUE))
  expect_equal(list.files(dir), "worker-2-of-2")
  value_of(workers[[2]]$functions$finish(TRUE))
  expect_equal(list.files(root), character())
})

test_that("a directory that was there before stays", {
  dir <- withr::local_tempdir()
  one <- worker(dir, 1L)
  one$open()
  one$save(1)
  expect_false(value_of(one$functions$has_made_parent()))
  value_of(one$functions$finish(FALSE))
  expect_true(dir.exists(dir))
  expect_equal(list.files(dir), character())
})

test_that("two checkpoints stay, whatever is asked for", {
  dir <- withr::local_tempdir()
  one <- worker(dir, 1L)
  one$open()
  for (epoch in 1:4) {
    one$save(epoch)
  }
  expect_equal(one$positions(), rbind(c(4, 0), c(3, 0)))
  one$functions$close()
})

test_that("several workers keep all checkpoints where they should", {
  dir <- withr::local_tempdir()
  workers <- lapply(1:2, worker, dir = dir, keep = backup_keep(Inf))
  for (one in workers) {
    one$open()
    for (epoch in 1:7) {
      one$save(epoch)
    }
    expect_length(one$files(), 7)
    one$functions$close()
  }
  # They also stay after an interruption, and any of them can be looked at.
  for (one in workers) {
    one$open()
    expect_equal(one$positions()[1, ], c(7, 0))
    one$save(8)
    expect_length(one$files(), 8)
    one$functions$close()
  }
  expect_equal(backup_info(dir)$files$epoch, c(8:1, 8:1))
  expect_true(backup_verify(dir, all = TRUE))
  expect_equal(backup_info(worker_dir(dir, c(2, 2)), generation = 3)$epoch, 3L)
})

test_that("the positions are those of intact checkpoints", {
  dir <- withr::local_tempdir()
  one <- worker(dir, 1L)
  one$open()
  expect_equal(one$positions(), list())
  one$save(1, 5)
  one$save(2)
  flip_bit(store_list(worker_dir(dir, 1:2))$path[[1]], 4200)
  expect_equal(one$positions(), rbind(c(1, 5)))
  one$functions$close()
})

test_that("a worker knows whether its only checkpoint is its first", {
  dir <- withr::local_tempdir()
  one <- worker(dir, 1L)
  has_one_save <- function() {
    jsonlite::fromJSON(value_of(one$functions$positions()))$has_one_save
  }
  one$open()
  expect_true(has_one_save())
  one$save(1)
  expect_true(has_one_save())
  one$save(2)
  expect_false(has_one_save())
  unlink(store_list(worker_dir(dir, 1:2))$path[[2]])
  expect_false(has_one_save())
  one$functions$close()
})

test_that("a first checkpoint that is damaged counts", {
  dir <- withr::local_tempdir()
  one <- worker(dir, 1L)
  one$open()
  one$save(1)
  flip_bit(store_list(worker_dir(dir, 1:2))$path[[1]], 4200)
  found <- jsonlite::fromJSON(value_of(one$functions$positions()))
  expect_equal(
    found,
    list(places = list(), times = list(), has_one_save = FALSE)
  )
  one$functions$close()
})

test_that("checkpoints that other workers lack are dropped and stay away", {
  dir <- withr::local_tempdir()
  one <- worker(dir, 1L)
  one$open()
  one$save(1)
  one$save(2)
  one$positions()
  value_of(one$functions$drop_newer(1L))
  expect_equal(one$positions(), rbind(c(1, 0)))
  # A new one has a new number.
  one$save(2)
  expect_equal(
    one$files(),
    sprintf("backup-%012d.safetensors", c(3, 1))
  )
  value_of(one$functions$drop_last())
  expect_equal(one$positions(), rbind(c(1, 0)))
  # There is nothing left to drop.
  value_of(one$functions$drop_last())
  expect_equal(one$positions(), rbind(c(1, 0)))
  one$functions$close()
})

test_that("a file that is not ours is not dropped", {
  dir <- withr::local_tempdir()
  one <- worker(dir, 1L)
  one$open()
  one$save(1)
  one$positions()
  path <- store_list(worker_dir(dir, 1:2))$path
  writeLines("mine", path)
  value_of(one$functions$drop_newer(1L))
  expect_equal(readLines(path), "mine")
  one$functions$close()
})

test_that("settling says whether the last save is committed", {
  dir <- withr::local_tempdir()
  one <- worker(dir, 1L, on_save_error = "warn")
  one$open()
  expect_true(value_of(one$functions$settle()))
  one$save(1)
  expect_true(value_of(one$functions$settle()))
  suppressWarnings(
    value_of(one$functions$fail("kerasbackup_error_io", "no space"))
  )
  expect_false(value_of(one$functions$settle()))
  one$save(2)
  expect_true(value_of(one$functions$settle()))
  one$functions$close()
})

test_that("checkpoints of another number of workers are refused", {
  dir <- withr::local_tempdir()
  one <- worker(dir, 2L)
  one$open()
  # Only a directory with a checkpoint counts.
  expect_no_error(refuse_other_workers(dir, integer()))
  one$save(1)
  one$functions$close()
  expect_no_error(refuse_other_workers(dir, 1:2))
  three <- worker(dir, 1L, 3L)
  expect_match(
    three$functions$open(function() TRUE, list(1L, 3L))$message,
    "of a training with 2 workers, and this training has 3 workers"
  )
  expect_error(
    refuse_other_workers(dir, integer()),
    "of a training with 2 workers, and this training has 1 worker\\.",
    class = "kerasbackup_error_mismatch"
  )
  expect_equal(list.files(dir), "worker-2-of-2")

  alone <- withr::local_tempdir()
  save_once(alone, some_bytes())
  expect_error(
    refuse_other_workers(alone, 1:2),
    "of a training with 1 worker, and this training has 2 workers",
    class = "kerasbackup_error_mismatch"
  )
})

test_that("a stop for another worker's signal says so", {
  expect_match(
    conditionMessage(cnd_preempted(character(), NULL)),
    "^A signal was received by another worker, and training was stopped"
  )
})
