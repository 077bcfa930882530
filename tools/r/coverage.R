# Measures how much of R, C and Python the tests run in one R process, with covr
# and Python's coverage. Its argument is a Perl regular expression for the files
# of tests/testthat. tools/coverage starts it.

filter <- commandArgs(trailingOnly = TRUE)
tests <- normalizePath("tests/testthat")
data_file <- normalizePath(".cache/coverage-python", mustWork = FALSE)

# This runs where the package is installed with covr's counters in it.
code <- bquote({
  python <- reticulate::import("coverage")$Coverage(
    data_file = .(data_file),
    source = list(system.file("python", package = "kerasbackup"))
  )
  python$start()
  testthat::test_dir(
    .(tests),
    package = "kerasbackup",
    load_package = "installed",
    reporter = "summary",
    filter = .(filter),
    perl = TRUE,
    stop_on_failure = FALSE
  )
  python$stop()
  python$save()
  python$report()
})
measured <- covr::package_coverage(
  type = "none",
  code = paste(deparse(code), collapse = "\n"),
  quiet = FALSE,
  clean = TRUE
)
print(measured, group = "filename")
lines <- covr::tally_coverage(measured, by = "line")
for (language in c(R = "[.]R$", C = "[.][ch]$")) {
  some <- lines[grepl(language, lines$filename), ]
  cat(sprintf(
    "%s: %.1f %% of %i lines\n",
    language,
    100 * mean(some$value > 0),
    nrow(some)
  ))
}
