# The functions of keras3 that the tests use: its own where it is installed, and
# those of the stand-in (helper-keras3-standin.R) where it is not.

has_keras3 <- function() requireNamespace("keras3", quietly = TRUE)

# A list of functions, named as in keras3.
keras3_or_standin <- function() {
  standin <- keras3_standin()
  if (has_keras3()) {
    names <- names(standin)
    lapply(stats::setNames(names, names), getExportedValue, ns = "keras3")
  } else {
    register_standin_history()
    # tools/r/run-testthat.R says so in the summary.
    options(kerasbackup_standin = "keras3")
    standin
  }
}
