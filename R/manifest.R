# The header of a checkpoint: tensors and metadata as R lists, their JSON
# (jsonlite), and its validation. The grammar is in inst/FORMAT.md.
#
# May not touch files, Python or C: it takes text, and returns text or lists.

trailer_name <- "kerasbackup.trailer"

# Writing -----------------------------------------------------------------

# The plan of a checkpoint, which is sent to C once per fit().
#
# @param names character, in file order. Unique, not "", not reserved.
# @param dtypes character, names of `dtype_sizes`.
# @param shapes list of numeric vectors; numeric(0) for a scalar.
# @return list(tensors = the JSON members, one string; sizes = double, bytes in
#   file order).
manifest_plan <- function(names, dtypes, shapes) {
  stopifnot(
    length(dtypes) == length(names),
    length(shapes) == length(names),
    !anyDuplicated(names),
    nzchar(names),
    !names %in% c("__metadata__", trailer_name)
  )
  unknown <- !dtypes %in% names(dtype_sizes)
  if (any(unknown)) {
    stop_unsupported(
      "A variable cannot be saved.",
      paste0(
        "`",
        names[unknown][[1]],
        "` has dtype ",
        dtypes[unknown][[1]],
        ", which the file format does not have."
      ),
      paste0("Known: ", paste(names(dtype_sizes), collapse = ", "), ".")
    )
  }
  ranks <- lengths(shapes)
  dims <- as.numeric(unlist(shapes))
  sizes <- fold(dims, ranks, 1, `*`) * unname(dtype_sizes[dtypes])
  ends <- cumsum(sizes)
  members <- sprintf(
    "%s:{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%.0f,%.0f]}",
    json_string(names),
    dtypes,
    fold(sprintf("%.0f", dims), ranks, "", function(text, dim) {
      paste0(text, ifelse(nzchar(text), ",", ""), dim)
    }),
    ends - sizes,
    ends
  )
  list(tensors = paste(members, collapse = ","), sizes = sizes)
}

# The plan from Python's description: JSON, [[name, dtype, [dim, ...]], ...].
manifest_plan_json <- function(spec) {
  spec <- jsonlite::parse_json(spec)
  manifest_plan(
    names = vapply(spec, function(one) one[[1]], character(1)),
    dtypes = vapply(spec, function(one) one[[2]], character(1)),
    shapes = lapply(spec, function(one) as.numeric(unlist(one[[3]])))
  )
}

# The metadata of a checkpoint: one JSON object, string to string, that begins
# with the format's version.
#
# @param fields named list of strings.
manifest_metadata <- function(fields = list()) {
  fields <- c(list(kerasbackup = "1"), fields)
  paste0(
    "{",
    paste0(
      json_string(names(fields)),
      ":",
      json_string(unlist(fields)),
      collapse = ","
    ),
    "}"
  )
}

# Adds one field to metadata that is text already, without parsing it.
manifest_metadata_add <- function(metadata, name, value) {
  paste0(
    substr(metadata, 1, nchar(metadata) - 1),
    ",",
    json_string(name),
    ":",
    json_string(value),
    "}"
  )
}

# Quoted and escaped. Most names need no escaping, and 10,000 calls of toJSON()
# would take longer than the save.
json_string <- function(x) {
  x <- enc2utf8(x)
  plain <- !grepl("[\\\\\"[:cntrl:]]", x)
  quoted <- paste0("\"", x, "\"")
  quoted[!plain] <- vapply(
    x[!plain],
    function(one) as.character(jsonlite::toJSON(one, auto_unbox = TRUE)),
    character(1)
  )
  quoted
}

# Reading -----------------------------------------------------------------

# Parses and validates a header. C has verified its bytes, which anyone may have
# written. This verifies their meaning: known dtypes, matching sizes, no gaps,
# no overlaps, an exact end. A header that passes means the same to every reader
# of JSON, because it has no duplicate names and no comments.
#
# @param header the JSON text.
# @param path of the file, for messages.
# @param data_bytes how many bytes of data the file has, if that is known.
# @return list(tensors = data frame of name, dtype, shape (list), begin, end
#   (bytes within the data), metadata = named list of strings,
#   data_bytes = size of the data without the trailer).
manifest_parse <- function(header, path, data_bytes = NULL) {
  bad <- function(cause) stop_header(path, cause)
  fields <- parse_plain_json(header, header_depth)
  if (is.null(fields)) {
    bad("Its header is not JSON.")
  }
  if (!is_object(fields)) {
    bad("Its header is not a JSON object.")
  }
  if (anyDuplicated(names(fields))) {
    bad("Its header names a tensor twice.")
  }
  metadata <- fields[["__metadata__"]]
  if (
    !is_object(metadata) ||
      !all(vapply(metadata, rlang::is_string, NA)) ||
      anyDuplicated(names(metadata))
  ) {
    bad("Its metadata must be an object of strings.")
  }
  if (!identical(metadata[["kerasbackup"]], "1")) {
    version <- metadata[["kerasbackup"]] %||% "unknown"
    bad(paste0(
      "Its format is version ",
      shown(version),
      "; this version of the package reads version 1."
    ))
  }
  entries <- fields[names(fields) != "__metadata__"]
  tensors <- manifest_tensors(entries, bad)
  last <- nrow(tensors)
  if (last == 0 || tensors$name[[last]] != trailer_name) {
    bad("Its last tensor is not the integrity trailer.")
  }
  if (!is.null(data_bytes) && tensors$begin[[last]] != data_bytes) {
    bad("The sizes of its tensors do not add up to the size of its data.")
  }
  list(
    tensors = tensors[-last, , drop = FALSE],
    metadata = metadata,
    data_bytes = tensors$begin[[last]]
  )
}

# There may be 10,000 entries, and a restore waits for them. So each check is
# vectorized over all of them.
manifest_tensors <- function(entries, bad) {
  refuse <- function(is_bad, why, name = names(entries)) {
    if (any(is_bad)) {
      bad(sprintf(why, shown(name[is_bad][[1]])))
    }
  }
  no_tensor <- "Its entry `%s` is not a valid tensor."
  # Three members, and below each of the three that a tensor has.
  keys <- lapply(entries, names)
  refuse(!vapply(entries, is.list, NA) | lengths(keys) != 3, no_tensor)
  refuse(!nzchar(names(entries)), no_tensor)
  member <- function(name) unname(lapply(entries, `[[`, name))
  dtypes <- member("dtype")
  refuse(!vapply(dtypes, is.character, NA) | lengths(dtypes) != 1, no_tensor)
  dtypes <- as.character(unlist(dtypes))
  refuse(!dtypes %in% names(dtype_sizes), no_tensor)
  shapes <- whole_numbers(member("shape"))
  # No array has more dimensions than NumPy's.
  refuse(!shapes$valid | shapes$counts > 64, no_tensor)
  refuse(!are_sizes(shapes$values, shapes$counts), no_tensor)
  offsets <- whole_numbers(member("data_offsets"))
  refuse(!offsets$valid | offsets$counts != 2, no_tensor)
  offsets <- matrix(offsets$values, nrow = 2)

  elements <- fold(shapes$values, shapes$counts, 1, `*`)
  tensors <- data.frame(
    name = names(entries),
    dtype = dtypes,
    begin = offsets[1, ],
    end = offsets[2, ],
    stringsAsFactors = FALSE
  )
  tensors$shape <- cut_up(shapes$values, shapes$counts)
  refuse(
    tensors$end - tensors$begin != elements * dtype_sizes[dtypes],
    "The size of `%s` does not match its dtype and shape."
  )
  tensors <- tensors[order(tensors$begin, tensors$end), ]
  rownames(tensors) <- NULL
  gap <- tensors$begin != c(0, tensors$end)[seq_len(nrow(tensors))]
  refuse(gap, "`%s` leaves a gap or an overlap.", tensors$name)
  tensors
}

# Which shapes are possible. An empty array may have no other dimension so large
# that R cannot represent it, because its size would then not be a number.
are_sizes <- function(dims, ranks) {
  all_of <- function(is_so) fold(is_so, ranks, TRUE, `&`)
  fold(pmax(dims, 1), ranks, 1, `*`) <= 2^53 &
    (all_of(dims > 0) | all_of(dims <= .Machine$integer.max))
}

# Which of `xs` are JSON arrays of whole numbers that are not negative, and
# exact in R.
#
# @return list(valid = logical, one for each of `xs`; counts = how many numbers
#   each has; values = double, all of them, -1 in place of anything else).
whole_numbers <- function(xs) {
  valid <- vapply(xs, is.list, NA) & vapply(lapply(xs, names), is.null, NA)
  counts <- ifelse(valid, lengths(xs), 0L)
  each <- unlist(xs[valid], recursive = FALSE, use.names = FALSE)
  is_number <- vapply(each, is.numeric, NA) & lengths(each) == 1
  values <- rep(-1, length(each))
  values[is_number] <- as.numeric(unlist(each[is_number]))
  whole <- values >= 0 & values <= 2^53 & values == trunc(values)
  valid[rep(seq_along(xs), counts)[!whole]] <- FALSE
  list(valid = valid, counts = counts, values = values)
}

is_whole_list <- function(x) whole_numbers(list(x))$valid

# Combines the first of each group, then the second, ...
#
# @param x vector, one group behind the other.
# @param counts how many each group has. They should be small.
# @param init the result for a group that has none.
# @return vector, one for each group.
fold <- function(x, counts, init, combine) {
  before <- cumsum(counts) - counts
  result <- rep(init, length(counts))
  for (i in seq_len(max(counts, 0L))) {
    has <- which(counts >= i)
    result[has] <- combine(result[has], x[before[has] + i])
  }
  result
}

# A list of the groups.
cut_up <- function(x, counts) {
  groups <- seq_along(counts)
  unname(split(
    x,
    structure(
      rep(groups, counts),
      levels = as.character(groups),
      class = "factor"
    )
  ))
}

# Whether jsonlite read `{...}`. An array has no names.
is_object <- function(x) is.list(x) && !is.null(names(x))

# A name from a file, for messages: shortened, without control characters.
shown <- function(name) {
  name <- gsub("[[:cntrl:]]", "?", name)
  if (nchar(name) > 100) paste0(substr(name, 1, 97), "...") else name
}

# Names of the tensors that have bytes in a range of the data, for messages.
#
# @param offset,length bytes within the data.
manifest_tensors_at <- function(tensors, offset, length) {
  if (is.na(offset)) {
    return(NULL)
  }
  hit <- tensors$begin < offset + length &
    tensors$end > offset &
    tensors$end > tensors$begin
  if (!any(hit)) {
    return(NULL)
  }
  names <- tensors$name[hit]
  shown <- utils::head(names, 3)
  more <- length(names) - length(shown)
  c(shown, if (more > 0) paste("and", more, "more in the same block"))
}

# What happened -----------------------------------------------------------

# The run's history from the metadata.
#
# @return data frame: epoch (integer, the first is 1), then one column a log.
manifest_history <- function(metadata, path) {
  history <- parse_metadata(metadata, "history", path, depth = 2) %||%
    list(epoch = list())
  epochs <- if (is_object(history)) history[["epoch"]]
  whole <- is_whole_list(epochs) &&
    all(unlist(epochs) < .Machine$integer.max) &&
    !anyDuplicated(names(history)) &&
    all(nzchar(names(history))) &&
    all(vapply(history, is_log, NA)) &&
    all(lengths(history) == length(epochs))
  if (!whole) {
    stop_header(path, "Its history must have one value per epoch and log.")
  }
  logs <- lapply(history[names(history) != "epoch"], function(column) {
    vapply(
      column,
      function(x) {
        # JSON has no non-finite numbers: they are strings; a log that an epoch
        # did not have is null.
        if (is.null(x)) NA_real_ else as.numeric(x)
      },
      numeric(1)
    )
  })
  frame <- data.frame(epoch = as.integer(unlist(epochs)) + 1L)
  frame[names(logs)] <- logs
  frame
}

is_log <- function(column) {
  is.list(column) &&
    is.null(names(column)) &&
    all(vapply(
      column,
      function(x) {
        is.null(x) ||
          is.numeric(x) ||
          (is.character(x) && x %in% c("NaN", "Inf", "-Inf"))
      },
      NA
    ))
}

# What it was written with.
#
# @return named character.
manifest_versions <- function(metadata, path) {
  versions <- parse_metadata(metadata, "versions", path, depth = 1)
  if (is.null(versions)) {
    return(character())
  }
  if (!is_object(versions) || !all(vapply(versions, rlang::is_string, NA))) {
    stop_header(path, "Its versions are not an object of strings.")
  }
  vapply(versions, identity, "")
}

# What the user gave the callback as `metadata`, as the text of one field.
#
# @param values named list of strings, numbers and flags, see check_metadata().
manifest_user_json <- function(values) {
  texts <- vapply(
    values,
    function(value) {
      if (is.character(value)) {
        json_string(value)
      } else if (is.logical(value)) {
        tolower(as.character(value))
      } else {
        # All digits, so that the same number is read back.
        sprintf("%.17g", value)
      }
    },
    ""
  )
  members <- paste0(json_string(names(values)), ":", texts, collapse = ",")
  paste0("{", members, "}")
}

# The reverse.
#
# @return named list of strings, numbers and flags; empty where there are none.
manifest_user <- function(metadata, path) {
  values <- parse_metadata(metadata, "user", path, depth = 1)
  if (is.null(values)) {
    return(stats::setNames(list(), character()))
  }
  is_value <- function(x) {
    rlang::is_string(x) || rlang::is_bool(x) || (is.numeric(x) && !is.na(x))
  }
  if (
    !is_object(values) ||
      anyDuplicated(names(values)) ||
      !all(vapply(values, is_value, NA))
  ) {
    stop_header(path, "Its own metadata are not texts, numbers and flags.")
  }
  lapply(values, function(x) if (is.numeric(x)) as.double(x) else x)
}

# The log by which the best checkpoint is kept, as the text of one field.
#
# @param keep policy as from backup_keep(), with a log.
manifest_watched_json <- function(keep) {
  values <- json_string(c(keep$best, keep$mode))
  sprintf("{\"log\":%s,\"mode\":%s}", values[[1]], values[[2]])
}

# The reverse.
#
# @return list(log, mode), or NULL where none is watched.
manifest_watched <- function(metadata, path) {
  watched <- parse_metadata(metadata, "watched", path, depth = 1)
  if (is.null(watched)) {
    return(NULL)
  }
  is_whole <- is_object(watched) &&
    rlang::is_string(watched[["log"]]) &&
    rlang::is_string(watched[["mode"]]) &&
    watched[["mode"]] %in% c("min", "max")
  if (!is_whole) {
    stop_header(path, "Its metadata `watched` do not name a log.")
  }
  watched[c("log", "mode")]
}

# Which tensors are parts of variables that several workers hold together.
#
# @return list of list(at = which tensor, variable, shape, begin).
manifest_shards <- function(metadata, tensors, path) {
  shards <- parse_metadata(metadata, "shards", path, depth = 3)
  if (is.null(shards)) {
    return(list())
  }
  bad <- function() {
    stop_header(path, "Its metadata `shards` do not describe its tensors.")
  }
  if (!is_object(shards) || anyDuplicated(names(shards))) {
    bad()
  }
  lapply(names(shards), function(name) {
    shard <- shards[[name]]
    at <- match(name, tensors$name)
    is_whole <- !is.na(at) &&
      is_object(shard) &&
      rlang::is_string(shard[["variable"]]) &&
      is_whole_list(shard[["shape"]]) &&
      is_whole_list(shard[["begin"]])
    if (!is_whole) {
      bad()
    }
    size <- tensors$shape[[at]]
    shape <- as.numeric(unlist(shard[["shape"]]))
    begin <- as.numeric(unlist(shard[["begin"]]))
    fits <- length(shape) == length(size) &&
      length(begin) == length(size) &&
      all(begin + size <= shape) &&
      are_sizes(shape, length(shape))
    if (!fits) {
      bad()
    }
    list(at = at, variable = shard[["variable"]], shape = shape, begin = begin)
  })
}

# The interruptions that the run was resumed after.
#
# @return data frame: epoch, batch, saved_at and resumed_at (POSIXct).
manifest_resumes <- function(metadata, path) {
  resumes <- parse_metadata(metadata, "resumes", path, depth = 2)
  is_list <- is.null(resumes) || (is.list(resumes) && !is_object(resumes))
  rows <- lapply(if (is_list) resumes else list(NULL), function(one) {
    is_whole <- is.list(one) &&
      length(one) == 4 &&
      is_whole_list(one[1:2]) &&
      (is.null(one[[3]]) || rlang::is_string(one[[3]])) &&
      rlang::is_string(one[[4]])
    if (!is_whole) {
      stop_header(path, "Its metadata `resumes` do not describe resumes.")
    }
    data.frame(
      epoch = as.integer(one[[1]]),
      batch = as.integer(one[[2]]),
      saved_at = parse_time(one[[3]] %||% NA_character_),
      resumed_at = parse_time(one[[4]])
    )
  })
  none <- data.frame(
    epoch = integer(),
    batch = integer(),
    saved_at = .POSIXct(double(), "UTC"),
    resumed_at = .POSIXct(double(), "UTC")
  )
  do.call(rbind, c(list(none), rows))
}

parse_time <- function(text) {
  as.POSIXct(text, format = "%Y-%m-%dT%H:%M:%OS", tz = "UTC")
}

# A field that counts something.
#
# @return integer, `NA` where there is no such field.
manifest_count <- function(metadata, name, path) {
  text <- metadata[[name]] %||% return(NA_integer_)
  if (!grepl("^[0-9]{1,9}$", text)) {
    stop_header(path, paste0("Its metadata `", name, "` must be a count."))
  }
  as.integer(text)
}

# Whether the training was complete.
#
# @return logical, `NA` where the checkpoint does not say.
manifest_is_finished <- function(metadata, path) {
  epochs <- manifest_count(metadata, "epochs", path)
  identical(metadata[["stopped"]], "1") ||
    manifest_count(metadata, "epoch", path) >= epochs
}

# When it was saved.
#
# @return `POSIXct`; `NA` if the checkpoint does not say.
manifest_saved_at <- function(metadata, path) {
  manifest_time(metadata, "saved_at", path)
}

# When the run began. As manifest_saved_at().
manifest_began_at <- function(metadata, path) {
  manifest_time(metadata, "began_at", path)
}

manifest_time <- function(metadata, name, path) {
  text <- metadata[[name]] %||% NA_character_
  time <- parse_time(text)
  if (is.na(time) && !is.na(text)) {
    stop_header(path, paste0("Its metadata `", name, "` is no time."))
  }
  time
}

# A field of the metadata that is JSON itself; NULL where there is none.
parse_metadata <- function(metadata, name, path, depth) {
  if (is.null(metadata[[name]])) {
    return(NULL)
  }
  parse_plain_json(metadata[[name]], depth) %||%
    stop_header(path, "Its metadata are not JSON.")
}

# JSON --------------------------------------------------------------------

# The header is an object of objects (tensors) of arrays.
header_depth <- 3

# Parses a text that may come from anyone.
#
# @param depth how deep objects and arrays may be nested. The parser is
#   recursive and has no limit of its own.
# @return NULL if the text is not JSON, is nested deeper, has comments (which
#   this parser would skip, and others refuse) or a character that ends strings.
parse_plain_json <- function(text, depth) {
  # This is outside of tryCatch(): a failure here is not one to parse the text.
  force(text)
  if (!is_plain_json(text, depth)) {
    return(NULL)
  }
  tryCatch(
    jsonlite::parse_json(text),
    error = function(e) NULL,
    # A byte order mark, which other parsers refuse.
    warning = function(w) NULL
  )
}

# Counts the brackets outside of strings. Up to the first character that is not
# JSON, this recognizes strings as a parser does, and a parser stops there.
is_plain_json <- function(text, depth) {
  if (!validUTF8(text)) {
    return(FALSE)
  }
  without <- function(pattern, text) {
    gsub(pattern, "", text, perl = TRUE, useBytes = TRUE)
  }
  text <- without("\\\\\\\\", text)
  if (grepl("\\u0000", text, fixed = TRUE, useBytes = TRUE)) {
    return(FALSE)
  }
  text <- without("\"[^\"]*\"", without("\\\\\"", text))
  if (grepl("[/\"]", text, useBytes = TRUE)) {
    return(FALSE)
  }
  brackets <- charToRaw(without("[^][{}]+", text))
  nesting <- cumsum(ifelse(brackets %in% charToRaw("[{"), 1L, -1L))
  length(nesting) == 0 || max(nesting) <= depth
}
