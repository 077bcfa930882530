# I8: one writer a directory.

test_that("I8: a second holder in this process is refused, with the pid", {
  dir <- withr::local_tempdir()
  lock <- lock_acquire(dir)
  error <- expect_error(lock_acquire(dir), class = "kerasbackup_error_locked")
  expect_equal(error$pid, Sys.getpid())
  expect_equal(error$host, Sys.info()[["nodename"]])
  expect_match(conditionMessage(error), "Another callback of this process")
  expect_error(backup_delete(dir), class = "kerasbackup_error_locked")
  lock_release(lock)
  lock_release(lock)
  expect_no_error(lock_release(lock_acquire(dir)))
})

test_that("I8: the same directory under another name is the same", {
  dir <- withr::local_tempdir()
  link <- file.path(withr::local_tempdir(), "link")
  file.symlink(dir, link)
  lock <- lock_acquire(dir)
  withr::defer(lock_release(lock))
  expect_error(lock_acquire(link), class = "kerasbackup_error_locked")
})

test_that("I8: another process is refused, and told pid and host", {
  dir <- withr::local_tempdir()
  lock <- lock_acquire(dir)
  withr::defer(lock_release(lock))
  out <- run_r(
    c(
      "dir <- commandArgs(TRUE)",
      "e <- tryCatch(kerasbackup:::lock_acquire(dir), error = identity)",
      "cat(class(e)[[1]], e$pid, e$host, '\\n')",
      "cat(conditionMessage(e))"
    ),
    dir
  )
  expect_equal(
    trimws(out[[1]]),
    paste("kerasbackup_error_locked", Sys.getpid(), Sys.info()[["nodename"]])
  )
  expect_match(paste(out, collapse = " "), paste("Process", Sys.getpid()))
})

test_that("I8: a killed owner's lock frees itself", {
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  out <- suppressWarnings(run_r(
    c(
      "lock <- kerasbackup:::lock_acquire(commandArgs(TRUE), made_dir = TRUE)",
      "cat('locked\\n')",
      "tools::pskill(Sys.getpid(), 9)"
    ),
    dir
  ))
  expect_true("locked" %in% out)
  expect_true(file.exists(file.path(dir, lock_name)))
  lock <- expect_no_error(lock_acquire(dir))
  # What the killed one knew about the directory is not lost.
  expect_true(lock$made_dir)
  lock_release(lock)
})

test_that("a lock whose training is over gives way", {
  dir <- withr::local_tempdir()
  over <- FALSE
  first <- lock_acquire(dir, is_stale = function() over)
  expect_error(lock_acquire(dir), class = "kerasbackup_error_locked")
  over <- TRUE
  second <- expect_no_error(lock_acquire(dir))
  # The first one's late release does not free the second one's lock.
  lock_release(first)
  expect_error(lock_acquire(dir), class = "kerasbackup_error_locked")
  lock_release(second)
})

test_that("a lock that nobody has any more is freed by garbage collection", {
  dir <- withr::local_tempdir()
  local(lock_acquire(dir))
  gc()
  expect_no_error(lock_release(lock_acquire(dir)))
})

test_that("I7: a lock's files go, what is not ours stays", {
  parent <- withr::local_tempdir()
  dir <- file.path(parent, "made")
  dir.create(dir)
  lock <- lock_acquire(dir, made_dir = TRUE)
  lock_remove_files(lock)
  lock_release(lock)
  expect_false(dir.exists(dir))

  dir.create(dir)
  lock <- lock_acquire(dir, made_dir = TRUE)
  writeLines("mine", file.path(dir, "notes.txt"))
  lock_remove_files(lock)
  lock_release(lock)
  expect_equal(list.files(dir), "notes.txt")

  lock <- lock_acquire(parent, made_dir = FALSE)
  unlink(dir, recursive = TRUE)
  lock_remove_files(lock)
  lock_release(lock)
  expect_true(dir.exists(parent))
  expect_length(list.files(parent, all.files = TRUE, no.. = TRUE), 0)
})

test_that("I7: files that only have the lock's names are not deleted", {
  dir <- withr::local_tempdir()
  lock <- lock_acquire(dir)
  writeLines("{\"mine\": 1}", file.path(dir, owner_name))
  writeLines("mine", file.path(dir, lock_name))
  lock_remove_files(lock)
  lock_release(lock)
  expect_setequal(list.files(dir), c(owner_name, lock_name))
})

test_that("I7: a lock is never followed out of the directory", {
  skip_on_os("windows")
  for (name in c(lock_name, owner_name)) {
    dir <- withr::local_tempdir()
    target <- withr::local_tempfile(lines = "mine")
    file.symlink(target, file.path(dir, name))
    expect_error(lock_acquire(dir), "is a link", class = "kerasbackup_error_io")
    expect_equal(readLines(target), "mine")
    file.remove(file.path(dir, name))
    # The failed attempt holds nothing.
    expect_no_error(lock_release(lock_acquire(dir)))
  }
})

test_that("a shared directory's lock is not its maker's alone", {
  skip_on_os("windows")
  old <- Sys.umask("022")
  withr::defer(Sys.umask(old))
  dir <- withr::local_tempdir()
  lock <- lock_acquire(dir)
  withr::defer(lock_release(lock))
  mode <- file.mode(file.path(dir, lock_name))
  expect_equal(as.character(mode), "644")
})

test_that("what is no plain file is not waited for", {
  skip_on_os("windows")
  skip_if(Sys.which("mkfifo") == "")
  dir <- withr::local_tempdir()
  system2("mkfifo", shQuote(file.path(dir, owner_name)))
  expect_no_error(lock_release(lock_acquire(dir)))
  expect_true(owner_name %in% list.files(dir))
  dir <- withr::local_tempdir()
  dir.create(file.path(dir, lock_name))
  expect_error(lock_acquire(dir), "not a file", class = "kerasbackup_error_io")
})
