format_document <- function() {
  readLines(
    system.file("FORMAT.md", package = "kerasbackup"),
    encoding = "UTF-8"
  )
}

# The bytes of the dump in the document: "00000010: 6461 7461 ...  text".
dumped_bytes <- function(lines) {
  dump <- grep("^[0-9a-f]{8}: ", lines, value = TRUE)
  hex <- gsub(" ", "", substr(dump, 11, 49))
  pairs <- unlist(regmatches(hex, gregexpr("..", hex)))
  as.raw(strtoi(pairs, 16L))
}

test_that("FORMAT.md's worked example is what is written", {
  dir <- withr::local_tempdir()
  saved <- save_once(dir, list(a = as.raw(1:4)), epoch = 3)
  written <- readBin(saved$path, "raw", 10000)
  expect_gt(length(written), 250)
  expect_identical(dumped_bytes(format_document()), written)
})

test_that("FORMAT.md's table of footer fields is the footer", {
  dir <- withr::local_tempdir()
  saved <- save_once(dir, list(a = as.raw(1:4)), epoch = 3)
  written <- readBin(saved$path, "raw", 10000)
  footer <- utils::tail(written, 64)
  rows <- grep("^\\| +[0-9]+ \\|", format_document(), value = TRUE)
  fields <- do.call(rbind, lapply(strsplit(rows, " *\\| *"), `[`, 2:4))
  at <- as.integer(fields[, 1])
  size <- as.integer(fields[, 2])
  expect_identical(at, as.integer(c(0, cumsum(size)[-length(size)])))
  expect_equal(sum(size), 64)
  u <- function(field) {
    i <- match(field, fields[, 3])
    sum(
      as.integer(footer[at[[i]] + seq_len(size[[i]])]) *
        256^(seq_len(size[[i]]) - 1)
    )
  }
  expect_identical(rawToChar(footer[1:8]), "KBFOOTER")
  expect_equal(u("version"), 1)
  expect_equal(u("block_log2"), 20)
  expect_equal(u("header_len"), nchar(store_header(saved$path), "bytes"))
  expect_equal(u("data_len"), 4)
  expect_equal(u("generation"), 1)
  expect_equal(u("n_blocks"), 1)
  expect_equal(u("reserved"), 0)
})

test_that("each flipped bit of a file is damage, to R too", {
  dir <- withr::local_tempdir()
  saved <- save_once(dir, list(a = as.raw(1:4)))
  for (byte in seq(0, saved$bytes - 1, by = 5)) {
    flip_bit(saved$path, byte, byte %% 8)
    expect_error(store_verify(saved$path), class = "kerasbackup_error_corrupt")
    flip_bit(saved$path, byte, byte %% 8)
  }
  expect_true(store_verify(saved$path))
})

test_that("our files begin with a magic that needs no parser", {
  dir <- withr::local_tempdir()
  saved <- save_once(dir, some_bytes())
  magic <- "{\"__metadata__\":{\"kerasbackup\":\"1\""
  written <- readBin(saved$path, "raw", 8 + nchar(magic))
  expect_identical(rawToChar(written[-(1:8)]), magic)
})
