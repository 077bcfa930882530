# Backups made without Python, for the tests of what looks at them.

# @param tensors named list of list(dtype, shape, bytes).
save_backup <- function(
  dir,
  tensors = example_tensors(),
  fields = list(),
  keep = 1L,
  times = 1
) {
  plan <- manifest_plan(
    names(tensors),
    vapply(tensors, function(one) one$dtype, ""),
    lapply(tensors, function(one) one$shape)
  )
  store <- store_open(dir, keep = keep)
  on.exit(store_close(store))
  store_plan(store, plan$tensors, plan$sizes)
  addresses <- do.call(
    c,
    c(list(raw()), lapply(tensors, function(one) store_raw_address(one$bytes)))
  )
  for (i in seq_len(times)) {
    saved <- store_save(store, addresses, manifest_metadata(fields))
  }
  saved$path
}

example_tensors <- function() {
  list(
    "variables/dense/kernel" = list(
      dtype = "F32",
      shape = c(2, 3),
      bytes = writeBin(as.numeric(1:6), raw(), 4, endian = "little")
    ),
    "variables/seed" = list(
      dtype = "U32",
      shape = 2,
      bytes = writeBin(c(7L, -1L), raw(), 4, endian = "little")
    ),
    "optimizer/iterations" = list(
      dtype = "I32",
      shape = numeric(),
      bytes = writeBin(12L, raw(), 4, endian = "little")
    ),
    "variables/flags" = list(
      dtype = "BOOL",
      shape = c(1, 2, 2),
      bytes = as.raw(c(1, 0, 0, 1))
    ),
    "variables/none" = list(dtype = "U8", shape = c(0, 4), bytes = raw())
  )
}

example_fields <- function() {
  list(
    epoch = "3",
    batch = "0",
    stopped = "0",
    saved_at = "2026-01-02T03:04:05",
    versions = "{\"kerasbackup\":\"0.1.0\",\"keras\":\"3.15.1\"}",
    history = "{\"epoch\":[0,1,2],\"loss\":[0.5,0.25,0.125]}"
  )
}

# The newest checkpoint of one directory, with other metadata, in another one.
#
# @param change function from the metadata (named list of strings) to others.
rewrite_backup <- function(from, to, change) {
  path <- store_list(from)$path[[1]]
  loaded <- store_read(path)
  on.exit(store_buffer_release(loaded$buffer))
  manifest <- manifest_parse(loaded$header, path)
  found <- manifest$tensors
  tensors <- lapply(seq_len(nrow(found)), function(i) {
    list(
      dtype = found$dtype[[i]],
      shape = found$shape[[i]],
      bytes = store_buffer_read(
        loaded$buffer,
        found$begin[[i]],
        found$end[[i]] - found$begin[[i]]
      )
    )
  })
  names(tensors) <- found$name
  fields <- change(manifest$metadata)
  save_backup(to, tensors, fields[names(fields) != "kerasbackup"])
}

# Flips one bit of a file. `at` counts bytes from 0.
flip_bit <- function(path, at, bit = 0) {
  bytes <- readBin(path, "raw", file.size(path))
  bytes[at + 1] <- xor(bytes[at + 1], as.raw(bitwShiftL(1L, bit)))
  writeBin(bytes, path)
}

# Where the data of a checkpoint begin, counted in bytes from 0.
data_at <- function(path) {
  8 + sum(as.integer(readBin(path, "raw", 8)) * 256^(0:7))
}

# An R script in a process of its own, with this package as it is tested here.
run_r <- function(code, ..., wait = TRUE, env = character()) {
  script <- withr::local_tempfile(fileext = ".R", .local_envir = parent.frame())
  writeLines(code, script)
  system2(
    file.path(R.home("bin"), "Rscript"),
    c("--vanilla", shQuote(script), shQuote(c(...))),
    stdout = if (wait) TRUE else FALSE,
    stderr = if (wait) TRUE else FALSE,
    wait = wait,
    env = c(
      paste0("R_LIBS=", shQuote(paste(.libPaths(), collapse = ":"))),
      env
    )
  )
}

# testthat's own passes whatever is told, up to 3.1.6, because it misspells the
# class of a message.
expect_no_message <- function(object, class = "message") {
  told <- character()
  withCallingHandlers(object, message = function(cnd) {
    if (inherits(cnd, class)) {
      told <<- c(told, conditionMessage(cnd))
      rlang::cnd_muffle(cnd)
    }
  })
  expect_identical(told, character())
}
