# What is told while training runs, however R is set to take warnings, and
# whatever a handler does about them: training goes on, and its directory is
# free afterwards. R turns a warning into an error only where no handler takes
# it, as testthat's does, so some of this runs in a process of its own.

warned_training <- function(dir, ...) {
  config <- utils::modifyList(
    training_config(
      dir,
      delete_checkpoint = FALSE,
      async = TRUE,
      on_save_error = "warn"
    ),
    list(...)
  )
  functions <- bridge_functions(config)
  value_of(functions$open(function() TRUE))
  value_of(functions$plan("[[\"a\",\"U8\",[40]]]"))
  functions
}

# Saves, and hands over nothing else: while `dir` is away, it fails.
save_into <- function(functions, bytes = some_bytes()$a) {
  functions$save(store_raw_address(bytes), manifest_metadata(list(epoch = "1")))
}

test_that("a failed save is told and ends nothing, whatever `warn` says (I4)", {
  skip_on_os("windows")
  base <- withr::local_tempdir()
  script <- c(
    "args <- commandArgs(TRUE)",
    "env <- new.env(parent = asNamespace('kerasbackup'))",
    "for (file in args[-1]) sys.source(file, env)",
    "env$base <- args[[1]]",
    "with(env, for (warn in c(2, 1, 0, -1)) {",
    "  dir <- file.path(base, paste0('warn', warn))",
    "  options(warn = warn, warning.length = 1000)",
    "  functions <- warned_training(dir)",
    "  file.rename(dir, paste0(dir, '-away'))",
    "  save_into(functions)",
    # The failure before is told now, and in the end the last one.
    "  again <- save_into(functions)",
    "  cat('told', warn, is.null(again$error), '\\n', file = stderr())",
    "  functions$close()",
    "  cat('ended', warn, getOption('warn'), '\\n', file = stderr())",
    "  file.rename(paste0(dir, '-away'), dir)",
    "  locked <- tryCatch(",
    "    {",
    "      lock_file_release(lock_file_take(file.path(dir, lock_name)))",
    "      FALSE",
    "    },",
    "    error = function(e) TRUE",
    "  )",
    "  cat('locked', warn, locked, '\\n', file = stderr())",
    "})"
  )
  sources <- test_path(c("helper-store.R", "test-warn.R"))
  # This file's functions, without its tests.
  parsed <- parse(sources[[2]])
  is_function <- vapply(
    parsed,
    function(one) identical(one[[1]], quote(`<-`)),
    NA
  )
  functions <- withr::local_tempfile(fileext = ".R")
  writeLines(
    vapply(
      parsed[is_function],
      function(one) {
        paste(deparse(one), collapse = "\n")
      },
      ""
    ),
    functions
  )
  out <- run_r(script, base, normalizePath(sources[[1]]), functions)
  at <- function(line) {
    found <- which(trimws(out) == line)
    expect_length(found, 1)
    found
  }
  start <- 0
  for (warn in c("2", "1", "0", "-1")) {
    told <- at(paste("told", warn, "TRUE"))
    ended <- at(paste("ended", warn, warn))
    at(paste("locked", warn, "FALSE"))
    has <- function(from, to) {
      any(grepl("could not be saved", out[from + seq_len(to - from)]))
    }
    # At once, and once more at the end; nothing where nobody wants to see it.
    expect_identical(has(start, told), warn != "-1")
    expect_identical(has(told, ended), warn != "-1")
    start <- ended
  }
})

test_that("a handler that jumps out of a warning leaves the directory free", {
  skip_on_os("windows")
  for (last in c("close", "finish", "preempt", "is_saved")) {
    dir <- file.path(withr::local_tempdir(), "dir")
    functions <- warned_training(dir)
    file.rename(dir, paste0(dir, "-away"))
    save_into(functions)
    jumped <- tryCatch(functions[[last]](), warning = function(w) "jumped")
    expect_identical(jumped, "jumped")
    # As where fit() is left.
    if (last != "close") {
      suppressWarnings(functions$close())
    }
    file.rename(paste0(dir, "-away"), dir)
    expect_no_error(lock_release(lock_acquire(dir)))
    handle <- lock_file_take(file.path(dir, lock_name))
    expect_s3_class(handle, "kb_lock")
    lock_file_release(handle)
  }
})

test_that("the other warnings of a training obey `warn` as well", {
  dir <- withr::local_tempdir()
  out <- run_r(
    c(
      "for (warn in c(2, 0, -1)) {",
      "  options(warn = warn)",
      "  kerasbackup:::warn_no_lock('the directory', 'the cause')",
      "  cat('after', warn, getOption('warn'), '\\n', file = stderr())",
      "}"
    )
  )
  expect_length(grep("cannot be locked", out), 2)
  expect_identical(
    trimws(grep("^after", out, value = TRUE)),
    c("after 2 2", "after 0 0", "after -1 -1")
  )
})

test_that("a disk that stays full is told in full once, and then counted (I4)", {
  skip_on_os("windows")
  dir <- file.path(withr::local_tempdir(), "dir")
  functions <- warned_training(dir, async = FALSE)
  file.rename(dir, paste0(dir, "-away"))
  told <- testthat::capture_warnings({
    for (i in 1:5) {
      save_into(functions)
    }
  })
  expect_length(told, 1)
  expect_match(told, "next save will try again")
  last <- expect_warning(functions$close(), class = "kerasbackup_warning_save")
  expect_equal(last$failures, 5)
  expect_match(conditionMessage(last), "5 saves failed.*ENOENT.*no checkpoint")
  expect_no_match(conditionMessage(last), "\n")
  file.rename(paste0(dir, "-away"), dir)

  # Where later saves work, the others are only counted.
  value_of(functions$open(function() TRUE))
  value_of(functions$plan("[[\"a\",\"U8\",[40]]]"))
  file.rename(dir, paste0(dir, "-away"))
  expect_warning(save_into(functions), "could not be saved")
  expect_no_warning(save_into(functions))
  file.rename(paste0(dir, "-away"), dir)
  expect_no_warning(save_into(functions))
  expect_message(
    expect_no_warning(functions$close()),
    "2 failed saves",
    class = "kerasbackup_message_failed_saves"
  )
})
