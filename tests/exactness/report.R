# Writes the exactness table as Markdown, all backends side by side.
# tools/exactness starts it.
#
#   Rscript report.R OUT.md PAGE MADE_BY ABOUT BACKEND=table.csv...
#
# PAGE: "", or a page in which what follows the comment that names MADE_BY, a
# command, up to the next "end", is replaced by ABOUT and the table: by all of
# it, or, where it is of the nightly build of Keras, by what in it is not equal.

args <- commandArgs(trailingOnly = TRUE)
files <- strsplit(args[-(1:4)], "=", fixed = TRUE)
backends <- vapply(files, `[[`, character(1), 1)
tables <- lapply(files, function(file) {
  read.csv(file[[2]], colClasses = "character", na.strings = character())
})

cell <- function(table, name) {
  i <- match(name, table$name)
  text <- paste0(table$result[[i]], "")
  if (nzchar(table$noticed[[i]])) {
    text <- paste0(text, "; notices ", table$noticed[[i]])
  }
  # A result that failed for its notes has them.
  if (nzchar(table$told[[i]]) && !startsWith(text, "FAILED")) {
    text <- paste0(text, "; told: ", table$told[[i]])
  }
  gsub("|", "/", text, fixed = TRUE)
}
first <- tables[[1]]
lines <- vapply(
  first$name,
  function(name) {
    cells <- vapply(tables, cell, character(1), name)
    killed <- first$killed[[match(name, first$name)]]
    sprintf("| %s |", paste(c(name, cells, killed), collapse = " | "))
  },
  character(1)
)
table <- c(
  sprintf(
    "| data / model / callbacks | %s | interrupted |",
    paste(backends, collapse = " | ")
  ),
  paste0("|", strrep("---|", length(backends) + 2)),
  lines
)
writeLines(table, args[[1]])
page <- args[[2]]
made_by <- args[[3]]
if (nzchar(page)) {
  text <- readLines(page)
  begin <- match(sprintf("<!-- begin: made by `%s` -->", made_by), text)
  end <- begin + match("<!-- end -->", text[-seq_len(begin)])
  stopifnot(!is.na(begin), !is.na(end))
  about <- sprintf("`%s`: %s.", made_by, args[[4]])
  if (!startsWith(made_by, "make exactness")) {
    results <- lapply(tables, `[[`, "result")
    count <- function(which) sum(vapply(results, function(r) sum(which(r)), 1))
    is_failed <- function(result) startsWith(result, "FAILED")
    differs <- Reduce(`|`, lapply(results, is_failed))
    about <- c(
      about,
      "",
      sprintf(
        "On %s: of %d results, %d are equal, %d were not run and %d differ.",
        paste(backends, collapse = ", "),
        sum(lengths(results)),
        count(function(r) r == "equal"),
        count(function(r) r != "equal" & !is_failed(r)),
        count(is_failed)
      )
    )
    table <- if (any(differs)) table[c(TRUE, TRUE, differs)]
  }
  writeLines(
    c(
      text[seq_len(begin)],
      "",
      about,
      "",
      table,
      if (length(table) > 0) "",
      text[end:length(text)]
    ),
    page
  )
}
