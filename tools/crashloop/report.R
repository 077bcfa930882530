# Owns what `make crashloop` says: a line for each configuration, judged, and
# the table.

source("tools/bench/report.R")

# @param results list, one for each configuration: list(label, kills, equal).
# @param asked integer, how many kills each was to get.
# @param final flag: print too, not only write.
# @return whether all is as it must be. Of a subject that is not ours nothing is
#   asked but that the kills were made.
write_report <- function(
  results,
  subject,
  asked,
  backend,
  seed,
  out,
  final = FALSE
) {
  kills <- do.call(rbind, lapply(results, `[[`, "kills"))
  if (is.null(kills)) {
    kills <- data.frame(under_way = character())
  }
  utils::write.csv(kills, file.path(out, "kills.csv"), row.names = FALSE)
  lines <- c(
    markdown(table_of(results)),
    "",
    sprintf("%s on %s, SEED=%d. %s", subject$name, backend, seed, where(kills))
  )
  writeLines(lines, file.path(out, "table.md"))
  wrong <- Map(
    function(one, asked) {
      if (subject$exact) faults(one, asked) else faults_of_kills(one, asked)
    },
    results,
    asked
  )
  names <- vapply(results, `[[`, "", "label")
  if (nrow(kills) >= 10 && !any(nzchar(kills$under_way))) {
    names <- c(names, "kills inside a save")
    wrong <- c(wrong, "there were none")
  }
  bad <- lengths(wrong) > 0
  if (final) {
    counts <- vapply(results, function(one) NROW(one$kills), 1L)
    cat(
      sprintf(
        "%s %d - %s on %s, %s%s%s\n",
        ifelse(bad, "not ok", "ok"),
        seq_along(bad),
        subject$name,
        backend,
        names,
        c(sprintf(" [%d kills]", counts), "")[seq_along(bad)],
        vapply(
          wrong,
          function(texts) {
            paste0(rep(": ", length(texts)), texts, collapse = "")
          },
          ""
        )
      ),
      sep = ""
    )
    writeLines(c("", lines))
  }
  !any(bad)
}

faults_of_kills <- function(one, asked) {
  n <- NROW(one$kills)
  if (n < asked) sprintf("only %d kills of %d", n, asked)
}

faults <- function(one, asked) {
  kills <- one$kills
  wrong <- kills[!kills$outcome %in% "rightly", ]
  texts <- sprintf(
    "%s (training %s, left %s, restored %s) %s",
    wrong$outcome,
    wrong$training,
    wrong$position,
    wrong$restored,
    wrong$why
  )
  c(
    faults_of_kills(one, asked),
    utils::head(texts, 3),
    if (any(kills$swept %in% FALSE)) "a temporary file was not swept",
    if (!all(one$equal %in% TRUE)) {
      sprintf(
        "%d of %d trainings did not end bitwise equal",
        sum(!one$equal %in% TRUE),
        length(one$equal)
      )
    }
  )
}

table_of <- function(results) {
  rows <- lapply(results, function(one) {
    outcome <- function(name) sum(one$kills$outcome %in% name)
    data.frame(
      ` ` = one$label,
      kills = NROW(one$kills),
      `inside a save` = sum(nzchar(one$kills$under_way)),
      `resumed rightly` = outcome("rightly"),
      `fit() raised` = outcome("raised"),
      torn = outcome("torn"),
      lost = outcome("lost"),
      trainings = length(one$equal),
      `ended bitwise equal` = sum(one$equal %in% TRUE),
      check.names = FALSE
    )
  })
  table <- do.call(rbind, rows)
  total <- data.frame(
    ` ` = "all",
    as.list(colSums(table[-1])),
    check.names = FALSE
  )
  names(total) <- names(table)
  rbind(table, total)
}

# Where the kills fell: how much of its file a save had written.
where <- function(kills) {
  inside <- kills[nzchar(kills$under_way), ]
  if (nrow(inside) == 0) {
    return("No kill fell inside a save.")
  }
  # How large the file would have been is not known of all subjects.
  if (anyNA(inside$of)) {
    return(sprintf("%d kills inside a save.", nrow(inside)))
  }
  whole <- inside$written == inside$of
  sprintf(
    paste(
      "Of %d kills inside a save %d left a file with nothing in it, %d one",
      "written in part (in the middle %.1f MB), %d one written to the end but",
      "not committed; %d kills fell after a commit, before older generations",
      "were removed."
    ),
    nrow(inside),
    sum(inside$written == 0),
    sum(inside$written > 0 & !whole),
    stats::median(inside$written[inside$written > 0 & !whole]) / 1e6,
    sum(whole),
    sum(kills$over)
  )
}
