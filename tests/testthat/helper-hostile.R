# Checkpoint files that are written to do harm: every length and checksum is
# right, as inst/FORMAT.md has it, and what the header says is anything. Written
# byte by byte here, so that nothing of the package can refuse to write it.

crc32c_table <- local({
  table <- seq(0, 255)
  shift <- function(x) bitwAnd(bitwShiftR(x, 1), 0x7fffffff)
  # Two halves, since R's integers have 31 bits.
  high <- integer(256)
  low <- integer(256)
  for (i in table) {
    h <- 0L
    l <- as.integer(i)
    for (k in 1:8) {
      odd <- bitwAnd(l, 1L)
      l <- bitwOr(bitwShiftR(l, 1L), bitwShiftL(bitwAnd(h, 1L), 15L))
      h <- bitwShiftR(h, 1L)
      if (odd == 1L) {
        h <- bitwXor(h, 0x82f6L)
        l <- bitwXor(l, 0x3b78L)
      }
    }
    high[[i + 1]] <- h
    low[[i + 1]] <- l
  }
  list(high = high, low = low)
})

# CRC-32C of a raw vector, as four bytes.
crc32c <- function(bytes) {
  high <- crc32c_table$high
  low <- crc32c_table$low
  h <- 0xffffL
  l <- 0xffffL
  for (byte in as.integer(bytes)) {
    i <- bitwAnd(bitwXor(l, byte), 255L) + 1L
    l <- bitwXor(
      bitwOr(bitwShiftR(l, 8L), bitwShiftL(bitwAnd(h, 255L), 8L)),
      low[[i]]
    )
    h <- bitwXor(bitwShiftR(h, 8L), high[[i]])
  }
  c(le_bytes(bitwXor(l, 0xffffL), 2), le_bytes(bitwXor(h, 0xffffL), 2))
}

# A number as so many bytes, little-endian; exact up to 2^53, and for powers of
# two.
le_bytes <- function(x, n) as.raw((x %/% 256^(seq_len(n) - 1)) %% 256)

# The trailer's length for so many bytes of data.
trailer_length <- function(data_len) {
  blocks <- ceiling(data_len / 2^20)
  4 * (blocks + blocks %% 2) + 64
}

# A header's text from its parts, with the trailer's entry.
hostile_header <- function(metadata, tensors, data_len) {
  trailer <- trailer_length(data_len)
  paste0(
    "{\"__metadata__\":",
    metadata,
    if (nzchar(tensors)) ",",
    tensors,
    sprintf(
      ",\"kerasbackup.trailer\":{\"dtype\":\"U8\",\"shape\":[%.0f],",
      trailer
    ),
    sprintf("\"data_offsets\":[%.0f,%.0f]}}", data_len, data_len + trailer)
  )
}

# Writes a file with this header (text or raw, padded here) and these data.
#
# @param claims the header's length as the file gives it, where that is a lie:
#   8 raw bytes.
write_hostile <- function(
  path,
  header,
  data = raw(),
  generation = 1,
  claims = NULL
) {
  if (is.character(header)) {
    header <- charToRaw(enc2utf8(header))
  }
  header <- c(header, rep(charToRaw(" "), (-8 - length(header)) %% 64))
  length_bytes <- claims %||% le_bytes(length(header), 8)
  head <- c(length_bytes, header)
  starts <- seq_len(ceiling(length(data) / 2^20)) * 2^20 - 2^20
  table <- do.call(
    c,
    c(
      list(raw()),
      lapply(starts, function(from) {
        crc32c(data[from + seq_len(min(2^20, length(data) - from))])
      })
    )
  )
  if (length(starts) %% 2 == 1) {
    table <- c(table, raw(4))
  }
  footer <- c(
    charToRaw("KBFOOTER"),
    le_bytes(1, 4),
    le_bytes(20, 4),
    length_bytes,
    le_bytes(length(data), 8),
    le_bytes(generation, 8),
    le_bytes(length(starts), 8),
    crc32c(head),
    crc32c(table),
    raw(4)
  )
  writeBin(c(head, data, table, footer, crc32c(footer)), path)
  invisible(path)
}

# Writes a file with these members of the header and one byte of data. The store
# joins texts and reads none; it is quicker than what is above.
save_text <- function(dir, members) {
  store <- store_open(dir)
  on.exit(store_close(store))
  byte <- as.raw(7)
  store_plan(store, members, 1)
  store_save(store, store_raw_address(byte), metadata_text())$path
}

# The parts of a checkpoint: header (text, no padding) and data.
hostile_parts <- function(path) {
  bytes <- readBin(path, "raw", file.size(path))
  header_len <- sum(as.integer(bytes[1:8]) * 256^(0:7))
  footer <- utils::tail(bytes, 64)
  data_len <- sum(as.integer(footer[25:32]) * 256^(0:7))
  header <- rawToChar(bytes[8 + seq_len(header_len)])
  Encoding(header) <- "UTF-8"
  list(
    header = sub(" +$", "", header),
    data = bytes[8 + header_len + seq_len(data_len)]
  )
}

# Some of the metadata of a checkpoint replaced, all else as it was. The file is
# written anew, as generation 1.
#
# @param ... name = text, or name = NULL to leave it out.
rewrite_metadata <- function(path, ..., to = dirname(path)) {
  parts <- hostile_parts(path)
  fields <- jsonlite::parse_json(parts$header)
  metadata <- utils::modifyList(fields[["__metadata__"]], list(...))
  tensors <- fields[setdiff(names(fields), c("__metadata__", trailer_name))]
  members <- vapply(
    names(tensors),
    function(name) {
      one <- tensors[[name]]
      manifest_entry(
        name,
        one$dtype,
        unlist(one$shape),
        unlist(one$data_offsets)
      )
    },
    ""
  )
  unlink(store_list(to)$path)
  store <- store_open(to)
  on.exit(store_close(store))
  store_plan(store, paste(members, collapse = ","), length(parts$data))
  store_save(
    store,
    store_raw_address(parts$data),
    manifest_metadata(metadata[names(metadata) != "kerasbackup"])
  )$path
}

manifest_entry <- function(name, dtype, shape, offsets) {
  sprintf(
    "%s:{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%s]}",
    json_string(name),
    dtype,
    paste(sprintf("%.0f", shape), collapse = ","),
    paste(sprintf("%.0f", offsets), collapse = ",")
  )
}
