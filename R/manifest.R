# Owns the header of a checkpoint: tensors and metadata as R lists, their JSON
# (jsonlite), and its validation. The grammar is in inst/FORMAT.md.
#
# May not touch files, Python or C: it is handed text and gives text or lists.

trailer_name <- "kerasbackup.trailer"

# Writing -----------------------------------------------------------------

# The plan of a checkpoint: what crosses to C once a fit.
#
# @param names character, in file order. Unique, not "", not reserved.
# @param dtypes character, names of `dtype_sizes`.
# @param shapes list of numeric vectors; numeric(0) for a scalar.
# @return list(tensors = the JSON members, one string; sizes = double, bytes in
#   file order).
manifest_plan <- function(names, dtypes, shapes) {
  stopifnot(
    length(dtypes) == length(names), length(shapes) == length(names),
    !anyDuplicated(names), nzchar(names),
    !names %in% c("__metadata__", trailer_name)
  )
  unknown <- !dtypes %in% names(dtype_sizes)
  if (any(unknown)) {
    stop_unsupported(
      "A variable cannot be saved.",
      paste0(
        "`", names[unknown][[1]], "` has dtype ", dtypes[unknown][[1]],
        ", which the file format does not have."
      ),
      paste0("Known: ", paste(names(dtype_sizes), collapse = ", "), ".")
    )
  }
  sizes <- vapply(shapes, prod, numeric(1)) * unname(dtype_sizes[dtypes])
  ends <- cumsum(sizes)
  members <- sprintf(
    "%s:{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%.0f,%.0f]}",
    json_string(names), dtypes,
    vapply(shapes, function(s) paste(sprintf("%.0f", s), collapse = ","), ""),
    ends - sizes, ends
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
    paste0(json_string(names(fields)), ":", json_string(unlist(fields)),
      collapse = ","
    ),
    "}"
  )
}

# Adds one field to metadata that is text already, without parsing it.
manifest_metadata_add <- function(metadata, name, value) {
  paste0(
    substr(metadata, 1, nchar(metadata) - 1), ",", json_string(name), ":",
    json_string(value), "}"
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

# Parses and validates a header. C has verified its bytes; this verifies what
# they say, whoever wrote them: known dtypes, sizes that fit, no holes, no
# overlaps, an exact end. What it lets pass means the same to every reader of
# JSON: nothing is named twice, nothing is commented out.
#
# @param header the JSON text.
# @param path of the file, for messages.
# @param data_bytes how many bytes of data the file has, where that is known.
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
  if (!is_object(metadata) || !all(vapply(metadata, rlang::is_string, NA)) ||
    anyDuplicated(names(metadata))) {
    bad("Its metadata is not an object of strings.")
  }
  if (!identical(metadata[["kerasbackup"]], "1")) {
    version <- metadata[["kerasbackup"]] %||% "unknown"
    bad(paste0(
      "Its format is version ", shown(version),
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
    bad("Its tensors are not as large as its data.")
  }
  list(
    tensors = tensors[-last, , drop = FALSE],
    metadata = metadata,
    data_bytes = tensors$begin[[last]]
  )
}

manifest_tensors <- function(entries, bad) {
  valid <- vapply(entries, is_tensor_entry, NA) & nzchar(names(entries))
  if (!all(valid)) {
    name <- shown(names(entries)[!valid][[1]])
    bad(paste0("Its entry `", name, "` is no tensor."))
  }
  tensors <- data.frame(
    name = names(entries),
    dtype = vapply(entries, function(one) one[["dtype"]], ""),
    begin = vapply(entries, function(one) {
      as.numeric(one[["data_offsets"]][[1]])
    }, 0),
    end = vapply(entries, function(one) {
      as.numeric(one[["data_offsets"]][[2]])
    }, 0),
    row.names = NULL,
    stringsAsFactors = FALSE
  )
  tensors$shape <- unname(
    lapply(entries, function(one) as.numeric(unlist(one[["shape"]])))
  )
  tensors <- tensors[order(tensors$begin, tensors$end), ]
  rownames(tensors) <- NULL
  sizes <- vapply(tensors$shape, prod, 0) * dtype_sizes[tensors$dtype]
  wrong <- tensors$end - tensors$begin != sizes
  if (any(wrong)) {
    name <- shown(tensors$name[wrong][[1]])
    bad(paste0("`", name, "` has not the size it says."))
  }
  gap <- tensors$begin != c(0, tensors$end)[seq_len(nrow(tensors))]
  if (any(gap)) {
    name <- shown(tensors$name[gap][[1]])
    bad(paste0("`", name, "` does not follow its neighbour."))
  }
  tensors
}

# There may be 10,000 of these, and a restore waits for them.
is_tensor_entry <- function(one) {
  is_object(one) && length(one) == 3 &&
    all(c("data_offsets", "dtype", "shape") %in% names(one)) &&
    rlang::is_string(one[["dtype"]]) &&
    one[["dtype"]] %in% names(dtype_sizes) &&
    is_shape(one[["shape"]]) &&
    is_whole_list(one[["data_offsets"]]) && length(one[["data_offsets"]]) == 2
}

# No array has more dimensions than NumPy's. One that is empty must not be so
# large otherwise that R cannot say how large, or its size is not a number.
is_shape <- function(x) {
  if (!is_whole_list(x) || length(x) > 64) {
    return(FALSE)
  }
  x <- as.numeric(unlist(x))
  prod(x[x > 0]) <= 2^53 && (all(x > 0) || all(x <= .Machine$integer.max))
}

# A JSON array of numbers that are whole, not negative, and exact in R.
is_whole_list <- function(x) {
  if (!is.list(x) || !is.null(names(x)) || any(lengths(x) != 1) ||
    !all(vapply(x, is.numeric, NA))) {
    return(FALSE)
  }
  x <- as.numeric(unlist(x))
  all(is.finite(x) & x >= 0 & x <= 2^53 & x == trunc(x))
}

# What jsonlite makes of `{...}`; an array has no names.
is_object <- function(x) is.list(x) && !is.null(names(x))

# A name from a file, for messages: not too long, and no control characters.
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
  hit <- tensors$begin < offset + length & tensors$end > offset &
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
    !anyDuplicated(names(history)) && all(nzchar(names(history))) &&
    all(vapply(history, is_log, NA)) &&
    all(lengths(history) == length(epochs))
  if (!whole) {
    stop_header(path, "Its history is not one value an epoch and log.")
  }
  logs <- lapply(history[names(history) != "epoch"], function(column) {
    vapply(column, function(x) {
      # JSON has no non-finite numbers: they are strings; a log that an epoch
      # did not have is null.
      if (is.null(x)) NA_real_ else as.numeric(x)
    }, numeric(1))
  })
  frame <- data.frame(epoch = as.integer(unlist(epochs)) + 1L)
  frame[names(logs)] <- logs
  frame
}

is_log <- function(column) {
  is.list(column) && is.null(names(column)) && all(vapply(column, function(x) {
    is.null(x) || is.numeric(x) ||
      (is.character(x) && x %in% c("NaN", "Inf", "-Inf"))
  }, NA))
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

# A field that counts something.
#
# @return integer, `NA` where there is no such field.
manifest_count <- function(metadata, name, path) {
  text <- metadata[[name]] %||% return(NA_integer_)
  if (!grepl("^[0-9]{1,9}$", text)) {
    stop_header(path, paste0("Its metadata `", name, "` is no count."))
  }
  as.integer(text)
}

# When it was saved.
#
# @return `POSIXct`, `NA` where it does not say.
manifest_saved_at <- function(metadata, path) {
  text <- metadata[["saved_at"]] %||% NA_character_
  time <- as.POSIXct(text, format = "%Y-%m-%dT%H:%M:%OS", tz = "UTC")
  if (is.na(time) && !is.na(text)) {
    stop_header(path, "Its metadata `saved_at` is no time.")
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
# @param depth how deep objects and arrays may be nested. The parser calls
#   itself once a level and has no limit of its own.
# @return NULL where the text is not JSON, is nested deeper, has comments (which
#   this parser would skip, and others refuse) or a character that ends strings.
parse_plain_json <- function(text, depth) {
  # Not inside tryCatch(): a failure to read it is not a failure to parse it.
  force(text)
  if (!is_plain_json(text, depth)) {
    return(NULL)
  }
  tryCatch(
    jsonlite::parse_json(text),
    error = function(e) NULL,
    # A mark in front of the text, that other parsers refuse.
    warning = function(w) NULL
  )
}

# Looks at the brackets. Up to the first character that is no JSON this tells
# strings from the rest as a parser does, and there a parser ends.
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
