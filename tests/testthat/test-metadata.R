# What the user notes in checkpoints: the argument `metadata`.

# What Python gets from R.
training_with <- function(dir, async = TRUE, ...) {
  functions <- bridge_functions(list(
    backup_dir = dir,
    keep = backup_keep(),
    async = async,
    on_save_error = "warn",
    verbose = FALSE,
    delete_checkpoint = FALSE,
    signals = integer(),
    ...
  ))
  functions$open(function() TRUE)
  functions
}

a_tensor <- as.raw(1:3)

save_with <- function(functions, epoch = 3) {
  fields <- utils::modifyList(
    example_fields(),
    list(epoch = as.character(epoch))
  )
  functions$plan("[[\"variables/a\",\"U8\",[3]]]")
  functions$save(store_raw_address(a_tensor), manifest_metadata(fields))
}

test_that("metadata are texts, numbers and flags, each with a name", {
  values <- list(commit = "f1ee137", rate = 0.1, n = 3L, big = TRUE)
  expect_identical(check_metadata(values), values)
  expect_null(check_metadata(NULL))
  expect_null(check_metadata(list()))
  for (bad in list(
    "text",
    c(a = "text"),
    list("text"),
    list(a = 1, 2),
    list(a = 1, a = 2),
    list(a = NULL),
    list(a = 1:2),
    list(a = NA),
    list(a = NA_character_),
    list(a = Inf),
    list(a = list(1)),
    list(a = mean),
    list(a = factor("x")),
    list(a = as.Date("2026-01-01"))
  )) {
    error <- expect_error(
      check_metadata(bad),
      class = "kerasbackup_error_argument"
    )
    expect_match(error$arg, "^metadata")
  }
})

test_that("metadata are UTF-8, whatever the encoding they were given in", {
  latin1 <- "caf\xe9"
  Encoding(latin1) <- "latin1"
  values <- stats::setNames(list(latin1), latin1)
  checked <- check_metadata(values)
  expect_identical(Encoding(c(checked[[1]], names(checked))), rep("UTF-8", 2))
  text <- manifest_user_json(checked)
  expect_true(validUTF8(text))
  expect_identical(
    manifest_user(list(user = text), "path"),
    list("caf\u00e9" = "caf\u00e9")
  )
  bytes <- "caf\xe9"
  Encoding(bytes) <- "bytes"
  ascii <- "cafe"
  Encoding(ascii) <- "bytes"
  invalid <- "caf\xe9"
  Encoding(invalid) <- "UTF-8"
  # Without a mark it is in the encoding of the session.
  unmarked <- if (l10n_info()[["UTF-8"]]) "caf\xe9"
  for (bad in c(bytes, invalid, unmarked)) {
    for (values in list(list(a = bad), stats::setNames(list(1), bad))) {
      error <- expect_error(
        check_metadata(values),
        "caf<e9>",
        class = "kerasbackup_error_argument"
      )
      expect_match(error$arg, "metadata")
    }
    expect_error(
      backup_keep(best = bad, mode = "min"),
      class = "kerasbackup_error_argument"
    )
  }
  expect_identical(check_metadata(list(a = ascii)), list(a = "cafe"))
})

test_that("metadata are read back as they were given, numbers to all digits", {
  values <- list(
    text = "a \"quoted\"\nline, \u00e9",
    third = 1 / 3,
    large = 2^60,
    small = 5e-324,
    negative = -1,
    yes = TRUE,
    no = FALSE,
    "odd name" = ""
  )
  metadata <- list(user = manifest_user_json(values))
  expect_identical(manifest_user(metadata, "path"), values)
  # An integer is a number like others.
  metadata <- list(user = manifest_user_json(list(n = 3L)))
  expect_identical(manifest_user(metadata, "path"), list(n = 3))
  none <- manifest_user(list(), "path")
  expect_identical(none, stats::setNames(list(), character()))
})

test_that("metadata that nobody can have given are damage", {
  for (bad in c(
    "[1]",
    "{\"a\":[1]}",
    "{\"a\":null}",
    "{\"a\":1,\"a\":2}",
    "x"
  )) {
    expect_error(
      manifest_user(list(user = bad), "path"),
      class = "kerasbackup_error_corrupt"
    )
  }
})

test_that("backup_info() shows them, without control characters", {
  dir <- withr::local_tempdir()
  values <- list(commit = "f1ee137", "a\033[31m" = "red\033[0m", n = 12)
  fields <- c(example_fields(), user = manifest_user_json(values))
  save_backup(dir, fields = fields)
  info <- backup_info(dir)
  expect_identical(info$metadata, values)
  text <- format(info)
  at <- which(text == "metadata:")
  expect_identical(
    text[at + 1:3],
    c("  commit: f1ee137", "  a?[31m: red?[0m", "  n: 12")
  )
  save_backup(dir, fields = example_fields())
  expect_length(backup_info(dir)$metadata, 0)
  expect_false("metadata:" %in% format(backup_info(dir)))
})

test_that("a save has them, and is else as it was", {
  text <- metadata_text(3)
  expect_identical(with_own_metadata(text, list()), text)
  fields <- jsonlite::parse_json(with_own_metadata(
    text,
    list(metadata = list(a = 1))
  ))
  expect_identical(fields$user, "{\"a\":1}")
  expect_identical(fields$epoch, "3")
  dir <- withr::local_tempdir()
  functions <- training_with(dir, metadata = list(a = "b"))
  save_with(functions)
  functions$close()
  expect_identical(backup_info(dir)$metadata, list(a = "b"))
})

test_that("on_save is called once for each commit, when R hears of it", {
  dir <- withr::local_tempdir()
  told <- list()
  note <- function(info) told <<- c(told, list(info))
  functions <- training_with(dir, metadata = list(a = 1), on_save = note)
  save_with(functions, 2)
  expect_length(told, 0)
  save_with(functions, 3)
  expect_length(told, 1)
  functions$close()
  expect_length(told, 2)
  info <- told[[2]]
  expect_identical(vapply(told, function(one) one$epoch, 0L), 2:3)
  expect_identical(info$dir, dir)
  expect_identical(info$path, store_list(dir)$path)
  expect_identical(info$generation, 2)
  expect_identical(info$bytes, file.size(info$path))
  expect_gte(info$seconds, 0)
  expect_identical(info$batch, 0L)
  expect_identical(info$saved_at, backup_info(dir)$saved_at)
  expect_identical(info$logs, c(loss = 0.125))
  expect_identical(info$metadata, list(a = 1))
  # At once where no thread writes.
  told <- list()
  functions <- training_with(dir, async = FALSE, on_save = note)
  save_with(functions)
  expect_length(told, 1)
  expect_null(told[[1]]$metadata)
  functions$close()
  expect_length(told, 1)
})

test_that("a save that failed causes no call", {
  dir <- withr::local_tempdir()
  told <- 0
  functions <- training_with(
    dir,
    async = FALSE,
    on_save = function(info) told <<- told + 1
  )
  file.rename(dir, paste0(dir, "-away"))
  expect_warning(save_with(functions), class = "kerasbackup_warning_save")
  expect_identical(told, 0)
  file.rename(paste0(dir, "-away"), dir)
  save_with(functions)
  functions$close()
  expect_identical(told, 1)
})

test_that("an error in on_save is a warning, and the save counts", {
  dir <- withr::local_tempdir()
  functions <- training_with(
    dir,
    async = FALSE,
    on_save = function(info) stop_argument("no tracker", "x")
  )
  warning <- expect_warning(
    expect_true(save_with(functions)$value),
    "no tracker",
    class = "kerasbackup_warning_on_save"
  )
  expect_identical(warning$path, store_list(dir)$path)
  expect_s3_class(warning$error, "kerasbackup_error_argument")
  expect_true(functions$is_saved()$value)
  functions$close()
})

test_that("an on_save that keeps failing is told once, then counted", {
  dir <- withr::local_tempdir()
  calls <- 0
  told <- list()
  functions <- training_with(
    dir,
    async = FALSE,
    on_save = function(info) {
      calls <<- calls + 1
      stop("no tracker at call ", calls)
    }
  )
  hear <- function(expr) {
    withCallingHandlers(
      expr,
      kerasbackup_warning_on_save = function(w) {
        told <<- c(told, list(w))
        rlang::cnd_muffle(w)
      },
      kerasbackup_message_on_save = function(m) {
        told <<- c(told, list(m))
        rlang::cnd_muffle(m)
      }
    )
  }
  hear(
    for (epoch in 1:4) {
      save_with(functions, epoch)
    }
  )
  expect_length(told, 1)
  expect_match(conditionMessage(told[[1]]), "at call 1")
  hear(functions$close())
  expect_length(told, 2)
  expect_match(conditionMessage(told[[2]]), "3 further failures")
  # The next fit() begins anew.
  told <- list()
  functions$open(function() TRUE)
  hear(save_with(functions, 5))
  hear(functions$close())
  expect_length(told, 1)
  expect_s3_class(told[[1]], "kerasbackup_warning_on_save")
})

test_that("an interrupt or an abort in on_save ends training in clear words", {
  for (leave in list(
    rlang::interrupt,
    function() invokeRestart("abort")
  )) {
    dir <- withr::local_tempdir()
    functions <- training_with(
      dir,
      async = FALSE,
      on_save = function(info) leave()
    )
    expect_error(
      save_with(functions),
      "`on_save` was interrupted, so training ends",
      class = "kerasbackup_jump"
    )
    functions$close()
    expect_equal(backup_info(dir)$epoch, 3L)
  }
  expect_error(
    without_handlers(rlang::interrupt, "The progress bar"),
    "The progress bar was interrupted"
  )
})

test_that("no handler around fit() hears of what on_save signals", {
  dir <- withr::local_tempdir()
  ran <- 0
  functions <- training_with(
    dir,
    async = FALSE,
    on_save = function(info) {
      rlang::signal("psst", class = "own_condition")
      suppressMessages(message("text"))
      ran <<- ran + 1
    }
  )
  jumped <- TRUE
  tryCatch(
    {
      save_with(functions)
      jumped <- FALSE
    },
    condition = function(cnd) NULL
  )
  expect_false(jumped)
  expect_identical(ran, 1)
  functions$close()
})

test_that("on_save takes one argument", {
  for (good in list(
    function(info) 1,
    function(info, more = 2) 1,
    function(...) 1,
    function(x, ...) 1,
    print,
    c,
    sum
  )) {
    expect_identical(check_function(good, "on_save"), good)
  }
  for (bad in list(
    function() 1,
    function(a, b) 1,
    function(..., b) 1,
    Sys.time
  )) {
    error <- expect_error(
      check_function(bad, "on_save"),
      "one argument",
      class = "kerasbackup_error_argument"
    )
    expect_identical(error$arg, "on_save")
  }
})

test_that("on_save must be a function", {
  expect_null(check_function(NULL, "on_save"))
  expect_identical(check_function(mean, "on_save"), mean)
  error <- expect_error(
    check_function("mean", "on_save"),
    class = "kerasbackup_error_argument"
  )
  expect_identical(error$arg, "on_save")
})
