# I8: one writer a directory.

# Runs `expr` in a forked process, and returns its value.
in_fork <- function(expr) {
  child <- parallel::mcparallel(expr, silent = TRUE)
  parallel::mccollect(child)[[1]]
}

# Whether another process may have the directory.
is_free <- function(dir) {
  out <- run_r(
    c(
      "lock <- tryCatch(kerasbackup:::lock_acquire(commandArgs(TRUE)),",
      "  kerasbackup_error_locked = function(e) NULL)",
      "cat(!is.null(lock))"
    ),
    dir
  )
  identical(out, "TRUE")
}

# Makes locking fail, as C tells it.
local_lock_failure <- function(errno, op = "lock", frame = parent.frame()) {
  failure <- structure(
    list(
      status = "io",
      op = op,
      path = "the/lock",
      errno = errno,
      errno_text = "the words",
      message = paste(op, "failed")
    ),
    class = "kb_failure"
  )
  ns <- environment(lock_acquire)
  replace <- function(value) {
    unlockBinding("lock_file_take", ns)
    assign("lock_file_take", value, ns)
    lockBinding("lock_file_take", ns)
  }
  old <- ns$lock_file_take
  replace(function(path) failure)
  withr::defer(replace(old), envir = frame)
}

# What must come, however long the machine takes.
wait_until <- function(condition, seconds = 60) {
  condition <- substitute(condition)
  until <- Sys.time() + seconds
  while (!eval(condition, parent.frame())) {
    stopifnot(Sys.time() < until)
    Sys.sleep(0.02)
  }
}

# A process that takes the lock of a directory, says so, and ends with the test.
#
# @param lines R code that runs in between, with `dir` and `lock`.
holder_process <- function(dir, lines = character(), frame = parent.frame()) {
  go <- withr::local_tempfile(.local_envir = frame)
  out <- withr::local_tempfile(.local_envir = frame)
  run_r(
    c(
      "args <- commandArgs(TRUE)",
      "dir <- args[[1]]",
      "lock <- kerasbackup:::lock_acquire(dir)",
      lines,
      "writeLines('ready', args[[3]])",
      "until <- Sys.time() + 60",
      "while (!file.exists(args[[2]]) && Sys.time() < until) Sys.sleep(0.02)"
    ),
    dir,
    go,
    out,
    wait = FALSE
  )
  wait_until(file.exists(out))
  withr::defer(file.create(go), envir = frame)
  invisible()
}

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

test_that("I8: a directory that is copied and looked at stays locked", {
  dir <- withr::local_tempdir()
  copy <- withr::local_tempdir()
  look <- function(dir, copy) {
    file.copy(dir, copy, recursive = TRUE)
    files <- list.files(dir, full.names = TRUE)
    tools::md5sum(files)
    for (file in files) {
      readBin(file, "raw", 100)
    }
    utils::tar(tempfile(), dir, tar = "internal")
  }
  lock <- lock_acquire(dir)
  look(dir, copy)
  expect_false(is_free(dir))
  lock_release(lock)
  expect_true(is_free(dir))
  # By the other process, too.
  holder_process(
    dir,
    c(
      paste("look <-", paste(deparse(look), collapse = "\n")),
      "look(dir, tempdir())"
    )
  )
  error <- expect_error(lock_acquire(dir), class = "kerasbackup_error_locked")
  expect_false(identical(error$pid, Sys.getpid()))
})

test_that("I8: a lock ends with its process, whatever goes on that it began", {
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  pids <- withr::local_tempfile()
  # Not waited for: its children have its output open.
  run_r(
    c(
      "args <- commandArgs(TRUE)",
      "lock <- kerasbackup:::lock_acquire(args[[1]])",
      "begun <- tempfile()",
      "forked <- parallel::mcparallel({file.create(begun); Sys.sleep(60)})$pid",
      # Until then it may not have closed what it has inherited.
      "while (!file.exists(begun)) Sys.sleep(0.01)",
      "started <- system2('sh', c('-c',",
      "  shQuote('sleep 60 >/dev/null 2>&1 & echo $!')), stdout = TRUE)",
      "writeLines(as.character(c(Sys.getpid(), forked, started)), args[[2]])",
      "file.rename(args[[2]], args[[3]])",
      "tools::pskill(Sys.getpid(), 9)"
    ),
    dir,
    paste0(pids, "-new"),
    pids,
    wait = FALSE
  )
  # Signal 0 only asks.
  is_there <- function(pid) tools::pskill(pid, 0)
  wait_until(file.exists(pids))
  pids <- as.integer(readLines(pids))
  withr::defer(tools::pskill(pids[-1], 9))
  expect_length(pids, 3)
  wait_until(!is_there(pids[[1]]))
  expect_true(all(is_there(pids[-1])))
  expect_no_error(lock_release(lock_acquire(dir)))
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

test_that("I8: a release that comes late leaves the next one's lock", {
  dir <- withr::local_tempdir()
  first <- lock_acquire(dir)
  # As the garbage collector does before it calls the finalizer.
  rm(list = first$key, envir = lock_table)
  lock_file_release(first$handle)
  second <- lock_acquire(dir)
  lock_release(first)
  expect_error(lock_acquire(dir), class = "kerasbackup_error_locked")
  expect_false(is_free(dir))
  lock_release(second)
  expect_true(is_free(dir))
})

test_that("a lock that nobody has any more is freed by garbage collection", {
  dir <- withr::local_tempdir()
  ended <- FALSE
  lock <- lock_acquire(dir)
  lock$before_release <- function() ended <<- TRUE
  rm(lock)
  gc()
  expect_true(ended)
  expect_no_error(lock_release(lock_acquire(dir)))
})

test_that("a lock that an interrupt has left in no table is no lock", {
  dir <- withr::local_tempdir()
  handle <- lock_file_take(file.path(dir, lock_name))
  # As long as somebody has it, it is one.
  expect_error(lock_acquire(dir), class = "kerasbackup_error_locked")
  rm(handle)
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

test_that("I7: a directory's name is no pattern", {
  parent <- withr::local_tempdir()
  dirs <- file.path(parent, c("run[1]", "run1"))
  for (dir in dirs) {
    dir.create(dir)
  }
  locks <- lapply(dirs, lock_acquire)
  lock_remove_files(locks[[1]])
  lock_release(locks[[1]])
  expect_length(list.files(dirs[[1]]), 0)
  expect_setequal(list.files(dirs[[2]]), c(lock_name, owner_name))
  expect_false(is_free(dirs[[2]]))
  lock_release(locks[[2]])
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

test_that("I8: a forked process is refused, and told who has the directory", {
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  # Asking Python in a forked process may never end.
  lock <- lock_acquire(dir, is_stale = function() stop("asked"))
  withr::defer(lock_release(lock))
  children <- parallel::mclapply(1:2, function(i) {
    tryCatch(lock_acquire(dir), error = identity)
  })
  for (error in children) {
    expect_s3_class(error, "kerasbackup_error_locked")
    expect_equal(error$pid, Sys.getpid())
    expect_match(conditionMessage(error), paste("Process", Sys.getpid()))
  }
  expect_false(is_free(dir))
})

test_that("I8: nothing that a forked process does frees its parent's lock", {
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  lock <- lock_acquire(dir)
  ended <- 0
  lock$before_release <- function() ended <<- ended + 1
  result <- in_fork({
    lock_release(lock)
    rm(lock)
    gc()
    ended
  })
  # The saves of the parent are not the child's to end.
  expect_equal(result, 0)
  expect_false(is_free(dir))
  lock_release(lock)
  expect_equal(ended, 1)
  expect_true(is_free(dir))
})

test_that("I8: a forked process may train in a directory of its own", {
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  other <- withr::local_tempdir()
  lock <- lock_acquire(dir)
  withr::defer(lock_release(lock))
  kept <- in_fork({
    train(other, complete = FALSE)
    store_list(other)$generation
  })
  expect_equal(kept, 2)
})

test_that("I8: what a forked process knows of its parent's lock may be over", {
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  go <- withr::local_tempfile()
  lock <- lock_acquire(dir)
  child <- parallel::mcparallel({
    while (!file.exists(go)) {
      Sys.sleep(0.01)
    }
    lock <- lock_acquire(dir)
    lock_release(lock)
    "locked"
  })
  lock_release(lock)
  file.create(go)
  expect_equal(parallel::mccollect(child)[[1]], "locked")
})

test_that("I8: a forked process may not use the session of its parent", {
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  functions <- bridge_functions(training_config(dir, async = TRUE))
  withr::local_options(warning.length = 1000L)
  functions$open(function() TRUE)
  withr::defer(functions$close())
  functions$plan("[[\"a\",\"U8\",[40]]]")
  save <- function() {
    bytes <- some_bytes()$a
    functions$save(store_raw_address(bytes), manifest_metadata())
  }
  expect_true(save()$value)
  expect_equal(in_fork(save()$error), "kerasbackup_error_unsupported")
  expect_equal(
    in_fork(functions$open(function() TRUE)$error),
    "kerasbackup_error_locked"
  )
  in_fork(functions$close())
  expect_false(is_free(dir))
  expect_true(save()$value)
  functions$close()
  expect_equal(store_list(dir)$generation, 2)
  expect_true(backup_verify(dir))
})

test_that("a file system without locks warns, and training goes on", {
  for (kind in c("ENOLCK", "ENOSYS", "ENOTSUP", "EOPNOTSUPP")) {
    local_lock_failure(kind)
    dir <- withr::local_tempdir()
    warnings <- testthat::capture_warnings(train(dir, complete = FALSE))
    expect_match(warnings, "cannot be locked")
    expect_match(warnings, dir, fixed = TRUE)
    expect_match(warnings, paste0("the words (", kind, ")"), fixed = TRUE)
    expect_match(warnings, "no other process trains with the same directory")
    expect_equal(store_list(dir)$generation, 2)
    # What can be known without the file is still refused.
    lock <- suppressWarnings(lock_acquire(dir))
    expect_error(lock_acquire(dir), class = "kerasbackup_error_locked")
    if (.Platform$OS.type != "windows") {
      error <- in_fork(tryCatch(lock_acquire(dir), error = identity))
      expect_s3_class(error, "kerasbackup_error_locked")
      expect_equal(error$pid, Sys.getpid())
    }
    lock_release(lock)
  }
})

test_that("another failure to lock is an error, not a warning", {
  dir <- withr::local_tempdir()
  # That there are no locks is nothing that opening a file could say.
  for (failure in list(
    c("EIO", "lock"),
    c("ENOSYS", "open"),
    c("EIO", "create")
  )) {
    local_lock_failure(failure[[1]], failure[[2]])
    error <- expect_error(lock_acquire(dir), class = "kerasbackup_error_io")
    expect_match(conditionMessage(error), failure[[1]], fixed = TRUE)
  }
})

test_that("a failure that is no matter of permission says what it is, and what to do", {
  dir <- withr::local_tempdir()
  file.create(file.path(dir, lock_name))
  # Nobody but the superuser may write to it, as on a read-only file system.
  Sys.chmod(dir, "0555")
  withr::defer(Sys.chmod(dir, "0755"))
  says <- c(EROFS = "read-only; choose another", ENOSPC = "Free some space")
  for (errno in names(says)) {
    for (op in c("create", "open")) {
      local_lock_failure(errno, op)
      error <- expect_error(lock_acquire(dir), class = "kerasbackup_error_io")
      expect_match(conditionMessage(error), says[[errno]], fixed = TRUE)
      expect_match(conditionMessage(error), errno, fixed = TRUE)
      expect_no_match(conditionMessage(error), "permission|another user")
    }
  }
})

test_that("a directory that was removed meanwhile is an error of ours", {
  gone <- file.path(withr::local_tempdir(), "gone")
  expect_no_warning(
    error <- expect_error(lock_acquire(gone), class = "kerasbackup_error_io")
  )
  expect_match(conditionMessage(error), "ENOENT")
  expect_no_match(conditionMessage(error), "permission")
})

test_that("a directory that may not be written to is told as that", {
  skip_on_os("windows")
  skip_if(
    identical(system2("id", "-u", stdout = TRUE), "0"),
    "the superuser may write everywhere"
  )
  dir <- withr::local_tempdir()
  Sys.chmod(dir, "0555")
  withr::defer(Sys.chmod(dir, "0755"))
  expect_error(
    lock_acquire(dir),
    "No permission",
    class = "kerasbackup_error_io"
  )
})

test_that("a lock is freed even if the saves before it cannot be ended", {
  dir <- withr::local_tempdir()
  lock <- lock_acquire(dir)
  lock$before_release <- function() stop("the disk is gone")
  expect_error(lock_release(lock), "the disk is gone")
  expect_no_error(lock_release(lock_acquire(dir)))
})

test_that("a session that nobody has any more frees the directory quietly", {
  dir <- withr::local_tempdir()
  withr::local_options(warning.length = 1000L)
  for (i in 1:5) {
    local({
      functions <- bridge_functions(list(
        backup_dir = dir,
        delete_checkpoint = TRUE,
        keep = backup_keep(),
        async = TRUE,
        on_save_error = "stop",
        verbose = FALSE
      ))
      functions$open(function() TRUE)
    })
    # The store's and the lock's finalizers come in any order; R prints what
    # goes wrong in one.
    printed <- capture_messages(gc())
    expect_length(printed, 0)
    expect_no_error(lock_release(lock_acquire(dir)))
  }
})
