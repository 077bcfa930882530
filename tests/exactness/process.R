# Owns a process that is forked from one in which R, Keras and its backend are
# loaded already (but have computed nothing yet, so that no thread is lost by
# the fork): its log, its result and its end.

# @param dir,name strings: what `compute` returns, lines of text, goes to
#   dir/<name>.txt, as does an error; what is printed goes to dir/<name>.log.
# @param compute function, called in the process.
# @param follow function of the process, called in this one: waits, and returns
#   whether the process has ended. Where it has not, it is killed then.
# @return nothing: read_run() has the result.
run_forked <- function(dir, name, compute, follow = wait_for) {
  process <- parallel::mcparallel(run_here(dir, name, compute), silent = TRUE)
  # With it go the workers it had: of one that was killed they may wait forever.
  on.exit(cases$end_group(process$pid))
  if (!follow(process)) {
    tools::pskill(process$pid, tools::SIGKILL)
  }
  suppressWarnings(parallel::mccollect(process))
  invisible()
}

# @return whether the process has ended, within `timeout` seconds.
wait_for <- function(process, timeout = 240) {
  !is.null(suppressWarnings(
    parallel::mccollect(process, wait = FALSE, timeout = timeout)
  ))
}

run_here <- function(dir, name, compute) {
  cases$lead_group()
  cases$redirect(file.path(dir, paste0(name, ".log")))
  result <- tryCatch(
    compute(),
    error = function(e) paste("error:", conditionMessage(e))
  )
  file <- file.path(dir, paste0(name, ".txt"))
  writeLines(result, paste0(file, "~"))
  file.rename(paste0(file, "~"), file)
}

# @return the lines that a process left; one that begins with "error:" where
#   there are none.
read_run <- function(dir, name) {
  file <- file.path(dir, paste0(name, ".txt"))
  if (file.exists(file)) readLines(file) else "error: the process died"
}
