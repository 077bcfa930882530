# The dtypes of safetensors: how many bytes an element has, and how raw bytes
# become R values. May not touch files, Python or C.
#
# R has only logicals, integers and doubles:
#   logical   BOOL
#   integer   I8, U8, I16, U16, I32 (a tensor with I32's smallest value, which
#             is NA in R's integer, becomes double)
#   double    U32, I64, U64 (exact up to 2^53), F16, BF16, F32, F64, F8_E4M3,
#             F8_E5M2

dtype_sizes <- c(
  BOOL = 1,
  U8 = 1,
  I8 = 1,
  F8_E5M2 = 1,
  F8_E4M3 = 1,
  I16 = 2,
  U16 = 2,
  F16 = 2,
  BF16 = 2,
  I32 = 4,
  U32 = 4,
  F32 = 4,
  F64 = 8,
  I64 = 8,
  U64 = 8
)

# @param bytes raw vector, little-endian.
# @param dtype one of names(dtype_sizes).
# @return vector of length(bytes) / dtype_sizes[[dtype]] elements.
dtype_decode <- function(bytes, dtype) {
  if (length(bytes) == 0) {
    return(switch(
      dtype,
      BOOL = logical(),
      U8 = ,
      I8 = ,
      U16 = ,
      I16 = ,
      I32 = integer(),
      double()
    ))
  }
  n <- length(bytes) / dtype_sizes[[dtype]]
  int <- function(size, signed = TRUE) {
    readBin(bytes, "integer", n, size, signed = signed, endian = "little")
  }
  num <- function(size) {
    readBin(bytes, "double", n, size, endian = "little")
  }
  switch(
    dtype,
    BOOL = bytes != as.raw(0),
    U8 = as.integer(bytes),
    I8 = int(1L),
    I16 = int(2L),
    U16 = int(2L, signed = FALSE),
    I32 = decode_i32(int(4L)),
    U32 = decode_u32(int(4L)),
    I64 = decode_64(bytes, signed = TRUE),
    U64 = decode_64(bytes, signed = FALSE),
    F32 = num(4L),
    F64 = num(8L),
    F16 = decode_small_float(int(2L, FALSE), exponent = 5, mantissa = 10),
    BF16 = decode_small_float(int(2L, FALSE), exponent = 8, mantissa = 7),
    F8_E5M2 = decode_small_float(as.integer(bytes), exponent = 5, mantissa = 2),
    # The "fn" kind that Keras uses: no infinities, one NaN per sign.
    F8_E4M3 = decode_small_float(
      as.integer(bytes),
      exponent = 4,
      mantissa = 3,
      finite = TRUE
    )
  )
}

# readBin() gives NA for the bit pattern of -2^31.
decode_i32 <- function(x) {
  if (anyNA(x)) ifelse(is.na(x), -2^31, as.double(x)) else x
}

decode_u32 <- function(x) {
  x <- as.double(decode_i32(x))
  x + 2^32 * (x < 0)
}

decode_64 <- function(bytes, signed) {
  words <- readBin(bytes, "integer", length(bytes) / 4, 4L, endian = "little")
  low <- decode_u32(words[c(TRUE, FALSE)])
  high <- words[c(FALSE, TRUE)]
  high <- if (signed) as.double(decode_i32(high)) else decode_u32(high)
  high * 2^32 + low
}

# IEEE 754 by hand, for the widths that R cannot read.
#
# @param bits integer vector: sign, exponent, mantissa from the top.
decode_small_float <- function(bits, exponent, mantissa, finite = FALSE) {
  bias <- 2^(exponent - 1) - 1
  top <- 2^exponent - 1
  sign <- ifelse(bits >= 2^(exponent + mantissa), -1, 1)
  fraction <- bits %% 2^mantissa
  power <- (bits %/% 2^mantissa) %% 2^exponent
  value <- ifelse(
    power == 0,
    fraction * 2^(1 - bias - mantissa),
    (1 + fraction / 2^mantissa) * 2^(power - bias)
  )
  if (finite) {
    value[power == top & fraction == 2^mantissa - 1] <- NaN
  } else {
    value[power == top & fraction == 0] <- Inf
    value[power == top & fraction != 0] <- NaN
  }
  sign * value
}
