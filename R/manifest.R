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
# they say: known dtypes, sizes that fit, no holes, no overlaps, an exact end.
#
# @param header the JSON text.
# @param path of the file, for messages.
# @return list(tensors = data frame of name, dtype, shape (list), begin, end
#   (bytes within the data), metadata = named list of strings,
#   data_bytes = size of the data without the trailer).
manifest_parse <- function(header, path) {
  # Not inside tryCatch(): a failure to read it is not a failure to parse it.
  force(header)
  fields <- tryCatch(
    jsonlite::parse_json(header),
    error = function(e) {
      stop_header(path, "Its header is not JSON.")
    }
  )
  bad <- function(cause) stop_header(path, cause)
  if (!is.list(fields) || is.null(names(fields))) {
    bad("Its header is not a JSON object.")
  }
  if (anyDuplicated(names(fields))) {
    bad("Its header names a tensor twice.")
  }
  metadata <- fields[["__metadata__"]]
  if (!is.list(metadata) || !all(vapply(metadata, rlang::is_string, NA))) {
    bad("Its metadata is not an object of strings.")
  }
  if (!identical(metadata$kerasbackup, "1")) {
    bad(paste0(
      "Its format is version ", metadata$kerasbackup %||% "unknown",
      "; this version of the package reads version 1."
    ))
  }
  entries <- fields[names(fields) != "__metadata__"]
  tensors <- manifest_tensors(entries, bad)
  last <- nrow(tensors)
  if (last == 0 || tensors$name[[last]] != trailer_name) {
    bad("Its last tensor is not the integrity trailer.")
  }
  list(
    tensors = tensors[-last, , drop = FALSE],
    metadata = metadata,
    data_bytes = tensors$begin[[last]]
  )
}

manifest_tensors <- function(entries, bad) {
  valid <- vapply(entries, is_tensor_entry, NA)
  if (!all(valid)) {
    bad(paste0("Its entry `", names(entries)[!valid][[1]], "` is no tensor."))
  }
  tensors <- data.frame(
    name = names(entries),
    dtype = vapply(entries, function(one) one$dtype, ""),
    begin = vapply(entries, function(one) as.numeric(one$data_offsets[[1]]), 0),
    end = vapply(entries, function(one) as.numeric(one$data_offsets[[2]]), 0),
    row.names = NULL,
    stringsAsFactors = FALSE
  )
  tensors$shape <- unname(
    lapply(entries, function(one) as.numeric(unlist(one$shape)))
  )
  tensors <- tensors[order(tensors$begin, tensors$end), ]
  rownames(tensors) <- NULL
  sizes <- vapply(tensors$shape, prod, 0) * dtype_sizes[tensors$dtype]
  wrong <- tensors$end - tensors$begin != sizes
  if (any(wrong)) {
    bad(paste0("`", tensors$name[wrong][[1]], "` has not the size it says."))
  }
  gap <- tensors$begin != c(0, tensors$end)[seq_len(nrow(tensors))]
  if (any(gap)) {
    bad(paste0("`", tensors$name[gap][[1]], "` does not follow its neighbour."))
  }
  tensors
}

is_tensor_entry <- function(one) {
  whole <- function(x, n = length(x)) {
    length(x) == n && all(vapply(x, function(i) {
      # Up to 2^52, so that sums are exact.
      rlang::is_scalar_integerish(i, finite = TRUE) && i >= 0
    }, NA))
  }
  is.list(one) && rlang::is_string(one$dtype) &&
    one$dtype %in% names(dtype_sizes) &&
    is.list(one$shape) && whole(one$shape) &&
    is.list(one$data_offsets) && whole(one$data_offsets, 2)
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

# One field of the metadata that is JSON itself.
parse_metadata <- function(text, path) {
  tryCatch(
    jsonlite::parse_json(text),
    error = function(e) stop_header(path, "Its metadata are not JSON.")
  )
}

# The run's history from the metadata.
#
# @return data frame: epoch (integer, the first is 1), then one column a log.
manifest_history <- function(metadata, path) {
  history <- parse_metadata(metadata$history %||% "{\"epoch\":[]}", path)
  if (is.null(history$epoch) || any(lengths(history) != length(history$epoch))) {
    stop_header(path, "Its history is not one value an epoch and log.")
  }
  columns <- lapply(history, function(column) {
    vapply(column, function(x) {
      # JSON has no non-finite numbers: they are strings; a log that an epoch
      # did not have is null.
      if (is.null(x)) NA_real_ else as.numeric(x)
    }, numeric(1))
  })
  frame <- data.frame(epoch = as.integer(columns$epoch) + 1L)
  frame[names(columns)[-1]] <- columns[-1]
  frame
}
