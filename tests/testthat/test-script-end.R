# script_end.R: `delete_checkpoint = "exit"` keeps the checkpoint of a complete
# training until the script has ended without an error.

# Runs a script that calls `done()` where fit() would return.
#
# @return whether the checkpoint is still there.
is_kept <- function(lines) {
  dir <- withr::local_tempdir()
  example <- system.file("extdata", "example-backup", package = "kerasbackup")
  file.copy(list.files(example, full.names = TRUE), dir)
  path <- store_list(dir)$path
  expect_length(path, 1)
  done <- sprintf(
    "done <- function() kerasbackup:::delete_at_end('%s', '%s')",
    dir,
    path
  )
  suppressWarnings(run_r(c(done, lines)))
  # Nobody holds the directory.
  lock_release(lock_acquire(dir))
  file.exists(path)
}

test_that("a process that ends without an error deletes the checkpoint", {
  expect_false(is_kept("done()"))
  expect_false(is_kept(c("done()", "x <- 1", "quit('no')")))
  # Errors that were handled.
  expect_false(is_kept(c("done()", "try(stop('x'))", "x <- 1")))
  expect_false(is_kept(c("try(stop('x'))", "done()")))
  expect_false(is_kept(c("done()", "tryCatch(stop('x'), error = identity)")))
})

test_that("a process that ends with an error keeps the checkpoint", {
  expect_true(is_kept(c("done()", "stop('x')")))
  expect_true(is_kept("{done(); stop('x')}"))
  expect_true(is_kept(c("done()", "try(stop('x'))", "stop('y')")))
  # A signal has ended a later fit().
  preempted <- "kerasbackup:::keep_at_exit()"
  expect_true(is_kept(c("done()", preempted, "quit('no', status = 75)")))
  expect_true(is_kept(c("done()", "tools::pskill(Sys.getpid(), 9)")))
})

test_that("the end of source(), knitr's or callr's script is the end", {
  file <- withr::local_tempfile(fileext = ".R")
  source_it <- function(lines) {
    writeLines(lines, file)
    sprintf("try(source('%s'))", file)
  }
  # The process goes on after it.
  last <- "tools::pskill(Sys.getpid(), 9)"
  expect_false(is_kept(c(source_it("done()"), last)))
  expect_true(is_kept(c(source_it(c("done()", "stop('x')")), "x <- 1")))

  skip_if_not_installed("knitr")
  rmd <- withr::local_tempfile(fileext = ".Rmd")
  knit <- function(lines) {
    writeLines(c("```{r error = FALSE}", lines, "```"), rmd)
    sprintf(
      "try(knitr::knit('%s', '%s', quiet = TRUE, envir = globalenv()))",
      rmd,
      withr::local_tempfile()
    )
  }
  expect_false(is_kept(c(knit("done()"), last)))
  expect_true(is_kept(c(knit(c("done()", "stop('x')")), "x <- 1")))

  skip_if_not_installed("callr")
  callr <- function(body) {
    sprintf("try(callr::r(function(done) %s, list(done)))", body)
  }
  expect_false(is_kept(callr("done()")))
  expect_true(is_kept(callr("{done(); stop('x')}")))
})
