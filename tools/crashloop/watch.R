# Owns the moment of a kill: three in four inside a save, the others anywhere in
# the life of a process.

# Drawn before anything runs, so that how long things take does not change what
# comes later.
#
# @return data frame, a row for each kill:
#   inside: flag, whether inside a save, and then of the `nth` of its process.
#   fraction: of the length of a save, or of a life.
draw_plans <- function(n) {
  data.frame(
    # Some of them come too late.
    inside = sample(seq_len(n) <= round(0.85 * n)),
    nth = sample(4L, n, replace = TRUE),
    fraction = stats::runif(n)
  )
}

# What was seen so far of how long things take, in seconds.
new_clock <- function() {
  clock <- new.env()
  clock$saves <- numeric()
  clock$lives <- numeric()
  clock
}

# For `run_forked(follow = )`.
#
# @param watched function; list(saves, newest), as `under_way()` of a subject.
# @param plan row of draw_plans(), or NULL to watch only.
# @param seen environment; `newest` becomes the newest generation that was ever
#   seen, `killed` whether its moment has come.
# @return function of the process that waits for the moment, and returns whether
#   the process has ended before.
watch <- function(watched, plan, clock, seen, timeout = 300) {
  function(process) {
    begin <- Sys.time()
    seen$killed <- FALSE
    age <- function(since = begin) {
      as.numeric(difftime(Sys.time(), since, units = "secs"))
    }
    # A name that an earlier process has left is not a save of this one.
    known <- watched()$saves
    current <- character()
    count <- 0L
    repeat {
      if (wait_for(process, timeout = 0)) {
        return(TRUE)
      }
      now <- watched()
      seen$newest <- max(seen$newest, now$newest)
      appeared <- setdiff(now$saves, known)
      if (length(current) > 0 && !current %in% now$saves) {
        clock$saves <- c(clock$saves, age(since))
        current <- character()
      }
      if (length(appeared) > 0) {
        known <- c(known, appeared)
        current <- appeared[[1]]
        since <- Sys.time()
        count <- count + 1L
        if (isTRUE(plan$inside) && count == plan$nth) {
          Sys.sleep(plan$fraction * typical(clock$saves, 0, 0.3))
          break
        }
      }
      life <- plan$fraction * 1.5 * typical(clock$lives, 5, 0.5)
      if (isFALSE(plan$inside) && age() >= life) {
        break
      }
      # It hangs: that is no kill of ours.
      if (age() > timeout) {
        return(FALSE)
      }
      Sys.sleep(0.001)
    }
    seen$killed <- TRUE
    if (isTRUE(plan$inside)) {
      clock$lives <- c(clock$lives, age())
    }
    FALSE
  }
}

# A quantile of the last lengths: a machine is not always equally quick.
typical <- function(lengths, before, at) {
  if (length(lengths) == 0) {
    return(before)
  }
  stats::quantile(utils::tail(lengths, 20), at, names = FALSE)
}
