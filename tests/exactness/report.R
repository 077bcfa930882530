# Owns the exactness table as Markdown, all backends side by side. Started by
# tools/exactness.
#
#   Rscript report.R OUT.md PAGE ABOUT BACKEND=table.csv...
#
# PAGE: "", or a page in which what is between the two comments is replaced by
# ABOUT and the table.

args <- commandArgs(trailingOnly = TRUE)
files <- strsplit(args[-(1:3)], "=", fixed = TRUE)
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
lines <- vapply(first$name, function(name) {
  cells <- vapply(tables, cell, character(1), name)
  killed <- first$killed[[match(name, first$name)]]
  sprintf("| %s |", paste(c(name, cells, killed), collapse = " | "))
}, character(1))
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
if (nzchar(page)) {
  text <- readLines(page)
  begin <- match("<!-- begin: made by `make exactness` -->", text)
  end <- match("<!-- end -->", text)
  stopifnot(!is.na(begin), !is.na(end))
  writeLines(c(
    text[seq_len(begin)], "", paste0("`make exactness`: ", args[[3]], "."), "",
    table, "", text[end:length(text)]
  ), page)
}
