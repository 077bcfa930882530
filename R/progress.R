# The progress bar of a replay.

# A replay draws data again that were trained on. cli shows the bar only if it
# takes some seconds.
#
# @param done,total batches, NULL for `total` where it is not known; both NULL:
#   the replay has ended.
progress_show <- function(session, done, total) {
  # cli signals conditions, which a handler for all of them could jump out of.
  draw <- function() progress_draw(session, done, total)
  without_handlers(draw, "The progress bar")
}

progress_draw <- function(session, done, total) {
  if (is.null(done)) {
    if (!is.null(session$bar)) {
      cli::cli_progress_done(id = session$bar, .envir = session)
      session$bar <- NULL
    }
    return(invisible())
  }
  if (is.null(session$bar)) {
    session$bar <- cli::cli_progress_bar(
      "Replaying data",
      total = total %||% NA,
      .auto_close = FALSE,
      .envir = session
    )
  }
  cli::cli_progress_update(set = done, id = session$bar, .envir = session)
  invisible()
}
