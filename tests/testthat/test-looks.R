# What looks at a directory while a training saves and rotates there. A file
# that goes between the listing and the look is neither damaged nor missing.

# A process that saves as fast as it can, until a file `stop` is made.
local_training <- function(dir, keep, envir = parent.frame()) {
  stop <- withr::local_tempfile(.local_envir = envir)
  ready <- withr::local_tempfile(.local_envir = envir)
  done <- withr::local_tempfile(.local_envir = envir)
  withr::defer(
    {
      file.create(stop)
      wait_for(function() file.exists(done))
    },
    envir = envir
  )
  run_r(
    '
    args <- commandArgs(TRUE)
    attach(asNamespace("kerasbackup"))
    dir.create(args[[1]], recursive = TRUE, showWarnings = FALSE)
    store <- store_open(args[[1]], keep = as.integer(args[[2]]), async = FALSE)
    bytes <- as.raw(1:64)
    plan <- manifest_plan("variables/a", "U8", list(64))
    store_plan(store, plan$tensors, plan$sizes)
    fields <- list(
      epoch = "3",
      batch = "0",
      epochs = "9",
      saved_at = "2026-01-02T03:04:05",
      history = "{\\"epoch\\":[0,1,2],\\"loss\\":[0.5,0.25,0.125]}"
    )
    metadata <- manifest_metadata(fields)
    while (!file.exists(args[[3]])) {
      store_save(store, store_raw_address(bytes), metadata)
      file.create(args[[4]])
    }
    store_close(store)
    file.create(args[[5]])
    ',
    dir,
    keep,
    stop,
    ready,
    done,
    wait = FALSE
  )
  wait_for(function() file.exists(ready))
}

wait_for <- function(is_so, seconds = 60) {
  end <- Sys.time() + seconds
  while (!is_so()) {
    if (Sys.time() > end) {
      stop("It did not come about.")
    }
    Sys.sleep(0.01)
  }
}

test_that("no look at a directory in use finds damage or nothing", {
  skip_on_cran()
  root <- withr::local_tempdir()
  dir <- file.path(root, "run")
  local_training(dir, 3)
  file <- withr::local_tempfile(fileext = ".safetensors")
  for (i in 1:40) {
    expect_true(backup_verify(dir, all = TRUE))
    info <- backup_info(dir)
    expect_false(anyNA(info$files$epoch))
    expect_identical(nrow(backup_history(dir)), 3L)
    expect_named(backup_read(dir), "variables/a")
    expect_identical(backup_list(root)$epoch, 3L)
    expect_no_warning(backup_export(dir, file))
    unlink(file)
  }
})

# Removes a file when it is read the first time, as a rotation may.
local_removal <- function(path, envir = parent.frame()) {
  real <- store_header
  local_function(
    "store_header",
    function(one) {
      if (one %in% path) {
        unlink(one)
      }
      real(one)
    },
    envir = envir
  )
}

test_that("an older checkpoint that goes meanwhile is passed over", {
  dir <- withr::local_tempdir()
  save_backup(dir, fields = example_fields(), keep = 3L, times = 3)
  paths <- store_list(dir)$path
  local_removal(paths[[2]])
  expect_equal(backup_info(dir)$files$path, paths[-2])
  save_backup(dir, fields = example_fields(), keep = 3L)
  local_removal(store_list(dir)$path[[3]])
  expect_true(backup_verify(dir, all = TRUE))
  expect_length(store_list(dir)$path, 2)
})

test_that("a backup that goes meanwhile is not listed as damaged", {
  root <- withr::local_tempdir()
  dir <- file.path(root, "run")
  dir.create(dir)
  save_backup(dir, fields = example_fields(), keep = 2L, times = 2)
  paths <- store_list(dir)$path
  local_removal(paths[[1]])
  expect_equal(
    backup_list(root)[c("epoch", "generation")],
    data.frame(epoch = 3L, generation = 1)
  )
  local_removal(paths)
  expect_equal(nrow(backup_list(root)), 0)
})

test_that("a directory that is listed as empty by chance is listed again", {
  root <- withr::local_tempdir()
  save_backup(root, fields = example_fields())
  real <- store_list
  looks <- 0
  local_function("store_list", function(dir) {
    looks <<- looks + 1
    files <- real(dir)
    if (looks %% 2 == 1) files[0, ] else files
  })
  expect_equal(backup_info(root)$epoch, 3L)
  expect_equal(backup_list(root)$epoch, 3L)
})

test_that("checkpoints that workers remove meanwhile are passed over", {
  dir <- withr::local_tempdir()
  for (i in 1:2) {
    place <- worker_dir(dir, c(i, 2L))
    dir.create(place)
    save_backup(place, fields = example_fields(), keep = 3L, times = 3)
  }
  first <- store_list(worker_dir(dir, 1:2))$path
  local_removal(first[[2]])
  info <- backup_info(dir)
  expect_equal(sum(info$files$worker == 1), 2)
  expect_false(anyNA(info$files$epoch))
  local_removal(first[[1]])
  expect_equal(nrow(backup_history(dir)), 3)
})

test_that("what is gone for good says so, and not that the directory is", {
  dir <- withr::local_tempdir()
  path <- save_backup(dir)
  unlink(path)
  error <- expect_error(store_header(path), class = "kerasbackup_error_io")
  expect_match(conditionMessage(error), "removed meanwhile")
  expect_no_match(conditionMessage(error), "directory no longer exists")
})
