# Measures how much of R, C and Python the tests run in one R process, with covr
# and Python's coverage. Its argument is a Perl regular expression for the files
# of tests/testthat. tools/coverage starts it.

filter <- commandArgs(trailingOnly = TRUE)
tests <- normalizePath("tests/testthat")
data_file <- file.path(getwd(), ".cache/coverage-python")
# The report is made while the files are there that covr installed.
report_file <- paste0(data_file, ".txt")
# covr shows nothing of what the tests print until they end.
log_file <- file.path(getwd(), ".cache/coverage-tests.log")

# This runs where the package is installed with covr's counters in it.
code <- bquote({
  python <- reticulate::import("coverage")$Coverage(
    data_file = .(data_file),
    source = list(system.file("python", package = "kerasbackup"))
  )
  python$start()
  options(testthat.output_file = .(log_file))
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
  report <- reticulate::import_builtins()$open(.(report_file), "w")
  python$report(file = report)
  report$close()
})
measured <- covr::package_coverage(
  type = "none",
  code = paste(deparse(code), collapse = "\n"),
  quiet = FALSE,
  clean = TRUE
)
print(measured, group = "filename")
lines <- covr::tally_coverage(measured, by = "line")
files <- c(R = "[.]R$", C = "[.][ch]$")
for (language in names(files)) {
  some <- lines[grepl(files[[language]], lines$filename), ]
  cat(sprintf(
    "%s: %.1f %% of %i lines\n",
    language,
    100 * mean(some$value > 0),
    nrow(some)
  ))
}
