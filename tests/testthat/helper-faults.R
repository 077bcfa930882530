# Stores whose operations fail on demand. The library that users load cannot do
# that: tests/c/ffi_fault.c and the package's sources are compiled here into a
# second one, which opens such a store. All that is done with the store then is
# done by the package.

# Open a store that counts its operations and lets one fail.
#
# @param fault <list> any of `at` (number of the operation that fails), `errno`
#   ("ENOSPC", ...), `persistent` (and all after it), `op` (count only this
#   kind: "sync", "sync_dir", ...), `short` (bytes moved at most at once),
#   `kill` (die before this operation), `copy_max` (bytes for the copy)
store_open_faulty <- function(dir, keep = 1L, async = FALSE, fault = list()) {
  store <- fault_call("fault_store_open", dir, keep, async, fault)
  if (is.character(store)) {
    stop_argument("The fault is not understood.", "fault")
  }
  store_result(store)
}

# Operations counted so far; `NA` for a store that store_open() opened.
store_ops <- function(store) {
  fault_call("fault_store_ops", store)
}

fault_call <- function(name, ...) {
  .Call(getNativeSymbolInfo(name, fault_library()), ...)
}

fault_library <- function() {
  loaded <- getLoadedDLLs()[["kbfaults"]]
  if (is.null(loaded)) dyn.load(compile_faults()) else loaded
}

# @return the path of the library. Where the sources are there, as in a
#   checkout, a compiler must be too.
compile_faults <- function() {
  c_files <- testthat::test_path("..", "c")
  testthat::skip_if_not(
    file.exists(file.path(c_files, "ffi_fault.c")),
    "the sources that inject faults are not in the package"
  )
  source <- testthat::test_path("..", "..", "src")
  dir <- tempfile("kbfaults")
  dir.create(dir)
  file.copy(
    c(
      Sys.glob(file.path(source, c("*.c", "*.h", "Makevars*"))),
      Sys.glob(file.path(c_files, c("ffi_fault.c", "vfs_fault.*")))
    ),
    dir
  )
  file.remove(file.path(dir, "ffi_init.c"))
  # Not with a garbage collection every few allocations, as the tests may be.
  withr::local_envvar(R_GCTORTURE = NA, MAKEFLAGS = "-j2")
  withr::local_dir(dir)
  library <- paste0("kbfaults", .Platform$dynlib.ext)
  log <- suppressWarnings(system2(
    file.path(R.home("bin"), "R"),
    c("CMD", "SHLIB", "-o", library, list.files(pattern = "[.]c$")),
    stdout = TRUE,
    stderr = TRUE
  ))
  if (!file.exists(library)) {
    stop(
      "the library with the faults does not compile:\n",
      paste(log, collapse = "\n")
    )
  }
  file.path(dir, library)
}
