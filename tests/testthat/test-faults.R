# The C tests fail every operation in many ways; here it is seen once that what
# C reports reaches R.

test_that("each operation of a save may fail: reported, last commit intact, no file left, the next save works (I1, I4)", {
  dir <- withr::local_tempdir()
  tensors <- some_bytes(seed = 2)
  at <- 0
  repeat {
    at <- at + 1
    unlink(list.files(dir, full.names = TRUE))
    save_once(dir, some_bytes(seed = 1))
    before <- directory_state(dir)
    store <- tryCatch(
      store_open_faulty(dir, fault = list(at = at, errno = "ENOSPC")),
      kerasbackup_error_io = function(e) NULL
    )
    if (is.null(store)) {
      next
    }
    error <- tryCatch(
      {
        saved <- save_tensors(store, tensors)
        NULL
      },
      kerasbackup_error_io = identity
    )
    if (store_ops(store) < at) {
      expect_null(error)
      break
    }
    if (is.null(error)) {
      # Behind the commit: what failed was the removal of the old one.
      expect_identical(all_data(store_read(saved$path)), tensors$a)
    } else if (error$failure$status == "durability") {
      expect_equal(store_list(dir)$generation, c(2, 1))
    } else {
      expect_equal(error$failure$errno, "ENOSPC")
      expect_identical(directory_state(dir), before)
    }
    expect_gt(save_tensors(store, tensors)$generation, 1)
    store_close(store)
  }
  store_close(store)
  expect_gt(at, 15)
})

test_that("the failure says what, where and why, and how much space there is", {
  dir <- withr::local_tempdir()
  store <- store_open_faulty(
    dir,
    fault = list(op = "reserve", at = 1, errno = "ENOSPC")
  )
  failure <- failure_of(save_tensors(store, some_bytes()))
  expect_equal(failure$op, "reserve")
  expect_equal(failure$errno, "ENOSPC")
  expect_match(basename(failure$path), "^backup-000000000001\\..*\\.tmp$")
  expect_equal(failure$needed, save_tensors(store, some_bytes())$bytes)
  expect_gt(failure$available, 0)
  expect_equal(failure$offset, NA_real_)
  store_close(store)
})

test_that("a file beyond the process's limit is an error, no end of R (I4)", {
  skip_on_os("windows")
  for (async in c(TRUE, FALSE)) {
    dir <- withr::local_tempdir()
    script <- withr::local_tempfile(
      fileext = ".R",
      lines = c(
        "env <- new.env(parent = asNamespace('kerasbackup'))",
        "env$args <- commandArgs(TRUE)",
        "sys.source('helper-store.R', env)",
        "with(env, {",
        "  store <- store_open(args[[1]], async = as.logical(args[[2]]))",
        "  save_tensors(store, some_bytes(1e3))",
        "  failure <- failure_of(save_tensors(store, some_bytes(3e5)))",
        "  cat(failure$errno, failure$needed, failure$available, '\\n')",
        "  cat(save_tensors(store, some_bytes(2e3))$generation, '\\n')",
        "})"
      )
    )
    # Blocks of 512 bytes, or of 1024.
    out <- system2(
      "sh",
      c(
        "-c",
        shQuote('ulimit -f 100; exec "$@"'),
        "sh",
        shQuote(file.path(R.home("bin"), "Rscript")),
        "--vanilla",
        shQuote(script),
        shQuote(dir),
        async
      ),
      stdout = TRUE,
      stderr = TRUE,
      env = paste0("R_LIBS=", shQuote(paste(.libPaths(), collapse = ":")))
    )
    expect_null(attr(out, "status"))
    expect_match(out[[1]], "^EFBIG 30[0-9]{4} NA")
    expect_equal(trimws(out[[2]]), "2")
    expect_length(list.files(dir), 1)
  }
})

test_that("a failed fsync of the directory has its own status (I2)", {
  dir <- withr::local_tempdir()
  save_once(dir, some_bytes())
  # The first such sync is of the parent, when the store is opened.
  store <- store_open_faulty(
    dir,
    fault = list(op = "sync_dir", at = 2, errno = "EIO")
  )
  failure <- failure_of(save_tensors(store, some_bytes()))
  expect_equal(failure$status, "durability")
  expect_equal(basename(failure$path), "backup-000000000002.safetensors")
  expect_equal(store_list(dir)$generation, c(2, 1))
  store_close(store)
})

test_that("an old generation that cannot be removed is a note", {
  dir <- withr::local_tempdir()
  save_once(dir, some_bytes())
  store <- store_open_faulty(
    dir,
    fault = list(op = "unlink", at = 1, errno = "EACCES", persistent = TRUE)
  )
  saved <- save_tensors(store, some_bytes())
  expect_length(saved$notes, 1)
  expect_s3_class(saved$notes[[1]], "kb_failure")
  expect_equal(saved$notes[[1]]$errno, "EACCES")
  store_close(store)
})

test_that("short counts and a killed process are survived (I1)", {
  dir <- withr::local_tempdir()
  store <- store_open_faulty(dir, fault = list(short = 7))
  saved <- save_tensors(store, some_bytes())
  expect_identical(all_data(store_find(store, "load")), some_bytes()$a)
  expect_gt(store_ops(store), saved$bytes / 7)
  store_close(store)

  skip_on_os("windows")
  child <- parallel::mcparallel({
    faulty <- store_open_faulty(dir, fault = list(op = "rename", kill = 1))
    save_tensors(faulty, some_bytes(seed = 2))
  })
  suppressWarnings(parallel::mccollect(child))
  # Until it has been waited for, a killed process counts as alive.
  deadline <- Sys.time() + 10
  while (tools::pskill(child$pid, 0L) && Sys.time() < deadline) {
    Sys.sleep(0.01)
  }
  expect_length(list.files(dir, "\\.tmp$"), 1)
  store <- store_open(dir)
  expect_length(list.files(dir, "\\.tmp$"), 0)
  expect_identical(all_data(store_find(store, "load")), some_bytes()$a)
  store_close(store)
})

test_that("a fault that is none is refused", {
  dir <- withr::local_tempdir()
  for (fault in list(
    list(at = 1, errno = "ENONSENSE"),
    list(op = "nonsense")
  )) {
    expect_error(
      store_open_faulty(dir, fault = fault),
      class = "kerasbackup_error_argument"
    )
  }
})

test_that("operations are counted only where faults are asked for", {
  dir <- withr::local_tempdir()
  store <- store_open(dir)
  expect_identical(store_ops(store), NA_real_)
  store_close(store)
  store <- store_open_faulty(dir, fault = list())
  expect_gt(store_ops(store), 0)
  store_close(store)
})
