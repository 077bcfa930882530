# Owns the course of `make crashloop`: trainings that are killed again and again
# until they are complete, and the judgement of each kill by the start that came
# after it. Settings come from the environment; see tools/crashloop/run.
#
# Prints "ok" and "not ok" lines and a table; writes OUT/kills.csv, with a row
# for each kill, and OUT/table.md.

backend <- Sys.getenv("KERAS_BACKEND")
out <- Sys.getenv("OUT")
kills <- as.integer(Sys.getenv("KILLS"))
seed <- as.integer(Sys.getenv("SEED"))
exactness <- Sys.getenv("EXACTNESS_HOME")

source(file.path(exactness, "process.R"))
for (part in c("train", "subjects", "watch", "report")) {
  source(file.path("tools/crashloop", paste0(part, ".R")))
}
import_from <- function(name, dir) {
  reticulate::import_from_path(name, dir, delay_load = FALSE)
}
# Loaded here, so that the processes that are forked have them at once.
invisible(loadNamespace("kerasbackup"))
for (module in c("tensorflow", "torch")) {
  # Keras looks into both, whatever its backend.
  if (reticulate::py_module_available(module)) {
    reticulate::import(module, delay_load = FALSE)
  }
}
keras <- reticulate::import("keras", delay_load = FALSE)
cases <- import_from("cases", exactness)
case_callbacks <- import_from("case_callbacks", exactness)
witness <- import_from("witness", "tools/crashloop")
keras_backup <- import_from("keras_backup", "tools/crashloop")

subject <- if (Sys.getenv("PEER") == "keras") peer else ours
labels <- vapply(subject$configurations, `[[`, "", "label")
configurations <- subject$configurations[grepl(Sys.getenv("ROWS"), labels)]
configurations <- utils::head(configurations, kills)
if (length(configurations) == 0) {
  stop("No kill, or none of ", toString(labels))
}
set.seed(seed)
plans <- draw_plans(kills)
message(sprintf(
  "%s on %s: %d kills, SEED=%d",
  subject$name,
  backend,
  kills,
  seed
))

# Starts --------------------------------------------------------------------

read_notes <- function(dir, name) {
  file <- file.path(dir, paste0(name, ".notes"))
  if (!file.exists(file)) {
    file <- textConnection("")
  }
  lines <- strsplit(readLines(file), " ", fixed = TRUE)
  # A line that a kill cut short was not noted.
  lines <- Filter(function(words) nchar(c(words, "")[4]) %in% 16, lines)
  data.frame(
    what = vapply(lines, `[`, "", 1),
    at = vapply(lines, function(words) paste(words[2:3], collapse = " "), ""),
    digest = vapply(lines, `[`, "", 4)
  )
}

job_of <- function(dir, name, configuration, subject) {
  each_batch <- configuration$save_freq != "epoch"
  list(
    dir = dir,
    name = name,
    subject = subject,
    configuration = configuration,
    # 24 saves either way: after each of 6 batches, or after each two.
    epochs = if (each_batch) 4L else 12L,
    batch_size = if (each_batch) 11L else 32L
  )
}

references <- list()
reference_of <- function(configuration) {
  key <- as.character(configuration$save_freq)
  if (is.null(references[[key]])) {
    dir <- file.path(out, "reference", key)
    dir.create(dir, recursive = TRUE)
    job <- job_of(dir, "reference", configuration, NULL)
    run_forked(dir, "reference", function() train(job))
    result <- read_run(dir, "reference")
    if (startsWith(result[[1]], "error:")) {
      stop("The reference: ", result[[1]])
    }
    references[[key]] <<- list(
      result = result,
      notes = read_notes(dir, "reference"),
      end = paste(job$epochs, 0)
    )
  }
  references[[key]]
}

# Trainings -----------------------------------------------------------------

# One training, killed and started again until it is complete or fit() raises.
#
# @param plans data frame: of the kills that it may get at most.
# @return list(kills, equal): a row for each kill; whether it ended like the
#   reference, NA where it did not end.
run_training <- function(dir, configuration, plans, clock) {
  reference <- reference_of(configuration)
  dir.create(dir)
  seen <- new.env()
  seen$newest <- 0
  rows <- NULL
  before <- read_notes(dir, "none")
  for (start in seq_len(nrow(plans) + 1)) {
    name <- sprintf("start-%d", start)
    job <- job_of(dir, name, configuration, subject)
    plan <- if (start <= nrow(plans)) plans[start, ]
    run_forked(
      dir,
      name,
      function() train(job),
      watch(function() subject$under_way(dir), plan, clock, seen)
    )
    result <- NULL
    if (!seen$killed || file.exists(file.path(dir, paste0(name, ".txt")))) {
      result <- read_run(dir, name)
    }
    notes <- read_notes(dir, name)
    rows <- settle(rows, dir, notes, before, reference, result)
    if (!is.null(result)) {
      break
    }
    before <- rbind(before, notes)
    left <- subject$left(job)
    rows <- rbind(
      rows,
      data.frame(
        configuration = configuration$label,
        left,
        fell_back = isTRUE(left$newest < seen$newest),
        restored = "",
        swept = NA,
        outcome = NA_character_,
        why = ""
      )
    )
  }
  raised <- startsWith(result[[1]], "error:")
  equal <- if (raised) NA else identical(result, reference$result)
  # What went wrong where it should not is there to be looked at.
  if (isTRUE(equal) || !subject$exact) {
    unlink(file.path(dir, "backup"), recursive = TRUE)
  }
  list(kills = rows, equal = equal, result = result[[1]])
}

# The kills that no start has answered for so far (one that was itself killed
# before it trained does not) are answered for by this one.
settle <- function(rows, dir, notes, before, reference, result) {
  open <- which(is.na(rows$outcome))
  if (length(open) == 0) {
    return(rows)
  }
  last <- rows[max(open), ]
  outcome <- subject$judge(notes, last, before, reference$notes)
  if (!is.null(result)) {
    if (startsWith(result[[1]], "error:")) {
      outcome <- "raised"
      rows$why[open] <- result[[1]]
    } else if (is.na(outcome)) {
      # Nothing was left to train.
      outcome <- if (last$position %in% reference$end) "rightly" else "lost"
    }
  }
  if (is.na(outcome)) {
    return(rows)
  }
  if (any(rows$verified[open] %in% FALSE)) {
    outcome <- "torn"
  }
  if (any(rows$fell_back[open])) {
    outcome <- "lost"
  }
  rows$outcome[open] <- outcome
  rows$restored[open] <- c(notes$at, "the end")[[1]]
  there <- subject$under_way(dir)$saves
  rows$swept[open] <- ifelse(
    nzchar(rows$under_way[open]),
    !rows$under_way[open] %in% there,
    NA
  )
  rows
}

# The course ----------------------------------------------------------------

clock <- new_clock()
shares <- split(seq_len(kills), rep_len(seq_along(configurations), kills))
results <- lapply(configurations, function(configuration) {
  list(label = configuration$label, kills = NULL, equal = logical())
})
used <- idle <- integer(length(configurations))
training <- 0L
# In turns, so that a run that is cut short has some of each.
while (length(on <- which(used < lengths(shares) & idle < 3L)) > 0) {
  for (i in on) {
    training <- training + 1L
    share <- utils::tail(shares[[i]], lengths(shares)[[i]] - used[[i]])
    one <- run_training(
      file.path(out, paste0("training-", training)),
      configurations[[i]],
      plans[share, ],
      clock
    )
    n <- NROW(one$kills)
    # Three in a row that no kill has hit, or that failed by themselves.
    idle[[i]] <- if (n == 0) idle[[i]] + 1L else 0L
    used[[i]] <- used[[i]] + n
    if (n > 0) {
      one$kills$training <- training
    }
    results[[i]]$kills <- rbind(results[[i]]$kills, one$kills)
    results[[i]]$equal <- c(results[[i]]$equal, one$equal)
    end <- if (one$equal %in% TRUE) "equal" else "NOT equal"
    message(sprintf(
      "%s training %d, %s: %d kills, %s",
      format(Sys.time(), "%T"),
      training,
      configurations[[i]]$label,
      n,
      if (is.na(one$equal)) one$result else end
    ))
    write_report(results, subject, lengths(shares), backend, seed, out)
  }
}
good <- write_report(
  results,
  subject,
  lengths(shares),
  backend,
  seed,
  out,
  final = TRUE
)
quit(status = if (good) 0L else 1L)
