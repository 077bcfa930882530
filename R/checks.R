# Checks of arguments. There is one `check_*()` for each kind of argument,
# called once, by the exported function. Each returns the value in the form that
# the rest of the package expects, or stops with a `kerasbackup_error_argument`.
#
# May not touch checkpoints or Python. `check_backup_dir()` looks at the file
# system, and changes nothing there.

check_flag <- function(x, arg, call = rlang::caller_env()) {
  if (!rlang::is_bool(x)) {
    stop_must_be(arg, "TRUE or FALSE", x, call = call)
  }
  x
}

# What the callback reports: TRUE, FALSE or "normal".
check_verbose <- function(
  verbose,
  arg = "verbose",
  call = rlang::caller_env()
) {
  if (!rlang::is_bool(verbose) && !identical(verbose, "normal")) {
    stop_must_be(arg, "\"normal\", TRUE or FALSE", verbose, call = call)
  }
  verbose
}

check_choice <- function(x, choices, arg, call = rlang::caller_env()) {
  # The default of such an argument is the vector of all its choices.
  if (identical(x, choices)) {
    return(choices[[1]])
  }
  if (!rlang::is_string(x) || !x %in% choices) {
    known <- paste0("\"", choices, "\"", collapse = " or ")
    stop_must_be(arg, known, x, call = call)
  }
  x
}

# @param is_given whether the user has chosen. Otherwise what happens depends on
#   the change, see inst/python/kerasbackup/fit/changed_script.py.
check_on_change <- function(x, is_given, call = rlang::caller_env()) {
  x <- check_choice(x, c("message", "warn", "stop"), "on_change", call = call)
  if (is_given) x else "usual"
}

# Keras looks at it more closely, in Python.
#
# @param hints see stop_must_be().
check_model <- function(model, hints = NULL, call = rlang::caller_env()) {
  if (rlang::is_missing(model)) {
    stop_argument(c("`model` is missing.", hints), "model", call)
  }
  if (!inherits(model, "python.builtin.object")) {
    stop_must_be("model", "a Keras model", model, hints, call = call)
  }
  model
}

# Whether to ask the user, whom a script does not have.
check_ask <- function(ask, call = rlang::caller_env()) {
  if (ask && !rlang::is_interactive()) {
    stop_argument(
      c(
        "A script cannot be asked whether to delete backups.",
        i = "Use `ask = FALSE` to delete them without a question."
      ),
      "ask",
      call
    )
  }
}

# What the user notes in every checkpoint.
#
# @return named list of strings, finite numbers and flags; or NULL.
check_metadata <- function(
  metadata,
  arg = "metadata",
  call = rlang::caller_env()
) {
  if (length(metadata) == 0 && (is.null(metadata) || is.list(metadata))) {
    return(NULL)
  }
  example <- c(i = "For example: `metadata = list(commit = \"f1ee137\")`.")
  names <- names(metadata)
  if (!is.list(metadata) || is.object(metadata) || is.null(names)) {
    stop_must_be(arg, "a named list", metadata, example, call = call)
  }
  names <- names(metadata) <- check_text(
    names,
    paste0("names(", arg, ")"),
    call
  )
  if (anyNA(names) || !all(nzchar(names)) || anyDuplicated(names)) {
    stop_argument(
      c(
        paste0("The elements of `", arg, "` must have names, each its own."),
        example
      ),
      arg,
      call
    )
  }
  for (name in names) {
    value <- metadata[[name]]
    is_number <- is.numeric(value) && length(value) == 1 && is.finite(value)
    if (!rlang::is_string(value) && !rlang::is_bool(value) && !is_number) {
      must <- "one text, one finite number, TRUE or FALSE"
      stop_must_be(paste0(arg, "$", name), must, value, call = call)
    }
  }
  # A factor or a date is a number with a class. The number alone says nothing.
  is_classed <- vapply(metadata, is.object, NA)
  if (any(is_classed)) {
    name <- names[is_classed][[1]]
    stop_argument(
      c(
        paste0("`", arg, "$", name, "` must be a plain text or number."),
        i = "Use `format()` to make a text of it."
      ),
      arg,
      call
    )
  }
  for (name in names) {
    if (is.character(metadata[[name]])) {
      place <- paste0(arg, "$", name)
      metadata[[name]] <- check_text(metadata[[name]], place, call)
    }
  }
  metadata
}

# Text that goes into a checkpoint. JSON is UTF-8.
#
# @param x character.
# @return `x` in UTF-8.
check_text <- function(x, arg, call = rlang::caller_env()) {
  is_bytes <- Encoding(x) == "bytes"
  # enc2utf8() writes what it cannot convert as "<ff>".
  is_valid <- validEnc(x)
  Encoding(x)[is_bytes] <- "unknown"
  is_ascii <- vapply(x, function(one) all(charToRaw(one) < as.raw(128)), NA)
  utf8 <- enc2utf8(x)
  is_bad <- is_bytes & !is_ascii | !is_valid | !validUTF8(utf8)
  if (any(is_bad)) {
    bytes <- charToRaw(x[is_bad][[1]])
    codes <- paste0("<", as.character(bytes), ">")
    is_plain <- bytes >= as.raw(32) & bytes < as.raw(127)
    codes[is_plain] <- rawToChar(bytes[is_plain], multiple = TRUE)
    stop_argument(
      c(
        paste0("`", arg, "` must be valid text."),
        x = paste0("Received: ", paste(codes, collapse = ""), "."),
        i = "Use `iconv()` to convert it to UTF-8."
      ),
      arg,
      call
    )
  }
  utf8
}

# A directory of several workers has no generations of its own.
check_no_generation <- function(generation, dir, call = rlang::caller_env()) {
  if (!is.null(generation)) {
    stop_argument(
      c(
        "`generation` cannot be given for a directory of several workers.",
        i = paste0(
          "Each worker numbers its own checkpoints. Name the directory of ",
          "one, such as ",
          quote_path(worker_dirs(dir)$path[[1]]),
          "."
        )
      ),
      "generation",
      call
    )
  }
}

# A plain number: no factor, date or time, which are numbers with a class.
is_whole_number <- function(x) {
  is.numeric(x) &&
    !is.object(x) &&
    rlang::is_scalar_integerish(x) &&
    !is.na(x)
}

# A function that is called with one argument, or NULL.
check_function <- function(x, arg, call = rlang::caller_env()) {
  if (is.null(x)) {
    return(NULL)
  }
  if (!is.function(x)) {
    stop_must_be(arg, "a function or NULL", x, call = call)
  }
  if (!takes_one(x)) {
    stop_argument(
      c(
        paste0("`", arg, "` must be a function that takes one argument."),
        x = paste0("Its arguments: ", describe_formals(x), "."),
        i = paste0("For example: `", arg, " = function(info) ...`.")
      ),
      arg,
      call
    )
  }
  x
}

# Whether a function can be called with one argument that has no name.
takes_one <- function(fn) {
  # A primitive function has no formals, as `c`, and may take any number.
  parts <- formals(args(fn) %||% fn)
  if (is.null(parts) && is.primitive(fn)) {
    return(TRUE)
  }
  has_no_default <- vapply(parts, identical, NA, rlang::missing_arg())
  needed <- setdiff(names(parts)[has_no_default], "...")
  length(parts) > 0 && !any(needed %in% names(parts)[-1])
}

describe_formals <- function(fn) {
  names <- names(formals(fn))
  if (length(names) == 0) {
    return("none")
  }
  paste0("`", names, "`", collapse = ", ")
}

# The path of a file to export to.
check_new_file <- function(file, arg = "file", call = rlang::caller_env()) {
  ends <- c(".safetensors", ".weights.h5", ".keras")
  known <- c(i = "Its name must end with .safetensors, .weights.h5 or .keras.")
  if (!rlang::is_string(file) || !any(endsWith(file, ends))) {
    stop_must_be(arg, "the path of a file to write", file, known, call = call)
  }
  path <- absolute_path(enc2utf8(file))
  # A training may commit a checkpoint of that name at any moment, and a plain
  # file of that name would be taken for a damaged checkpoint.
  if (grepl(checkpoint_name, basename(path), ignore.case = TRUE)) {
    stop_argument(
      c(
        paste0("`", arg, "` must not have the name of a checkpoint."),
        x = paste0("Received: ", quote_path(path), "."),
        i = "Choose another name, such as weights.safetensors."
      ),
      arg,
      call
    )
  }
  if (file.exists(path)) {
    stop_file_exists(path, arg, call)
  }
  if (!dir.exists(dirname(path))) {
    stop_argument(
      paste0("There is no directory ", quote_path(dirname(path)), "."),
      arg,
      call
    )
  }
  path
}

# As in src/names.c.
checkpoint_name <- "^backup-[0-9]{12}[.]safetensors$"

check_no_model <- function(model, call = rlang::caller_env()) {
  if (!is.null(model)) {
    stop_argument(
      c(
        "A safetensors file is written without `model`.",
        i = "Leave it out, or let `file` end with .weights.h5 or .keras."
      ),
      "model",
      call
    )
  }
}

# Whether `save_freq` is "epoch", "auto", a whole number of batches or a time.
#
# @param may_be_false whether `FALSE` is allowed, because a signal causes a
# save.
# @return a string, an integer (batches), a double (seconds) or FALSE.
check_save_freq <- function(
  save_freq,
  may_be_false = FALSE,
  call = rlang::caller_env()
) {
  if (
    identical(save_freq, "epoch") ||
      identical(save_freq, "auto") ||
      (may_be_false && isFALSE(save_freq))
  ) {
    return(save_freq)
  }
  if (is_time(save_freq)) {
    return(check_seconds(save_freq, "save_freq", call = call))
  }
  whole <- is_whole_number(save_freq)
  if (whole && save_freq >= 1 && save_freq <= .Machine$integer.max) {
    return(as.integer(save_freq))
  }
  if (whole && save_freq > .Machine$integer.max) {
    most <- paste("at most", .Machine$integer.max, "batches")
    stop_must_be("save_freq", most, save_freq, call = call)
  }
  known <- paste0(
    "\"epoch\", \"auto\", a positive whole number of batches",
    if (may_be_false) ", a time or FALSE" else " or a time"
  )
  hint <- if (isFALSE(save_freq)) {
    c(i = "FALSE saves nothing without `save_before_preemption`.")
  }
  if (is.character(save_freq)) {
    hint <- time_hint
  }
  stop_must_be("save_freq", known, save_freq, hint, call = call)
}

# A span of time, as a `difftime` or in the words of base R.
#
# @return its seconds.
check_seconds <- function(x, arg, call = rlang::caller_env()) {
  seconds <- if (is_time(x)) seconds_of(x) else NA_real_
  if (length(seconds) != 1 || !isTRUE(seconds > 0 & is.finite(seconds))) {
    stop_must_be(
      arg,
      "a time above zero, such as \"10 mins\" or a difftime",
      x,
      time_hint,
      call = call
    )
  }
  seconds
}

is_time <- function(x) {
  is_difftime(x) ||
    (rlang::is_string(x) && grepl(time_words, x, ignore.case = TRUE))
}

# Anyone can give a value this class.
is_difftime <- function(x) {
  units <- c("secs", "mins", "hours", "days", "weeks")
  inherits(x, "difftime") &&
    is.numeric(unclass(x)) &&
    isTRUE(attr(x, "units") %in% units)
}

# The words of `difftime()` and `seq()`, with a number or without.
time_words <- paste0(
  "^\\s*([0-9.]+\\s*)?",
  "(sec|second|min|minute|hour|day|week)s?\\s*$"
)

time_hint <- c(
  i = paste(
    "A time is a difftime, or a number and a unit: secs, mins, hours, days or",
    "weeks."
  )
)

seconds_of <- function(x) {
  if (is_difftime(x)) {
    return(as.double(x, units = "secs"))
  }
  number <- sub(time_words, "\\1", x, ignore.case = TRUE)
  unit <- tolower(substr(sub(time_words, "\\2", x, ignore.case = TRUE), 1, 1))
  number <- if (nzchar(number)) suppressWarnings(as.double(number)) else 1
  number * c(s = 1, m = 60, h = 3600, d = 86400, w = 604800)[[unit]]
}

# Which checkpoints are kept.
#
# @param keep a number of checkpoints, or a policy of `backup_keep()`.
# @param given whether the user gave it.
# @return the policy.
check_keep <- function(
  keep,
  double_checkpoint,
  given,
  call = rlang::caller_env()
) {
  double_checkpoint <- check_flag(
    double_checkpoint,
    "double_checkpoint",
    call = call
  )
  if (double_checkpoint && given) {
    stop_argument(
      c(
        "`double_checkpoint = TRUE` and `keep` exclude each other.",
        i = "`double_checkpoint = TRUE` stands for `keep = 2`. Remove it."
      ),
      "keep",
      call
    )
  }
  if (double_checkpoint) {
    return(backup_keep(last = 2))
  }
  if (inherits(keep, "backup_keep")) {
    return(check_policy(keep, call))
  }
  backup_keep(
    last = check_last(
      keep,
      "keep",
      "a positive whole number of checkpoints or a policy from `backup_keep()`",
      call
    )
  )
}

# A policy, which someone may have changed or made by hand.
check_policy <- function(keep, call = rlang::caller_env()) {
  fields <- c("last", "every", "best", "mode")
  policy <- unclass(keep)
  if (!is.list(policy) || !identical(names(policy), fields)) {
    must <- "a policy that `backup_keep()` has made"
    stop_must_be("keep", must, keep, call = call)
  }
  every <- policy$every
  tryCatch(
    backup_keep(
      if (identical(policy$last, .Machine$integer.max)) Inf else policy$last,
      if (is.numeric(every)) as.difftime(every, units = "secs") else every,
      policy$best,
      policy$mode
    ),
    kerasbackup_error_argument = function(e) {
      stop_argument(
        c(
          "`keep` is a policy that `backup_keep()` cannot have made.",
          x = rlang::cnd_header(e)
        ),
        "keep",
        call
      )
    }
  )
}

# How many of the newest checkpoints are kept; `Inf` for all.
#
# @return integer.
check_last <- function(last, arg, known, call = rlang::caller_env()) {
  if (identical(last, Inf)) {
    return(.Machine$integer.max)
  }
  if (!is_whole_number(last) || last < 1 || last > .Machine$integer.max) {
    stop_must_be(
      arg,
      known,
      last,
      c(i = "Inf keeps all checkpoints."),
      call = call
    )
  }
  as.integer(last)
}

# The log that tells the best checkpoint.
check_best <- function(best, call = rlang::caller_env()) {
  if (!is.null(best) && (!rlang::is_string(best) || !nzchar(best))) {
    stop_must_be(
      "best",
      "NULL or the name of a log",
      best,
      c(i = "For example: `best = \"val_loss\"`."),
      call = call
    )
  }
  if (is.null(best)) NULL else check_text(best, "best", call)
}

# Whether the lowest or the highest value is the best.
#
# @param best the checked name of the log, or NULL.
# @return "min" or "max"; NULL without `best`.
check_mode <- function(mode, best, call = rlang::caller_env()) {
  if (is.null(best) && !is.null(mode)) {
    stop_argument(
      c(
        "`mode` needs `best`.",
        i = "Name the log, as in `best = \"val_loss\"`, or remove `mode`."
      ),
      "mode",
      call
    )
  }
  if (is.null(best)) {
    return(NULL)
  }
  if (is.null(mode) && grepl("(^|_)loss$", best)) {
    return("min")
  }
  if (is.null(mode)) {
    stop_argument(
      c(
        paste0(
          "`mode` is missing: is the lowest or the highest `",
          best,
          "` the best?"
        ),
        i = "Use `mode = \"min\"` or `mode = \"max\"`."
      ),
      "mode",
      call
    )
  }
  if (!rlang::is_string(mode) || !mode %in% c("min", "max")) {
    stop_must_be("mode", "\"min\" or \"max\"", mode, call = call)
  }
  mode
}

# FALSE, TRUE, or names of signals.
#
# @param bits_of what asks the system.
# @return named integer, the signals to watch: their names, and their bits in C.
check_signals <- function(
  signals,
  arg,
  bits_of = signals_bits,
  call = rlang::caller_env()
) {
  if (rlang::is_bool(signals)) {
    signals <- if (signals) "SIGTERM" else character()
  } else if (!is.character(signals) || length(signals) == 0) {
    stop_signals(arg, signals, call = call)
  }
  uncatchable <- intersect(signals, c("SIGKILL", "SIGSTOP"))
  if (length(uncatchable) > 0) {
    stop_signals(
      arg,
      uncatchable[[1]],
      "No process can catch this signal.",
      call
    )
  }
  unknown <- setdiff(signals, known_signals)
  if (length(unknown) > 0) {
    stop_signals(
      arg,
      unknown[[1]],
      if ("SIGINT" %in% unknown) {
        paste(
          "SIGINT is Ctrl+C, which interrupts R as usual and leaves the newest",
          "checkpoint in place."
        )
      },
      call
    )
  }
  bits <- bits_of(unique(signals))
  if (any(bits == 0)) {
    stop_unsupported(
      paste0("`", arg, "` cannot be used on this system."),
      paste0("It has no signal ", names(bits)[bits == 0][[1]], "."),
      "Save by `save_freq` instead."
    )
  }
  bits
}

stop_signals <- function(arg, received, cause = NULL, call = NULL) {
  known <- paste0("\"", known_signals, "\"", collapse = ", ")
  stop_must_be(
    arg,
    "FALSE, TRUE (for SIGTERM) or names of signals",
    received,
    c(x = cause, i = paste0("Known signals: ", known, ".")),
    call = call
  )
}

# A share of the training time. It is used only with save_freq = "auto".
#
# @param given whether the user gave it.
check_max_overhead <- function(
  max_overhead,
  save_freq,
  given,
  call = rlang::caller_env()
) {
  if (given && !identical(save_freq, "auto")) {
    stop_argument(
      c(
        paste0(
          "`max_overhead` needs `save_freq = \"auto\"`, not `save_freq = ",
          describe(save_freq),
          "`."
        ),
        i = paste(
          "Remove `max_overhead`, or use `save_freq = \"auto\"`, which it",
          "controls."
        )
      ),
      "max_overhead",
      call
    )
  }
  number <- is.numeric(max_overhead) &&
    !is.object(max_overhead) &&
    length(max_overhead) == 1
  if (!number || is.na(max_overhead) || max_overhead <= 0 || max_overhead > 1) {
    stop_must_be(
      "max_overhead",
      "a number above 0 and up to 1",
      max_overhead,
      c(i = "0.01 is 1 % of the training time."),
      call = call
    )
  }
  as.double(max_overhead)
}

# The path of a directory that exists or can be created: one non-empty string.
# Returns an absolute path, because the script may call setwd() later.
check_backup_dir <- function(
  backup_dir,
  arg = "backup_dir",
  call = rlang::caller_env()
) {
  example <- c(i = paste0("For example: `", arg, " = \"backup\"`."))
  if (rlang::is_missing(backup_dir)) {
    stop_argument(c(paste0("`", arg, "` is missing."), example), arg, call)
  }
  if (!rlang::is_string(backup_dir) || !nzchar(trimws(backup_dir))) {
    stop_must_be(
      arg,
      "the path of a directory",
      backup_dir,
      example,
      call = call
    )
  }
  # A drive letter of Windows is one letter.
  if (grepl("^[[:alpha:]][[:alnum:]+.-]+:/", trimws(backup_dir))) {
    stop_argument(
      c(
        paste0("`", arg, "` must be a directory of this machine, not a URL."),
        x = paste0("Received: ", describe(backup_dir), "."),
        i = paste(
          "Use a local or mounted directory. A checkpoint file never changes",
          "once it has been saved, so it can be copied to remote storage while",
          "training runs."
        )
      ),
      arg,
      call
    )
  }
  path <- absolute_path(enc2utf8(backup_dir))
  if (file.exists(path) && !dir.exists(path)) {
    stop_argument(
      c(
        paste0("`", arg, "` must be the path of a directory."),
        x = paste0(quote_path(path), " is a file, not a directory.")
      ),
      arg,
      call
    )
  }
  path
}

# A directory that exists, for the functions that inspect it.
check_existing_dir <- function(
  dir,
  arg = "dir",
  call = rlang::caller_env()
) {
  path <- check_backup_dir(dir, arg, call = call)
  if (!dir.exists(path)) {
    stop_no_directory(path, of_one = arg == "dir")
  }
  path
}

# TRUE, FALSE, or "exit".
check_delete_checkpoint <- function(x, call = rlang::caller_env()) {
  if (!rlang::is_bool(x) && !identical(x, "exit")) {
    stop_must_be("delete_checkpoint", "TRUE, FALSE or \"exit\"", x, call = call)
  }
  x
}

# Whether the caller's caller gave an argument by its place. FALSE where it
# cannot be told, because the call has `...`.
is_unnamed <- function(arg, call = sys.call(-1)) {
  given <- as.list(call)[-1]
  named <- rlang::names2(given)
  named <- named[nzchar(named)]
  has_dots <- any(vapply(given, identical, NA, quote(...)))
  !has_dots && !any(startsWith(arg, named))
}

# `...` separates the positional arguments from the named ones. Anything that
# arrives in it is a mistake.
check_dots <- function(..., call = rlang::caller_env()) {
  dots <- rlang::enquos(...)
  if (length(dots) == 0) {
    return(invisible())
  }
  named <- names(dots)[nzchar(names(dots))]
  message <- if (length(named) > 0) {
    c(
      paste0(
        "Unknown argument",
        if (length(named) > 1) "s",
        ": ",
        paste0("`", named, "`", collapse = ", "),
        "."
      ),
      i = paste0("Known arguments: ", known_arguments(), ".")
    )
  } else {
    c(
      "Too many unnamed arguments.",
      x = paste0(
        "Only `backup_dir`, `save_freq` and `delete_checkpoint` may be given ",
        "without a name."
      ),
      i = paste(
        "Name what follows, for example `double_checkpoint = TRUE`."
      )
    )
  }
  stop_argument(message, "...", call)
}

known_arguments <- function() {
  known <- setdiff(names(formals(callback_backup_and_restore)), "...")
  paste0("`", known, "`", collapse = ", ")
}

# A short description of a value that the user gave, for a message.
describe <- function(x) {
  # Atomic or not, depending on R's version.
  if (is.null(x)) {
    return("NULL")
  }
  if (is_difftime(x) && length(x) == 1) {
    return(format_span(x))
  }
  if (is.object(x) && (!is.atomic(x) || length(x) <= 1)) {
    return(paste("an object of class", class(x)[[1]]))
  }
  if (is.atomic(x) && length(x) == 1 && is.na(x) && !is.nan(x)) {
    return("NA")
  }
  if (is.atomic(x) && length(x) <= 1) {
    is_text <- is.character(x) && length(x) == 1
    return(if (is_text) encodeString(x, quote = "\"") else deparse1(x))
  }
  if (is.atomic(x)) {
    kind <- class(x)[[1]]
    article <- if (kind == "integer") "an" else "a"
    return(paste(article, kind, "vector of length", length(x)))
  }
  if (is.list(x)) {
    return(paste("a list of length", length(x)))
  }
  paste("an object of class", class(x)[[1]])
}

# "1 hour", and not "1 hours".
format_span <- function(x) {
  text <- format(x)
  ifelse(as.double(x) %in% 1, sub("s$", "", text), text)
}

# normalizePath() does not make a path absolute that does not exist yet, and it
# resolves symbolic links, which stay as they are here.
absolute_path <- function(path) {
  path <- path.expand(path)
  is_absolute <- grepl("^(/|\\\\\\\\|[A-Za-z]:[/\\\\])", path)
  if (!is_absolute) {
    path <- file.path(getwd(), path)
  }
  # "/" and "C:/" are roots only with the slash.
  sub("(?<=[^/\\\\:])[/\\\\]+$", "", path, perl = TRUE)
}
