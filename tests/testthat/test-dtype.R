# Raw bytes to R values, against bit patterns known from the standards.

le <- function(...) as.raw(c(...))

test_that("integers of every width are read, signed and not", {
  expect_equal(dtype_decode(le(0, 1, 255), "U8"), c(0L, 1L, 255L))
  expect_equal(
    dtype_decode(le(0, 127, 128, 255), "I8"),
    c(0L, 127L, -128L, -1L)
  )
  expect_equal(dtype_decode(le(255, 255, 0, 128), "I16"), c(-1L, -32768L))
  expect_equal(dtype_decode(le(255, 255, 0, 128), "U16"), c(65535L, 32768L))
  expect_equal(dtype_decode(le(1, 0, 0, 0), "I32"), 1L)
  expect_type(dtype_decode(le(1, 0, 0, 0), "I32"), "integer")
  expect_equal(
    dtype_decode(le(0, 0, 0, 128, 255, 255, 255, 255), "I32"),
    c(-2^31, -1)
  )
  expect_equal(
    dtype_decode(le(0, 0, 0, 128, 255, 255, 255, 255), "U32"),
    c(2^31, 2^32 - 1)
  )
  expect_equal(
    dtype_decode(le(rep(255, 8), 0, 0, 0, 0, 1, 0, 0, 0), "I64"),
    c(-1, 2^32)
  )
  expect_equal(dtype_decode(le(rep(0, 7), 128), "I64"), -2^63)
  expect_equal(dtype_decode(le(rep(0, 7), 128), "U64"), 2^63)
  expect_equal(dtype_decode(le(0, 0, 0, 128, 0, 0, 0, 0), "U64"), 2^31)
})

test_that("floats of every width are read", {
  expect_equal(
    dtype_decode(writeBin(c(pi, -0.5), raw(), 8, "little"), "F64"),
    c(pi, -0.5)
  )
  expect_equal(
    dtype_decode(writeBin(c(1.5, -2), raw(), 4, "little"), "F32"),
    c(1.5, -2)
  )
  # 1, -2, 65504 (the largest), 2^-24 (the smallest), Inf, NaN
  half <- le(
    0x00,
    0x3c,
    0x00,
    0xc0,
    0xff,
    0x7b,
    0x01,
    0x00,
    0x00,
    0x7c,
    0x01,
    0x7c
  )
  expect_equal(dtype_decode(half, "F16"), c(1, -2, 65504, 2^-24, Inf, NaN))
  bfloat <- le(0x80, 0x3f, 0x00, 0xc0, 0x80, 0xff, 0xc0, 0x7f, 0x49, 0x40)
  expect_equal(dtype_decode(bfloat, "BF16"), c(1, -2, -Inf, NaN, 3.140625))
  expect_equal(
    dtype_decode(le(0x38, 0xb8, 0x7e, 0x01, 0x7f, 0x00), "F8_E4M3"),
    c(1, -1, 448, 2^-9, NaN, 0)
  )
  expect_equal(
    dtype_decode(le(0x3c, 0xc0, 0x7b, 0x01, 0x7c, 0x7f), "F8_E5M2"),
    c(1, -2, 57344, 2^-16, Inf, NaN)
  )
})

test_that("booleans are logical and nothing is nothing", {
  expect_equal(dtype_decode(le(0, 1), "BOOL"), c(FALSE, TRUE))
  for (dtype in names(dtype_sizes)) {
    expect_length(dtype_decode(raw(), dtype), 0)
  }
})
