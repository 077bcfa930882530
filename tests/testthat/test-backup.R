# The verbs that look at checkpoints, on backups made without Python.

test_that("backup_info() says what a checkpoint holds", {
  dir <- withr::local_tempdir()
  path <- save_backup(dir, fields = example_fields())
  info <- backup_info(dir)
  expect_s3_class(info, "keras_backup")
  expect_equal(info$epoch, 3L)
  expect_equal(info$batch, 0L)
  expect_equal(info$saved_at, as.POSIXct("2026-01-02 03:04:05", tz = "UTC"))
  expect_equal(info$versions, c(kerasbackup = "0.1.0", keras = "3.15.1"))
  expect_equal(info$files$path, path)
  expect_equal(info$files$bytes, file.size(path))
  expect_equal(info$variables$name, names(example_tensors()))
  expect_equal(info$variables$bytes, c(24, 8, 4, 4, 0))

  frame <- as.data.frame(info)
  expect_s3_class(frame, "data.frame")
  expect_equal(frame$shape, c("(2, 3)", "(2)", "()", "(1, 2, 2)", "(0, 4)"))
  expect_equal(frame$dtype, c("F32", "U32", "I32", "BOOL", "U8"))
})

test_that("a keras_backup prints itself", {
  dir <- withr::local_tempdir()
  save_backup(dir, fields = example_fields(), keep = 2L, times = 3)
  expect_snapshot(
    print(backup_info(dir)),
    transform = function(lines) {
      lines <- sub(dir, "<dir>", lines, fixed = TRUE)
      sub("^<dir>.*", "<dir>", lines)
    }
  )
  fields <- example_fields()
  fields$batch <- "1"
  fields$epoch <- "1"
  save_backup(dir, fields = fields)
  expect_match(
    format(backup_info(dir)),
    "1 epoch complete and 1 batch",
    fixed = TRUE,
    all = FALSE
  )
})

test_that("backup_read() gives R arrays in R's dimension order", {
  dir <- withr::local_tempdir()
  save_backup(dir)
  values <- backup_read(dir)
  expect_named(values, names(example_tensors()))
  expect_equal(
    values[["variables/dense/kernel"]],
    matrix(as.numeric(1:6), 2, 3, byrow = TRUE)
  )
  expect_equal(values[["variables/seed"]], array(c(7, 2^32 - 1), 2))
  expect_identical(values[["optimizer/iterations"]], 12L)
  expect_equal(dim(values[["variables/flags"]]), c(1, 2, 2))
  expect_equal(values[["variables/flags"]][1, 1, 2], FALSE)
  expect_equal(values[["variables/flags"]][1, 2, 2], TRUE)
  expect_equal(dim(values[["variables/none"]]), c(0, 4))

  one <- backup_read(dir, "variables/seed")
  expect_equal(one, values["variables/seed"])
  expect_error(
    backup_read(dir, "variables/sed"),
    "no variable `variables/sed`",
    class = "kerasbackup_error_argument"
  )
  expect_error(backup_read(dir, 1), class = "kerasbackup_error_argument")
})

test_that("backup_history() is the whole run", {
  dir <- withr::local_tempdir()
  save_backup(dir, fields = example_fields())
  expect_equal(
    backup_history(dir),
    data.frame(epoch = 1:3, loss = c(0.5, 0.25, 0.125))
  )
})

test_that("backup_verify() names file and tensor of any damage", {
  dir <- withr::local_tempdir()
  path <- save_backup(dir, fields = example_fields())
  expect_invisible(backup_verify(dir))
  expect_true(backup_verify(dir))

  whole <- readBin(path, "raw", file.size(path))
  header <- readBin(whole[1:8], "integer", 1, 4) + 8
  flip_bit(path, header + 25)
  error <- expect_error(
    backup_verify(dir),
    class = "kerasbackup_error_corrupt"
  )
  expect_equal(error$path, path)
  expect_true("variables/seed" %in% error$tensor)
  expect_match(conditionMessage(error), path, fixed = TRUE)
  expect_match(conditionMessage(error), "variables/seed", fixed = TRUE)
  expect_true(file.exists(path))
  expect_error(backup_read(dir), class = "kerasbackup_error_corrupt")

  writeBin(whole, path)
  expect_true(backup_verify(dir))
  flip_bit(path, 20)
  expect_error(backup_verify(dir), class = "kerasbackup_error_corrupt")
  expect_error(backup_info(dir), class = "kerasbackup_error_corrupt")
})

test_that("backup_verify(all = TRUE) sees the older one too", {
  dir <- withr::local_tempdir()
  save_backup(dir, keep = 2L, times = 2)
  older <- store_list(dir)$path[[2]]
  flip_bit(older, file.size(older) - 100)
  expect_true(backup_verify(dir))
  error <- expect_error(
    backup_verify(dir, all = TRUE),
    class = "kerasbackup_error_corrupt"
  )
  expect_equal(error$path, older)
})

test_that("a directory without checkpoints is an error that says so", {
  dir <- withr::local_tempdir()
  for (verb in list(backup_info, backup_verify, backup_history, backup_read)) {
    error <- expect_error(verb(dir), class = "kerasbackup_error_io")
    expect_match(conditionMessage(error), "There is no checkpoint")
  }
  expect_length(list.files(dir, all.files = TRUE, no.. = TRUE), 0)
})

test_that("I7: backup_delete() deletes our files and nothing else", {
  dir <- withr::local_tempdir()
  path <- save_backup(dir, keep = 2L, times = 2)
  mine <- file.path(
    dir,
    c(
      "notes.txt",
      "backup-1.safetensors",
      "backup-000000000009.safetensors.bak",
      "backup-000000000077.safetensors"
    )
  )
  for (file in mine) {
    writeLines("mine", file)
  }
  dir.create(file.path(dir, "sub"))
  target <- withr::local_tempfile(lines = "elsewhere")
  link <- file.path(dir, "backup-000000000099.safetensors")
  file.symlink(target, link)

  deleted <- backup_delete(dir)
  expect_length(deleted, 2)
  expect_true(path %in% deleted)
  expect_setequal(
    list.files(dir, all.files = TRUE, no.. = TRUE),
    c(basename(mine), "sub", basename(link))
  )
  expect_equal(readLines(target), "elsewhere")
})

test_that("backup_delete() of nothing deletes nothing", {
  dir <- withr::local_tempdir()
  expect_equal(backup_delete(dir), character())
  expect_true(dir.exists(dir))
})

test_that("the example of the help pages is a good backup", {
  dir <- system.file("extdata", "example-backup", package = "kerasbackup")
  expect_true(backup_verify(dir))
  expect_equal(backup_info(dir)$epoch, 3L)
  expect_equal(nrow(backup_history(dir)), 3)
})

# Tensors that begin and end within blocks of the file, which have 1 MiB.
several_blocks <- function() {
  sizes <- c(a = 2.5, b = 0.25, c = 0.25, d = 3, e = 1) *
    2^20 +
    c(0, 1, 0, 7, 0)
  lapply(sizes, function(n) {
    list(dtype = "U8", shape = n, bytes = as.raw((seq_len(n) * 31) %% 251))
  })
}

test_that("with `names` only the parts of the file are read that have them", {
  dir <- withr::local_tempdir()
  path <- save_backup(dir, several_blocks())
  all <- backup_read(dir)
  for (names in list("a", "b", "c", "d", "e", c("e", "b"), names(all))) {
    expect_identical(backup_read(dir, names), all[names])
  }
  expect_identical(unname(backup_read(dir, character())), list())
  # Damage in "d" alone: "b" and "e" share no block with that byte.
  flip_bit(path, data_at(path) + 4.5 * 2^20)
  for (names in list("a", c("b", "c"), "e")) {
    expect_identical(backup_read(dir, names), all[names])
  }
  error <- expect_error(
    backup_read(dir, c("a", "d")),
    class = "kerasbackup_error_corrupt"
  )
  expect_identical(error$tensor, "d")
  expect_error(backup_read(dir), class = "kerasbackup_error_corrupt")
  # The header is verified too.
  flip_bit(path, 100)
  expect_error(backup_read(dir, "a"), class = "kerasbackup_error_corrupt")
  expect_error(
    backup_read(dir, "x"),
    class = "kerasbackup_error_corrupt"
  )
})

test_that("bytes that are not in the data are no part of a file", {
  dir <- withr::local_tempdir()
  path <- save_backup(dir)
  expect_length(store_read_part(path, 0, 4), 4)
  expect_length(store_read_part(path, 4, 4), 0)
  for (range in list(c(0, 1e6), c(4, 2), c(-1, 2), c(0.5, 2))) {
    expect_error(store_read_part(path, range[[1]], range[[2]]))
  }
})

test_that("reading and verifying can be interrupted", {
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  path <- save_backup(dir, several_blocks())
  # A time limit ends what an interrupt would end. It may also end R code. R
  # looks at it again only when 50 ms have passed, in which it must not look.
  under_limit <- function(call) {
    system("sleep 0.06")
    tryCatch(
      {
        on.exit(setTimeLimit())
        setTimeLimit(elapsed = 1e-9, transient = TRUE)
        outcome <- eval(call)
        setTimeLimit()
        outcome
      },
      error = function(e) "too early"
    )
  }
  for (stops in c(TRUE, FALSE)) {
    for (call in list(
      quote(.Call(ffi_checkpoint_verify, path, stops)),
      quote(.Call(ffi_checkpoint_read, path, stops)),
      quote(.Call(ffi_checkpoint_read_part, path, 0, 2^20, stops))
    )) {
      for (attempt in seq_len(if (stops) 100 else 5)) {
        capture.output(outcome <- under_limit(call), type = "message")
        if (isTRUE(outcome)) break
      }
      expect_identical(isTRUE(outcome), stops)
    }
  }
  outcome <- tryCatch(store_answer(TRUE), interrupt = function(e) "interrupted")
  expect_identical(outcome, "interrupted")
  expect_true(backup_verify(dir))
})

test_that("a file that cannot be read is no damage", {
  dir <- withr::local_tempdir()
  path <- save_backup(dir)
  file.remove(path)
  error <- expect_error(backup_manifest(path), class = "kerasbackup_error_io")
  expect_equal(error$errno, "ENOENT")
  writeLines("short", path)
  error <- expect_error(
    backup_manifest(path),
    class = "kerasbackup_error_corrupt"
  )
  expect_no_match(conditionMessage(error), "JSON")
})

test_that("a checkpoint that is replaced while it is read is read anew", {
  dir <- withr::local_tempdir()
  first <- save_backup(dir)
  seen <- character()
  result <- read_newest(dir, function(path) {
    seen <<- c(seen, path)
    if (length(seen) == 1) {
      save_backup(dir)
    }
    store_header(path)
  })
  expect_equal(seen, c(first, result$files$path[[1]]))
  expect_length(seen, 2)
  expect_false(first %in% result$files$path)
})

test_that("I5: a damaged newest names the older one that is good", {
  dir <- withr::local_tempdir()
  fields <- example_fields()
  save_backup(dir, fields = fields)
  fields$epoch <- "4"
  newest <- save_backup(dir, fields = fields, keep = 2L)
  older <- store_list(dir)$path[[2]]
  whole <- readBin(newest, "raw", file.size(newest))
  verbs <- list(backup_info, backup_verify, backup_history, backup_read)
  flip_bit(newest, 20)
  for (verb in verbs) {
    error <- expect_error(verb(dir), class = "kerasbackup_error_corrupt")
    expect_equal(error$good, older)
    expect_match(conditionMessage(error), newest, fixed = TRUE)
    expect_match(
      conditionMessage(error),
      paste0("'", older, "', is good"),
      fixed = TRUE
    )
    # And no advice for where there is none.
    expect_no_match(conditionMessage(error), "start over|keep = 2")
  }
  # A byte of the data of the older one: its header alone does not make it good.
  flip_bit(older, file.size(older) - 100)
  for (verb in verbs) {
    error <- expect_error(verb(dir), class = "kerasbackup_error_corrupt")
    expect_null(error$good)
    expect_no_match(conditionMessage(error), "is good")
  }
  writeBin(whole, newest)
  expect_equal(backup_info(dir)$files$epoch, c(4L, 3L))
  flip_bit(older, 20)
  expect_equal(backup_info(dir)$files$epoch, c(4L, NA))
})

test_that("a keras_backup has a summary", {
  dir <- withr::local_tempdir()
  fields <- example_fields()
  fields$history <-
    "{\"epoch\":[0,1,2],\"loss\":[0.5,0.125,0.25],\"mae\":[null,\"NaN\",3]}"
  save_backup(dir, fields = fields)
  summary <- summary(backup_info(dir))
  expect_s3_class(summary, "summary.keras_backup")
  expect_equal(
    summary$logs,
    data.frame(
      log = c("loss", "mae"),
      last = c(0.25, 3),
      lowest = c(0.125, 3),
      highest = c(0.5, 3)
    )
  )
  expect_equal(
    summary$parts,
    data.frame(
      part = c("variables", "optimizer"),
      variables = c(4L, 1L),
      bytes = c(36, 4)
    )
  )
  expect_snapshot(
    print(summary),
    transform = function(lines) sub("> .*", "> <dir>", lines)
  )
  save_backup(dir, fields = list(epoch = "0"))
  expect_match(format(summary(backup_info(dir))), "none yet", all = FALSE)
})

# What a plot consists of: the calls of the graphics engine, with arguments.
drawn <- function(expr) {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  grDevices::dev.control("enable")
  value <- expr
  calls <- lapply(grDevices::recordPlot()[[1]], function(one) one[[2]])
  names(calls) <- vapply(calls, function(one) one[[1]]$name, "")
  list(value = value, calls = calls, usr = graphics::par("usr"))
}

test_that("a keras_backup draws its losses and where its checkpoints are", {
  dir <- withr::local_tempdir()
  fields <- example_fields()
  fields$history <-
    "{\"epoch\":[0,1,2],\"loss\":[8,4,2],\"val_loss\":[9,5,3],\"mae\":[1,1,1]}"
  save_backup(dir, fields = fields)
  fields$batch <- "7"
  save_backup(dir, fields = fields, keep = 2L)
  info <- backup_info(dir)
  plot <- drawn(plot(info))
  expect_equal(
    plot$value,
    data.frame(epoch = c(3L, 3L), batch = c(7L, 0L), at = c(3.5, 3))
  )
  points <- plot$calls[names(plot$calls) == "C_plotXY"]
  expect_equal(points[[1]][[2]]$x, 1:3)
  expect_equal(points[[1]][[2]]$y, c(8, 4, 2))
  expect_equal(points[[2]][[2]]$y, c(9, 5, 3))
  expect_length(points, 2)
  lines <- plot$calls[names(plot$calls) == "C_abline"]
  expect_true(any(vapply(
    lines,
    function(one) identical(one[[5]], c(3.5, 3)),
    NA
  )))
  # All of it is within the axes.
  expect_lt(plot$usr[[1]], 1)
  expect_gt(plot$usr[[2]], 3.5)

  # One line a log and no points, ticks at whole epochs, and a legend above.
  expect_identical(points[[1]][[3]], "l")
  axes <- plot$calls[names(plot$calls) == "C_axis"]
  expect_true(any(vapply(
    axes,
    function(one) identical(one[[3]], c(1, 2, 3)),
    NA
  )))
  texts <- plot$calls[names(plot$calls) == "C_text"]
  is_legend <- vapply(texts, function(one) "val_loss" %in% one[[3]], NA)
  expect_gt(min(texts[is_legend][[1]][[2]]$y), plot$usr[[4]])

  points <- drawn(plot(info, logs = "mae"))$calls
  points <- points[names(points) == "C_plotXY"]
  expect_equal(points[[1]][[2]]$y, c(1, 1, 1))
  expect_error(
    drawn(plot(info, logs = "acc")),
    "There is no log `acc`",
    class = "kerasbackup_error_argument"
  )
  save_backup(dir, fields = list(epoch = "0"))
  expect_error(
    drawn(plot(backup_info(dir))),
    "No epoch is complete",
    class = "kerasbackup_error_argument"
  )
})

# A backup that was interrupted twice.
interrupted_backup <- function(dir) {
  fields <- example_fields()
  fields$epochs <- "10"
  fields$resumes <- paste0(
    "[[1,0,\"2026-01-02T03:04:05\",\"2026-01-02T03:24:05\"],",
    "[2,3,null,\"2026-01-03T08:04:05\"]]"
  )
  save_backup(dir, fields = fields)
}

test_that("interruptions are a data frame, and are drawn with the time lost", {
  dir <- withr::local_tempdir()
  save_backup(dir)
  expect_identical(nrow(backup_info(dir)$interruptions), 0L)
  interrupted_backup(dir)
  info <- backup_info(dir)
  expect_identical(info$interruptions$epoch, 1:2)
  expect_identical(info$interruptions$batch, c(0L, 3L))
  times <- c("2026-01-02 03:24:05", "2026-01-03 08:04:05")
  expect_equal(info$interruptions$resumed_at, as.POSIXct(times, tz = "UTC"))
  expect_identical(is.na(info$interruptions$saved_at), c(FALSE, TRUE))
  plot <- drawn(plot(info))
  lines <- plot$calls[names(plot$calls) == "C_abline"]
  is_there <- vapply(lines, function(one) identical(one[[5]], c(1, 2.5)), NA)
  expect_true(any(is_there))
  texts <- function(plot) {
    text <- plot$calls[names(plot$calls) == "C_text"]
    text[[1]][2:3]
  }
  shown <- texts(plot)
  expect_identical(shown[[2]], c("20 mins", ""))
  expect_identical(shown[[1]]$x, c(1, 2.5))
  expect_lte(max(shown[[1]]$y), plot$usr[[4]])

  # Two at one place are one line, with the time of both.
  info$interruptions <- info$interruptions[c(1, 2, 1), ]
  expect_identical(texts(drawn(plot(info)))[[2]], c("40 mins", ""))
  # On a logarithmic axis the times are within it too.
  logarithmic <- drawn(plot(info, log = "y"))
  expect_lte(max(texts(logarithmic)[[1]]$y), 10^logarithmic$usr[[4]])
  expect_gt(max(texts(logarithmic)[[1]]$y), 0.25)
})

test_that("a backup says how long the run was trained", {
  dir <- withr::local_tempdir()
  expect_duration <- function(expected, ...) {
    unlink(list.files(dir, full.names = TRUE))
    save_backup(dir, fields = utils::modifyList(example_fields(), list(...)))
    info <- backup_info(dir)
    expect_s3_class(info$duration, "difftime")
    expect_identical(units(info$duration), "secs")
    expect_identical(as.double(info$duration), expected)
    expect_identical(
      any(grepl("^trained for: ", format(info))),
      !is.na(expected)
    )
  }
  # Saved at 03:04:05.
  expect_duration(NA_real_)
  expect_duration(3600, began_at = "2026-01-02T02:04:05")
  expect_match(format(backup_info(dir)), "^trained for: 1 hour$", all = FALSE)
  expect_identical(
    backup_info(dir)$began_at,
    as.POSIXct("2026-01-02 02:04:05", tz = "UTC")
  )
  resumes <- paste0(
    "[[1,0,\"2026-01-02T02:14:05\",\"2026-01-02T02:24:05\"],",
    "[2,3,\"2026-01-02T02:44:05\",\"2026-01-02T03:04:00\"]]"
  )
  expect_duration(1805, began_at = "2026-01-02T02:04:05", resumes = resumes)
  # A clock that was set back, and a checkpoint without a time.
  expect_duration(NA_real_, began_at = "2026-01-02T03:04:06")
  expect_duration(
    NA_real_,
    began_at = "2026-01-02T02:04:05",
    resumes = "[[1,0,null,\"2026-01-02T02:24:05\"]]"
  )
  save_backup(dir, fields = c(example_fields(), began_at = "yesterday"))
  expect_error(
    backup_info(dir),
    "`began_at` is no time",
    class = "kerasbackup_error_corrupt"
  )
})

test_that("a backup has the learning rate of its optimizer", {
  dir <- withr::local_tempdir()
  rate <- function(name, value = 0.001, dtype = "F32", shape = numeric()) {
    unlink(list.files(dir, full.names = TRUE))
    size <- if (dtype == "F64") 8 else 4
    one <- list(
      dtype = dtype,
      shape = shape,
      bytes = writeBin(value, raw(), size, endian = "little")
    )
    save_backup(dir, c(example_tensors(), stats::setNames(list(one), name)))
    info <- backup_info(dir)
    is_shown <- grepl("^learning rate: 0.001$", format(info))
    expect_identical(any(is_shown), !is.na(info$learning_rate))
    info$learning_rate
  }
  expect_equal(rate("optimizer/adam/learning_rate"), 0.001, tolerance = 1e-7)
  expect_identical(rate("optimizer/learning_rate", dtype = "F64"), 0.001)
  # No rate of the optimizer.
  expect_identical(rate("variables/learning_rate"), NA_real_)
  expect_identical(rate("optimizer/adam/kernel_learning_rate"), NA_real_)
  expect_identical(
    rate("optimizer/adam/learning_rate", c(1, 1), shape = 2),
    NA_real_
  )
  expect_identical(
    rate("optimizer/adam/learning_rate", 1L, dtype = "I32"),
    NA_real_
  )

  # Its bytes are damaged, but not the header.
  rate("optimizer/adam/learning_rate")
  path <- store_list(dir)$path
  flip_bit(path, data_at(path))
  expect_identical(backup_info(dir)$learning_rate, NA_real_)
  expect_error(backup_verify(dir), class = "kerasbackup_error_corrupt")
})

test_that("several backups are a data frame, one row each", {
  root <- withr::local_tempdir()
  dirs <- file.path(root, c("a", "b"))
  lapply(dirs, dir.create)
  save_backup(dirs[[1]], fields = c(example_fields(), epochs = "10"))
  fields <- example_fields()
  fields$epoch <- "1"
  fields$began_at <- "2026-01-02T03:04:00"
  fields$history <- "{\"epoch\":[0],\"loss\":[0.5]}"
  save_backup(dirs[[2]], fields = fields, keep = 2, times = 2)
  found <- backup_info(dirs)
  expect_s3_class(found, "data.frame", exact = TRUE)
  expect_identical(found$dir, dirs)
  expect_identical(found$epoch, c(3L, 1L))
  expect_identical(found$epochs, c(10L, NA))
  expect_identical(found$best_epoch, c(3L, NA))
  expect_identical(found$best_log, c("loss", NA))
  expect_identical(found$best_value, c(0.125, NA))
  expect_identical(as.double(found$duration, units = "secs"), c(NA, 5))
  expect_identical(found$files, c(1L, 2L))
  expect_identical(
    found$bytes,
    vapply(dirs, function(dir) sum(store_list(dir)$bytes), 0, USE.NAMES = FALSE)
  )
  expect_identical(found$saved_at, rep(backup_info(dirs[[1]])$saved_at, 2))
  expect_identical(units(found$age), "hours")
  # A file may be among them, and each must be there.
  file <- store_list(dirs[[2]])$path[[2]]
  expect_identical(backup_info(c(dirs[[1]], file))$dir, dirs)
  expect_error(
    backup_info(c(dirs, file.path(root, "c"))),
    "'.*c'",
    class = "kerasbackup_error_io"
  )
})

test_that("a backup of Keras' own callback is told with how to import it", {
  dir <- withr::local_tempdir()
  refusal <- function(metadata, weights = TRUE) {
    unlink(file.path(dir, keras_files))
    if (!is.null(metadata)) {
      writeLines(metadata, file.path(dir, keras_files[[1]]))
    }
    if (weights) {
      file.create(file.path(dir, keras_files[[2]]))
    }
    expect_error(backup_info(dir), class = "kerasbackup_error_io")
  }
  whole <- refusal("{\"epoch\": 4, \"batch\": 0}")
  expect_identical(whole$epoch, 4L)
  expect_match(
    conditionMessage(whole),
    "`BackupAndRestore` made after 4 epochs"
  )
  expect_identical(
    whole$import[2:3],
    c(
      paste0(
        "keras3::load_model_weights(model, \"",
        file.path(dir, "latest.weights.h5"),
        "\")"
      ),
      "keras3::fit(model, ..., initial_epoch = 5)"
    )
  )
  for (line in whole$import) {
    expect_match(conditionMessage(whole), line, fixed = TRUE)
  }
  # The others that look at it say the same.
  expect_error(backup_read(dir), "load_model_weights")
  expect_error(backup_verify(dir), "load_model_weights")

  # What Keras has not written.
  huge <- paste0("{\"epoch\": 4, \"x\": \"", strrep("y", 10000), "\"}")
  for (text in c("", "4", "{}", "[4]", "{\"epoch\": -1}", "{\"epoch\"", huge)) {
    odd <- refusal(text)
    expect_identical(odd$epoch, NA_integer_)
    expect_identical(odd$import[[3]], "keras3::fit(model, ...)")
  }
  expect_identical(refusal(NULL)$epoch, NA_integer_)
  none <- refusal("{\"epoch\": 4}", weights = FALSE)
  expect_null(none$import)
  expect_match(conditionMessage(none), "weights are missing")
})

test_that("resumes that are none are refused", {
  dir <- withr::local_tempdir()
  for (bad in c("[1]", "[[1,2,3,4]]", "[[1,-2,null,\"2026\"]]", "{}", "3")) {
    fields <- example_fields()
    fields$resumes <- bad
    save_backup(dir, fields = fields)
    expect_error(backup_info(dir), class = "kerasbackup_error_corrupt")
  }
})

test_that("ggplot2 draws the same", {
  skip_if_not_installed("ggplot2")
  dir <- withr::local_tempdir()
  interrupted_backup(dir)
  info <- backup_info(dir)
  plot <- ggplot2::autoplot(info)
  built <- ggplot2::ggplot_build(plot)$data
  expect_setequal(built[[1]]$xintercept, c(3, 1, 2.5))
  expect_equal(built[[2]]$x, info$history$epoch)
  expect_equal(built[[2]]$y, info$history$loss)
  expect_equal(built[[3]]$label, c("20 mins", ""))
  expect_error(
    ggplot2::autoplot(info, logs = "acc"),
    "There is no log `acc`",
    class = "kerasbackup_error_argument"
  )
})

test_that("how far of how many epochs, the best one, and who trains is shown", {
  dir <- withr::local_tempdir()
  interrupted_backup(dir)
  lines <- format(backup_info(dir))
  expect_match(lines, "^progress: 3 of 10 epochs complete$", all = FALSE)
  expect_match(lines, "^best epoch: 3 \\(loss 0.125\\)$", all = FALSE)
  expect_match(lines, "^running: no$", all = FALSE)
  expect_identical(backup_info(dir)$epochs, 10L)
  skip_if(is.na(lock_is_held(dir)), "the system does not tell of locks")
  lock <- lock_acquire(dir)
  info <- backup_info(dir)
  expect_true(info$running)
  expect_equal(info$owner$pid, Sys.getpid())
  expect_match(
    format(info),
    paste0("^running: yes, process ", Sys.getpid(), " on .*, since 20"),
    all = FALSE
  )
  lock_release(lock)
  expect_false(backup_info(dir)$running)
})

test_that("one checkpoint can be named by its path", {
  dir <- withr::local_tempdir()
  save_backup(dir)
  save_backup(dir, keep = 2L)
  files <- backup_info(dir)$files
  info <- backup_info(files$path[[2]])
  expect_identical(info$generation, files$generation[[2]])
  expect_identical(info$dir, backup_info(dir)$dir)
})

test_that("backup_verify() says in one line what it has read", {
  dir <- withr::local_tempdir()
  save_backup(dir)
  save_backup(dir, keep = 2L)
  message <- expect_message(
    backup_verify(dir),
    "^1 checkpoint is intact \\(.* read\\), in '.*'\\.$",
    class = "kerasbackup_message_verified"
  )
  expect_message(
    backup_verify(dir, all = TRUE),
    "^2 checkpoints are intact",
    class = "kerasbackup_message_verified"
  )
})

test_that("what is wrong with `dir` is said by that name", {
  file <- withr::local_tempfile(lines = "")
  for (verb in list(
    backup_info,
    backup_verify,
    backup_history,
    backup_read,
    backup_delete
  )) {
    for (dir in list("", 1, file)) {
      error <- expect_error(verb(dir), class = "kerasbackup_error_argument")
      expect_equal(error$arg, "dir")
      expect_match(conditionMessage(error), "`dir`", fixed = TRUE)
      expect_no_match(conditionMessage(error), "backup_dir")
    }
    expect_error(
      verb(withr::local_tempfile()),
      "complete.*delete_checkpoint",
      class = "kerasbackup_error_io"
    )
  }
})
