# The table of results, between two marks in a page of the documentation. A run
# of some rows replaces the lines of these.

table_begin <- "<!-- rows: written by make test-distributed -->"
table_end <- "<!-- end of rows -->"

# @param path the page.
# @param columns names of the columns.
# @param lines the new lines of the table. The last column is the result.
# @param known the lines of all rows that there are, in their order, without the
#   result.
update_table <- function(path, columns, lines, known) {
  page <- readLines(path)
  begin <- match(table_begin, page)
  end <- match(table_end, page)
  if (is.na(begin) || is.na(end)) {
    stop("the marks of the table are missing in ", path)
  }
  before <- grep("^[|] .* [|]$", page[seq(begin, end)], value = TRUE)
  found <- c(lines, before)
  found <- found[match(known, without_result(found))]
  table <- c(
    paste0("| ", paste(columns, collapse = " | "), " |"),
    paste0(strrep("|---", length(columns)), "|"),
    found[!is.na(found)]
  )
  writeLines(
    c(page[seq_len(begin)], "", table, "", page[seq(end, length(page))]),
    path
  )
}

without_result <- function(lines) sub("[|] [^|]*[|]$", "|", lines)
