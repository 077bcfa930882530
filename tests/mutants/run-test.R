# Owns: running one test file until the first failure, whose name it writes.
#
#   Rscript run-test.R FILE OUT

arguments <- commandArgs(trailingOnly = TRUE)

reporter <- R6::R6Class(
  "FirstFailure",
  inherit = testthat::Reporter,
  public = list(
    add_result = function(context, test, result) {
      if (inherits(result, c("expectation_failure", "expectation_error"))) {
        print(result)
        writeLines(gsub("[[:space:]]+", " ", test), arguments[[2]])
        quit("no", status = 1, runLast = FALSE)
      }
    }
  )
)

library(testthat)
library(kerasbackup)
# No snapshot is written that nobody has looked at.
Sys.setenv(CI = "true")
test_file(
  arguments[[1]],
  package = "kerasbackup",
  load_package = "installed",
  reporter = reporter$new(),
  stop_on_failure = FALSE
)
