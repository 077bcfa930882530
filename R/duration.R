# How long a run was trained, and with which learning rate: what a checkpoint
# tells beside its place.
#
# May not touch Python or `.Call`.

# When the run of a checkpoint was made, and how long it was trained.
#
# @return list(saved_at, began_at, duration, interruptions).
times_of <- function(metadata, path) {
  saved_at <- manifest_saved_at(metadata, path)
  began_at <- manifest_began_at(metadata, path)
  interruptions <- manifest_resumes(metadata, path)
  list(
    saved_at = saved_at,
    began_at = began_at,
    duration = training_time(began_at, saved_at, interruptions),
    interruptions = interruptions
  )
}

# The time that training took up to a checkpoint: since it began, without the
# times between a checkpoint and the resume from it.
#
# @param interruptions data frame as from manifest_resumes().
# @return difftime in seconds, NA if the checkpoint does not tell.
training_time <- function(began_at, saved_at, interruptions) {
  lost <- difftime(
    interruptions$resumed_at,
    interruptions$saved_at,
    units = "secs"
  )
  time <- difftime(saved_at, began_at, units = "secs") - sum(lost)
  # A clock was set back.
  if (isTRUE(time < 0)) {
    time[] <- NA
  }
  time
}

# The learning rate in a checkpoint.
#
# @return number, NA if no variable has it (as with a schedule), or if its bytes
#   are damaged.
learning_rate_in <- function(path, tensors) {
  is_rate <- grepl("^optimizer/(.*/)?learning_rate$", tensors$name) &
    lengths(tensors$shape) == 0 &
    tensors$dtype %in% c("F16", "BF16", "F32", "F64")
  if (!any(is_rate)) {
    return(NA_real_)
  }
  one <- as.list(tensors[which(is_rate)[[1]], ])
  tryCatch(
    tensor_of_bytes(
      store_read_part(path, one$begin, one$end),
      one$dtype,
      one$shape[[1]]
    ),
    # backup_verify() says what is wrong with it.
    kerasbackup_error_corrupt = function(e) NA_real_
  )
}

# "learning rate: 0.001", and how long training took.
format_training <- function(x) {
  c(
    if (!is.na(x$learning_rate)) {
      # A rate of 32 bits has no more digits.
      paste0("learning rate: ", format(x$learning_rate, digits = 6))
    },
    if (!is.na(x$duration)) {
      paste0("trained for: ", format_age(as.double(x$duration, "secs")))
    }
  )
}
