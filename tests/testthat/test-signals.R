# Signals that say that the process will end, sent to this process for real.
# What the handlers do is tested in tests/c; here, what R had there, and other
# processes.

local_watch <- function(names, env = parent.frame()) {
  bits <- signals_bits(names)
  signals_watch(bits)
  withr::defer(signals_release(bits), envir = env)
  bits
}

test_that("a signal is noted, R and the process go on", {
  skip_on_os("windows")
  bits <- local_watch(c("SIGTERM", "SIGUSR1", "SIGUSR2"))
  expect_identical(signals_arrived(bits), character())
  tools::pskill(Sys.getpid(), tools::SIGUSR1)
  expect_identical(signals_arrived(bits), "SIGUSR1")
  tools::pskill(Sys.getpid(), tools::SIGTERM)
  expect_identical(signals_arrived(bits), c("SIGTERM", "SIGUSR1"))
  expect_identical(signals_arrived(bits["SIGUSR2"]), character())
  expect_match(signals_address(), "^[1-9][0-9]+$")
})

test_that("a process that R forks ends when it is told to", {
  skip_on_os("windows")
  bits <- local_watch("SIGTERM")
  child <- parallel::mcparallel(Sys.sleep(100))
  tools::pskill(child$pid, tools::SIGTERM)
  result <- suppressWarnings(parallel::mccollect(child))
  expect_null(result[[1]])
  expect_identical(signals_arrived(bits), character())
})

# What R does about SIGUSR1 is to save the workspace and quit, with status 2.
test_that("R's own answer to a signal is put back, also when the package goes", {
  skip_on_os("windows")
  withr::local_dir(withr::local_tempdir())
  ends <- c(
    release = "kerasbackup:::signals_release(bits)",
    unload = "unloadNamespace('kerasbackup')",
    never = "NULL"
  )
  for (end in names(ends)) {
    out <- suppressWarnings(run_r(c(
      "bits <- kerasbackup:::signals_bits('SIGUSR1')",
      "kerasbackup:::signals_watch(bits)",
      "tools::pskill(Sys.getpid(), tools::SIGUSR1)",
      "cat(kerasbackup:::signals_arrived(bits), '\\n')",
      ends[[end]],
      "tools::pskill(Sys.getpid(), tools::SIGUSR1)",
      "cat('went on\\n')"
    )))
    expect_match(out, "SIGUSR1", all = FALSE)
    if (end == "never") {
      expect_match(out, "went on", all = FALSE)
    } else {
      expect_equal(attr(out, "status"), 2, info = end)
    }
  }
})
