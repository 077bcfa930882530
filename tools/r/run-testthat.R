# Owns: one R process of the tests: runs the files of tests/testthat whose names
# match, and records every test as it ends, so that a crash loses none.
#
# Arguments: the group's name; the stem of the files to write (.tsv: results,
# and which package a stand-in took the place of; .at: what is running, .done:
# the end was reached); a Perl regular expression for the files. Progress goes
# to file descriptor 3, everything else to a log.

arguments <- commandArgs(trailingOnly = TRUE)
group <- arguments[[1]]
stem <- arguments[[2]]
pattern <- arguments[[3]]
# Through a process, as R would open the descriptor's file anew, at its start.
progress <- pipe("cat >&3", open = "w")

say <- function(...) {
  cat(..., "\n", sep = "", file = progress)
  flush(progress)
}

location <- function(result) {
  if (is.null(result$srcref)) {
    return("")
  }
  file <- basename(attr(result$srcref, "srcfile")$filename)
  sprintf(" (%s:%i)", file, result$srcref[[1]])
}

# One line of text, as the results are one line each.
squash <- function(text) gsub("[[:space:]]+", " ", text)

recorder <- R6::R6Class(
  "Recorder",
  inherit = testthat::Reporter,
  public = list(
    file_name = NULL,
    results = list(),
    tally = NULL,
    started = NULL,

    start_file = function(name) {
      self$file_name <- sub("^test-(.*)[.][Rr]$", "\\1", basename(name))
      self$results <- list()
      self$tally <- c(passed = 0L, failed = 0L, skipped = 0L)
      self$started <- Sys.time()
      cat(
        "test-",
        self$file_name,
        ".R\n",
        sep = "",
        file = paste0(stem, ".at"),
        append = TRUE
      )
    },

    start_test = function(context, test) {
      self$results <- list()
      cat(
        "test-",
        self$file_name,
        ".R: ",
        test,
        "\n",
        sep = "",
        file = paste0(stem, ".at"),
        append = TRUE
      )
    },

    add_result = function(context, test, result) {
      self$results[[length(self$results) + 1L]] <- result
    },

    end_test = function(context, test) {
      self$write(test)
    },

    # What went wrong outside of any test is a failure of its own; what went
    # well there is no test.
    end_file = function() {
      if (any(vapply(self$results, self$is_bad, NA))) {
        self$write("outside of test_that()")
      }
      seconds <- difftime(Sys.time(), self$started, units = "secs")
      say(sprintf(
        "    %-11s %-28s %3i passed, %i failed, %i skipped (%.1f s)",
        group,
        self$file_name,
        self$tally[["passed"]],
        self$tally[["failed"]],
        self$tally[["skipped"]],
        seconds
      ))
    },

    is_bad = function(result) {
      inherits(result, c("expectation_failure", "expectation_error"))
    },

    write = function(test) {
      bad <- vapply(self$results, self$is_bad, NA)
      skipped <- vapply(self$results, inherits, NA, "expectation_skip")
      warned <- vapply(self$results, inherits, NA, "expectation_warning")
      status <- if (any(bad)) {
        "failed"
      } else if (any(skipped)) {
        "skipped"
      } else {
        "passed"
      }
      why <- if (status == "skipped") {
        paste0(
          ": ",
          squash(conditionMessage(self$results[[which(skipped)[1]]]))
        )
      }
      self$tally[[status]] <- self$tally[[status]] + 1L
      cat(
        status,
        "\t",
        group,
        "\t",
        self$file_name,
        ": ",
        squash(test),
        why,
        "\n",
        sep = "",
        file = paste0(stem, ".tsv"),
        append = TRUE
      )
      for (result in self$results[bad | warned]) {
        kind <- if (self$is_bad(result)) "FAILED" else "warning"
        say(
          "    ",
          kind,
          " ",
          group,
          " ",
          self$file_name,
          ": ",
          test,
          location(result)
        )
        text <- utils::head(strsplit(format(result), "\n")[[1]], 40)
        say(paste0("      | ", text, collapse = "\n"))
      }
      self$results <- list()
    }
  )
)

files <- list.files("tests/testthat", "^test-.*[.][Rr]$")
names <- sub("^test-(.*)[.][Rr]$", "\\1", files)
if (any(grepl(pattern, names, perl = TRUE))) {
  testthat::test_dir(
    "tests/testthat",
    package = "kerasbackup",
    load_package = "installed",
    reporter = recorder$new(),
    filter = pattern,
    perl = TRUE,
    stop_on_failure = FALSE
  )
}
standin <- getOption("kerasbackup_standin")
if (!is.null(standin)) {
  cat(
    paste("standin", group, standin, sep = "\t"),
    "\n",
    sep = "",
    file = paste0(stem, ".tsv"),
    append = TRUE
  )
}
close(progress)
invisible(file.create(paste0(stem, ".done")))
