# I9: saves in the background, and that nothing of them is lost.

# Everything but Keras: what Python gets from R, for a directory of its own.
training <- function(
  dir,
  async = TRUE,
  on_save_error = "warn",
  verbose = FALSE,
  running = function() TRUE,
  delete_checkpoint = FALSE,
  signals = integer()
) {
  functions <- bridge_functions(list(
    backup_dir = dir,
    keep = backup_keep(),
    async = async,
    on_save_error = on_save_error,
    verbose = verbose,
    delete_checkpoint = delete_checkpoint,
    signals = signals
  ))
  functions$open(running)
  functions
}

# Bytes that stay where they are, and a call that saves them.
save_call <- function(functions, tensors = some_bytes(), epoch = 3) {
  spec <- lapply(names(tensors), function(name) {
    list(name, "U8", as.list(length(tensors[[name]])))
  })
  functions$plan(as.character(jsonlite::toJSON(spec, auto_unbox = TRUE)))
  addresses <- do.call(c, lapply(unname(tensors), store_raw_address))
  # Those who are told of a save hear where it stands.
  metadata <- sub("}", ",\"batch\":\"0\"}", metadata_text(epoch), fixed = TRUE)
  function() functions$save(addresses, metadata)
}

session_of <- function(functions) {
  environment(environment(functions$save)$fn)$session
}

# Lets operations of the next saves fail, see store_open_faulty().
let_fail <- function(functions, dir, async, ...) {
  session <- session_of(functions)
  store_close(session$store)
  session$store <- store_open_faulty(dir, async = async, fault = list(...))
}

# The messages and the warnings of an expression.
all_said <- function(expr) {
  messages <- capture_messages(warnings <- capture_warnings(expr))
  list(messages = messages, warnings = warnings)
}

# While `dir` is away, each save into it fails.
move_away <- function(dir) {
  file.rename(dir, paste0(dir, "-away"))
  function() file.rename(paste0(dir, "-away"), dir)
}

test_that("a save is handed over, committed, and told of once (I9)", {
  dir <- withr::local_tempdir()
  store <- store_open(dir, async = TRUE)
  tensors <- some_bytes()
  plan <- tensor_plan(tensors)
  store_plan(store, plan$text, plan$sizes)
  expect_true(store_submit(store, plan$addresses, metadata_text()))
  saved <- store_wait(store)
  expect_equal(saved$generation, 1)
  expect_equal(saved$bytes, file.size(saved$path))
  expect_null(store_wait(store))
  expect_identical(all_data(store_find(store, "load")), tensors$a)
  store_close(store)
})

test_that("what is loaded is what was saved last, done or not", {
  dir <- withr::local_tempdir()
  store <- store_open(dir, async = TRUE)
  tensors <- some_bytes(5e6, seed = 3)
  plan <- tensor_plan(tensors)
  store_prepare(store, 5e6)
  store_plan(store, plan$text, plan$sizes)
  store_submit(store, plan$addresses, metadata_text())
  loaded <- store_find(store, "load")
  expect_equal(loaded$generation, 1)
  expect_identical(all_data(loaded), tensors$a)
  store_close(store)
})

test_that("a failure is told of by the next wait, once (I4)", {
  dir <- withr::local_tempdir()
  fault <- list(op = "reserve", at = 1, errno = "ENOSPC")
  store <- store_open_faulty(dir, async = TRUE, fault = fault)
  plan <- tensor_plan(some_bytes())
  store_plan(store, plan$text, plan$sizes)
  expect_true(store_submit(store, plan$addresses, metadata_text()))
  failure <- failure_of(store_wait(store))
  expect_equal(failure$op, "reserve")
  expect_equal(failure$errno, "ENOSPC")
  expect_null(store_wait(store))
  expect_equal(store_save(store, plan$addresses, metadata_text())$generation, 1)
  expect_gt(store_ops(store), 1)
  store_close(store)
})

test_that("without memory for a copy the save is made at once", {
  dir <- withr::local_tempdir()
  store <- store_open_faulty(dir, async = TRUE, fault = list(copy_max = 39))
  plan <- tensor_plan(some_bytes(40))
  store_plan(store, plan$text, plan$sizes)
  expect_false(store_submit(store, plan$addresses, metadata_text()))
  expect_equal(store_list(dir)$generation, 1)
  expect_equal(store_wait(store)$generation, 1)
  store_close(store)
  expect_error(
    store_open_faulty(dir, async = TRUE, fault = list(copy_max = -1)),
    class = "kerasbackup_error_argument"
  )
  expect_error(store_prepare(store, 1), class = "kerasbackup_error_argument")
})

test_that("a forked process is refused and harms nothing (I8)", {
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  store <- store_open(dir, async = TRUE)
  tensors <- some_bytes(3e6)
  plan <- tensor_plan(tensors)
  store_plan(store, plan$text, plan$sizes)
  store_submit(store, plan$addresses, metadata_text())
  child <- parallel::mcparallel({
    message <- failure_of(
      store_submit(store, plan$addresses, metadata_text())
    )$message
    store_stop_all()
    store_close(store)
    message
  })
  result <- parallel::mccollect(child)[[1]]
  expect_match(result, "forked")
  expect_equal(store_wait(store)$generation, 1)
  expect_equal(store_list(dir)$generation, 1)
  store_close(store)
})

test_that("closing, unloading and the garbage collector wait (I10)", {
  ends <- list(
    close = function(store) store_close(store),
    unload = function(store) {
      .onUnload()
      expect_error(store_wait(store), class = "kerasbackup_error_argument")
    },
    gc = function(store) NULL
  )
  for (how in names(ends)) {
    dir <- withr::local_tempdir()
    local({
      store <- store_open(dir, async = TRUE)
      plan <- tensor_plan(some_bytes(3e6))
      store_plan(store, plan$text, plan$sizes)
      store_submit(store, plan$addresses, metadata_text())
      ends[[how]](store)
    })
    gc()
    expect_equal(store_list(dir)$generation, 1, info = how)
    expect_length(list.files(dir), 1)
  }
})

test_that("the end of R waits for the save under way (I10)", {
  dir <- withr::local_tempdir()
  out <- run_r(
    c(
      "store <- kerasbackup:::store_open(commandArgs(TRUE), async = TRUE)",
      "x <- raw(2e7)",
      "kerasbackup:::store_plan(store, '\"a\":{\"dtype\":\"U8\",\"shape\":",
      "[20000000],\"data_offsets\":[0,20000000]}', 2e7)",
      "cat(kerasbackup:::store_submit(store,",
      "  kerasbackup:::store_raw_address(x), '{\"kerasbackup\":\"1\"}'))"
    ),
    dir
  )
  expect_equal(out, "TRUE")
  expect_true(store_verify(store_list(dir)$path))
})

test_that("a directory that was moved away or replaced is locked anew, or left to another training (I8)", {
  skip_on_os("windows")
  for (async in c(TRUE, FALSE)) {
    parent <- withr::local_tempdir()
    dir <- file.path(parent, "dir")
    functions <- training(dir, async, delete_checkpoint = TRUE)
    save <- save_call(functions)
    save()
    functions$is_saved()
    # Nobody trains there: the lock file alone, or the directory, is made again.
    unlink(file.path(dir, lock_name))
    expect_no_warning(expect_true(save()$value))
    expect_true(file.exists(file.path(dir, lock_name)))
    expect_error(lock_acquire(dir), class = "kerasbackup_error_locked")
    functions$is_saved()
    file.rename(dir, paste0(dir, "-away"))
    dir.create(dir)
    expect_warning(
      expect_true(save()$value),
      "Something has deleted checkpoints",
      class = "kerasbackup_warning_save"
    )
    expect_s3_class(lock_file_take(file.path(dir, lock_name)), "kb_failure")
    functions$is_saved()
    unlink(dir, recursive = TRUE)

    other <- training(dir, async)
    save_call(other)()
    other$is_saved()
    before <- directory_state(dir)
    warning <- expect_warning(
      result <- save(),
      "is in use",
      class = "kerasbackup_warning_save"
    )
    expect_false(result$value)
    # What it tells is that of another's directory.
    warnings <- capture_warnings(functions$finish())
    expect_match(warnings, "is in use", all = FALSE)
    expect_match(warnings, "backup could not be deleted", all = FALSE)
    expect_identical(directory_state(dir), before)
    expect_true(save_call(other)()$value)
    other$close()
    expect_no_error(lock_release(lock_acquire(dir)))
  }
})

test_that("each save's failure is a warning at the next hook (I4)", {
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  functions <- training(dir)
  save <- save_call(functions)
  expect_no_warning(expect_true(save()$value))
  expect_no_warning(functions$plan("[[\"a\",\"U8\",[40]]]"))
  back <- move_away(dir)
  expect_no_warning(expect_true(save()$value))
  expect_warning(
    expect_true(save()$value),
    "training continues",
    class = "kerasbackup_warning_save"
  )
  # Also the last one's, when training is complete.
  warning <- expect_warning(
    functions$finish(),
    class = "kerasbackup_warning_save"
  )
  expect_equal(warning$failure$errno, "ENOENT")
  back()
  expect_equal(store_list(dir)$generation, 1)
  lock_release(lock_acquire(dir))
})

test_that("on_save_error = \"stop\" stops at the next hook (I4)", {
  skip_on_os("windows")
  for (hook in c("save", "finish")) {
    dir <- withr::local_tempdir()
    functions <- training(dir, on_save_error = "stop")
    save <- save_call(functions)
    save()
    functions$plan("[[\"a\",\"U8\",[40]]]")
    back <- move_away(dir)
    expect_no_warning(expect_true(save()$value))
    result <- if (hook == "save") save() else functions$finish()
    expect_equal(result$error, "kerasbackup_error_io", info = hook)
    expect_match(result$message, "ENOENT")
    back()
    expect_no_warning(functions$close())
    # Nothing was saved after the failure.
    expect_equal(store_list(dir)$generation, 1)
  }
})

test_that("an interrupted training's last save is committed, or told of (I10)", {
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  # There is nothing left to stop.
  functions <- training(dir, on_save_error = "stop")
  save_call(functions)()
  expect_no_warning(functions$close())
  expect_equal(store_list(dir)$generation, 1)
  functions$open(function() TRUE)
  save <- save_call(functions)
  back <- move_away(dir)
  save()
  expect_warning(
    functions$close(),
    "this training could not be saved",
    class = "kerasbackup_warning_save"
  )
  back()
  expect_no_warning(functions$close())
  lock_release(lock_acquire(dir))
})

test_that("a training that has ended leaves no thread behind (I10)", {
  # What earlier tests have left to the garbage collector is none of it.
  gc()
  before <- count_our_threads()
  skip_if(is.na(before), "the system does not tell of threads")
  functions <- training(withr::local_tempdir())
  save_call(functions)()
  expect_equal(count_our_threads(), before + 1)
  # The garbage collection, which ends it too, shall not be the one.
  store <- session_of(functions)$store
  functions$close()
  expect_equal(count_threads_left(before), before)
  expect_false(store_is_open(store))
})

test_that("a training that takes over finds no thread at work (I8)", {
  dir <- withr::local_tempdir()
  running <- TRUE
  first <- training(dir, running = function() running)
  save_call(first, some_bytes(2e7))()
  running <- FALSE
  second <- training(dir)
  expect_equal(store_list(dir)$generation, 1)
  expect_length(list.files(dir, "tmp$"), 0)
  save_call(second)()
  second$close()
  expect_equal(store_list(dir)$generation, 2)
  first$close()
})

test_that("`verbose` tells of each save once", {
  dir <- withr::local_tempdir()
  functions <- training(dir, verbose = TRUE)
  save <- save_call(functions)
  messages <- capture_messages({
    save()
    save()
    functions$finish()
  })
  expect_length(grep("Saved", messages), 2)
  expect_match(messages[[1]], "backup-000000000001")
  expect_match(messages[[2]], "backup-000000000002")
})

test_that("without `async` all is known at once, and nothing is prepared", {
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  functions <- training(dir, async = FALSE)
  expect_null(functions$prepare(1e6)$value)
  save <- save_call(functions)
  save()
  expect_equal(store_list(dir)$generation, 1)
  back <- move_away(dir)
  expect_warning(
    expect_false(save()$value),
    "training continues",
    class = "kerasbackup_warning_save"
  )
  back()
  save()
  expect_equal(store_list(dir)$generation, 2)
  expect_no_warning(functions$finish())
})

test_that("the last failure is told once more in the end, unless a later save succeeded (I4)", {
  skip_on_os("windows")
  for (async in c(TRUE, FALSE)) {
    for (end in c("finish", "close")) {
      dir <- withr::local_tempdir()
      functions <- training(dir, async = async)
      save <- save_call(functions)
      save()
      # What is in the background may not be done yet.
      expect_true(functions$is_saved()$value)
      back <- move_away(dir)
      told <- capture_warnings({
        save()
        save()
        # In the background this is where the second one is known.
        expect_false(functions$is_saved()$value)
        expect_false(functions$is_saved()$value)
      })
      # In full once; the other is counted.
      expect_length(grep("training continues", told), 1)
      warning <- expect_warning(
        functions[[end]](),
        "this training could not be saved",
        class = "kerasbackup_warning_save"
      )
      expect_equal(warning$failure$errno, "ENOENT")
      expect_equal(warning$failures, 2)
      back()
      # Told once, and no matter for the training after.
      functions$open(function() TRUE)
      expect_no_warning(functions$close())

      functions$open(function() TRUE)
      save <- save_call(functions)
      back <- move_away(dir)
      suppressWarnings({
        save()
        functions$is_saved()
      })
      back()
      save()
      expect_no_warning(functions[[end]]())
      expect_equal(store_list(dir)$generation, 2)
    }
  }
})

test_that("a full disk is told with what is needed and what is free (I4)", {
  dir <- withr::local_tempdir()
  functions <- training(dir)
  session <- session_of(functions)
  for (errno in c("ENOSPC", "EDQUOT")) {
    for (op in c("reserve", "write")) {
      store_close(session$store)
      fault <- list(op = op, at = 1, errno = errno)
      session$store <- store_open_faulty(dir, fault = fault)
      save <- save_call(functions)
      before <- directory_state(dir)
      warning <- expect_warning(
        expect_false(save()$value),
        errno,
        class = "kerasbackup_warning_save"
      )
      expect_match(
        conditionMessage(warning),
        "Needed: [0-9.]+ [kM]?B; free: [0-9.]+ .B"
      )
      expect_identical(directory_state(dir), before)
      # The next save tries again.
      expect_true(save()$value)
    }
  }
  expect_no_warning(functions$close())
})

test_that("too little memory for a copy is said once a training", {
  dir <- withr::local_tempdir()
  functions <- training(dir)
  # More than any machine has, to be asked for and refused.
  expect_null(functions$prepare(2^52)$error)
  save <- save_call(functions)
  expect_identical(capture_messages(save()), character())
  session <- session_of(functions)
  store_close(session$store)
  session$store <- store_open_faulty(
    dir,
    async = TRUE,
    fault = list(copy_max = 39)
  )
  save <- save_call(functions)
  expect_message(
    save(),
    "not enough free memory",
    class = "kerasbackup_message_no_copy"
  )
  expect_identical(capture_messages(save()), character())
  functions$finish()
  expect_equal(store_list(dir)$generation, 3)
})

test_that("a training that a signal ends tells whether its last save was made (I4, I10)", {
  skip_on_os("windows")
  signals <- signals_bits("SIGUSR1")
  for (async in c(TRUE, FALSE)) {
    # There is nothing left to stop.
    for (on_save_error in c("warn", "stop")) {
      dir <- withr::local_tempdir()
      functions <- training(dir, async, on_save_error, signals = signals)
      save <- save_call(functions)
      save()
      expect_true(functions$is_saved()$value)
      tools::pskill(Sys.getpid(), tools::SIGUSR1)
      back <- move_away(dir)
      warnings <- capture_warnings({
        expect_null(save()$error)
        said <- functions$preempt()$value
      })
      expect_match(warnings, "this training could not be saved")
      expect_match(
        said,
        "SIGUSR1 was received.*A last checkpoint could not be saved"
      )
      expect_match(said, "ENOENT")
      expect_false(session_of(functions)$preempted$saved)
      back()
      expect_no_warning(expect_no_message(functions$close()))
      lock_release(lock_acquire(dir))

      # One that failed before does not keep it from being made.
      functions$open(function() TRUE)
      save <- save_call(functions)
      back <- move_away(dir)
      if (async) {
        expect_no_warning(save())
        store_ops(session_of(functions)$store)
        tools::pskill(Sys.getpid(), tools::SIGUSR1)
      } else {
        tools::pskill(Sys.getpid(), tools::SIGUSR1)
        expect_warning(save(), "could not be saved")
      }
      back()
      suppressWarnings(expect_true(save()$value))
      expect_no_warning(said <- functions$preempt()$value)
      expect_match(said, "resume from the checkpoint '.*backup-000000000002")
      expect_true(session_of(functions)$preempted$saved)
      expect_equal(store_list(dir)$generation, 2)
    }
  }
})

test_that("a signal that stopped nothing is told when the training ends", {
  skip_on_os("windows")
  signals <- signals_bits(c("SIGUSR1", "SIGTERM"))
  for (end in c("finish", "close")) {
    dir <- withr::local_tempdir()
    functions <- training(dir, signals = signals)
    save_call(functions)()
    tools::pskill(Sys.getpid(), tools::SIGTERM)
    expect_message(
      functions[[end]](),
      "further checkpoint was saved:\n. SIGTERM",
      class = "kerasbackup_message_signal"
    )
    expect_equal(store_list(dir)$generation, 1)
    # Not again, and not for the training after.
    functions$open(function() TRUE)
    expect_no_message(functions$close())
  }
})

test_that("what failed is never reported as done, whichever operation it was (I2, I4)", {
  operations <- c(
    create = 1,
    reserve = 1,
    write = 1,
    sync = 1,
    close = 1,
    rename = 1,
    # The first are those of opening the store.
    list = 2,
    sync_dir = 2
  )
  for (async in c(TRUE, FALSE)) {
    for (op in names(operations)) {
      for (end in c("finish", "close", "preempt")) {
        where <- paste(op, end, async)
        dir <- withr::local_tempdir()
        functions <- training(dir, async, verbose = TRUE)
        let_fail(
          functions,
          dir,
          async,
          op = op,
          at = operations[[op]],
          errno = "EIO"
        )
        save <- save_call(functions)
        said <- all_said({
          save()
          # Asked twice: what was told must not turn into something else.
          is_saved <- c(functions$is_saved()$value, functions$is_saved()$value)
          functions[[end]]()
        })
        expect_identical(is_saved, c(FALSE, FALSE), label = where)
        expect_length(grep("Saved", said$messages), 0)
        # When it happens, and once more as it is the last one.
        expect_length(said$warnings, 2)
        expect_match(said$warnings, "EIO", label = where)
        expect_match(said$warnings[[1]], "training continues", label = where)
        expect_match(
          said$warnings[[2]],
          "last checkpoint of this training",
          label = where
        )
        if (end == "preempt") {
          expect_false(session_of(functions)$preempted$saved, label = where)
        }
        expect_length(list.files(dir, "tmp$"), 0)
      }
    }
  }
})

test_that("what may not survive a power cut is told as that, and the next save is made (I1, I2)", {
  for (async in c(TRUE, FALSE)) {
    dir <- withr::local_tempdir()
    functions <- training(dir, async, verbose = TRUE)
    save <- save_call(functions)
    save()
    functions$is_saved()
    let_fail(functions, dir, async, op = "sync_dir", at = 2, errno = "EIO")
    save <- save_call(functions)
    said <- all_said({
      save()
      functions$is_saved()
    })
    expect_match(said$warnings, "A checkpoint may not survive a power cut")
    expect_match(said$warnings, "backup-000000000002")
    expect_length(said$messages, 0)
    expect_equal(store_list(dir)$generation, c(2, 1))
    said <- all_said({
      save()
      expect_true(functions$is_saved()$value)
      functions$close()
    })
    expect_length(said$warnings, 0)
    expect_length(grep("Saved.*backup-000000000003", said$messages), 1)
    expect_equal(store_list(dir)$generation, 3)
  }
})

test_that("old checkpoints that cannot be removed are told once a training", {
  for (async in c(TRUE, FALSE)) {
    dir <- withr::local_tempdir()
    functions <- training(dir, async)
    for (times in 1:2) {
      let_fail(
        functions,
        dir,
        async,
        op = "unlink",
        at = 1,
        errno = "EACCES",
        persistent = TRUE
      )
      save <- save_call(functions)
      warnings <- list()
      withCallingHandlers(
        {
          for (i in 1:4) {
            save()
          }
          expect_true(functions$is_saved()$value)
        },
        warning = function(w) {
          warnings <<- c(warnings, list(w))
          invokeRestart("muffleWarning")
        }
      )
      expect_length(warnings, 1)
      expect_s3_class(warnings[[1]], "kerasbackup_warning_delete")
      expect_match(conditionMessage(warnings[[1]]), "backup-00.*EACCES")
      expect_equal(warnings[[1]]$failure$errno, "EACCES")
      expect_equal(
        warnings[[1]]$path[[1]],
        normalizePath(
          file.path(dir, sprintf("backup-%012d.safetensors", c(1, 4)[[times]])),
          mustWork = FALSE
        )
      )
      expect_length(store_list(dir)$path, 4 * times)
      functions$close()
      functions$open(function() TRUE)
    }
    functions$close()
  }
})

test_that("a file system that cannot flush a directory is told of once a training (I2)", {
  for (async in c(TRUE, FALSE)) {
    for (errno in c("EINVAL", "ENOSYS", "ENOTSUP")) {
      dir <- withr::local_tempdir()
      functions <- training(dir, async, verbose = TRUE)
      let_fail(
        functions,
        dir,
        async,
        op = "sync_dir",
        at = 1,
        errno = errno,
        persistent = TRUE
      )
      save <- save_call(functions)
      expect_message(
        expect_no_warning({
          save()
          functions$is_saved()
        }),
        "cannot flush a directory.*power cut",
        class = "kerasbackup_message_no_flush"
      )
      said <- all_said({
        save()
        expect_true(functions$is_saved()$value)
      })
      expect_length(said$warnings, 0)
      expect_match(said$messages, "Saved.*backup-000000000002")
      expect_equal(store_list(dir)$generation, 2)
      functions$close()
    }
  }
  # Not of one that can.
  functions <- training(withr::local_tempdir(), async = FALSE)
  expect_no_message(save_call(functions)())
  functions$close()
})

test_that("whatever a save cannot be made for obeys `on_save_error` (I4)", {
  huge <- paste0("{\"kerasbackup\":\"1\",\"x\":\"", strrep("x", 1e8), "\"}")
  causes <- list(
    plan = list(
      class = "kerasbackup_error_unsupported",
      says = "C64",
      save = function(functions, save, dir) {
        functions$plan("[[\"a\",\"C64\",[1]]]")
      }
    ),
    too_large = list(
      class = "kerasbackup_error_unsupported",
      says = "larger than its file format",
      save = function(functions, save, dir) {
        bytes <- some_bytes()$a
        functions$save(store_raw_address(bytes), huge)
      }
    ),
    fail = list(
      class = "kerasbackup_error_unsupported",
      says = "cannot be looked at",
      save = function(functions, save, dir) {
        functions$fail(
          "kerasbackup_error_unsupported",
          "It cannot be looked at."
        )
      }
    ),
    exhausted = list(
      class = "kerasbackup_error_io",
      says = "No number is left",
      save = function(functions, save, dir) {
        last <- file.path(dir, "backup-999999999999.safetensors")
        file.copy(store_list(dir)$path[[1]], last)
        withr::defer(unlink(last))
        result <- save()
        # In the background this is where it is known.
        if (is.null(result$error)) {
          functions$is_saved()
        }
        result
      }
    )
  )
  for (cause in names(causes)) {
    one <- causes[[cause]]
    for (async in c(TRUE, FALSE)) {
      dir <- withr::local_tempdir()
      functions <- training(dir, async)
      save <- save_call(functions)
      save()
      functions$is_saved()
      warning <- expect_warning(
        result <- one$save(functions, save, dir),
        "training continues",
        class = "kerasbackup_warning_save"
      )
      expect_null(result$error, label = cause)
      expect_match(conditionMessage(warning), one$says)
      expect_false(functions$is_saved()$value, label = cause)
      expect_no_warning(expect_true(save()$value))
      expect_true(functions$is_saved()$value)
      expect_no_warning(functions$close())
      expect_equal(store_list(dir)$generation, 2)
    }
    dir <- withr::local_tempdir()
    functions <- training(dir, FALSE, on_save_error = "stop")
    save <- save_call(functions)
    save()
    expect_no_warning(result <- one$save(functions, save, dir))
    expect_equal(result$error, one$class, label = cause)
    expect_match(result$message, one$says)
    expect_no_warning(functions$close())
  }
})

test_that("what only has the name of a checkpoint keeps no training from saving (I3, I7)", {
  dir <- withr::local_tempdir()
  foreign <- file.path(dir, "backup-999999999999.safetensors")
  writeLines("mine", foreign)
  functions <- training(dir, async = FALSE)
  save <- save_call(functions)
  expect_no_warning({
    expect_true(save()$value)
    expect_true(save()$value)
    said <- functions$preempt()$value
  })
  expect_match(said, "resume from the checkpoint '.*backup-000000000002")
  expect_true(session_of(functions)$preempted$saved)
  expect_equal(store_list(dir)$generation, c(999999999999, 2))
  expect_identical(readLines(foreign), "mine")
  # Nor does it count where one is restored, alone or beside one.
  store <- store_open(dir)
  loaded <- store_find(store, "load")
  expect_equal(loaded$generation, 2)
  expect_length(loaded$skipped, 0)
  unlink(loaded$path)
  expect_null(store_find(store, "load"))
  # A name that a save may have had is that of a checkpoint that was lost.
  file.copy(foreign, file.path(dir, "backup-000000000003.safetensors"))
  expect_match(failure_of(store_find(store, "load"))$path, "000000000003")
  store_close(store)
})

test_that("a big-endian machine is refused before anything is made", {
  local_function("machine_endian", function() "big")
  dir <- file.path(withr::local_tempdir(), "new")
  error <- expect_error(train(dir), class = "kerasbackup_error_unsupported")
  expect_match(conditionMessage(error), "big-endian")
  expect_false(dir.exists(dir))
  # R reads the numbers of a file by their order.
  example <- system.file("extdata", "example-backup", package = "kerasbackup")
  expect_gt(length(backup_read(example)), 0)
})
