# What is not exactly what was written is noticed, and said (I5): the warning
# with file and tensor where there is an older generation, the error where there
# is none. tests/c/test_bits.c meets every bit; here it is what R makes of it.

# Tensors that do not share a block of checksums, but for the last two.
large_tensors <- function() {
  mib <- 2^20
  bytes <- function(n) as.raw((seq_len(n) * 31 + seq_len(n) %/% 251) %% 256)
  list(
    first = list(dtype = "U8", shape = mib, bytes = bytes(mib)),
    second = list(dtype = "U8", shape = mib, bytes = bytes(mib)),
    third = list(dtype = "U8", shape = 3000, bytes = bytes(3000)),
    fourth = list(dtype = "U8", shape = 5000, bytes = bytes(5000))
  )
}

# What a training does when it begins, without Python.
load_from <- function(dir) load_unlocked(dir, keep = 2L)

# Each a function of the bytes of a file and of where its data begin, and the
# tensors that must be named; NULL where the damage is not in the data.
damages <- function() {
  mib <- 2^20
  # From the data's beginning, or, below zero, from the file's end.
  flip <- function(at) {
    force(at)
    function(bytes, data) {
      i <- (if (at < 0) length(bytes) else data) + at + 1
      bytes[[i]] <- xor(bytes[[i]], as.raw(4))
      bytes
    }
  }
  pages <- function(i) i * 4096 + 1:4096
  list(
    "a bit of the first tensor" = list(flip(0), "first"),
    "a bit of the second tensor" = list(flip(2 * mib - 1), "second"),
    "a bit that two tensors share a block with" = list(
      flip(2 * mib + 7999),
      "third, fourth"
    ),
    "a zeroed block" = list(
      function(bytes, data) {
        bytes[data + mib + pages(3)] <- raw(4096)
        bytes
      },
      "second"
    ),
    "two blocks that changed places" = list(
      function(bytes, data) {
        bytes[data + c(pages(3), pages(9))] <- bytes[
          data + c(pages(9), pages(3))
        ]
        bytes
      },
      "first"
    ),
    "a bit of the header" = list(
      function(bytes, data) {
        bytes[[21]] <- xor(bytes[[21]], as.raw(4))
        bytes
      },
      NULL
    ),
    "a bit of the trailer" = list(flip(-80), NULL),
    "a bit of the footer" = list(flip(-20), NULL),
    "a file cut in its data" = list(
      function(bytes, data) {
        bytes[seq_len(data + mib)]
      },
      NULL
    ),
    "a file cut by one byte" = list(
      function(bytes, data) {
        bytes[-length(bytes)]
      },
      NULL
    ),
    "a byte more" = list(function(bytes, data) c(bytes, as.raw(0)), NULL),
    "an empty file" = list(function(bytes, data) raw(), NULL),
    "zeros" = list(function(bytes, data) raw(length(bytes)), NULL),
    "random bytes" = list(
      function(bytes, data) {
        withr::with_seed(7, as.raw(sample(0:255, 5000, replace = TRUE)))
      },
      NULL
    )
  )
}

test_that("I5: damage is said with file and tensor, the older one is loaded", {
  dir <- withr::local_tempdir()
  save_backup(dir, large_tensors(), list(epoch = "1"), keep = 2L)
  save_backup(dir, large_tensors(), list(epoch = "2"), keep = 2L)
  files <- store_list(dir)$path
  expect_length(files, 2)
  written <- do.call(c, lapply(unname(large_tensors()), `[[`, "bytes"))
  good <- readBin(files[[1]], "raw", 1e7)
  expect_no_warning(loaded <- load_from(dir))
  expect_equal(loaded$path, files[[1]])

  for (name in names(damages())) {
    damage <- damages()[[name]]
    bad <- damage[[1]](good, data_at(files[[2]]))
    expect_false(identical(bad, good), label = name)
    writeBin(bad, files[[1]])
    before <- directory_state(dir)
    warning <- expect_warning(
      loaded <- load_from(dir),
      class = "kerasbackup_warning_fallback"
    )
    expect_equal(loaded$path, files[[2]], label = name)
    expect_identical(loaded$data, written)
    expect_equal(warning$skipped, files[[1]], label = name)
    expect_equal(warning$path, files[[2]], label = name)
    message <- conditionMessage(warning)
    expect_match(message, files[[1]], fixed = TRUE, label = name)
    if (is.null(damage[[2]])) {
      expect_no_match(message, "Damaged tensor", label = name)
    } else {
      named <- paste0("Damaged tensor: ", damage[[2]], ".")
      expect_match(message, named, fixed = TRUE, label = name)
    }
    expect_identical(directory_state(dir), before, label = name)
  }
  writeBin(good, files[[1]])
  expect_no_warning(loaded <- load_from(dir))
  expect_equal(loaded$path, files[[1]])
})

test_that("I5: damage to the only one is an error, and nothing is loaded", {
  dir <- withr::local_tempdir()
  path <- save_backup(dir, large_tensors(), list(epoch = "1"))
  good <- readBin(path, "raw", 1e7)
  for (name in names(damages())) {
    damage <- damages()[[name]]
    writeBin(damage[[1]](good, data_at(path)), path)
    before <- directory_state(dir)
    for (read in list(load_from, backup_verify, backup_read)) {
      error <- expect_error(read(dir), class = "kerasbackup_error_corrupt")
      expect_s3_class(error, "kerasbackup_error")
      expect_equal(error$path, path, label = name)
      expect_match(
        conditionMessage(error),
        path,
        fixed = TRUE,
        label = name
      )
      expect_equal(
        if (length(error$tensor) > 0) paste(error$tensor, collapse = ", "),
        damage[[2]],
        label = name
      )
    }
    expect_identical(directory_state(dir), before, label = name)
    writeBin(good, path)
  }
  expect_equal(load_from(dir)$path, path)
})

test_that("I5: two damaged ones are an error that is about the newest", {
  dir <- withr::local_tempdir()
  save_backup(dir, large_tensors(), keep = 2L, times = 2)
  files <- store_list(dir)$path
  flip_bit(files[[1]], data_at(files[[1]]) + 10)
  flip_bit(files[[2]], data_at(files[[2]]) + 2^20)
  error <- expect_error(load_from(dir), class = "kerasbackup_error_corrupt")
  expect_equal(error$path, files[[1]])
  expect_equal(error$tensor, "first")
})
