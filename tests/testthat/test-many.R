# backup_list() and backup_prune(): many backups under one folder.

# @param epoch complete epochs of three.
save_run <- function(root, name, epoch = 3, age = 0, ...) {
  dir <- file.path(root, name)
  dir.create(dir, recursive = TRUE)
  fields <- utils::modifyList(
    example_fields(),
    list(
      epoch = as.character(epoch),
      epochs = "3",
      saved_at = format(Sys.time() - age, "%Y-%m-%dT%H:%M:%S", tz = "UTC")
    )
  )
  save_backup(dir, fields = utils::modifyList(fields, list(...)))
  dir
}

day <- 86400

in_root <- function(root, dirs) sub(paste0(root, "/"), "", dirs, fixed = TRUE)

names_under <- function(root) {
  list.files(root, recursive = TRUE, all.files = TRUE, include.dirs = TRUE)
}

pruned <- function(root, ...) {
  in_root(root, backup_prune(root, ..., ask = FALSE)$dir)
}

test_that("backup_list() finds the backups at any depth", {
  root <- withr::local_tempdir()
  save_run(root, "b/deep/er", epoch = 1, age = 2 * day)
  save_run(root, "a", stopped = "0", epoch = 3)
  dir.create(file.path(root, "none"))
  writeLines("x", file.path(root, "none", "backup-000000000001.safetensors"))
  found <- backup_list(root)
  expect_identical(in_root(root, found$dir), c("a", "b/deep/er"))
  expect_identical(found$epoch, c(3L, 1L))
  expect_identical(found$batch, c(0L, 0L))
  expect_identical(found$generation, c(1, 1))
  expect_identical(found$finished, c(TRUE, FALSE))
  expect_identical(found$running, c(FALSE, FALSE))
  expect_identical(found$files, c(1L, 1L))
  expect_equal(found$bytes[[1]], file.size(store_list(found$dir[[1]])$path))
  expect_s3_class(found$age, "difftime")
  expect_equal(as.double(found$age, "days"), c(0, 2), tolerance = 0.01)
  expect_identical(attr(found$saved_at, "tzone"), "UTC")
  # A backup may be the root itself.
  expect_identical(backup_list(found$dir[[1]])$dir, found$dir[[1]])
  expect_identical(dim(backup_list(file.path(root, "none"))), c(0L, 10L))
  expect_error(
    backup_list(file.path(root, "nowhere")),
    class = "kerasbackup_error_io"
  )
})

test_that("a checkpoint that does not say whether training is finished is NA", {
  root <- withr::local_tempdir()
  dir <- file.path(root, "a")
  dir.create(dir)
  save_backup(dir, fields = example_fields())
  expect_identical(backup_list(root)$finished, NA)
  save_run(root, "b", epoch = 1, stopped = "1")
  expect_identical(backup_list(root)$finished, c(NA, TRUE))
})

test_that("a damaged backup is listed, with the time of its file", {
  root <- withr::local_tempdir()
  path <- store_list(save_run(root, "a"))$path
  flip_bit(path, 20)
  Sys.setFileTime(path, Sys.time() - 3 * day)
  found <- backup_list(root)
  expect_identical(found$epoch, NA_integer_)
  expect_identical(found$finished, NA)
  expect_equal(as.double(found$age, "days"), 3, tolerance = 0.01)
  odd <- save_run(root, "b", epoch = "many")
  expect_identical(backup_list(root)$epoch, c(NA_integer_, NA_integer_))
  expect_identical(pruned(root, older_than = "2 days"), "a")
})

test_that("links are not followed", {
  root <- withr::local_tempdir()
  elsewhere <- withr::local_tempdir()
  save_run(elsewhere, "a")
  skip_if_not(
    file.symlink(elsewhere, file.path(root, "link")),
    "links cannot be made here"
  )
  file.symlink(root, file.path(root, "itself"))
  expect_identical(nrow(backup_list(root)), 0L)
  expect_identical(pruned(root, older_than = "1 sec"), character())
  expect_length(store_list(file.path(elsewhere, "a"))$path, 1)
})

test_that("a look changes nothing, and sees who trains", {
  root <- withr::local_tempdir()
  dir <- save_run(root, "a", age = day)
  before <- names_under(root)
  backup_list(root)
  expect_identical(names_under(root), before)
  lock <- lock_acquire(dir)
  expect_true(backup_list(root)$running)
  expect_true(lock_file_holds(lock$handle))
  # Nothing that is locked goes (I8).
  expect_identical(pruned(root), character())
  expect_identical(pruned(root, older_than = "1 hour"), character())
  expect_length(store_list(dir)$path, 1)
  lock_release(lock)
  expect_false(backup_list(root)$running)
  expect_identical(pruned(root), "a")
})

test_that("backup_prune() deletes what is finished, or what is old", {
  root <- withr::local_tempdir()
  make <- function() {
    unlink(file.path(root, c("done", "dead", "fresh")), recursive = TRUE)
    save_run(root, "done")
    save_run(root, "dead", epoch = 1, age = 40 * day)
    save_run(root, "fresh", epoch = 1)
  }
  make()
  expect_identical(pruned(root), "done")
  expect_identical(in_root(root, backup_list(root)$dir), c("dead", "fresh"))
  make()
  expect_identical(pruned(root, older_than = "30 days"), "dead")
  make()
  month <- as.difftime(30, units = "days")
  expect_identical(pruned(root, older_than = month), "dead")
  expect_identical(pruned(root, older_than = "6 weeks"), character())
})

test_that("backup_prune() deletes only our files (I7)", {
  root <- withr::local_tempdir()
  dir <- save_run(root, "a")
  writeLines("mine", file.path(dir, "notes.txt"))
  made <- save_run(root, "b")
  lock <- lock_acquire(made, made_dir = TRUE)
  lock_release(lock)
  expect_setequal(pruned(root), c("a", "b"))
  # Only the package's own directory goes.
  expect_setequal(names_under(root), c("a", "a/notes.txt"))
})

test_that("what was saved to since it was listed stays", {
  root <- withr::local_tempdir()
  dir <- save_run(root, "a")
  backup <- backup_list(root)
  save_backup(dir, fields = example_fields())
  expect_match(prune_one(backup), "since it was listed")
  expect_length(store_list(dir)$path, 1)
  # Nor is it an error that somebody else was quicker.
  unlink(dir, recursive = TRUE)
  expect_type(prune_one(backup), "character")
})

test_that("what cannot be deleted is told, and the others go", {
  root <- withr::local_tempdir()
  first <- save_run(root, "a")
  save_run(root, "b")
  dir.create(file.path(first, lock_name))
  local_function("lock_file_is_held", function(path) FALSE)
  gone <- NULL
  warning <- expect_warning(
    gone <- pruned(root),
    class = "kerasbackup_warning_delete"
  )
  expect_identical(gone, "b")
  expect_identical(warning$path, first)
  expect_match(conditionMessage(warning), lock_name, fixed = TRUE)
})

test_that("a directory that cannot be locked is left alone", {
  root <- withr::local_tempdir()
  dir <- save_run(root, "a")
  local_function("lock_file", function(dir) {
    warn_no_lock(dir, "there are no locks")
    NULL
  })
  expect_warning(
    expect_identical(pruned(root), character()),
    "there are no locks"
  )
  expect_length(store_list(dir)$path, 1)
})

test_that("backup_prune() asks, and a script must say that it need not", {
  root <- withr::local_tempdir()
  save_run(root, "a", age = day)
  rlang::local_interactive(FALSE)
  error <- expect_error(
    backup_prune(root),
    class = "kerasbackup_error_argument"
  )
  expect_identical(error$arg, "ask")
  rlang::local_interactive(TRUE)
  asked <- character()
  answer <- NA
  local_function("ask_yes_no", function(question) {
    asked <<- c(asked, question)
    answer
  })
  for (answer in c(NA, FALSE)) {
    expect_message(
      expect_identical(nrow(backup_prune(root)), 0L),
      "3 epochs complete, saved 1 day ago",
      class = "kerasbackup_message_prune"
    )
  }
  expect_identical(nrow(backup_list(root)), 1L)
  answer <- TRUE
  expect_message(backup_prune(root), "1 backup ")
  expect_identical(nrow(backup_list(root)), 0L)
  expect_length(asked, 3)
  expect_message(backup_prune(root), "no backup to delete")
  expect_length(asked, 3)
})

test_that("a length of time is checked", {
  root <- withr::local_tempdir()
  for (bad in list(
    30,
    "30",
    "soon",
    "-1 days",
    NA_character_,
    c("1 day", "2"),
    factor("1 day"),
    Sys.Date(),
    Sys.time(),
    as.difftime(Inf, units = "secs"),
    as.difftime(NA_real_, units = "secs"),
    as.difftime(-1, units = "secs"),
    as.difftime(0, units = "secs"),
    as.difftime(1:2, units = "secs"),
    structure(1, class = "difftime"),
    structure("a", class = "difftime", units = "secs")
  )) {
    error <- expect_error(
      backup_prune(root, older_than = bad, ask = FALSE),
      class = "kerasbackup_error_argument"
    )
    expect_identical(error$arg, "older_than")
  }
  expect_identical(check_seconds("1.5 mins", "x"), 90)
  expect_identical(check_seconds("2 weeks", "x"), 14 * day)
  expect_identical(check_seconds(" 1 hour ", "x"), 3600)
})

test_that("ages are told in the unit that suits them", {
  expect_identical(format_age(0.3), "0 secs")
  expect_identical(format_age(60), "1 min")
  expect_identical(format_age(90 * 60), "1.5 hours")
  expect_identical(format_age(86400), "1 day")
  expect_identical(format_age(40.04 * 86400), "40 days")
  expect_identical(format_age(-5), "0 secs")
})
