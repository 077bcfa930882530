# Owns: breaking what is R or Python on purpose, one line at a time, and seeing
# a test turn red. Called by tools/mutants, in the root of the sources:
#
#   Rscript tests/mutants/mutants.R WORK REPORT [PATTERN]
#
# The package is copied to WORK and installed there, anew for each break: tests
# start processes of their own, which must see it too. mutations.txt has blocks
# of a file, the tests and what is broken; the line as it is, which must occur
# once, or with #2 behind it, at least twice; and the line as it becomes ("-"
# removes it). A test that does not end is no test that noticed. REPORT gets a
# line a break: how, file, what, by which test.

arguments <- commandArgs(trailingOnly = TRUE)
work <- normalizePath(arguments[[1]], mustWork = FALSE)
report <- normalizePath(arguments[[2]], mustWork = FALSE)
pattern <- if (length(arguments) > 2) arguments[[3]] else "."
limit <- as.integer(Sys.getenv("LIMIT", "300"))
root <- getwd()
package <- file.path(work, "kerasbackup")
library <- file.path(work, "lib")
r <- file.path(R.home("bin"), c("R", "Rscript"))

read_mutations <- function(path) {
  lines <- readLines(path)
  lines <- lines[!startsWith(lines, "#")]
  blocks <- split(lines[nzchar(lines)], cumsum(!nzchar(lines))[nzchar(lines)])
  lapply(unname(blocks), function(block) {
    stopifnot(length(block) == 3)
    head <- regmatches(
      block[[1]],
      regexec("^(\\S+) \\[(.*?)\\] (.*)$", block[[1]])
    )[[1]]
    stopifnot(length(head) == 4)
    nth <- regmatches(block[[2]], regexec("#([0-9])$", block[[2]]))[[1]][2]
    list(
      file = head[[2]],
      tests = strsplit(head[[3]], " ")[[1]],
      what = head[[4]],
      from = sub("#[0-9]$", "", block[[2]]),
      nth = as.integer(nth),
      to = block[[3]]
    )
  })
}

# The lines with the break in them, or NULL where the line is not there.
broken <- function(lines, one) {
  at <- which(trimws(lines, "left") == one$from)
  if (is.na(one$nth) && length(at) != 1 || isTRUE(one$nth > length(at))) {
    return(NULL)
  }
  at <- at[[if (is.na(one$nth)) 1 else one$nth]]
  indent <- sub("\\S.*", "", lines[[at]])
  if (one$to == "-") {
    lines[-at]
  } else {
    lines[[at]] <- paste0(indent, one$to)
    lines
  }
}

install <- function() {
  # What is compiled stays, so that only R and Python files are installed.
  status <- system2(
    r[[1]],
    c(
      "CMD",
      "INSTALL",
      "--no-docs",
      "--no-test-load",
      "--no-byte-compile",
      "--no-staged-install",
      shQuote(paste0("--library=", library)),
      shQuote(package)
    ),
    stdout = file.path(work, "install.log"),
    stderr = file.path(work, "install.log")
  )
  status == 0
}

# The first red test of a file; "" where all are green, NA where it does not
# end.
first_red <- function(test) {
  red <- file.path(work, "red")
  unlink(red)
  status <- suppressWarnings(system2(
    "timeout",
    c(
      "-k",
      "5",
      limit,
      shQuote(r[[2]]),
      shQuote(file.path(root, "tests/mutants/run-test.R")),
      shQuote(file.path(root, "tests/testthat", paste0("test-", test, ".R"))),
      shQuote(red)
    ),
    stdout = file.path(work, "test.log"),
    stderr = file.path(work, "test.log"),
    env = c(
      paste0(
        "R_LIBS=",
        shQuote(paste(
          c(library, Sys.getenv("R_LIBS")),
          collapse = ":"
        ))
      ),
      "NOT_CRAN=true",
      if (startsWith(test, "keras-")) {
        paste0("KERAS_BACKEND=", Sys.getenv("KERAS_BACKEND", "jax"))
      }
    )
  ))
  if (file.exists(red)) {
    return(readLines(red)[[1]])
  }
  if (status %in% c(124, 137)) {
    NA
  } else if (status != 0) {
    paste("the R process ended with status", status)
  } else {
    ""
  }
}

attempt <- function(one) {
  path <- file.path(package, one$file)
  lines <- readLines(file.path(root, one$file))
  change <- broken(lines, one)
  if (is.null(change)) {
    return(c("stale", "the line is not there, or not once"))
  }
  on.exit(writeLines(lines, path))
  writeLines(change, path)
  if (!install()) {
    return(c("build", "it cannot be installed"))
  }
  for (test in one$tests) {
    red <- first_red(test)
    if (is.na(red)) {
      return(c(
        "timeout",
        paste0("test-", test, ".R did not end in ", limit, " s")
      ))
    }
    if (nzchar(red)) {
      return(c("noticed", paste0("test-", test, ".R: ", red)))
    }
  }
  c("survived", "")
}

mutations <- read_mutations("tests/mutants/mutations.txt")
mutations <- Filter(
  function(one) {
    grepl(pattern, paste(one$file, one$what))
  },
  mutations
)

unlink(work, recursive = TRUE)
for (dir in c(package, library)) {
  dir.create(dir, recursive = TRUE)
}
stopifnot(
  file.copy(
    c("DESCRIPTION", "NAMESPACE", "R", "inst", "src", "LICENSE"),
    package,
    recursive = TRUE
  ),
  install()
)
# What is green before the first break can be turned red by one.
for (test in unique(unlist(lapply(mutations, function(one) one$tests)))) {
  red <- first_red(test)
  if (!identical(red, "")) {
    stop("test-", test, ".R is not green to begin with: ", red)
  }
}
bad <- 0
invisible(file.create(report))
for (one in mutations) {
  outcome <- attempt(one)
  good <- outcome[[1]] == "noticed"
  bad <- bad + !good
  cat(
    if (good) "ok" else "not ok",
    " - ",
    one$file,
    " ",
    one$what,
    if (good) " -> " else ": ",
    if (good) outcome[[2]] else outcome,
    "\n",
    sep = ""
  )
  cat(
    paste(outcome[[1]], one$file, one$what, outcome[[2]], sep = "\t"),
    "\n",
    sep = "",
    file = report,
    append = TRUE
  )
}
cat("# ", length(mutations) - bad, " breaks noticed, ", bad, " not\n", sep = "")
quit(status = as.integer(bad > 0))
