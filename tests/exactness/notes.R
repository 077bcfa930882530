# Records what this package tells while a row runs, and judges whether it should
# have.

# Messages that say nothing of the result: how often "auto" saves, that training
# resumes, that nothing was left to do, and that Keras is newer than those
# tested.
neutral <- paste0(
  "kerasbackup_message_",
  c("auto", "complete", "stopped", "new_keras", "resume", "left")
)

# Evaluates `code`, and appends what is told to `file` at once, as the process
# may be killed: a line for each note.
noting <- function(file, code) {
  note <- function(cnd) {
    ours <- grepl("^kerasbackup_(message|warning)", class(cnd))
    if (any(ours) && !inherits(cnd, neutral)) {
      lines <- strsplit(conditionMessage(cnd), "\n", fixed = TRUE)[[1]]
      # The first line introduces the others, where there are any.
      told <- if (length(lines) > 1) lines[-1] else lines
      cat(paste0(told, "\n"), file = file, sep = "", append = TRUE)
    }
  }
  withCallingHandlers(code, message = note, warning = note)
}

# @return character: what the processes `names` of a row told, each line once.
read_notes <- function(dir, names) {
  files <- file.path(dir, paste0(names, ".notes"))
  notes <- unlist(lapply(files[file.exists(files)], readLines))
  unique(trimws(sub("^[*\u2022] ", "", notes)))
}

# A note is for what changes the result: where the bits are equal, only those
# may be told that rows.csv lists.
#
# @param expected string: a regular expression; "": none.
# @return the notes that are false alarms.
false_alarms <- function(notes, expected) {
  if (!nzchar(expected)) {
    return(notes)
  }
  grep(expected, notes, value = TRUE, invert = TRUE)
}
