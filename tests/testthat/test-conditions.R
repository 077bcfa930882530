# The wording of what goes wrong, from made-up facts.

failure <- function(status, ...) {
  defaults <- list(
    status = status,
    op = "write",
    path = "/backup/f.safetensors",
    errno = NA_character_,
    errno_text = NA_character_,
    message = "",
    offset = NA_real_,
    length = NA_real_,
    needed = NA_real_,
    available = NA_real_
  )
  structure(utils::modifyList(defaults, list(...)), class = "kb_failure")
}

test_that("errors of the store say what, where and what to do", {
  expect_snapshot(error = TRUE, {
    stop_store_failure(failure(
      "io",
      op = "reserve",
      errno = "ENOSPC",
      errno_text = "No space left on device",
      message = "reserve failed",
      needed = 3e8,
      available = 1.5e6
    ))
    stop_store_failure(failure(
      "io",
      errno = "EDQUOT",
      errno_text = "Disk quota exceeded",
      message = "write failed",
      needed = 3e8,
      available = 5e11
    ))
    stop_store_failure(failure(
      "io",
      op = "reserve",
      errno = "EFBIG",
      errno_text = "File too large",
      message = "reserve failed",
      needed = 3e8
    ))
    stop_store_failure(failure(
      "io",
      errno = "EIO",
      errno_text = "Input/output error",
      message = "write failed"
    ))
    stop_store_failure(failure(
      "io",
      op = "create",
      errno = "EACCES",
      errno_text = "Permission denied",
      message = "create failed"
    ))
    stop_store_failure(
      failure("corrupt", message = "a block has another checksum", offset = 0),
      tensor = c("variables/dense/kernel", "variables/dense/bias")
    )
    stop_store_failure(failure("corrupt", message = "too short"))
    stop_store_failure(failure(
      "durability",
      op = "sync_dir",
      errno = "EIO",
      errno_text = "Input/output error",
      message = "the directory could not be flushed"
    ))
    stop_store_failure(failure("nomem", message = "no room for the buffer"))
    stop_store_failure(failure(
      "too_large",
      message = "the header has 200000000 bytes, more than 100000000"
    ))
    stop_store_failure(failure(
      "exhausted",
      path = "/backup",
      message = "999999999999 is the highest number that a name can have"
    ))
    stop_store_failure(failure(
      "forked",
      message = "it belongs to another process"
    ))
    stop_store_failure(failure("misuse", message = "no address"))
  })
})

test_that("errors of the store have their facts as fields", {
  error <- expect_error(
    stop_store_failure(failure("io", errno = "ENOSPC", errno_text = "full")),
    class = "kerasbackup_error_io"
  )
  expect_s3_class(error, "kerasbackup_error")
  expect_equal(error$errno, "ENOSPC")
  expect_equal(error$path, "/backup/f.safetensors")
  expect_equal(error$op, "write")
  kinds <- c(
    io = "io",
    corrupt = "corrupt",
    misuse = "argument",
    nomem = "io",
    durability = "io",
    too_large = "unsupported",
    exhausted = "io",
    forked = "unsupported"
  )
  for (status in names(kinds)) {
    expect_error(
      stop_store_failure(failure(status)),
      class = paste0("kerasbackup_error_", kinds[[status]])
    )
  }
  error <- expect_error(
    stop_store_failure(failure("corrupt"), tensor = "a"),
    class = "kerasbackup_error_corrupt"
  )
  expect_equal(error$tensor, "a")
})

test_that("errors of directories and locks say what, where and what to do", {
  owner <- list(pid = 4711, host = "node7", started = "2026-01-02 03:04:05")
  expect_snapshot(error = TRUE, {
    stop_locked("/backup", owner, same_process = FALSE)
    stop_locked("/backup", NULL, same_process = FALSE)
    stop_directory("/backup", "It cannot be created.", "Check the path.")
    stop_no_backup("/backup")
    stop_header("/backup/f.safetensors", "Its header is not JSON.")
    stop_unsupported(
      "A variable cannot be saved.",
      "Its dtype is odd.",
      "Cast it."
    )
  })
  error <- expect_error(
    stop_locked("/backup", owner, same_process = FALSE),
    class = "kerasbackup_error_locked"
  )
  expect_equal(error$pid, 4711)
  expect_equal(error$host, "node7")
})

test_that("warnings have one root and say what is lost and what is not", {
  error <- rlang::catch_cnd(stop_store_failure(failure(
    "io",
    errno = "ENOSPC",
    errno_text = "No space left on device",
    message = "write failed"
  )))
  unsure <- rlang::catch_cnd(stop_store_failure(failure(
    "durability",
    errno = "EIO",
    errno_text = "Input/output error",
    message = "fsync failed"
  )))
  expect_snapshot({
    warn_save_failed(error, has_checkpoint = TRUE)
    warn_save_failed(error, has_checkpoint = FALSE)
    warn_save_failed(unsure, has_checkpoint = TRUE)
    warn_save_failed(unsure, has_checkpoint = TRUE, goes_on = FALSE)
    warn_not_deleted(error)
    warn_not_removed(list(failure(
      "io",
      errno = "EACCES",
      errno_text = "Permission denied",
      message = "unlink failed"
    )))
    warn_no_lock("/backup", "No locks available")
    warn_fallback(
      list(list(
        failure = failure("corrupt", message = "a block has another checksum"),
        tensor = "variables/dense/kernel"
      )),
      "/backup/older.safetensors"
    )
  })
  for (warn in list(
    quote(warn_save_failed(error, TRUE)),
    quote(warn_not_deleted(error)),
    quote(warn_no_lock("d", "c"))
  )) {
    expect_warning(eval(warn), class = "kerasbackup_warning")
  }
})

test_that("a training that is complete is told with what to do", {
  for (delete in c(TRUE, FALSE)) {
    cnd <- rlang::catch_cnd(
      inform_training("stopped", character(), complete_advice(delete))
    )
    expect_s3_class(cnd, "kerasbackup_message_complete")
    says_deleted <- grepl("checkpoint is deleted now", conditionMessage(cnd))
    expect_equal(says_deleted, delete)
    expect_equal(grepl("larger `epochs`", conditionMessage(cnd)), !delete)
  }
})

test_that("a preemption is no error of ours, and says how to go on", {
  error <- rlang::catch_cnd(stop_store_failure(failure("io", errno = "EIO")))
  unsure <- rlang::catch_cnd(
    stop_store_failure(failure("durability", message = "fsync failed"))
  )
  path <- "/backup/f.safetensors"
  expect_snapshot({
    cat(conditionMessage(cnd_preempted("SIGTERM", path)))
    cat(conditionMessage(cnd_preempted(c("SIGTERM", "SIGUSR1"), NULL)))
    cat(conditionMessage(cnd_preempted("SIGUSR1", path, error)))
    cat(conditionMessage(cnd_preempted("SIGUSR1", path, unsure)))
  })
  saved <- cnd_preempted("SIGTERM", path)
  expect_s3_class(saved, "kerasbackup_preempted")
  expect_s3_class(saved, "error")
  expect_false(inherits(saved, "kerasbackup_error"))
  expect_true(saved$saved)
  expect_equal(saved$signals, "SIGTERM")
  expect_equal(saved$path, path)
  expect_false(cnd_preempted("SIGTERM", NULL)$saved)
  failed <- cnd_preempted("SIGTERM", path, error)
  expect_false(failed$saved)
  expect_identical(failed$parent, error)
})

test_that("differences are numbered, whatever reticulate makes of a list", {
  expected <- data.frame(what = "clipnorm", script = "1.0", checkpoint = "None")
  columns <- list(what = "clipnorm", script = "1.0", checkpoint = "None")
  expect_identical(differences_frame(columns), expected)
  expect_identical(differences_frame(lapply(columns, as.list)), expected)
})
