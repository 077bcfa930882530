# Owns how a row is interrupted.

# @param kind string, the row's `kill` in rows.csv:
#   "": once, before a random batch of a random epoch but the first.
#   "first": in the first epoch, before anything was saved.
#   "twice": in one epoch, the second time further on.
#   "thrice": in three epochs.
#   "validation": while an epoch is validated.
#   "first-validation": while the first epoch is validated.
#   "tail": at an epoch's end, when its last batch was trained and, where nobody
#     knows yet that it was the last, a save before the next one was due.
#   "end": after the last epoch, before fit() returned.
#   "preempted": once, by SIGTERM, and saved only then.
#   "larger": not at all; the second run has more epochs.
#   "auto": in two epochs, saved as often as `save_freq = "auto"` may.
#   "time": in two epochs, saved every few milliseconds.
#   "keep": once, with the last three kept, of which the newest is lost then.
#   "policy": once, with what a policy keeps, of which only the oldest is left.
# @param row string; where training ends early, the kill comes in the last epoch
#   that there is. If a callback ends it, the callback has a state by then.
# @param epochs integer, of the whole run.
# @return list:
#   runs: list of runs that are not the last, each a list(kill, epochs).
#   freq: save_freq of all of them.
#   keep: the argument of that name.
#   lost: integer, how many of the newest checkpoints are lost before the last
#     run; -1: all but the oldest.
#   label: string, for the table.
plan_row <- function(kind, row, epochs) {
  epoch <- sample(1:3, 1)
  if (grepl("/(early-stopping|several)$", row)) {
    epoch <- 2L
  }
  if (grepl("/start-from-epoch$", row)) {
    epoch <- 3L
  }
  freq <- sample(list("epoch", 1L, 2L), 1)[[1]]
  last <- 4L
  if (grepl("^tfdata-steps-fewer/", row)) {
    # tf_keras ends training where its nine batches do.
    epoch <- 1L
    last <- 3L
  }
  batch <- function(from = 0L, to = last) sample(from:to, 1)
  at <- function(epoch, batch, event = "batch") {
    list(
      kill = list(event, as.integer(epoch), as.integer(batch)),
      epochs = epochs
    )
  }
  kills <- switch(
    kind,
    first = list(at(0, batch(1))),
    twice = list(at(epoch, batch(1, 2)), at(epoch, batch(3, 4))),
    thrice = list(at(0, batch(2)), at(2, batch()), at(3, batch())),
    validation = list(at(epoch, 1, "validation")),
    `first-validation` = list(at(0, 1, "validation")),
    tail = list(at(epoch - 1, 0, "epoch-end")),
    end = list(at(0, 0, "end")),
    preempted = list(at(epoch, batch(), "signal")),
    larger = list(list(kill = NULL, epochs = epochs - 2L)),
    auto = list(at(epoch - 1, batch()), at(epoch, batch())),
    time = list(at(epoch - 1, batch(2)), at(epoch, batch())),
    list(at(epoch, batch()))
  )
  freq <- switch(
    kind,
    first = "epoch",
    twice = ,
    tail = 1L,
    thrice = ,
    `first-validation` = 2L,
    auto = "auto",
    time = "0.003 secs",
    preempted = FALSE,
    keep = ,
    policy = 1L,
    freq
  )
  list(
    runs = kills,
    freq = freq,
    keep = switch(
      kind,
      keep = 3,
      policy = backup_keep(2, every = "1 hour", best = "loss"),
      1
    ),
    lost = switch(kind, keep = 1L, policy = -1L, 0L),
    label = plan_label(kills, freq, kind)
  )
}

plan_label <- function(kills, freq, kind) {
  where <- vapply(
    kills,
    function(one) {
      if (is.null(one$kill)) {
        return(sprintf("none, %d epochs first", one$epochs))
      }
      switch(
        one$kill[[1]],
        batch = ,
        signal = sprintf(
          "epoch %d, batch %d",
          one$kill[[2]] + 1,
          one$kill[[3]]
        ),
        `epoch-end` = sprintf("epoch %d, at its end", one$kill[[2]] + 1),
        validation = sprintf("epoch %d, in validation", one$kill[[2]] + 1),
        end = "after the last epoch"
      )
    },
    character(1)
  )
  if (isFALSE(freq)) {
    return(sprintf("%s, by SIGTERM; saved then", where))
  }
  sprintf(
    "%s; saved every %s%s",
    paste(where, collapse = "; "),
    switch(
      as.character(freq),
      epoch = "epoch",
      auto = "so often by itself",
      "0.003 secs" = "few milliseconds",
      paste(freq, "batches")
    ),
    switch(
      kind,
      keep = "; resumed from the last but one of three",
      policy = "; resumed from the oldest that a policy keeps",
      ""
    )
  )
}
