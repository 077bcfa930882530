# backup_export() without Keras: a plain safetensors file.

# The header and the data of a safetensors file.
parts_of <- function(file) {
  bytes <- readBin(file, "raw", file.size(file))
  n <- sum(as.integer(bytes[1:8]) * 256^(0:7))
  list(
    n = n,
    header = jsonlite::parse_json(rawToChar(bytes[8 + seq_len(n)])),
    data = bytes[-seq_len(8 + n)]
  )
}

test_that("an exported file has the weights and nothing else", {
  dir <- withr::local_tempdir()
  save_backup(dir, fields = example_fields())
  file <- withr::local_tempfile(fileext = ".safetensors")
  expect_identical(backup_export(dir, file), file)
  parts <- parts_of(file)
  tensors <- example_tensors()
  is_weight <- startsWith(names(tensors), "variables/")
  expect_identical(names(parts$header), names(tensors)[is_weight])
  expect_identical((8 + parts$n) %% 8, 0)
  for (name in names(parts$header)) {
    one <- parts$header[[name]]
    expect_identical(one$dtype, tensors[[name]]$dtype)
    expect_equal(as.numeric(unlist(one$shape)), tensors[[name]]$shape)
    at <- unlist(one$data_offsets)
    expect_identical(
      parts$data[at[[1]] + seq_len(at[[2]] - at[[1]])],
      tensors[[name]]$bytes
    )
  }
  all <- withr::local_tempfile(fileext = ".safetensors")
  backup_export(dir, all, what = "all")
  expect_identical(names(parts_of(all)$header), names(tensors))
})

test_that("a given generation is exported, and no other", {
  dir <- withr::local_tempdir()
  save_backup(dir, keep = 2L)
  other <- list(
    "variables/a" = list(dtype = "U8", shape = 1, bytes = as.raw(9))
  )
  save_backup(dir, other, keep = 2L)
  file <- withr::local_tempfile(fileext = ".safetensors")
  backup_export(dir, file)
  expect_identical(names(parts_of(file)$header), "variables/a")
  unlink(file)
  backup_export(dir, file, generation = 1)
  expect_length(parts_of(file)$header, 4)
  unlink(file)
  for (bad in list(3, "1", NA, 1.5)) {
    error <- expect_error(
      backup_export(dir, file, generation = bad),
      "There are: 2, 1",
      class = "kerasbackup_error_argument"
    )
    expect_identical(error$arg, "generation")
  }
  # No other one may be taken instead.
  flip_bit(store_list(dir)$path[[2]], 400)
  expect_error(
    backup_export(dir, file, generation = 1),
    class = "kerasbackup_error_corrupt"
  )
  expect_false(file.exists(file))
})

test_that("where the newest is damaged, the one before is exported (I5)", {
  dir <- withr::local_tempdir()
  save_backup(dir, keep = 2L, times = 2)
  files <- store_list(dir)
  data_at <- file.size(files$path[[1]]) - store_trailer_bytes(40)
  flip_bit(files$path[[1]], data_at - 1)
  file <- withr::local_tempfile(fileext = ".safetensors")
  warning <- expect_warning(
    backup_export(dir, file),
    class = "kerasbackup_warning_fallback"
  )
  expect_identical(warning$path, files$path[[2]])
  expect_length(parts_of(file)$header, 4)
})

test_that("an export refuses what it cannot do, and leaves nothing", {
  dir <- withr::local_tempdir()
  save_backup(dir)
  root <- withr::local_tempdir()
  refused <- function(arg, ...) {
    error <- expect_error(
      backup_export(dir, ...),
      class = "kerasbackup_error_argument"
    )
    expect_identical(error$arg, arg)
    conditionMessage(error)
  }
  file <- file.path(root, "x.safetensors")
  expect_match(refused("file", file.path(root, "x.npz")), "[.]weights[.]h5")
  expect_match(refused("file", NULL), "path of a file")
  expect_match(refused("file", file.path(root, "a", "x.keras")), "no directory")
  expect_match(refused("model", file, model = 1), "Leave it out")
  expect_match(refused("model", file.path(root, "x.keras")), "a Keras model")
  expect_match(refused("what", file, what = "some"), "weights")
  writeLines("mine", file)
  expect_match(refused("file", file), "exists already")
  expect_identical(readLines(file), "mine")
  unlink(file)
  expect_error(
    backup_export(withr::local_tempdir(), file),
    class = "kerasbackup_error_io"
  )
  expect_identical(list.files(root, all.files = TRUE, no.. = TRUE), character())
})

test_that("no export takes the name of a checkpoint", {
  dir <- withr::local_tempdir()
  path <- save_backup(dir)
  before <- directory_state(dir)
  for (name in c(basename(path), "backup-000000000002.safetensors")) {
    for (where in c(dir, withr::local_tempdir())) {
      error <- expect_error(
        backup_export(dir, file.path(where, name)),
        "name of a checkpoint",
        class = "kerasbackup_error_argument"
      )
      expect_identical(error$arg, "file")
    }
  }
  expect_identical(directory_state(dir), before)
  # What only looks like one may be written there.
  file <- file.path(dir, "backup-1.safetensors")
  expect_identical(backup_export(dir, file), file)
})

test_that("a failure to write says why", {
  error <- expect_error(
    stop_if_not_exported(
      structure(
        list(
          status = "io",
          op = "reserve",
          errno = "ENOSPC",
          errno_text = "No space left on device",
          message = "",
          needed = 2e6,
          available = 1e6
        ),
        class = "kb_failure"
      ),
      "/x"
    ),
    "Needed: 2 MB; free: 1 MB",
    class = "kerasbackup_error_io"
  )
  expect_identical(error$path, "/x")
  taken <- structure(list(errno = "EEXIST"), class = "kb_failure")
  expect_error(stop_if_not_exported(taken, "/x"), "exists already")
})

test_that("a checkpoint that goes during the look is looked for again", {
  looks <- 0
  look <- function() {
    looks <<- looks + 1
    if (looks == 1) {
      rlang::abort("gone", class = "kerasbackup_error_io", errno = "ENOENT")
    }
    list(skipped = list(list(errno = if (looks == 2) "ENOENT" else "EIO")))
  }
  found <- look_again(look, function(found) found$skipped)
  expect_identical(looks, 3)
  expect_identical(found$skipped[[1]]$errno, "EIO")
  # But not forever, and not after another failure.
  expect_error(
    look_again(
      function() {
        rlang::abort("gone", class = "kerasbackup_error_io", errno = "ENOENT")
      },
      identity
    ),
    "gone"
  )
  tries <- 0
  expect_error(
    look_again(
      function() {
        tries <<- tries + 1
        rlang::abort("bad", class = "kerasbackup_error_io", errno = "EIO")
      },
      identity
    ),
    "bad"
  )
  expect_identical(tries, 1)
})
