# Files that are written to do harm. Their checksums are right, so that all
# depends on what reads the header. Every outcome is a checkpoint that is well
# formed in every part, or a condition of class kerasbackup_error_corrupt: never
# another error, nor a warning.
#
# KERASBACKUP_MUTATIONS=n: how many mutations (2,000); KERASBACKUP_SEED=n.

# What can be done to a directory that is not known, and what must hold then.
readers <- function() {
  list(
    info = function(dir) {
      info <- backup_info(dir)
      stopifnot(
        is.integer(info$epoch),
        is.integer(info$batch),
        is.na(info$epoch) || info$epoch >= 0,
        length(info$saved_at) == 1,
        is.character(info$versions),
        nzchar(info$variables$name),
        !anyDuplicated(info$variables$name),
        info$variables$bytes >= 0
      )
      format(info)
      as.data.frame(info)
    },
    history = function(dir) {
      history <- backup_history(dir)
      stopifnot(
        is.integer(history$epoch),
        !anyNA(history$epoch),
        vapply(history, is.numeric, NA)
      )
    },
    read = function(dir) {
      values <- backup_read(dir)
      stopifnot(is.list(values), !anyDuplicated(names(values)))
    },
    verify = function(dir) stopifnot(backup_verify(dir)),
    load = function(dir) {
      loaded <- load_unlocked(dir)
      stopifnot(length(loaded$data) <= file.size(loaded$path))
    }
  )
}

# "ok", "corrupt", or what else it was.
outcome <- function(read, dir) {
  tryCatch(
    {
      withCallingHandlers(
        read(dir),
        kerasbackup_message_verified = rlang::cnd_muffle
      )
      "ok"
    },
    kerasbackup_error_corrupt = function(e) {
      if (inherits(e, "kerasbackup_error") && nzchar(conditionMessage(e))) {
        "corrupt"
      } else {
        "corrupt, but says nothing"
      }
    },
    condition = function(e) {
      paste(class(e)[[1]], substr(conditionMessage(e), 1, 200))
    }
  )
}

outcomes <- function(dir, which = names(readers())) {
  vapply(readers()[which], outcome, "", dir = dir)
}

# A sound checkpoint, and its parts.
sound <- function(dir) {
  path <- save_backup(dir, example_tensors(), example_fields())
  c(hostile_parts(path), path = path)
}

test_that("what these tests write is what the package writes", {
  dir <- withr::local_tempdir()
  from <- sound(dir)
  expect_identical(
    crc32c(charToRaw("123456789")),
    as.raw(c(0x83, 0x92, 0x06, 0xe3))
  )
  before <- readBin(from$path, "raw", 1e6)
  write_hostile(from$path, from$header, from$data)
  expect_identical(readBin(from$path, "raw", 1e6), before)
  expect_setequal(outcomes(dir), "ok")
  rewrite_metadata(from$path, epoch = "4")
  expect_equal(backup_info(dir)$epoch, 4L)
  expect_setequal(outcomes(dir), "ok")
})

test_that("I5: one that is damaged falls back, whatever its header says", {
  dir <- withr::local_tempdir()
  from <- sound(dir)
  n <- length(from$data)
  header <- hostile_header("{\"kerasbackup\":\"1\"}", "\"a\":1", n)
  newest <- sub("1.safetensors", "2.safetensors", from$path, fixed = TRUE)
  write_hostile(newest, header, from$data, generation = 2)
  expect_error(load_unlocked(dir, 2L), class = "kerasbackup_error_corrupt")
  flip_bit(newest, file.size(newest) - trailer_length(n) - 1)
  expect_warning(
    loaded <- load_unlocked(dir, 2L),
    class = "kerasbackup_warning_fallback"
  )
  expect_equal(loaded, list(path = from$path, data = from$data))
})

# Headers that no reader may take; `D` is how many bytes the data have.
test_that("a header of the wrong kind is corrupt, whoever reads it", {
  dir <- withr::local_tempdir()
  from <- sound(dir)
  n <- length(from$data)
  magic <- "{\"kerasbackup\":\"1\"}"
  entry <- function(
    name = "\"a\"",
    dtype = "\"U8\"",
    shape = n,
    offsets = paste0("0,", n),
    more = ""
  ) {
    sprintf(
      "%s:{\"dtype\":%s,\"shape\":[%s],\"data_offsets\":[%s]%s}",
      name,
      dtype,
      shape,
      offsets,
      more
    )
  }
  good <- entry()
  half <- function(name, from, to) {
    entry(name, shape = to - from, offsets = paste0(from, ",", to))
  }
  zero <- function(shape, more = "") {
    paste0(
      entry(
        "\"z\"",
        "\"F64\"",
        shape = shape,
        offsets = "0,0",
        more = more
      ),
      ",",
      good
    )
  }
  cases <- list(
    "no tensors but data" = "",
    "offsets that overlap" = paste(
      half("\"a\"", 0, 20),
      half("\"b\"", 10, n),
      sep = ","
    ),
    "offsets with a hole" = paste(
      half("\"a\"", 0, 20),
      half("\"b\"", 30, n),
      sep = ","
    ),
    "offsets that are negative" = entry(
      shape = n,
      offsets = paste0("-1,", n - 1)
    ),
    "offsets the wrong way round" = entry(offsets = paste0(n, ",0")),
    "offsets that overflow" = entry(offsets = "0,18446744073709551616"),
    "offsets of 2^63" = entry(
      shape = 9223372036854775808,
      offsets = "0,9223372036854775808"
    ),
    "offsets of 2^64 - 1" = entry(
      offsets = "18446744073709551615,18446744073709551615"
    ),
    "offsets that are fractions" = entry(offsets = paste0("0,", n, ".5")),
    "offsets that are strings" = entry(offsets = paste0("\"0\",\"", n, "\"")),
    "offsets that are true" = entry(shape = 1, offsets = "false,true"),
    "offsets that are null" = entry(offsets = paste0("null,", n)),
    "three offsets" = entry(offsets = paste0("0,", n, ",", n)),
    "one offset" = entry(offsets = n),
    "offsets that are infinite" = entry(offsets = "0,1e999"),
    "offsets in an object" = paste0(
      "\"a\":{\"dtype\":\"U8\",\"shape\":[1],",
      "\"data_offsets\":{\"0\":0,\"1\":1}}"
    ),
    "more than the data" = entry(shape = n + 1, offsets = paste0("0,", n + 1)),
    "less than the data" = entry(shape = n - 1, offsets = paste0("0,", n - 1)),
    "a shape of another size" = entry(shape = n - 1),
    "a shape whose product overflows" = entry(
      shape = "4294967296,4294967296,4294967296"
    ),
    "a shape whose product is infinite" = entry(
      shape = paste(rep("9007199254740992", 30), collapse = ",")
    ),
    "a shape of nothing times infinity" = zero(paste(
      c(0, rep("9007199254740992", 30)),
      collapse = ","
    )),
    "a shape of infinity times nothing" = zero(paste(
      c(rep("9007199254740992", 30), 0),
      collapse = ","
    )),
    "a shape of nothing times 2^31, often" = zero(paste(
      c(0, rep("2147483647", 40)),
      collapse = ","
    )),
    "a shape of nothing times 2^40" = zero("0,1099511627776"),
    "a shape of 1,000 dimensions" = entry(
      shape = paste(c(n, rep(1, 1000)), collapse = ",")
    ),
    "a shape with a fraction" = entry(shape = paste0(n * 2, ",0.5")),
    "a shape of strings" = entry(shape = paste0("\"", n, "\"")),
    "a shape that is negative" = entry(shape = paste0("-1,-", n)),
    "a shape of arrays" = entry(shape = paste0("[", n, "]")),
    "a shape that is an object" = paste0(
      "\"a\":{\"dtype\":\"U8\",\"shape\":{},",
      "\"data_offsets\":[0,1]}"
    ),
    "a dtype that is not known" = entry(dtype = "\"C64\""),
    "a dtype that is a number" = entry(dtype = "8"),
    "a dtype that is an array" = entry(dtype = "[\"U8\"]"),
    "a dtype that is null" = entry(dtype = "null"),
    "no dtype" = sprintf(
      "\"a\":{\"shape\":[%d],\"data_offsets\":[0,%d]}",
      n,
      n
    ),
    "a dtype with a longer name" = sprintf(
      "\"a\":{\"dtypes\":\"U8\",\"shape\":[%d],\"data_offsets\":[0,%d]}",
      n,
      n
    ),
    "one more field" = entry(more = ",\"more\":1"),
    "a shape given twice" = entry(more = ",\"shape\":[1]"),
    "a shape given twice, escaped" = entry(more = ",\"sh\\u0061pe\":[1]"),
    "an entry that is a number" = "\"a\":1",
    "an entry that is null" = "\"a\":null",
    "an entry that is an array" = "\"a\":[]",
    "a name given twice" = paste(
      half("\"a\"", 0, 20),
      half("\"a\"", 20, n),
      sep = ","
    ),
    "a name given twice, escaped" = paste(
      half("\"a\"", 0, 20),
      half("\"\\u0061\"", 20, n),
      sep = ","
    ),
    "the trailer's name given twice" = half("\"kerasbackup.trailer\"", 0, n),
    "metadata given twice" = paste0(good, ",\"__metadata__\":{}"),
    "a name that is empty" = entry(name = "\"\""),
    "a name with an end in it" = entry(name = "\"a\\u0000b\""),
    "a name that is no UTF-8" = entry(name = "\"\xff\xfe\""),
    "a name that is half a UTF-8" = entry(name = "\"\xc3\""),
    "a comment" = paste0(good, "/* , */"),
    "a comment that hides the rest" = paste0(good, "}//"),
    "a comment with a quote" = paste0("/*\"*/", good),
    "an open string" = paste0(good, ",\"b"),
    "an open object" = paste0(good, ",\"b\":{"),
    "a comma too many" = paste0(good, ","),
    "an end too early" = paste0(good, "},{\"b\":1"),
    "an end in a string" = "\"a",
    "nothing but brackets" = strrep("[", 1000),
    "no JSON at all" = "\"a\":NaN"
  )
  for (name in names(cases)) {
    header <- hostile_header(magic, cases[[name]], n)
    write_hostile(from$path, charToRaw(header), from$data)
    expect_setequal(!!c(name, outcomes(dir)), !!c(name, "corrupt"))
  }
  # The frame is sound: with an entry that is, it is read.
  write_hostile(from$path, hostile_header(magic, good, n), from$data)
  expect_setequal(outcomes(dir), "ok")
})

test_that("metadata of the wrong kind are corrupt, whoever reads them", {
  dir <- withr::local_tempdir()
  from <- sound(dir)
  n <- length(from$data)
  entry <- manifest_entry("a", "U8", n, c(0, n))
  start <- "{\"kerasbackup\":\"1\""
  for (metadata in c(
    paste0(start, ",\"epoch\":3}"),
    paste0(start, ",\"epoch\":null}"),
    paste0(start, ",\"epoch\":[\"3\"]}"),
    paste0(start, ",\"epoch\":{}}"),
    paste0(start, ",\"kerasbackup\":\"1\"}"),
    paste0(start, ",\"kerasbackup\":\"2\"}"),
    paste0(start, ",\"a\":\"1\",\"a\":\"2\"}"),
    paste0(start, ",\"a\\u0000\":\"1\"}"),
    paste0(start, ",\"a\":true}"),
    paste0(start, "")
  )) {
    header <- hostile_header(metadata, entry, n)
    write_hostile(from$path, charToRaw(header), from$data)
    expect_setequal(!!c(metadata, outcomes(dir)), !!c(metadata, "corrupt"))
  }
  # C looks for these, since no reader of JSON may have to.
  for (header in list(
    "{}",
    "[]",
    "",
    "null",
    "{\"__metadata__\":{}}",
    gsub(
      "kerasbackup\":\"1\"",
      "kerasbackup\":\"2\"",
      from$header,
      fixed = TRUE
    ),
    sub("__metadata__", "__metadatA__", from$header, fixed = TRUE),
    sub("^[{]", "{ ", from$header),
    paste0(from$header, strrep(" ", 64)),
    c(charToRaw(from$header), raw(1)),
    c(charToRaw(sub("[}]$", "", from$header)), raw(1), charToRaw("}"))
  )) {
    write_hostile(from$path, header, from$data)
    expect_setequal(outcomes(dir), "corrupt")
  }
})

test_that("metadata that are JSON of the wrong kind are corrupt", {
  dir <- withr::local_tempdir()
  from <- sound(dir)
  deep <- paste0(strrep("[", 1e4), strrep("]", 1e4))
  wrong <- c(
    "",
    "x",
    "null",
    "3",
    "\"x\"",
    "true",
    "[]",
    "[[1]]",
    "[{}]",
    "{",
    "{}//",
    "\ufeff{}",
    "{\"a\":1}",
    "{\"a\":[1]}",
    "{\"epoch\":0}",
    "{\"epoch\":[\"0\"]}",
    "{\"epoch\":[0.5]}",
    "{\"epoch\":[-1]}",
    "{\"epoch\":[true]}",
    "{\"epoch\":[null]}",
    "{\"epoch\":[1e10]}",
    "{\"epoch\":[0],\"loss\":1}",
    "{\"epoch\":[0],\"loss\":[\"x\"]}",
    "{\"epoch\":[0],\"loss\":[[1]]}",
    "{\"epoch\":[0],\"loss\":[{}]}",
    "{\"epoch\":[0],\"loss\":[true]}",
    "{\"epoch\":[0],\"loss\":[]}",
    "{\"epoch\":[0],\"loss\":[1,2]}",
    "{\"epoch\":[0],\"epoch\":[0]}",
    "{\"epoch\":[0],\"\":[0]}",
    "{\"epoch\":{\"0\":0}}",
    deep
  )
  for (text in wrong) {
    rewrite_metadata(from$path, history = text)
    expect_equal(
      outcomes(dir)[["history"]],
      "corrupt",
      label = substr(text, 1, 50)
    )
  }
  for (text in c(
    wrong[1:12],
    "{\"a\":1}",
    "{\"a\":[\"x\"]}",
    "{\"a\":null}",
    deep
  )) {
    rewrite_metadata(from$path, history = "{\"epoch\":[]}", versions = text)
    expect_equal(
      outcomes(dir)[["info"]],
      "corrupt",
      label = substr(text, 1, 50)
    )
  }
  for (text in c(
    "",
    "x",
    "-1",
    "1.5",
    "1e3",
    " 1",
    "0x1",
    "NA",
    strrep("9", 99)
  )) {
    for (field in c("epoch", "batch")) {
      fields <- list(epoch = "1", batch = "1", versions = "{}")
      fields[[field]] <- text
      do.call(rewrite_metadata, c(from$path, fields))
      expect_equal(outcomes(dir)[["info"]], "corrupt", label = text)
    }
  }
  rewrite_metadata(from$path, epoch = "1", batch = "1", saved_at = "yesterday")
  expect_equal(outcomes(dir)[["info"]], "corrupt")
  rewrite_metadata(from$path, saved_at = "2026-01-02T03:04:05")
  expect_setequal(outcomes(dir), "ok")
})

test_that("a header's length that is a lie is corrupt", {
  dir <- withr::local_tempdir()
  from <- sound(dir)
  for (claims in list(
    c(raw(7), as.raw(0x80)),
    rep(as.raw(0xff), 8),
    as.raw(c(0xf8, rep(0xff, 7))),
    le_bytes(0, 8),
    le_bytes(1, 8),
    le_bytes(2^40, 8),
    le_bytes(1e8, 8),
    le_bytes(1e8 + 1, 8),
    le_bytes(nchar(from$header), 8),
    le_bytes(file.size(from$path), 8)
  )) {
    write_hostile(from$path, from$header, from$data, claims = claims)
    expect_setequal(outcomes(dir), "corrupt")
  }
})

# Mutations -----------------------------------------------------------------

# Texts that a header's bytes may become.
hostile_tokens <- c(
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "\"",
  "\\",
  "/",
  "//",
  "/*",
  "null",
  "true",
  "false",
  "NaN",
  "-1",
  "0",
  "1",
  "0.5",
  "1e999",
  "-0",
  "1e15",
  "9007199254740993",
  "9223372036854775808",
  "18446744073709551615",
  "\\u0000",
  "\\ud800",
  "\xff",
  "\xc3",
  "\x01",
  "[]",
  "{}",
  "[[]]",
  "\"\"",
  "\"F32\"",
  "\"C64\"",
  "\"dtype\"",
  "\"shape\"",
  "\"data_offsets\"",
  "__metadata__",
  "kerasbackup",
  "kerasbackup.trailer",
  "\"epoch\":[0]"
)

# One mutation of a header's bytes; a few of them one after the other.
mutate <- function(bytes) {
  for (i in seq_len(sample.int(3, 1))) {
    n <- length(bytes)
    at <- sample.int(n, 1)
    to <- min(n, at + sample.int(12, 1) - 1)
    token <- charToRaw(sample(hostile_tokens, 1))
    bytes <- switch(
      sample.int(7, 1),
      replace(bytes, at, xor(bytes[[at]], as.raw(2^sample(0:7, 1)))),
      replace(bytes, at, as.raw(sample(0:255, 1))),
      append(bytes, token, at),
      bytes[-(at:to)],
      append(bytes, bytes[at:to], sample.int(n, 1)),
      c(bytes[seq_len(at - 1)], token, bytes[-seq_len(to)]),
      mutate_number(bytes)
    )
  }
  bytes
}

# A number somewhere becomes another one.
mutate_number <- function(bytes) {
  digits <- which(bytes >= as.raw(0x30) & bytes <= as.raw(0x39))
  if (length(digits) == 0) {
    return(bytes)
  }
  at <- digits[[sample.int(length(digits), 1)]]
  numbers <- c("0", "1", "7", "8", "24", "28", "40", "44", "999", "-8", "1.5")
  number <- charToRaw(sample(numbers, 1))
  c(bytes[seq_len(at - 1)], number, bytes[-seq_len(at)])
}

test_that("every mutation of a header is read well or is corrupt", {
  skip_on_cran()
  dir <- withr::local_tempdir()
  from <- sound(dir)
  number <- as.integer(Sys.getenv("KERASBACKUP_MUTATIONS", "2000"))
  seed <- as.integer(Sys.getenv("KERASBACKUP_SEED", "1"))
  # Between the beginning and the end that C looks for.
  whole <- charToRaw(from$header)
  ends <- regexpr(",\"kerasbackup.trailer\"", from$header, fixed = TRUE)
  first <- seq_len(nchar("{\"__metadata__\":{\"kerasbackup\":\"1\""))
  last <- seq(ends, length(whole))
  middle <- whole[-c(first, last)]
  seen <- character()
  gc(reset = TRUE)
  withr::with_seed(
    seed,
    for (i in seq_len(number)) {
      # Some of them everywhere, which C refuses.
      header <- if (i %% 10 == 0) {
        mutate(whole)
      } else {
        c(whole[first], mutate(middle), whole[last])
      }
      write_hostile(from$path, header, from$data)
      seen <- c(seen, outcomes(dir, c("load", sample(names(readers()), 1))))
      if (!all(seen %in% c("ok", "corrupt"))) {
        break
      }
    }
  )
  expect_setequal(!!unique(seen), !!c("ok", "corrupt"))
  expect_length(seen, 2 * number)
  # Enough of each, or the mutations say nothing.
  expect_gt(mean(seen == "ok"), 0.02)
  expect_gt(mean(seen == "corrupt"), 0.5)
  # In megabytes; what is read has a few kilobytes.
  expect_lt(sum(gc()[, 6]), 500)
})

test_that("what is nested 10^6 deep is corrupt, and costs little memory", {
  skip_on_cran()
  brackets <- paste0(strrep("[", 1e6), strrep("]", 1e6))
  cases <- list(
    "arrays" = paste0("\"a\":{\"shape\":", brackets, "}"),
    "objects" = paste0(strrep("\"a\":{", 1e6), strrep("}", 1e6)),
    "arrays behind a comment with a quote" = paste0(
      "\"a\":{/*\"*/\"shape\":",
      brackets,
      "}"
    ),
    "arrays that are not closed" = paste0("\"a\":", strrep("[", 1e6), "}"),
    "pairs" = paste0(
      "\"a\":",
      strrep("[0,", 1e6),
      "0",
      strrep("]", 1e6),
      ",\"b\":{}"
    )
  )
  gc(reset = TRUE)
  before <- sum(gc()[, 6])
  for (name in names(cases)) {
    dir <- withr::local_tempdir()
    save_text(dir, cases[[name]])
    seen <- outcomes(dir, c("load", "info"))
    expect_setequal(!!c(name, seen), !!c(name, "corrupt"))
  }
  # In megabytes; the texts have up to eight.
  expect_lt(sum(gc()[, 6]) - before, 500)
  dir <- withr::local_tempdir()
  save_text(dir, manifest_entry("a", "U8", 1, 0:1))
  expect_setequal(outcomes(dir), "ok")
})
