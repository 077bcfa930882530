# The parts of inst/python/kerasbackup that can be tested without a training:
# unit tests in Python (python/unit_*.py), each a test here.

units <- list.files(test_path("python"), "^unit_.*[.]py$")
units <- setdiff(sub("[.]py$", "", units), "unit_runner")

unit_outcomes <- function() {
  if (!inherits(tryCatch(skip_without_keras(), skip = identity), "skip")) {
    # From here on Python finds the package.
    bridge_module()
    unlist(lapply(units, function(name) python_file("unit_runner")$run(name)))
  }
}

outcomes <- unit_outcomes()

test_that("every file of them has tests", {
  skip_without_keras()
  files <- unique(sub("[.].*", "", names(outcomes)))
  expect_setequal(files, units)
})

for (name in names(outcomes)) {
  test_that(gsub("[._]", " ", sub("unit_", "", name)), {
    outcome <- outcomes[[name]]
    skip_if(startsWith(outcome, "skipped: "), outcome)
    expect_identical(outcome, "")
  })
}
