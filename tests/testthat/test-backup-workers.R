# The `backup_*()` functions on a directory of several workers.

# A checkpoint of one worker: what all have (`whole`), what is its own in a
# tensor of the same name (`own`), and its shard of a matrix of 2 x 4, two
# columns each, and of a vector of 4.
save_worker <- function(dir, index, epoch, count = 2L, shards = NULL) {
  place <- worker_dir(dir, c(index, count))
  dir.create(place, recursive = TRUE, showWarnings = FALSE)
  store <- store_open(place, keep = 2L)
  on.exit(store_close(store))
  f32 <- function(x) writeBin(as.numeric(x), raw(), size = 4, endian = "little")
  first <- 2 * (index - 1)
  columns <- paste0("kernel@0:2,", first, ":", first + 2)
  rows <- paste0("bias@", first, ":", first + 2)
  plan <- manifest_plan(
    c("whole", "own", columns, rows),
    rep("F32", 4),
    list(3, numeric(), c(2, 2), 2)
  )
  # In a file the last dimension varies fastest.
  kernel <- matrix(1:8, 2, byrow = TRUE)[, first + 1:2]
  data <- list(
    f32(1:3 + epoch),
    f32(10 * index),
    f32(t(kernel)),
    f32(first + 1:2)
  )
  store_plan(store, plan$tensors, plan$sizes)
  shards <- shards %||%
    stats::setNames(
      list(
        list(variable = "kernel", shape = c(2, 4), begin = c(0, first)),
        list(variable = "bias", shape = I(4), begin = I(first))
      ),
      c(columns, rows)
    )
  history <- sprintf("{\"epoch\":[0],\"loss\":[%d.5]}", index)
  store_save(
    store,
    do.call(c, lapply(data, store_raw_address)),
    manifest_metadata(list(
      epoch = as.character(epoch),
      batch = "3",
      history = history,
      shards = as.character(jsonlite::toJSON(shards, auto_unbox = TRUE))
    ))
  )
}

local_workers <- function(envir = parent.frame()) {
  dir <- withr::local_tempdir(.local_envir = envir)
  save_worker(dir, 1L, 1)
  save_worker(dir, 2L, 1)
  # Only the first came so far.
  save_worker(dir, 1L, 2)
  dir
}

test_that("backup_info() shows the newest checkpoint that all workers have", {
  dir <- local_workers()
  info <- backup_info(dir)
  expect_equal(info$workers, 2)
  expect_equal(c(info$epoch, info$batch), c(1, 3))
  expect_equal(info$files$worker, c(1, 1, 2))
  expect_equal(info$files$epoch, c(2, 1, 1))
  expect_equal(info$variables$name, c("whole", "own", "kernel", "bias"))
  expect_equal(
    unclass(info$variables$shape),
    list(3, numeric(), c(2, 4), 4)
  )
  expect_equal(info$variables$bytes, c(12, 4, 32, 16))
  text <- format(info)
  expect_true("workers: 2" %in% text)
  expect_match(text, "worker-2-of-2/backup-000000000001", all = FALSE)
  expect_match(format(summary(info)), "loss", all = FALSE)
})

test_that("backup_read() puts shards together", {
  dir <- local_workers()
  values <- backup_read(dir)
  expect_equal(names(values), c("whole", "own", "kernel", "bias"))
  expect_equal(values$kernel, matrix(1:8, 2, byrow = TRUE))
  expect_equal(as.vector(values$bias), 1:4)
  expect_equal(as.vector(values$whole), 2:4)
  # What is a worker's own is that of the first.
  expect_equal(values$own, 10)
  expect_equal(backup_read(dir, "kernel"), values["kernel"])
  expect_error(backup_read(dir, "no"), class = "kerasbackup_error_argument")
  # One worker's directory has its shards.
  expect_equal(
    backup_read(file.path(dir, "worker-2-of-2"))[["kernel@0:2,2:4"]],
    matrix(c(3, 4, 7, 8), 2, byrow = TRUE)
  )
})

test_that("a shard that is missing is an error", {
  dir <- local_workers()
  unlink(file.path(dir, "worker-2-of-2"), recursive = TRUE)
  expect_equal(names(backup_read(dir, "whole")), "whole")
  error <- expect_error(
    backup_read(dir),
    "Parts of variables are missing",
    class = "kerasbackup_error_io"
  )
  expect_match(conditionMessage(error), "kernel")
  expect_match(conditionMessage(error), "worker 1 of 2")
})

test_that("backup_history() and backup_verify() know workers", {
  dir <- local_workers()
  expect_equal(backup_history(dir), data.frame(epoch = 1L, loss = 1.5))
  expect_true(backup_verify(dir))
  files <- store_list(file.path(dir, "worker-1-of-2"))$path
  flip_bit(files[[2]], file.size(files[[2]]) - 100)
  expect_true(backup_verify(dir))
  expect_error(
    backup_verify(dir, all = TRUE),
    class = "kerasbackup_error_corrupt"
  )
})

test_that("backup_delete() deletes the checkpoints of all workers or none", {
  dir <- local_workers()
  writeLines("mine", file.path(dir, "worker-1-of-2", "mine"))
  lock <- lock_acquire(file.path(dir, "worker-2-of-2"))
  expect_error(backup_delete(dir), class = "kerasbackup_error_locked")
  expect_equal(nrow(worker_dirs(dir)), 2)
  lock_release(lock)
  expect_length(backup_delete(dir), 3)
  expect_equal(nrow(worker_dirs(dir)), 0)
  expect_equal(list.files(file.path(dir, "worker-1-of-2")), "mine")
  # The locks are free.
  expect_no_error(lock_release(lock_acquire(file.path(dir, "worker-1-of-2"))))
})

test_that("workers without a checkpoint in common are an error", {
  dir <- withr::local_tempdir()
  save_worker(dir, 1L, 1)
  save_worker(dir, 2L, 2)
  expect_error(
    backup_info(dir),
    "no checkpoint in common",
    class = "kerasbackup_error_mismatch"
  )
  save_worker(dir, 2L, 1, count = 3L)
  expect_error(
    backup_info(dir),
    "several trainings, with 2 and 3 workers",
    class = "kerasbackup_error_mismatch"
  )
})

test_that("shards that do not fit their tensors count as damage", {
  good <- list(variable = "kernel", shape = c(2, 4), begin = c(0, 0))
  bad <- list(
    list(no = good),
    stats::setNames(list(good[-1]), "kernel@0:2,0:2"),
    stats::setNames(
      list(utils::modifyList(good, list(begin = c(0, 3)))),
      "kernel@0:2,0:2"
    ),
    stats::setNames(
      list(utils::modifyList(good, list(shape = c(2, 4, 1)))),
      "kernel@0:2,0:2"
    ),
    stats::setNames(
      list(utils::modifyList(good, list(begin = c(0, -1)))),
      "kernel@0:2,0:2"
    )
  )
  for (shards in bad) {
    dir <- withr::local_tempdir()
    save_worker(dir, 1L, 1, shards = shards)
    expect_error(backup_info(dir), class = "kerasbackup_error_corrupt")
  }
})

test_that("the generations of workers are those of their own directories", {
  dir <- local_workers()
  for (verb in list(backup_info, backup_read)) {
    error <- expect_error(
      verb(dir, generation = 1),
      "worker-1-of-2",
      class = "kerasbackup_error_argument"
    )
    expect_identical(error$arg, "generation")
  }
  one <- file.path(dir, "worker-1-of-2")
  expect_equal(backup_info(one, generation = 1)$epoch, 1L)
})

# One checkpoint of a process that had divided a matrix of 3 x 2: the first row,
# and the others unless they are left out.
save_divided <- function(dir, is_whole = TRUE) {
  store <- store_open(dir)
  on.exit(store_close(store))
  f32 <- function(x) writeBin(as.numeric(x), raw(), size = 4, endian = "little")
  values <- list(
    "kernel@0:1,0:2" = 1:2,
    step = 7,
    "kernel@1:3,0:2" = 3:6
  )
  shapes <- list(c(1, 2), numeric(), c(2, 2))
  there <- c(TRUE, TRUE, is_whole)
  names <- names(values)[there]
  plan <- manifest_plan(names, rep("F32", sum(there)), shapes[there])
  store_plan(store, plan$tensors, plan$sizes)
  data <- lapply(values[there], f32)
  shards <- list(
    "kernel@0:1,0:2" = list(variable = "kernel", shape = 3:2, begin = c(0, 0)),
    "kernel@1:3,0:2" = list(variable = "kernel", shape = 3:2, begin = c(1, 0))
  )[there[-2]]
  store_save(
    store,
    do.call(c, unname(lapply(data, store_raw_address))),
    manifest_metadata(list(
      epoch = "1",
      shards = as.character(jsonlite::toJSON(shards, auto_unbox = TRUE))
    ))
  )
}

test_that("the parts of a variable in one checkpoint are put together", {
  dir <- withr::local_tempdir()
  save_divided(dir)
  whole <- list(kernel = matrix(1:6, 3, byrow = TRUE), step = 7)
  expect_equal(backup_read(dir), whole)
  expect_equal(backup_read(dir, "kernel"), whole["kernel"])
  expect_equal(backup_read(dir, c("step", "kernel")), whole[2:1])
  expect_error(
    backup_read(dir, "kernel@0:1,0:2"),
    class = "kerasbackup_error_argument"
  )
  found <- backup_info(dir)$variables
  expect_equal(found$name, c("kernel", "step"))
  expect_equal(unclass(found$shape), list(c(3, 2), numeric()))
  expect_equal(found$bytes, c(24, 4))
  # All of it is verified, unless names are given.
  path <- store_list(dir)$path
  flip_bit(path, 4200)
  expect_error(backup_read(dir), class = "kerasbackup_error_corrupt")
})

test_that("a part alone counts as a variable", {
  dir <- withr::local_tempdir()
  save_divided(dir, is_whole = FALSE)
  expect_equal(
    backup_read(dir),
    list("kernel@0:1,0:2" = matrix(1:2, 1), step = 7)
  )
  expect_equal(backup_info(dir)$variables$name, c("kernel@0:1,0:2", "step"))
})
