# Owns what is killed: this package and Keras' own callback, each with how it is
# told that a save is under way, what a kill has left, and what a start that
# came after should have begun with.
#
# A subject is a list:
#   name: string.
#   exact: flag, whether a training that was killed must end like one that was
#     not, and all of its state counts.
#   configurations: list of lists, each with a `label`, `save_freq`,
#     `double_checkpoint` and what else the subject needs.
#   callback: function of a job (train.R) and its notes.
#   under_way: function of a training's directory; list(saves, newest): names of
#     files that are there as long as a save takes; the newest generation, 0
#     where there is none, NA where there are no generations.
#   left: function of a job, after it was killed; list:
#     under_way: string, the name of such a file; "" where there is none.
#     written, of: bytes of that save, and in the end; NA where not known.
#     over: flag, whether there are more generations than are to be kept.
#     newest: as above.
#     position: "EPOCH BATCH" of the newest checkpoint, "0 0" where there is
#       none; NA where there is nothing to tell by.
#     verified: flag, whether every byte is right; NA where nothing tells.
#   judge: function of the notes of the start that came after, of what was left,
#     and of the notes up to then and those of the reference: "rightly", "torn"
#     (not the state of one moment), "lost" (an older moment than there was), or
#     NA, where it did not come as far as training.

ours <- list(
  name = "kerasbackup",
  exact = TRUE,
  configurations = lapply(1:8, function(i) {
    freq <- if (i <= 4) 1L else "epoch"
    double <- i %in% c(3, 4, 7, 8)
    async <- i %% 2 == 1
    list(
      label = paste0(
        if (i <= 4) "save_freq = 1" else "\"epoch\"",
        if (double) ", double_checkpoint",
        if (!async) ", async = FALSE"
      ),
      save_freq = freq,
      double_checkpoint = double,
      async = async
    )
  }),
  callback = function(job, notes) {
    how <- job$configuration
    kerasbackup::callback_backup_and_restore(
      file.path(job$dir, "backup"),
      how$save_freq,
      FALSE,
      double_checkpoint = how$double_checkpoint,
      async = how$async,
      history = "full",
      on_save_error = "stop"
    )
  },
  under_way = function(dir) {
    names <- list.files(file.path(dir, "backup"), "^backup-")
    committed <- names[endsWith(names, ".safetensors")]
    list(
      saves = names[endsWith(names, ".tmp")],
      newest = max(0, as.numeric(substr(committed, 8, 19))),
      generations = length(committed)
    )
  },
  left = function(job) {
    backup <- file.path(job$dir, "backup")
    now <- ours$under_way(job$dir)
    temporary <- c(now$saves, "")[[1]]
    left <- list(
      under_way = temporary,
      newest = now$newest,
      position = "0 0",
      written = NA,
      of = NA,
      verified = NA,
      over = now$generations > 1 + job$configuration$double_checkpoint
    )
    if (nzchar(temporary)) {
      left$written <- written_bytes(file.path(backup, temporary))
      left$of <- file.size(file.path(backup, temporary))
    }
    if (now$newest > 0) {
      left$verified <- tryCatch(
        kerasbackup::backup_verify(backup, all = TRUE),
        kerasbackup_error = function(e) FALSE
      )
      left$position <- tryCatch(
        {
          info <- kerasbackup::backup_info(backup)
          paste(info$epoch, info$batch)
        },
        kerasbackup_error = function(e) "unreadable"
      )
    }
    left
  },
  judge = function(notes, left, before, reference) {
    if (nrow(notes) == 0) {
      return(NA)
    }
    if (!note_text(notes)[[1]] %in% note_text(reference)) {
      return("torn")
    }
    if (notes$at[[1]] != left$position) {
      return("lost")
    }
    "rightly"
  }
)

note_text <- function(notes) paste(notes$at, notes$digest)

# Where anything was written in a file whose space was reserved: up to the last
# byte that is not zero.
written_bytes <- function(path, block = 2^20) {
  size <- file.size(path)
  file <- file(path, "rb")
  on.exit(close(file))
  for (from in rev(seq(0, max(0, size - 1), by = block))) {
    seek(file, from)
    some <- which(readBin(file, "raw", block) != 0)
    if (length(some) > 0) return(from + max(some))
  }
  0
}

peer <- list(
  name = "Keras BackupAndRestore",
  exact = FALSE,
  configurations = lapply(1:4, function(i) {
    list(
      label = paste0(
        if (i <= 2) "save_freq = 1" else "\"epoch\"",
        if (i %% 2 == 0) ", double_checkpoint"
      ),
      save_freq = if (i <= 2) 1L else "epoch",
      double_checkpoint = i %% 2 == 0
    )
  }),
  callback = function(job, notes) {
    how <- job$configuration
    keras_backup$KerasBackup(
      file.path(job$dir, "backup"),
      notes,
      file.path(job$dir, paste0(job$name, "-saving")),
      save_freq = how$save_freq,
      double_checkpoint = how$double_checkpoint,
      delete_checkpoint = FALSE
    )
  },
  under_way = function(dir) {
    list(saves = list.files(dir, "-saving-.*[.]tmp$"), newest = NA)
  },
  left = function(job) {
    saving <- peer$under_way(job$dir)$saves
    unlink(file.path(job$dir, saving))
    weights <- file.size(file.path(job$dir, "backup", "latest.weights.h5"))
    list(
      under_way = c(saving, "")[[1]],
      newest = NA,
      position = NA,
      written = if (length(saving) > 0) weights else NA,
      of = NA,
      verified = NA,
      over = FALSE
    )
  },
  judge = function(notes, left, before, reference) {
    if (nrow(notes) == 0) {
      return(NA)
    }
    saved <- before[before$what == "saving", ]
    if (notes$what[[1]] != "restored") {
      # The last one may not have come to an end.
      return(if (nrow(saved) > 1) "lost" else "rightly")
    }
    found <- which(note_text(saved) == note_text(notes)[[1]])
    if (length(found) == 0) {
      return("torn")
    }
    if (max(found) < nrow(saved) - 1) "lost" else "rightly"
  }
)
