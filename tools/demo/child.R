# Owns: R processes that train beside this one: starting, watching and killing
# them, with base R alone.

#' Starts `script`; its output goes to the file `log`. Returns an environment:
#' how much of it was read is remembered from call to call.
start_child <- function(script, args, log) {
  child <- new.env()
  child$log <- log
  child$pid_file <- paste0(log, ".pid")
  child$status <- paste0(log, ".status")
  child$seen <- 0L
  unlink(c(child$log, child$pid_file, child$status))
  # The shell waits, so that how the child ended is known.
  command <- sprintf(
    "%s %s > %s 2>&1 < /dev/null & echo $! > %s; wait $!; echo $? > %s",
    shQuote(file.path(R.home("bin"), "Rscript")),
    paste(shQuote(c(script, args)), collapse = " "),
    shQuote(log),
    shQuote(child$pid_file),
    shQuote(child$status)
  )
  system2("sh", c("-c", shQuote(command)), stderr = FALSE, wait = FALSE)
  while (length(read_lines(child$pid_file)) == 0) {
    Sys.sleep(0.01)
  }
  child$pid <- as.integer(read_lines(child$pid_file))
  child
}

#' Calls `on_line(line)` for each line meant for the reader as it comes, until
#' it returns TRUE or the child has ended. Returns the exit status, or NULL
#' where the child still runs.
follow_child <- function(child, on_line, limit = 300) {
  deadline <- Sys.time() + limit
  repeat {
    # The status is looked at first: the lines then read are all there are.
    status <- read_lines(child$status)
    lines <- grep("^> ", read_lines(child$log), value = TRUE)
    while (child$seen < length(lines)) {
      child$seen <- child$seen + 1L
      if (isTRUE(on_line(sub("^> ", "", lines[[child$seen]])))) return(NULL)
    }
    if (length(status) > 0) {
      return(as.integer(status))
    }
    if (Sys.time() > deadline) {
      stop("The child took too long.")
    }
    Sys.sleep(0.02)
  }
}

child_runs <- function(child) length(read_lines(child$status)) == 0

kill_child <- function(child) tools::pskill(child$pid, tools::SIGKILL)

#' Complete lines only: the last one may still be being written.
read_lines <- function(file) {
  if (!file.exists(file)) {
    return(character())
  }
  text <- readChar(file, file.size(file), useBytes = TRUE)
  if (length(text) == 0) {
    return(character())
  }
  lines <- strsplit(sub("[^\n]*$", "", text), "\n", fixed = TRUE)[[1]]
  iconv(lines, "UTF-8", "UTF-8", sub = "?")
}
