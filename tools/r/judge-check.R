# Owns: what counts as a good R CMD check, and the only notes that may stay.
# Arguments: the 00check.log, and the exit status of R CMD check.

# The whole text of each note that cannot be avoided, under the name of its
# check, with the reason.
tolerated <- c(
  # keras3 is only suggested; Debian lacks it, and CRAN may not answer.
  "package dependencies" = paste(
    "Package suggested but not available for checking:",
    "'keras3'"
  )
)

arguments <- commandArgs(trailingOnly = TRUE)
log <- arguments[[1]]
status <- arguments[[2]]
if (!file.exists(log)) {
  stop("R CMD check wrote no log")
}

plain <- function(text) {
  text <- gsub("[\u2018\u2019]", "'", enc2utf8(text))
  trimws(gsub("[[:space:]]+", " ", text))
}

found <- tools::check_packages_in_dir_details(logs = log, drop_ok = TRUE)
fine <- c("OK", "Note_to_CRAN_maintainers")
found <- found[!found$Status %in% fine, , drop = FALSE]
good <- status == "0" &&
  any(grepl("^Status: ", readLines(log, encoding = "UTF-8")))

for (i in seq_len(nrow(found))) {
  may_stay <- found$Status[[i]] == "NOTE" &&
    plain(found$Output[[i]]) %in% tolerated[plain(found$Check[[i]])]
  good <- good && may_stay
  cat(
    if (may_stay) "tolerated " else "NOT tolerated ",
    found$Status[[i]],
    " (",
    found$Check[[i]],
    "): ",
    found$Output[[i]],
    "\n",
    sep = ""
  )
}
if (!good && nrow(found) == 0) {
  cat("R CMD check ended with", status, "\n")
}
quit(status = if (good) 0L else 1L)
