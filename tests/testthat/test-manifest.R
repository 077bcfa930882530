# The header: R lists to JSON and back, and what validation refuses.

header_of <- function(names, dtypes, shapes, fields = list(), trailer = 64) {
  plan <- manifest_plan(names, dtypes, shapes)
  end <- sum(plan$sizes)
  members <- c(
    if (length(names) > 0) plan$tensors,
    sprintf(
      "\"kerasbackup.trailer\":{\"dtype\":\"U8\",\"shape\":[%d],%s[%d,%d]}",
      trailer,
      "\"data_offsets\":",
      end,
      end + trailer
    )
  )
  paste0(
    "{\"__metadata__\":",
    manifest_metadata(fields),
    ",",
    paste(members, collapse = ","),
    "}"
  )
}

test_that("a header that was written is read as it was", {
  names <- c("a/\u00fc", "quote\"back\\slash", "tab\tline\n", "empty", "scalar")
  header <- header_of(
    names,
    c("F64", "F32", "I16", "U8", "BOOL"),
    list(c(2, 3), 4, c(1, 1, 1), c(0, 7), numeric()),
    list(epoch = "4", note = "a \"quoted\" \\ note\n")
  )
  manifest <- manifest_parse(header, "file")
  expect_equal(manifest$tensors$name, names)
  expect_equal(manifest$tensors$dtype, c("F64", "F32", "I16", "U8", "BOOL"))
  expect_equal(
    manifest$tensors$shape,
    list(c(2, 3), 4, c(1, 1, 1), c(0, 7), numeric())
  )
  expect_equal(manifest$tensors$end, c(48, 64, 66, 66, 67))
  expect_equal(manifest$metadata$epoch, "4")
  expect_equal(manifest$metadata$note, "a \"quoted\" \\ note\n")
  expect_equal(manifest$data_bytes, 67)
})

test_that("no tensors at all is a header too", {
  manifest <- manifest_parse(
    header_of(character(), character(), list()),
    "file"
  )
  expect_equal(nrow(manifest$tensors), 0)
  expect_equal(manifest$data_bytes, 0)
})

test_that("sizes beyond 4 GiB are written exactly", {
  plan <- manifest_plan(c("a", "b"), c("F64", "U8"), list(c(2^20, 2^12), 3))
  expect_equal(plan$sizes, c(2^35, 3))
  expect_match(plan$tensors, "[34359738368,34359738371]", fixed = TRUE)
})

test_that("metadata can be added to as text", {
  text <- manifest_metadata_add(manifest_metadata(list(a = "1")), "b", "\"")
  expect_equal(
    jsonlite::parse_json(text),
    list(kerasbackup = "1", a = "1", b = "\"")
  )
})

test_that("names that cannot stand in a header are not planned", {
  plan <- function(...) manifest_plan(c(...), rep("U8", 2), list(1, 1))
  expect_error(plan("a", "a"), "anyDuplicated")
  expect_error(plan("a", ""), "nzchar")
  for (reserved in c("__metadata__", trailer_name)) {
    expect_error(plan("a", reserved), "trailer_name")
  }
  expect_no_error(plan("a", "b"))
})

test_that("an unknown dtype cannot be planned", {
  expect_error(
    manifest_plan("x", "C64", list(1)),
    class = "kerasbackup_error_unsupported"
  )
})

test_that("what a header may not say is corrupt, and says why", {
  good <- header_of(c("a", "b"), c("F32", "F32"), list(2, 3))
  expect_silent(manifest_parse(good, "file"))
  expect_corrupt <- function(from, to, why) {
    bad <- sub(from, to, good, fixed = TRUE)
    expect_false(identical(bad, good))
    error <- expect_error(
      manifest_parse(bad, "the-file"),
      class = "kerasbackup_error_corrupt"
    )
    expect_match(conditionMessage(error), why, fixed = TRUE)
    expect_match(conditionMessage(error), "the-file", fixed = TRUE)
  }
  expect_corrupt("{\"__meta", "[\"__meta", "not JSON")
  expect_corrupt(good, "[1]", "not a JSON object")
  expect_corrupt(good, "3", "not a JSON object")
  expect_corrupt("\"b\":", "\"a\":", "names a tensor twice")
  expect_corrupt("[0,8]", "[0,9]", "size of `a` does not match")
  expect_corrupt("[8,20]", "[9,21]", "leaves a gap or an overlap")
  expect_corrupt("[8,20]", "[4,16]", "leaves a gap or an overlap")
  expect_corrupt("[8,20]", "[20,8]", "size of `b` does not match")
  expect_corrupt("[8,20]", "[-8,4]", "is not a valid tensor")
  expect_corrupt("[8,20]", "[8,20,21]", "is not a valid tensor")
  expect_corrupt("[8,20]", "[8.5,20.5]", "is not a valid tensor")
  expect_corrupt("[8,20]", "[8,9007199254740994]", "is not a valid tensor")
  expect_corrupt("\"shape\":[2]", "\"shape\":[1e300]", "is not a valid tensor")
  expect_corrupt("\"shape\":[2]", "\"shape\":[1e999]", "is not a valid tensor")
  expect_corrupt("\"shape\":[2]", "\"shape\":2", "is not a valid tensor")
  expect_corrupt(
    "\"shape\":[2]",
    "\"shape\":{\"a\":2}",
    "is not a valid tensor"
  )
  expect_corrupt("\"F32\"", "\"F33\"", "is not a valid tensor")
  expect_corrupt("kerasbackup\":\"1\"", "kerasbackup\":\"2\"", "version 2")
  expect_corrupt("\"kerasbackup\":\"1\"", "\"other\":\"1\"", "version unknown")
  expect_corrupt("\"kerasbackup\":\"1\"", "\"kerasbackup\":1", "strings")
  expect_corrupt("kerasbackup.trailer", "z", "integrity trailer")
})

test_that("tensors that are not as large as the file's data are corrupt", {
  good <- header_of(c("a", "b"), c("F32", "F32"), list(2, 3))
  expect_equal(manifest_parse(good, "file", data_bytes = 20)$data_bytes, 20)
  for (bytes in c(0, 19, 21)) {
    expect_error(
      manifest_parse(good, "file", data_bytes = bytes),
      "do not add up to the size of its data",
      class = "kerasbackup_error_corrupt"
    )
  }
})

test_that("damage is named by the tensors that have it", {
  tensors <- data.frame(
    name = letters[1:5],
    begin = c(0, 8, 8, 20, 30),
    end = c(8, 8, 20, 30, 40)
  )
  expect_equal(manifest_tensors_at(tensors, 0, 4), "a")
  expect_equal(manifest_tensors_at(tensors, 8, 1), "c")
  expect_equal(manifest_tensors_at(tensors, 19, 2), c("c", "d"))
  expect_equal(
    manifest_tensors_at(tensors, 0, 40),
    c("a", "c", "d", "and 1 more in the same block")
  )
  expect_null(manifest_tensors_at(tensors, NA, NA))
  expect_null(manifest_tensors_at(tensors, 40, 10))
})

test_that("history becomes a data frame, whatever the logs were", {
  frame <- manifest_history(
    list(
      history = paste0(
        "{\"epoch\":[0,1,2],\"loss\":[1.5,\"NaN\",\"Inf\"],",
        "\"val_loss\":[null,0.25,\"-Inf\"]}"
      )
    ),
    "file"
  )
  expect_equal(frame$epoch, 1:3)
  expect_equal(frame$loss, c(1.5, NaN, Inf))
  expect_equal(frame$val_loss, c(NA, 0.25, -Inf))
  expect_equal(nrow(manifest_history(list(), "file")), 0)
  expect_equal(names(manifest_history(list(), "file")), "epoch")
})

test_that("a history that is none is corrupt", {
  for (text in c("{nonsense", "[1,2]", "{\"epoch\":[0],\"loss\":[1,2]}")) {
    expect_error(
      manifest_history(list(history = text), "file"),
      class = "kerasbackup_error_corrupt"
    )
  }
})

test_that("only JSON that means the same to every parser is parsed", {
  yes <- function(text, depth) {
    expect_false(is.null(parse_plain_json(text, depth)))
  }
  no <- function(text, depth) expect_null(parse_plain_json(text, depth))
  yes("{\"a\":[1]}", 2)
  no("{\"a\":[1]}", 1)
  no("[[1]]", 1)
  yes("[[1],[1],[1]]", 2)
  # Brackets in strings, behind escaped quotes and backslashes.
  yes("{\"[[[\":\"]{\"}", 1)
  yes("{\"a\\\"[[\":1}", 1)
  yes("{\"a\\\\\":1}", 1)
  no("{\"a\\\\\":[1]}", 1)
  no("{\"a\\\\\\\":[1]}", 1)
  # Comments.
  no("{\"a\":1} // b", 3)
  no("{/* \" */ \"a\":[[[1]]]}", 1)
  yes("{\"http://a\":1}", 1)
  # The end of a string in a string; an escaped backslash is no escape.
  no("{\"a\\u0000b\":1}", 1)
  no("{\"a\\\\\\u0000b\":1}", 1)
  yes("{\"a\\\\u0000b\":1}", 1)
  no("{\"a\xff\":1}", 1)
  no("", 1)
  no("\"open", 1)
  no("\ufeff{}", 1)
  no("null", 1)
})
