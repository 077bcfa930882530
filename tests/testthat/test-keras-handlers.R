# Handlers around fit() that jump out of a message or a warning, which is told
# while Python is on the stack (R/handlers.R). A jump over Python's frames ends
# the process or hangs it, so all of this runs in a process of its own.

test_that("no handler jumps out of fit(), and each gets what it waits for (I4)", {
  skip_without_keras()
  skip_on_os("windows")
  root <- withr::local_tempdir()
  process <- start_training(
    {
      seen <- NULL
      epochs <- 0
      # Saves fail from the third epoch to the fifth: the directory is away.
      fit <- function(name, fails = FALSE) {
        seen <<- character()
        epochs <<- 0
        dir <- file.path(args, name)
        away <- paste0(dir, "-away")
        hooks <- keras()$callbacks$LambdaCallback(
          on_epoch_begin = function(epoch, logs = NULL) {
            if (epoch == 2) {
              file.rename(dir, away)
            }
            if (epoch == 4) {
              file.rename(away, dir)
            }
            if (epoch == 4 && fails) stop("an error of the script")
          },
          on_epoch_end = function(epoch, logs = NULL) epochs <<- epochs + 1
        )
        ours <- callback_backup_and_restore(
          dir,
          async = FALSE,
          verbose = TRUE
        )
        fit_model(build_model(), callbacks = list(ours, hooks))
      }
      # What came out, and what the handlers saw; what is shown is beside it.
      tell <- function(name, result) {
        gc()
        cat(name, class(result)[[1]], epochs, unique(seen), "\n")
        cat("##", name, "\n", file = stderr())
      }
      note <- function(cnd) seen <<- c(seen, class(cnd)[[1]])
      note_and <- function(restart) {
        function(cnd) {
          note(cnd)
          invokeRestart(restart)
        }
      }
      tell("warning", tryCatch(fit("warning"), warning = identity))
      tell("message", tryCatch(fit("message"), message = identity))
      tell("condition", tryCatch(fit("condition"), condition = identity))
      tell(
        "both",
        tryCatch(fit("both", TRUE), warning = identity, error = identity)
      )
      tell("told", withCallingHandlers(fit("told"), warning = note))
      muffled <- withCallingHandlers(
        suppressMessages(fit("muffled")),
        warning = note_and("muffleWarning")
      )
      tell("muffled", muffled)
      restarted <- withRestarts(
        withCallingHandlers(fit("restart"), warning = note_and("mine")),
        mine = function() structure(list(), class = "restarted")
      )
      tell("restart", restarted)
      raised <- tryCatch(
        withCallingHandlers(
          fit("raised"),
          warning = function(cnd) stop("the handler's own error")
        ),
        error = identity
      )
      tell("raised", raised)
      aborted <- tryCatch(
        withCallingHandlers(fit("abort"), warning = note_and("abort")),
        error = function(e) structure(list(), class = "error")
      )
      tell("abort", aborted)
      for (warn in c("2", "1", "-1")) {
        old <- options(warn = as.numeric(warn))
        tell(paste0("warn", warn), fit(paste0("warn", warn)))
        options(old)
      }
      cat("end", length(fit_model(build_model())$epoch), "\n")
    },
    root
  )
  result <- end_of(process)
  expect_equal(result$status, 0, info = result$err)
  history <- "keras.src.callbacks.history.History"
  saves <- "kerasbackup_warning_save"
  lines <- strsplit(trimws(result$out), " +")
  expect_equal(
    vapply(lines, paste, "", collapse = " "),
    c(
      paste("warning", saves, 6),
      "message kerasbackup_message_begin 6",
      "condition kerasbackup_message_begin 6",
      # An error is never lost to a handler for warnings.
      paste("both", lines[[4]][[2]], 4),
      paste("told", history, 6, saves),
      paste("muffled", history, 6, saves),
      paste("restart restarted", 6, saves),
      "raised simpleError 6",
      paste("abort error", 3, saves),
      paste("warn2", history, 6),
      paste("warn1", history, 6),
      paste("warn-1", history, 6),
      "end 6"
    )
  )
  expect_match(lines[[4]][[2]], "error|Error|exception")
  # What is shown: once for each save that failed, and nothing where somebody
  # has muffled it.
  ends <- grep("^## ", result$err)
  shown <- Map(
    function(from, to) sum(grepl("could not be saved", result$err[from:to])),
    c(1, ends[-length(ends)]),
    ends
  )
  names(shown) <- sub("^## ", "", trimws(result$err[ends]))
  expect_equal(
    unlist(shown[c(
      "warning",
      "message",
      "condition",
      "told",
      "muffled",
      "warn2",
      "warn-1"
    )]),
    c(
      warning = 2,
      message = 2,
      condition = 2,
      told = 2,
      muffled = 0,
      warn2 = 2,
      `warn-1` = 0
    )
  )
})
