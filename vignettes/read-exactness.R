# Reads EXACTNESS.md for the vignette "exactness", and writes parts of it as
# Markdown that also fits the screen of a phone.

page <- readLines(
  system.file("EXACTNESS.md", package = "kerasbackup", mustWork = TRUE),
  encoding = "UTF-8"
)

#' The lines below a heading, up to the next heading.
below <- function(heading) {
  begin <- match(heading, page)
  stopifnot(!is.na(begin))
  rest <- page[-seq_len(begin)]
  rest[seq_len(match(TRUE, grepl("^#+ ", c(rest, "# "))) - 1)]
}

#' The rows of the first table among the lines, as a data frame of texts.
table_in <- function(lines) {
  is_row <- startsWith(lines, "|")
  from <- match(TRUE, is_row)
  length <- match(FALSE, c(is_row[from:length(is_row)], FALSE)) - 1
  lines <- lines[seq(from, length.out = length)]
  # A cell may be empty, so the bars at both ends are cut off first.
  cells <- strsplit(sub("^[|] ?(.*?) ?[|]$", "\\1", lines), " ?[|] ?")
  names <- cells[[1]]
  rows <- lapply(cells[-(1:2)], function(row) {
    stats::setNames(c(row, rep("", length(names)))[seq_along(names)], names)
  })
  as.data.frame(do.call(rbind, rows), check.names = FALSE)
}

compared <- table_in(below("## What was compared"))
of_tf_keras <- table_in(below("### tf_keras"))
made_by <- grep("^`make exactness`:", page, value = TRUE)[[1]]
limits <- lapply(
  c(
    always = "### Not repeatable, with or without an interruption",
    resume = "### Repeatable, but not from a checkpoint",
    changed = "### The script was changed"
  ),
  function(heading) table_in(below(heading))
)

# How a row of each table says which kind of data it is about.
sources <- list(
  arrays = list(rows = "^(r-)?arrays", limits = "\\barrays?\\b.*`fit\\(\\)`"),
  tfdata = list(rows = "^tfdata", limits = "`tf\\.data`|\\btf\\.data\\b"),
  pydataset = list(rows = "^pydataset", limits = "`PyDataset`"),
  generator = list(
    rows = "^(r-)?generator",
    limits = paste0(
      "^a generator|from a generator|^on TensorFlow, a generator|",
      "^one closure that feeds"
    )
  ),
  loader = list(rows = "^loader", limits = "`DataLoader`"),
  grain = list(rows = "^grain", limits = "Grain"),
  guide = list(rows = "^guide", limits = "^$")
)

backends <- c("tensorflow", "jax", "torch")

#' What was compared with this kind of data: a sentence, and the table, folded.
show_compared <- function(source) {
  rows <- compared[grepl(sources[[source]]$rows, compared[[1]]), ]
  show_rows(rows, backends, c("TensorFlow", "JAX", "torch"))
}

show_rows <- function(rows, columns, labels) {
  cells <- rows[columns]
  # What a message said in one run, with its paths, is in EXACTNESS.md.
  cells[] <- lapply(cells, function(cell) {
    cell <- sub("^equal; told: .*", "equal, with a message", cell)
    sub("^FAILED: equal, but told was: ", "equal, but with a message: ", cell)
  })
  cells_of <- function(pattern) sum(grepl(pattern, unlist(cells)))
  counts <- c(equal = cells_of("^equal"), differ = cells_of("^FAILED"))
  cat(
    sprintf(
      paste(
        "Of %i combinations of data, model, callbacks and backend, %i were",
        "equal and %i differed. %i were not compared; the table says why.\n\n"
      ),
      length(unlist(cells)),
      counts[["equal"]],
      counts[["differ"]],
      length(unlist(cells)) - sum(counts)
    ),
    "<details><summary>Show the combinations</summary>\n\n",
    sprintf(
      "| data / model / callbacks | %s |\n",
      paste(labels, collapse = " | ")
    ),
    paste0("|:---|", strrep(":---|", length(labels)), "\n"),
    sprintf(
      "| %s | %s |\n",
      gsub("/", " / ", rows[[1]], fixed = TRUE),
      do.call(paste, c(unname(cells), sep = " | "))
    ),
    "\n</details>\n\n",
    sep = ""
  )
}

about <- function(rows, source) {
  grepl(sources[[source]]$limits, rows[[1]])
}

# "no" and "reported" are short; anything else is a text of its own.
show_limits <- function(rows) {
  capital <- function(text) {
    paste0(toupper(substr(text, 1, 1)), substring(text, 2))
  }
  full_stop <- function(text) paste0(sub("[.]$", "", text), ".")
  reported <- ifelse(
    rows[[2]] == "no",
    " It is not reported.",
    paste0(" *", full_stop(capital(rows[[2]])), "*")
  )
  advice <- ifelse(
    rows[[3]] %in% c("", "nothing"),
    "",
    paste0(" ", full_stop(capital(rows[[3]])))
  )
  cat(
    paste0("* ", full_stop(capital(rows[[1]])), reported, advice, "\n"),
    "\n",
    sep = ""
  )
}

#' The cases about one kind of data in which a resume is not exact, or in which
#' the training is not repeatable at all.
show_source_limits <- function(source) {
  rows <- rbind(limits$always, limits$resume)
  rows <- rows[about(rows, source), ]
  if (nrow(rows) > 0) {
    cat("What is not exact, or needs something from you:\n\n")
    show_limits(rows)
  }
}

#' The cases that are about no kind of data: models, optimizers, callbacks.
show_other_limits <- function(which) {
  rows <- limits[[which]]
  of_data <- Reduce(`|`, lapply(names(sources), about, rows = rows))
  show_limits(rows[!of_data, ])
}
