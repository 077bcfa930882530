# Which checkpoints are kept: the arguments, and the rotation of a session by
# what the checkpoints themselves say (I1, I5).

test_that("bad policies are refused in clear words", {
  expect_snapshot(error = TRUE, {
    callback_backup_and_restore("d", keep = 0)
    callback_backup_and_restore("d", keep = 1.5)
    callback_backup_and_restore("d", keep = TRUE)
    callback_backup_and_restore("d", keep = list(last = 2))
    callback_backup_and_restore("d", keep = 2, double_checkpoint = TRUE)
    backup_keep(last = -1)
    backup_keep(last = NA)
    backup_keep(every = "6 months")
    backup_keep(every = 3)
    backup_keep(every = "0 secs")
    backup_keep(every = "1.2.3 days")
    backup_keep(every = as.difftime(-1, units = "mins"))
    backup_keep(every = as.difftime(1:2, units = "mins"))
    backup_keep(best = "")
    backup_keep(best = 1)
    backup_keep(best = "val_accuracy")
    backup_keep(best = "val_loss", mode = "auto")
    backup_keep(mode = "min")
  })
  error <- expect_error(
    backup_keep(every = "soon"),
    class = "kerasbackup_error_argument"
  )
  expect_equal(error$arg, "every")
})

test_that("a policy has what was asked for", {
  policy <- backup_keep(3, "6 hours", "val_loss")
  expect_identical(
    unclass(policy),
    list(last = 3L, every = 21600, best = "val_loss", mode = "min")
  )
  expect_identical(backup_keep(best = "acc", mode = "max")$mode, "max")
  expect_identical(backup_keep(best = "loss")$mode, "min")
  expect_identical(backup_keep(best = "loss", mode = "max")$mode, "max")
  expect_error(
    backup_keep(best = "gloss"),
    class = "kerasbackup_error_argument"
  )
  expect_identical(backup_keep(Inf)$last, .Machine$integer.max)
  expect_identical(check_keep(3, FALSE, TRUE), backup_keep(3))
  expect_identical(check_keep(1, TRUE, FALSE), backup_keep(2))
  expect_identical(check_keep(policy, FALSE, TRUE), policy)
  expect_snapshot({
    policy
    backup_keep()
    backup_keep(Inf, as.difftime(90, units = "secs"))
    backup_keep(2, best = "auc", mode = "max")
  })
})

test_that("times are those of difftime and of base R's words", {
  expect_identical(check_save_freq("10 mins"), 600)
  expect_identical(check_save_freq(as.difftime(2, units = "hours")), 7200)
  words <- c(
    "1 sec" = 1,
    "30 secs" = 30,
    "2 seconds" = 2,
    "1 min" = 60,
    "1.5 minutes" = 90,
    "hour" = 3600,
    "2 hours" = 7200,
    " 1 Day " = 86400,
    "3days" = 259200,
    "1 week" = 604800,
    ".5 weeks" = 302400
  )
  for (word in names(words)) {
    expect_identical(check_seconds(word, "every"), words[[word]], label = word)
  }
  # A whole number stays a number of batches.
  expect_identical(check_save_freq(600), 600L)
  expect_snapshot(error = TRUE, {
    callback_backup_and_restore("d", "10 months")
    callback_backup_and_restore("d", "0 mins")
    callback_backup_and_restore("d", "mins 10")
    callback_backup_and_restore("d", as.difftime(NA_real_, units = "mins"))
    callback_backup_and_restore("d", as.difftime(Inf, units = "mins"))
    callback_backup_and_restore("d", "10 mins", max_overhead = 0.1)
    callback_backup_and_restore(
      "d",
      as.difftime(10, units = "mins"),
      max_overhead = 0.1
    )
  })
})

# A checkpoint of so many epochs, saved at a minute of a day.
fields_of <- function(epoch, val_loss, minute, batch = 0) {
  # As Python writes them.
  values <- ifelse(
    is.finite(val_loss),
    format(val_loss, trim = TRUE),
    ifelse(is.na(val_loss) & !is.nan(val_loss), "null", dQuote(val_loss, FALSE))
  )
  list(
    epoch = as.character(epoch),
    batch = as.character(batch),
    saved_at = format(
      as.POSIXct("2026-01-02", tz = "UTC") + 60 * minute,
      "%Y-%m-%dT%H:%M:%S"
    ),
    history = sprintf(
      "{\"epoch\":[%s],\"val_loss\":[%s]}",
      paste(seq_along(values) - 1, collapse = ","),
      paste(values, collapse = ",")
    )
  )
}

# A training that saves such checkpoints, as Python does it.
#
# @param checkpoints list of metadata fields.
run_with <- function(dir, keep, checkpoints, complete = FALSE, ...) {
  config <- list(
    backup_dir = dir,
    delete_checkpoint = TRUE,
    keep = keep,
    async = FALSE,
    on_save_error = "stop",
    verbose = FALSE
  )
  functions <- bridge_functions(utils::modifyList(config, list(...)))
  on.exit(functions$close())
  value_of(functions$open(function() TRUE))
  loaded <- load_as_python(
    function(verified) value_of(functions$load(verified)),
    function(places) value_of(functions$read(places))
  )
  value_of(functions$plan("[[\"a\",\"U8\",[40]]]"))
  bytes <- some_bytes()$a
  for (fields in checkpoints) {
    mark <- keep_mark(fields, "the checkpoint", keep$best)
    value_of(functions$save(
      store_raw_address(bytes),
      manifest_metadata(fields),
      mark[[1]],
      mark[[2]]
    ))
  }
  if (complete) {
    value_of(functions$finish())
  }
  invisible(loaded)
}

kept <- function(dir) rev(store_list(dir)$generation)

losses <- c(5, 3, 4, 2, 6)
# An epoch takes ten minutes.
epochs <- function(which, values = losses) {
  lapply(which, function(i) fields_of(i, values[seq_len(i)], 10 * i))
}

test_that("keep = n keeps the last n", {
  dir <- withr::local_tempdir()
  run_with(dir, backup_keep(3), epochs(1:5))
  expect_equal(kept(dir), 3:5)
  # Another number applies from the next save on.
  run_with(dir, backup_keep(2), epochs(1))
  expect_equal(kept(dir), 5:6)
  run_with(dir, backup_keep(Inf), epochs(1:3))
  expect_equal(kept(dir), 5:9)
  run_with(dir, backup_keep(1), list())
  expect_equal(kept(dir), 5:9)
  run_with(dir, backup_keep(1), epochs(1))
  expect_equal(kept(dir), 10)
})

test_that("a policy keeps the best and one for every so much time", {
  dir <- withr::local_tempdir()
  policy <- backup_keep(every = "20 mins", best = "val_loss")
  run_with(dir, policy, epochs(1:3))
  # 1 is the first, 3 is 20 minutes later, 2 is the best.
  expect_equal(kept(dir), 1:3)
  run_with(dir, policy, epochs(4:5))
  # After the interruption: by what the files say.
  expect_equal(kept(dir), c(1, 3, 4, 5))
  # A checkpoint that can be resumed from stands for itself.
  expect_true(backup_verify(dir, all = TRUE))
})

test_that("only an epoch's end has a value, and NaN is none", {
  dir <- withr::local_tempdir()
  policy <- backup_keep(best = "val_loss")
  within <- function(...) list(fields_of(...))
  run_with(dir, policy, within(1, 3, 1))
  # Better, but within the second epoch: the value is that of the first.
  run_with(dir, policy, within(1, 3, 2, batch = 4))
  expect_equal(kept(dir), 1:2)
  run_with(dir, policy, within(2, c(3, NaN), 3))
  run_with(dir, policy, within(3, c(3, NaN, NA), 4))
  run_with(dir, policy, within(4, c(3, NaN, NA, 3), 5))
  # Of equal ones, the oldest.
  run_with(dir, policy, within(5, c(3, NaN, NA, 3, 4), 6))
  expect_equal(kept(dir), c(1, 6))
  run_with(dir, policy, within(6, c(3, NaN, NA, 3, 4, -Inf), 7))
  run_with(dir, policy, within(7, c(3, NaN, NA, 3, 4, -Inf, 1), 8))
  expect_equal(kept(dir), c(7, 8))
})

test_that("another log, another mode and no policy apply from the next save", {
  dir <- withr::local_tempdir()
  run_with(dir, backup_keep(Inf), epochs(1:4))
  # 3 is the highest of those there are then: 5 has been there before.
  unlink(store_list(dir)$path[[4]])
  run_with(dir, backup_keep(best = "val_loss", mode = "max"), epochs(5))
  expect_equal(kept(dir), 5)
  dir <- withr::local_tempdir()
  run_with(dir, backup_keep(Inf), epochs(1:5))
  run_with(dir, backup_keep(best = "val_loss", mode = "max"), epochs(4))
  expect_equal(kept(dir), 5:6)
  run_with(dir, backup_keep(2, best = "accuracy", mode = "max"), epochs(4))
  expect_equal(kept(dir), 6:7)
  run_with(dir, backup_keep(), epochs(4))
  expect_equal(kept(dir), 8)
})

test_that("I5: a restore falls back through all that are kept", {
  dir <- withr::local_tempdir()
  policy <- backup_keep(every = "20 mins", best = "val_loss")
  run_with(dir, policy, epochs(1:5))
  expect_equal(kept(dir), c(1, 3, 4, 5))
  files <- store_list(dir)$path
  for (path in files[1:3]) {
    flip_bit(path, file.size(path) - 100)
  }
  loaded <- NULL
  warning <- expect_warning(
    loaded <- run_with(dir, policy, epochs(2)),
    class = "kerasbackup_warning_fallback"
  )
  expect_equal(loaded$path, files[[4]])
  expect_equal(warning$skipped, files[1:3])
  # What goes on from there: the damaged ones are kept by no rule.
  expect_equal(kept(dir), c(1, 6))
})

test_that("a damaged header counts as nothing, one that cannot be read stays", {
  dir <- withr::local_tempdir()
  policy <- backup_keep(best = "val_loss")
  run_with(dir, backup_keep(Inf), epochs(1:4))
  path <- store_list(dir)$path
  # 4 is the best, 3 is neither.
  flip_bit(path[[1]], 100)
  marks <- keep_marks(dir, "val_loss")
  expect_equal(marks$generation, 4:1)
  expect_equal(marks$value, c(NA, 4, 3, 5))
  expect_equal(diff(marks$time), c(NA, -600, -600))
  local_function("backup_manifest", function(path) {
    if (grepl("0003", path)) {
      stop_kerasbackup("io", "not now", errno = "EIO")
    }
    manifest_parse(store_header(path), path)
  })
  expect_equal(keep_marks(dir, "val_loss")$generation, c(4, 2, 1))
  suppressWarnings(run_with(dir, policy, epochs(5)))
  expect_equal(kept(dir), c(2, 3, 5))
})

test_that("older checkpoints than this package's have no time or value", {
  dir <- withr::local_tempdir()
  save_backup(dir, keep = 9, times = 2)
  marks <- keep_marks(dir, "val_loss")
  expect_equal(marks$generation, 2:1)
  expect_true(all(is.na(marks$time)) && all(is.na(marks$value)))
  run_with(dir, backup_keep(every = "1 min"), epochs(3))
  expect_equal(kept(dir), 3)
  expect_equal(nrow(keep_marks(withr::local_tempdir(), "val_loss")), 0)
})

test_that("I10: completion deletes all, or leaves what is kept", {
  dir <- withr::local_tempdir()
  policy <- backup_keep(2, best = "val_loss")
  run_with(dir, policy, epochs(1:5), complete = TRUE, delete_checkpoint = FALSE)
  expect_equal(kept(dir), 4:5)
  # A second training that goes on from there.
  more <- c(losses, 7, 8)
  run_with(dir, policy, epochs(6:7, more), delete_checkpoint = FALSE)
  expect_equal(kept(dir), c(4, 6, 7))
  run_with(dir, policy, list(), complete = TRUE)
  expect_equal(list.files(dir), character())
})

test_that("a file that is not ours is neither counted nor removed (I7)", {
  dir <- withr::local_tempdir()
  policy <- backup_keep(2, every = "1 week", best = "val_loss")
  run_with(dir, policy, epochs(1:2))
  mine <- file.path(dir, "backup-000000000003.safetensors")
  writeLines("mine", mine)
  # It may be a checkpoint that was lost.
  expect_warning(
    run_with(dir, policy, epochs(3:5)),
    class = "kerasbackup_warning_fallback"
  )
  expect_equal(kept(dir), c(1, 3, 5, 6))
  expect_equal(readLines(mine), "mine")
})

test_that("a policy that C is given must be one", {
  dir <- withr::local_tempdir()
  store <- store_open(dir, keep = 3L)
  marks <- data.frame(generation = 1, time = 0, value = 0)
  is_refused <- function(expr) {
    expect_error(expr, class = "kerasbackup_error_argument")
  }
  is_refused(store_keep(store, -1, "none", marks))
  is_refused(store_keep(store, NA_real_, "none", marks))
  is_refused(store_keep(store, 1, "best", marks))
  is_refused(store_keep(store, 1, "none", marks[-2]))
  is_refused(store_keep(store, 1, "none", transform(marks, generation = 1.5)))
  is_refused(store_keep(store, 1, "none", transform(marks, value = 1L)))
  expect_null(store_keep(store, 1, "lowest", marks[0, ]))
  is_refused(store_best("best", 1))
  is_refused(store_best("lowest", 1L))
  is_refused(store_submit(store, raw(), metadata_text(), 1))
  store_close(store)
  is_refused(store_keep(store, 1, "none", marks))
})

test_that("backup_info() shows what is kept", {
  dir <- withr::local_tempdir()
  run_with(dir, backup_keep(2, best = "val_loss"), epochs(1:5))
  run_with(
    dir,
    backup_keep(2, best = "val_loss"),
    list(fields_of(5, losses, 55, batch = 12))
  )
  flip_bit(store_list(dir)$path[[2]], 100)
  files <- backup_info(dir)$files
  expect_equal(files$generation, c(6, 5, 4))
  expect_equal(files$epoch, c(5L, NA, 4L))
  expect_equal(
    files$saved_at,
    as.POSIXct("2026-01-02", tz = "UTC") + 60 * c(55, NA, 40)
  )
  expect_snapshot(
    print(backup_info(dir)),
    transform = function(x) gsub(dir, "<dir>", x, fixed = TRUE)
  )
})

watching <- function(dir, best = "val_loss", mode = "min") {
  policy <- backup_keep(3, best = best, mode = mode)
  run_with(dir, policy, epochs(1:5))
  policy
}

test_that("backup_info() says which checkpoint is the best, and by which log", {
  dir <- withr::local_tempdir()
  watching(dir)
  info <- backup_info(dir)
  expect_equal(info$watched, list(log = "val_loss", mode = "min"))
  expect_equal(info$files$epoch, c(5, 4, 3))
  expect_equal(info$files$value, c(6, 2, 4))
  expect_identical(info$files$best, c(FALSE, TRUE, FALSE))
  text <- format(info)
  expect_match(text, "4 epochs complete .* val_loss 2 \\(best\\)", all = FALSE)
  best <- backup_info(dir, generation = "best")
  expect_equal(c(best$epoch, best$files$epoch), c(4, 5, 4, 3))
  expect_equal(nrow(best$history), 4)
  third <- backup_info(dir, generation = 3)
  expect_equal(c(third$generation, third$epoch), c(3, 3))
  expect_true("generation: 3 (the newest is 5)" %in% format(third))
  expect_true("generation: 3 (the newest is 5)" %in% format(summary(third)))
  expect_no_match(format(info), "generation:")
  # The header of an older one is damaged.
  flip_bit(info$files$path[[3]], 20)
  files <- backup_info(dir)$files
  expect_identical(files$value, c(6, 2, NA))
  expect_identical(files$best, c(FALSE, TRUE, NA))
})

test_that("what backup_info() calls the best is what C keeps for it", {
  for (mode in c("min", "max")) {
    for (values in list(
      losses,
      c(3, NaN, 1, 1, 9, 9, 4),
      c(NaN, NaN, -Inf, 2)
    )) {
      dir <- withr::local_tempdir()
      policy <- backup_keep(best = "val_loss", mode = mode)
      for (i in seq_along(values)) {
        run_with(dir, policy, epochs(i, values))
        files <- backup_info(dir)$files
        if (nrow(files) == 2) {
          expect_identical(which(files$best), 2L)
        }
      }
    }
  }
})

test_that("the best can be read and exported", {
  dir <- withr::local_tempdir()
  watching(dir)
  flip_bit(store_list(dir)$path[[1]], 20)
  expect_named(backup_read(dir, generation = "best"), "a")
  file <- withr::local_tempfile(fileext = ".safetensors")
  expect_no_warning(backup_export(dir, file, generation = "best"))
  # Damaged data are never replaced by those of another one.
  best <- store_list(dir)$path[[2]]
  flip_bit(best, data_at(best))
  error <- expect_error(
    backup_read(dir, generation = "best"),
    class = "kerasbackup_error_corrupt"
  )
  expect_identical(error$path, best)
})

test_that("where no checkpoint is the best, it is said why", {
  dir <- withr::local_tempdir()
  no_best <- function() {
    error <- expect_error(
      backup_read(dir, generation = "best"),
      class = "kerasbackup_error_argument"
    )
    expect_identical(error$arg, "generation")
    conditionMessage(error)
  }
  run_with(dir, backup_keep(2), epochs(1:2))
  expect_null(backup_info(dir)$watched)
  expect_identical(backup_info(dir)$files$best, c(FALSE, FALSE))
  expect_match(no_best(), "backup_keep\\(best")
  run_with(dir, backup_keep(best = "auc", mode = "max"), epochs(3))
  expect_match(no_best(), "has a value of `auc`")
  for (bad in list("worst", TRUE, NA, factor("best"), 1:2)) {
    error <- expect_error(
      backup_info(dir, bad),
      "There are: 3",
      class = "kerasbackup_error_argument"
    )
    expect_identical(error$arg, "generation")
  }
})

test_that("a log that nobody can have watched is damage", {
  for (bad in c(
    "[1]",
    "{\"log\":1,\"mode\":\"min\"}",
    "{\"log\":\"a\"}",
    "x"
  )) {
    expect_error(
      manifest_watched(list(watched = bad), "path"),
      class = "kerasbackup_error_corrupt"
    )
  }
  odd <- backup_keep(best = "a \"b\"\\", mode = "max")
  expect_identical(
    manifest_watched(list(watched = manifest_watched_json(odd)), "path"),
    list(log = odd$best, mode = "max")
  )
})

test_that("a number with a class is none", {
  classed <- list(
    factor("2"),
    as.Date("1970-01-03"),
    as.POSIXct(2, origin = "1970-01-01"),
    as.POSIXlt(as.POSIXct(2, origin = "1970-01-01")),
    structure(2, class = "integer64"),
    structure(2L, class = "mine"),
    structure(2, class = "difftime"),
    structure("a", class = "difftime", units = "secs"),
    as.difftime(Inf, units = "secs"),
    as.difftime(NA_real_, units = "secs"),
    as.difftime(-1, units = "secs"),
    as.difftime(0, units = "secs"),
    as.difftime(double(), units = "secs")
  )
  dir <- withr::local_tempdir()
  run_with(dir, backup_keep(), epochs(1))
  hour <- as.difftime(1, units = "hours")
  for (bad in classed) {
    refused <- list(
      save_freq = function() check_save_freq(bad),
      every = function() backup_keep(every = bad),
      keep = function() check_keep(bad, FALSE, TRUE),
      last = function() backup_keep(bad),
      generation = function() backup_info(dir, bad),
      max_overhead = function() check_max_overhead(bad, "auto", TRUE)
    )
    for (arg in names(refused)) {
      error <- expect_error(
        refused[[arg]](),
        class = "kerasbackup_error_argument"
      )
      expect_identical(error$arg, arg)
      expect_no_match(conditionMessage(error), "structure(", fixed = TRUE)
    }
  }
  # A time is none of these.
  for (refused in list(
    function() check_keep(hour, FALSE, TRUE),
    function() backup_keep(hour),
    function() backup_info(dir, hour)
  )) {
    error <- expect_error(refused(), class = "kerasbackup_error_argument")
    expect_match(conditionMessage(error), "not 1 hour.", fixed = TRUE)
  }
})

test_that("a policy that was made or changed by hand is checked", {
  policy <- backup_keep(3, "6 hours", "val_loss")
  changed <- function(...) {
    for (change in list(...)) {
      policy[names(change)] <- change
    }
    check_keep(policy, FALSE, TRUE)
  }
  expect_identical(changed(list(last = 5))$last, 5L)
  all <- backup_keep(Inf)
  expect_identical(check_keep(all, FALSE, TRUE), all)
  for (bad in list(
    structure(list(last = 1), class = "backup_keep"),
    structure(1, class = "backup_keep"),
    structure(list(), class = "backup_keep"),
    utils::modifyList(policy, list(last = 0)),
    utils::modifyList(policy, list(last = factor(1))),
    utils::modifyList(policy, list(every = -1)),
    utils::modifyList(policy, list(every = factor(1))),
    utils::modifyList(policy, list(every = Inf)),
    utils::modifyList(policy, list(best = 1)),
    utils::modifyList(policy, list(mode = "low"))
  )) {
    error <- expect_error(
      callback_backup_and_restore("d", keep = bad),
      class = "kerasbackup_error_argument"
    )
    expect_identical(error$arg, "keep")
  }
})

test_that("one is singular", {
  expect_identical(
    format(backup_keep(every = "1 hour"))[[3]],
    "* one for every hour"
  )
  expect_identical(
    format(backup_keep(every = "2 days"))[[3]],
    "* one for every 2 days"
  )
})
