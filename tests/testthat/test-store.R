test_that("an empty directory is nothing to load (I5)", {
  dir <- withr::local_tempdir()
  store <- store_open(dir)
  expect_null(store_find(store, "load"))
  expect_equal(nrow(store_list(dir)), 0)
  expect_named(store_list(dir), c("path", "generation", "bytes"))
  store_close(store)
})

test_that("what is saved is loaded", {
  dir <- withr::local_tempdir()
  tensors <- list(x = as.raw(1:24), none = raw(), y = as.raw(200:255))
  store <- store_open(dir)
  saved <- save_tensors(store, tensors)
  expect_equal(saved$generation, 1)
  expect_equal(basename(saved$path), "backup-000000000001.safetensors")
  expect_equal(saved$bytes, file.size(saved$path))
  expect_identical(saved$notes, list())
  loaded <- store_find(store, "load")
  expect_equal(loaded$generation, 1)
  expect_equal(loaded$path, saved$path)
  expect_equal(loaded$data_bytes, 80)
  expect_identical(all_data(loaded), c(tensors$x, tensors$y))
  expect_identical(loaded$skipped, list())
  header <- jsonlite::fromJSON(loaded$header)
  expect_equal(header$`__metadata__`$epoch, "3")
  expect_equal(header$y$data_offsets, c(24, 80))
  expect_equal(header$none$shape, 0)
  expect_equal(
    header$kerasbackup.trailer$data_offsets,
    c(80, 80 + store_trailer_bytes(80))
  )
  store_close(store)
})

test_that("every dtype's bytes come back as they were", {
  sizes <- c(
    BOOL = 1,
    U8 = 1,
    I8 = 1,
    F8_E5M2 = 1,
    F8_E4M3 = 1,
    I16 = 2,
    U16 = 2,
    F16 = 2,
    BF16 = 2,
    I32 = 4,
    U32 = 4,
    F32 = 4,
    F64 = 8,
    I64 = 8,
    U64 = 8
  )
  tensors <- lapply(names(sizes), function(dtype) {
    bytes <- as.raw((seq_len(6 * sizes[[dtype]]) * 37) %% 256)
    if (dtype == "BOOL") {
      bytes <- bytes & as.raw(1)
    }
    structure(bytes, dtype = dtype, shape = c(2, 3))
  })
  names(tensors) <- paste0("t/", names(sizes))
  dir <- withr::local_tempdir()
  saved <- save_once(dir, tensors)
  loaded <- store_read(saved$path)
  header <- jsonlite::fromJSON(loaded$header)
  for (name in names(tensors)) {
    at <- header[[name]]$data_offsets
    expect_identical(
      store_buffer_read(loaded$buffer, at[[1]], at[[2]] - at[[1]]),
      as.vector(tensors[[name]]),
      info = name
    )
    expect_equal(header[[name]]$dtype, attr(tensors[[name]], "dtype"))
  }
})

test_that("scalars have an empty shape, and no tensors are a checkpoint too", {
  dir <- withr::local_tempdir()
  scalar <- structure(as.raw(1:4), dtype = "F32", shape = integer())
  store <- store_open(dir, keep = 2)
  save_tensors(store, list(s = scalar))
  expect_match(store_find(store, "load")$header, "\"shape\":[]", fixed = TRUE)
  save_tensors(store, list())
  loaded <- store_find(store, "load")
  expect_equal(loaded$generation, 2)
  expect_equal(loaded$data_bytes, 0)
  expect_identical(all_data(loaded), raw())
  store_close(store)
})

test_that("the header and one file can be looked at without a store", {
  dir <- withr::local_tempdir()
  saved <- save_once(dir, some_bytes())
  expect_identical(store_header(saved$path), store_read(saved$path)$header)
  expect_true(store_verify(saved$path))
  expect_invisible(store_verify(saved$path))
  expect_null(store_read(saved$path)$skipped)
  expect_equal(
    store_list(dir),
    data.frame(path = saved$path, generation = 1, bytes = saved$bytes)
  )
})

test_that("one or two generations are kept, newest first in the list (I1)", {
  dir <- withr::local_tempdir()
  for (i in 1:3) {
    save_once(dir, some_bytes(), keep = 2)
  }
  expect_equal(store_list(dir)$generation, c(3, 2))
  save_once(dir, some_bytes(), keep = 1)
  expect_equal(store_list(dir)$generation, 4)
})

test_that("a damaged newest falls back, and is named with its range (I5)", {
  dir <- withr::local_tempdir()
  save_once(dir, some_bytes(seed = 1), keep = 2)
  saved <- save_once(dir, some_bytes(seed = 2), keep = 2)
  flip_bit(saved$path, saved$bytes - store_trailer_bytes(40) - 1)
  before <- directory_state(dir)
  store <- store_open(dir, keep = 2)
  loaded <- store_find(store, "load")
  expect_equal(loaded$generation, 1)
  expect_identical(all_data(loaded), some_bytes(seed = 1)$a)
  expect_length(loaded$skipped, 1)
  skipped <- loaded$skipped[[1]]
  expect_s3_class(skipped, "kb_failure")
  expect_equal(skipped$status, "corrupt")
  expect_equal(skipped$path, saved$path)
  expect_equal(c(skipped$offset, skipped$length), c(0, 40))
  expect_identical(directory_state(dir), before)
  # The damaged one does not count as one of the two that are kept.
  save_tensors(store, some_bytes(seed = 3))
  expect_equal(store_list(dir)$generation, c(3, 1))
  store_close(store)
})

test_that("data are read to where they belong", {
  dir <- withr::local_tempdir()
  tensors <- list(
    a = as.raw(1:30),
    none = raw(),
    b = as.raw(31:40),
    large = as.raw(rep(0:250, length.out = 3e6))
  )
  saved <- save_once(dir, tensors)
  store <- store_open(dir)
  found <- store_find(store, "header")
  expect_identical(found$header, store_read(saved$path)$header)
  expect_error(
    store_buffer_read(found$buffer, 0, 1),
    class = "kerasbackup_error_argument"
  )
  expect_identical(
    store_find(store, "verify")[c("generation", "path", "header")],
    found[c("generation", "path", "header")]
  )
  into <- read_apart(store, found$generation, lengths(tensors))
  expect_identical(into, unname(tensors))

  # In other parts: it is the bytes that count.
  sizes <- c(7, 60, 0, 2999973)
  expect_identical(
    do.call(c, read_apart(store, 1, sizes)),
    do.call(c, unname(tensors))
  )
  for (sizes in list(numeric(), 10, c(40, 3e6 + 1), c(40, 3e6 - 1))) {
    expect_error(
      read_apart(store, 1, sizes),
      class = "kerasbackup_error_argument"
    )
  }
  expect_error(read_apart(store, 2, 3e6 + 40), class = "kerasbackup_error_io")
  flip_bit(saved$path, saved$bytes - store_trailer_bytes(3e6 + 40) - 1)
  failure <- failure_of(read_apart(store, 1, 3e6 + 40))
  expect_equal(failure$status, "corrupt")
  expect_equal(failure$path, saved$path)
  expect_equal(store_find(store, "header")$generation, 1)
  expect_error(store_find(store, "verify"), class = "kerasbackup_error_corrupt")
  expect_error(store_find(store, "more"), class = "kerasbackup_error_argument")
  store_close(store)
})

test_that("places that are none are refused, and nothing is written", {
  dir <- withr::local_tempdir()
  save_once(dir, some_bytes())
  store <- store_open(dir)
  refused <- function(generation, places) {
    expect_error(
      store_read_into(store, generation, places),
      class = "kerasbackup_error_argument"
    )
  }
  room <- raw(40)
  place <- c(store_raw_address(room), native64(40))
  refused("1", place)
  refused(1.5, place)
  refused(1, place[-1])
  refused(1, as.integer(place))
  refused(1, c(raw(8), native64(40)))
  refused(1, c(store_raw_address(room), rep(as.raw(255), 8), place))
  expect_identical(room, raw(40))
  store_read_into(store, 1, place)
  expect_identical(room, as.vector(some_bytes()$a))
  store_close(store)
  refused(1, place)
})

test_that("if none verifies it is an error and nothing is changed (I5)", {
  dir <- withr::local_tempdir()
  saved <- save_once(dir, some_bytes())
  flip_bit(saved$path, 3)
  before <- directory_state(dir)
  store <- store_open(dir)
  failure <- failure_of(store_find(store, "load"))
  expect_equal(failure$status, "corrupt")
  expect_equal(failure$path, saved$path)
  expect_length(attr(failure, "skipped"), 1)
  expect_error(store_find(store, "load"), class = "kerasbackup_error_corrupt")
  expect_error(store_verify(saved$path), class = "kerasbackup_error_corrupt")
  expect_error(store_read(saved$path), class = "kerasbackup_error_corrupt")
  expect_error(store_header(saved$path), class = "kerasbackup_error_corrupt")
  expect_identical(directory_state(dir), before)
  store_close(store)
})

test_that("a file is not looked for in its data when its header is asked for", {
  dir <- withr::local_tempdir()
  saved <- save_once(dir, some_bytes())
  flip_bit(saved$path, saved$bytes - store_trailer_bytes(40) - 1)
  expect_type(store_header(saved$path), "character")
  expect_error(store_verify(saved$path), class = "kerasbackup_error_corrupt")
})

test_that("only our own files are deleted (I7)", {
  dir <- withr::local_tempdir()
  outside <- withr::local_tempdir()
  saved <- save_once(outside, some_bytes())
  file.copy(saved$path, file.path(dir, "my-model.safetensors"))
  file.copy(saved$path, file.path(dir, "backup-000000000009.safetensors.old"))
  writeLines("mine", file.path(dir, "backup-000000000007.safetensors"))
  dir.create(file.path(dir, "backup-000000000006.safetensors"))
  file.symlink(saved$path, file.path(dir, "backup-000000000008.safetensors"))
  before <- list.files(dir)
  ours <- save_once(dir, some_bytes())
  # A foreign file under our name is listed, no link and no directory.
  expect_equal(store_list(dir)$generation, c(9, 7))
  expect_identical(store_delete(dir), ours$path)
  expect_identical(list.files(dir), before)
  expect_true(store_verify(saved$path))
  expect_identical(store_delete(dir), character())
})

test_that("a buffer gives only what is in it, and nothing once released", {
  dir <- withr::local_tempdir()
  saved <- save_once(dir, list(a = as.raw(1:10)))
  loaded <- store_read(saved$path)
  buffer <- loaded$buffer
  expect_identical(store_buffer_read(buffer, 9, 1), as.raw(10))
  expect_identical(store_buffer_read(buffer, 10, 0), raw())
  for (range in list(c(10, 1), c(0, 11), c(-1, 1), c(0.5, 1), c(0, NaN))) {
    expect_error(
      store_buffer_read(buffer, range[[1]], range[[2]]),
      class = "kerasbackup_error_argument"
    )
  }
  expect_error(
    store_buffer_read(buffer, 2^53, 2^53),
    class = "kerasbackup_error_argument"
  )
  store_buffer_release(buffer)
  expect_no_error(store_buffer_release(buffer))
  expect_error(
    store_buffer_read(buffer, 0, 1),
    class = "kerasbackup_error_argument"
  )
})

test_that("a store can be closed twice and not be used afterwards", {
  dir <- withr::local_tempdir()
  store <- store_open(dir)
  expect_s3_class(store, "kb_store")
  expect_null(store_wait(store))
  store_close(store)
  expect_null(store_close(store))
  failure <- failure_of(store_wait(store))
  expect_equal(failure$status, "misuse")
  expect_match(failure$message, "closed")
  expect_error(store_find(store, "load"), class = "kerasbackup_error_argument")
  expect_error(
    store_save(store, raw(), metadata_text()),
    class = "kerasbackup_error_argument"
  )
})

test_that("a forked process may not use the store", {
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  store <- store_open(dir)
  child <- parallel::mcparallel(
    c(
      failure_of(store_wait(store))$message,
      failure_of(save_tensors(store, some_bytes()))$status
    )
  )
  result <- parallel::mccollect(child)[[1]]
  expect_match(result[[1]], "forked")
  expect_equal(result[[2]], "forked")
  expect_equal(save_tensors(store, some_bytes())$generation, 1)
  store_close(store)
})

test_that("wrong arguments are refused and write nothing", {
  dir <- withr::local_tempdir()
  store <- store_open(dir)
  is_refused <- function(expr) {
    expect_error(expr, class = "kerasbackup_error_argument")
  }
  plan <- tensor_plan(some_bytes())
  is_refused(store_save(store, plan$addresses, metadata_text()))
  store_plan(store, plan$text, plan$sizes)
  is_refused(store_save(store, raw(), metadata_text()))
  is_refused(store_save(store, plan$addresses[1:7], metadata_text()))
  is_refused(store_save(store, raw(8), metadata_text()))
  is_refused(store_save(store, plan$addresses, "{}"))
  is_refused(store_save(store, plan$addresses, NA_character_))
  is_refused(store_save(store, NULL, metadata_text()))
  is_refused(store_plan(store, plan$text, -1))
  is_refused(store_plan(store, plan$text, 1.5))
  is_refused(store_plan(store, plan$text, NA))
  is_refused(store_plan(store, plan$text, numeric()))
  is_refused(store_plan(store, "", 1))
  is_refused(store_open(dir, keep = 0))
  is_refused(store_open(dir, keep = 1.5))
  is_refused(store_open(NA_character_))
  is_refused(store_raw_address(1))
  is_refused(store_trailer_bytes(-1))
  expect_identical(list.files(dir), character())
  store_close(store)
})

test_that("a directory that is not there is an error with its cause", {
  dir <- file.path(withr::local_tempdir(), "none")
  failure <- failure_of(store_open(dir))
  expect_equal(failure$status, "io")
  expect_equal(failure$errno, "ENOENT")
  expect_true(nzchar(failure$errno_text))
  expect_error(store_list(dir), class = "kerasbackup_error_io")
  expect_error(store_delete(dir), class = "kerasbackup_error_io")
})

test_that("paths may have spaces and letters of any script", {
  skip_if_not(l10n_info()[["UTF-8"]], "no UTF-8 locale")
  dir <- file.path(withr::local_tempdir(), "r\u00e9seau \u6d4b\u8bd5")
  dir.create(dir)
  saved <- save_once(dir, some_bytes())
  expect_equal(saved$path, file.path(dir, "backup-000000000001.safetensors"))
  expect_true(file.exists(saved$path))
  expect_identical(store_list(dir)$path, saved$path)
})

test_that("metadata and names may be in any script", {
  dir <- withr::local_tempdir()
  text <- "{\"kerasbackup\":\"1\",\"note\":\"\u00e9\u6d4b\"}"
  store <- store_open(dir)
  store_plan(store, "", numeric())
  store_save(store, raw(), text)
  header <- store_find(store, "load")$header
  expect_equal(Encoding(header), "UTF-8")
  expect_match(header, "\u00e9\u6d4b", fixed = TRUE)
  store_close(store)
})

test_that("a file is told from another by more than its name", {
  dir <- withr::local_tempdir()
  path <- file.path(dir, "a")
  expect_identical(store_file_id(path), NA_character_)
  file.create(path)
  id <- store_file_id(path)
  expect_match(id, "^[0-9]+:[0-9]+$")
  file.rename(path, file.path(dir, "b"))
  file.create(path)
  expect_identical(store_file_id(file.path(dir, "b")), id)
  expect_false(identical(store_file_id(path), id))
})

test_that("the trailer's size is what the file has", {
  for (n in c(0, 1, 2^20 - 1, 2^20, 2^20 + 1, 2^21 + 1)) {
    blocks <- ceiling(n / 2^20)
    expect_equal(store_trailer_bytes(n), 4 * (blocks + blocks %% 2) + 64)
  }
})
