# What the public door lets in. Arguments are checked before Python is looked
# for, so none of this needs it.

expect_bad <- function(...) {
  error <- expect_error(
    callback_backup_and_restore(...),
    class = "kerasbackup_error_argument"
  )
  expect_s3_class(error, "kerasbackup_error")
  error
}

test_that("a bad backup_dir is refused in clear words", {
  expect_snapshot(error = TRUE, {
    callback_backup_and_restore()
    callback_backup_and_restore("")
    callback_backup_and_restore(NULL)
    callback_backup_and_restore(character())
    callback_backup_and_restore(NA)
    callback_backup_and_restore(NA_character_)
    callback_backup_and_restore("  ")
    callback_backup_and_restore(3)
    callback_backup_and_restore(c("a", "b"))
    callback_backup_and_restore(list("a"))
  })
  expect_equal(expect_bad("")$arg, "backup_dir")
  expect_equal(expect_bad()$arg, "backup_dir")
  expect_equal(expect_bad(c("a", "b"))$arg, "backup_dir")
})

test_that("a backup_dir that is a file is refused and left as it is", {
  file <- withr::local_tempfile(lines = "mine")
  error <- expect_bad(file)
  expect_match(conditionMessage(error), file, fixed = TRUE)
  expect_match(conditionMessage(error), "is a file, not a directory")
  expect_equal(readLines(file), "mine")
})

test_that("a bad save_freq is refused", {
  expect_snapshot(error = TRUE, {
    callback_backup_and_restore("d", 0)
    callback_backup_and_restore("d", -1)
    callback_backup_and_restore("d", 1.5)
    callback_backup_and_restore("d", "step")
    callback_backup_and_restore("d", NA)
    callback_backup_and_restore("d", NA_integer_)
    callback_backup_and_restore("d", TRUE)
    callback_backup_and_restore("d", FALSE)
    callback_backup_and_restore("d", NULL)
    callback_backup_and_restore("d", c(1, 2))
    callback_backup_and_restore("d", Inf)
    callback_backup_and_restore("d", 2^31)
    callback_backup_and_restore("d", "Auto")
  })
  expect_equal(expect_bad("d", 0)$arg, "save_freq")
  expect_error(
    callback_backup_and_restore("d", 1:2),
    "not an integer vector of length 2"
  )
})

test_that("a bad max_overhead is refused, and one that would do nothing", {
  expect_snapshot(error = TRUE, {
    callback_backup_and_restore("d", "auto", max_overhead = 0)
    callback_backup_and_restore("d", "auto", max_overhead = 1.01)
    callback_backup_and_restore("d", "auto", max_overhead = NA_real_)
    callback_backup_and_restore("d", "auto", max_overhead = NaN)
    callback_backup_and_restore("d", "auto", max_overhead = "1 %")
    callback_backup_and_restore("d", "auto", max_overhead = c(0.1, 0.2))
    callback_backup_and_restore("d", "auto", max_overhead = TRUE)
    callback_backup_and_restore("d", max_overhead = 0.01)
    callback_backup_and_restore("d", 100, max_overhead = 0.5)
  })
  expect_equal(expect_bad("d", "auto", max_overhead = 2)$arg, "max_overhead")
  expect_equal(expect_bad("d", max_overhead = 0.01)$arg, "max_overhead")
  # These are not refused.
  expect_identical(check_save_freq("auto"), "auto")
  expect_identical(check_max_overhead(1, "auto", TRUE), 1)
  expect_identical(check_max_overhead(1e-6, "auto", TRUE), 1e-6)
  expect_identical(check_max_overhead(0.01, 5L, FALSE), 0.01)
})

test_that("flags that are not flags are refused", {
  expect_snapshot(error = TRUE, {
    callback_backup_and_restore("d", "epoch", NA)
    callback_backup_and_restore("d", delete_checkpoint = "yes")
    callback_backup_and_restore("d", double_checkpoint = 1)
    callback_backup_and_restore("d", verbose = NULL)
    callback_backup_and_restore("d", verbose = c(TRUE, FALSE))
    callback_backup_and_restore("d", on_save_error = "ignore")
    callback_backup_and_restore("d", on_change = "ignore")
  })
  expect_equal(expect_bad("d", verbose = 1)$arg, "verbose")
})

test_that("signals that are none, or that nobody can catch, are refused", {
  expect_snapshot(error = TRUE, {
    callback_backup_and_restore("d", save_before_preemption = NA)
    callback_backup_and_restore("d", save_before_preemption = NULL)
    callback_backup_and_restore("d", save_before_preemption = 15)
    callback_backup_and_restore("d", save_before_preemption = character())
    callback_backup_and_restore("d", save_before_preemption = "TERM")
    callback_backup_and_restore("d", save_before_preemption = c("SIGTERM", NA))
    callback_backup_and_restore("d", save_before_preemption = "SIGKILL")
    callback_backup_and_restore(
      "d",
      save_before_preemption = c("SIGTERM", "SIGSTOP")
    )
    callback_backup_and_restore("d", save_before_preemption = "SIGINT")
  })
  arg <- "save_before_preemption"
  expect_equal(expect_bad("d", save_before_preemption = NA)$arg, arg)
  expect_equal(expect_bad("d", save_freq = FALSE)$arg, "save_freq")
})

test_that("signals are FALSE, TRUE or names", {
  expect_length(check_signals(FALSE, "arg"), 0)
  # As where there are no such signals.
  none <- function(names) stats::setNames(integer(length(names)), names)
  expect_error(
    check_signals(TRUE, "arg", none),
    "It has no signal SIGTERM",
    class = "kerasbackup_error_unsupported"
  )
  expect_length(check_signals(FALSE, "arg", none), 0)
})

test_that("signals have bits, and `save_freq = FALSE` goes with them", {
  skip_on_os("windows")
  expect_named(check_signals(TRUE, "arg"), "SIGTERM")
  expect_named(
    check_signals(c("SIGUSR1", "SIGTERM", "SIGUSR1"), "arg"),
    c("SIGUSR1", "SIGTERM")
  )
  bits <- check_signals(known_signals, "arg")
  expect_equal(sum(bits), 2^length(bits) - 1)
  expect_false(check_save_freq(FALSE, may_be_false = TRUE))
})

test_that("unknown and unnamed extra arguments are refused", {
  expect_snapshot(error = TRUE, {
    callback_backup_and_restore("d", "epoch", TRUE, FALSE)
    callback_backup_and_restore("d", save_frq = 1)
    callback_backup_and_restore("d", overwrite = TRUE, foo = 1)
  })
})

test_that("refused arguments leave nothing behind", {
  dir <- withr::local_tempdir()
  withr::local_dir(dir)
  expect_bad("backup", save_freq = 0)
  expect_length(list.files(dir, all.files = TRUE, no.. = TRUE), 0)
})

test_that("paths become absolute, links and spaces are kept", {
  dir <- withr::local_tempdir()
  withr::local_dir(dir)
  expect_equal(check_backup_dir("a b/\u00fc"), file.path(getwd(), "a b/\u00fc"))
  expect_equal(check_backup_dir("/x/y/"), "/x/y")
  expect_equal(check_backup_dir("/"), "/")
  expect_equal(check_backup_dir("~/z"), file.path(path.expand("~"), "z"))
})

test_that("the looking verbs refuse a bad directory", {
  missing_dir <- file.path(withr::local_tempdir(), "no")
  for (verb in list(
    backup_info,
    backup_verify,
    backup_history,
    backup_read,
    backup_delete
  )) {
    expect_error(verb(NULL), class = "kerasbackup_error_argument")
    expect_error(verb(missing_dir), class = "kerasbackup_error_io")
  }
  expect_false(dir.exists(missing_dir))
})

test_that("a Keras that is too old is refused by its version", {
  for (version in c("3.7.0", "3.0.5", "2.15.0", "3.7.0.dev2024110103", "odd")) {
    error <- expect_error(
      refuse_old_keras(version),
      class = "kerasbackup_error_unsupported"
    )
    expect_match(conditionMessage(error), version, fixed = TRUE)
    expect_match(conditionMessage(error), "Keras 3.8", fixed = TRUE)
  }
  for (version in c("3.8.0", "3.8.1", "3.15.1", "3.10.0.dev2025", "4.0")) {
    expect_no_error(refuse_old_keras(version))
  }
})

test_that("a Python that is too old is refused by its version", {
  for (version in c("3.9.21", "3.8.0", "2.7.18", "odd")) {
    error <- expect_error(
      refuse_old_python(version),
      class = "kerasbackup_error_unsupported"
    )
    expect_match(conditionMessage(error), version, fixed = TRUE)
    expect_match(conditionMessage(error), "Python 3.10", fixed = TRUE)
  }
  for (version in c("3.10.0", "3.11.2", "3.14.0rc1", "4.0.0")) {
    expect_no_error(refuse_old_python(version))
  }
})

test_that("a Keras that is newer than those tested is told once a session", {
  withr::defer(new_keras$told <- character())
  new_keras$told <- character()
  for (version in c("3.8.0", paste0(newest_keras, ".9"), "3.9.0")) {
    expect_no_message(tell_new_keras(version))
  }
  for (version in c("3.16.0.dev2026102704", "4.0.1", "10.0")) {
    message <- expect_message(
      tell_new_keras(version),
      class = "kerasbackup_message_new_keras"
    )
    expect_match(conditionMessage(message), version, fixed = TRUE)
    expect_match(conditionMessage(message), newest_keras, fixed = TRUE)
    expect_no_message(tell_new_keras(version))
  }
})

test_that("the newest Keras tested is the one that the pins have", {
  pins <- test_path("..", "..", "tools", "requirements", "keras.txt")
  skip_if_not(file.exists(pins), "not run from the sources")
  pinned <- grep("^keras==", readLines(pins), value = TRUE)
  expect_length(pinned, 1)
  expect_equal(
    as.character(version_number(sub("^keras==", "", pinned))),
    newest_keras
  )
})

test_that("a URL is no directory, and none is made for it", {
  withr::local_dir(withr::local_tempdir())
  for (url in c(
    "gs://bucket/run",
    "s3://b",
    "https://x.org/a",
    "file:/tmp/a"
  )) {
    error <- expect_error(
      callback_backup_and_restore(url),
      class = "kerasbackup_error_argument"
    )
    expect_match(conditionMessage(error), "not a URL", fixed = TRUE)
    expect_match(conditionMessage(error), url, fixed = TRUE)
    expect_error(backup_info(url), class = "kerasbackup_error_argument")
  }
  expect_length(list.files(), 0)
  expect_equal(check_backup_dir("a:b/c"), file.path(getwd(), "a:b/c"))
})

test_that("an unnamed third argument is told once, and a named one never", {
  fn <- function(a, b = 1, delete_checkpoint = TRUE, ...) {
    !missing(delete_checkpoint) && is_unnamed("delete_checkpoint")
  }
  expect_true(fn("d", 2, FALSE))
  expect_true(fn(2, a = "d", FALSE))
  expect_true(do.call(fn, list("d", 2, FALSE)))
  expect_false(fn("d", 2))
  expect_false(fn("d", 2, delete_checkpoint = FALSE))
  expect_false(fn("d", delete = FALSE))
  # What a wrapper was given is not seen here.
  wrapper <- function(...) fn(...)
  expect_false(wrapper("d", 2, delete_checkpoint = FALSE))

  rlang::reset_message_verbosity("kerasbackup_third_argument")
  expect_message(
    inform_third_argument(TRUE),
    "TRUE, was taken as `delete_checkpoint`.*double_checkpoint",
    class = "kerasbackup_message_third_argument"
  )
  expect_no_message(inform_third_argument(TRUE))
})
