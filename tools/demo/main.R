# Owns: the story of the demo: train, kill, run again, and compare with a run
# that was left alone.

source("tools/demo/child.R")
source("tools/demo/plot.R")
source("tools/demo/run.R")
source("tools/demo/variables.R")
library(cli)

out <- "demo-output"
backup_dir <- file.path(out, "backup")

must <- function(condition, what, log = NULL) {
  if (condition) {
    return(invisible())
  }
  if (!is.null(log)) {
    writeLines(tail(readLines(log), 25), stderr())
  }
  cli_alert_danger(what)
  quit(status = 1L)
}

tell <- function() {
  cli_h1("Keras on {Sys.getenv('KERAS_BACKEND')}, and kill -9")
  cli_text(
    "A small network learns the prices of 48,546 diamonds; 5,394 more
            are held out."
  )

  cli_h2("1. A process trains. It is killed with SIGKILL.")
  killed <- run_training("1-killed", backup_dir, kill_after = 8L)
  must(killed$status == 137L, "The process was not killed.", killed$log)
  cli_alert_danger(
    "kill -9 {killed$pid}, in the middle of epoch
                    {killed$done + 1}. What it left, read without Python:",
    wrap = TRUE
  )
  cli_verbatim(paste0("  ", format(kerasbackup::backup_info(backup_dir))))
  suppressMessages(kerasbackup::backup_verify(backup_dir))
  cli_alert_success("Every byte agrees with its checksum.")

  cli_h2("2. The same script is run again. It goes on.")
  again <- run_training("2-run-again", backup_dir)
  must(again$status == 0L, "The second run failed.", again$log)

  cli_h2("3. The same training, left alone, without the callback.")
  alone <- run_training("3-left-alone", "")
  must(alone$status == 0L, "The run left alone failed.", alone$log)

  cli_h2("4. The two, compared bit for bit.")
  compare(killed, again, alone)
}

compare <- function(killed, again, alone) {
  variables <- alone$result$variables
  differing <- different_variables(again$result$variables, variables)
  history <- kerasbackup::backup_history(backup_dir)
  same_loss <- identical(as.numeric(history$loss), alone$result$loss)
  identical <- length(differing) == 0 && same_loss

  picture <- file.path(out, "loss.png")
  plot_losses(
    data.frame(
      epoch = seq_along(alone$result$loss),
      loss = history$loss,
      alone = alone$result$loss
    ),
    killed = killed$done + min(killed$lost / killed$epoch_length, 0.99),
    picture
  )

  table <- rbind(
    c("", "killed, run again", "left alone"),
    c("epochs before the kill", killed$done, "-"),
    c("epochs after it", again$result$epochs, alone$result$epochs),
    c("time lost: training to redo", seconds(killed$lost), "-"),
    c("time lost: starting again", seconds(again$starting), "-"),
    c("loss at the end", digits(again), digits(alone)),
    c("median error of a price", percent(again), percent(alone)),
    c("identical", if (identical) "yes" else "NO", "")
  )
  columns <- apply(table, 2, format)
  cli_verbatim(trimws(apply(columns, 1, paste, collapse = "   "), "right"))
  cli_text()
  cli_alert_info(
    "Compared: all {nrow(variables)} variables of the model and the
                  optimizer, {sum(nchar(variables$bytes)) / 2} bytes, and the
                  loss of each of the {nrow(history)} epochs.",
    wrap = TRUE
  )
  cli_alert_info("The loss over both runs is drawn in {.file {picture}}.")

  for (path in differing) {
    cli_alert_danger("{path} differs")
  }
  must(same_loss, "The losses of the epochs differ.")
  must(identical, "The two runs are not identical.")
  cli_alert_success("Killed and run again, or left alone: identical")
}

seconds <- function(x) sprintf("%.1f s", x)
digits <- function(run) sprintf("%.7f", tail(run$result$loss, 1))
percent <- function(run) sprintf("%.2f %%", 100 * run$result$error)

unlink(out, recursive = TRUE)
dir.create(out)
tell()
