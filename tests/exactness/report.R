# Owns the exactness table as Markdown, all backends side by side. Started by
# tools/exactness.
#
#   Rscript report.R OUT.md BACKEND=table.csv...

args <- commandArgs(trailingOnly = TRUE)
files <- strsplit(args[-1], "=", fixed = TRUE)
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
  gsub("|", "/", text, fixed = TRUE)
}
first <- tables[[1]]
lines <- vapply(first$name, function(name) {
  cells <- vapply(tables, cell, character(1), name)
  killed <- first$killed[[match(name, first$name)]]
  sprintf("| %s |", paste(c(name, cells, killed), collapse = " | "))
}, character(1))
writeLines(c(
  sprintf(
    "| data / model / callbacks | %s | interrupted |",
    paste(backends, collapse = " | ")
  ),
  paste0("|", strrep("---|", length(backends) + 2)),
  lines
), args[[1]])
