test_that("Python's safetensors reads our file, every value right", {
  python <- safetensors_python()
  dir <- withr::local_tempdir()
  tensor <- function(bytes, dtype, shape) {
    structure(bytes, dtype = dtype, shape = shape)
  }
  as_bytes <- function(x, size) writeBin(x, raw(), size, endian = "little")
  tensors <- list(
    "variables/kernel" = tensor(
      as_bytes(c(1.5, -2, 3, 4, 5, 6), 4),
      "F32",
      c(2, 3)
    ),
    "variables/scalar" = tensor(as_bytes(-7L, 4), "I32", integer()),
    "variables/none" = tensor(raw(), "F64", c(0, 4)),
    "flags" = tensor(as.raw(c(1, 0, 1)), "BOOL", 3),
    "big" = tensor(as_bytes(c(pi, exp(1)), 8), "F64", 2),
    "half" = tensor(as.raw(c(0x00, 0x3c, 0x00, 0xc0)), "F16", 2),
    "long" = tensor(as.raw(rep(0:255, length.out = 2^20 + 3)), "U8", 2^20 + 3)
  )
  saved <- save_once(dir, tensors, epoch = 12)
  script <- withr::local_tempfile(fileext = ".py")
  writeLines(
    c(
      "import sys, json, zlib",
      "from safetensors import safe_open",
      "with safe_open(sys.argv[1], 'np') as f:",
      "    out = {k: f.get_tensor(k) for k in f.keys()}",
      "    print(json.dumps({'metadata': f.metadata(), 'tensors': {",
      "        k: {'dtype': str(v.dtype), 'shape': list(v.shape),",
      "            'crc': zlib.crc32(v.tobytes()),",
      "            'values': v.ravel()[:6].tolist()}",
      "        for k, v in out.items()}}))"
    ),
    script
  )
  answer <- system2(python, shQuote(c(script, saved$path)), stdout = TRUE)
  seen <- jsonlite::fromJSON(answer, simplifyVector = FALSE)
  expect_mapequal(seen$metadata, list(kerasbackup = "1", epoch = "12"))
  expect_setequal(
    names(seen$tensors),
    c(names(tensors), "kerasbackup.trailer")
  )
  values <- function(name) unlist(seen$tensors[[name]]$values)
  shape <- function(name) as.numeric(unlist(seen$tensors[[name]]$shape))
  expect_equal(values("variables/kernel"), c(1.5, -2, 3, 4, 5, 6))
  expect_equal(shape("variables/kernel"), c(2, 3))
  expect_equal(values("variables/scalar"), -7)
  expect_equal(shape("variables/scalar"), numeric())
  expect_equal(shape("variables/none"), c(0, 4))
  expect_equal(values("flags"), c(TRUE, FALSE, TRUE))
  expect_identical(values("big"), c(pi, exp(1)))
  expect_equal(values("half"), c(1, -2))
  expect_equal(shape("long"), 2^20 + 3)
  # Every byte of the long one: R has this checksum for memory only by way of
  # a compressed file, so Python makes both.
  raw_file <- withr::local_tempfile()
  writeBin(as.vector(tensors$long), raw_file)
  wanted <- system2(
    python,
    c(
      "-c",
      shQuote(paste(
        "import sys, zlib;",
        "print(zlib.crc32(open(sys.argv[1], 'rb').read()))"
      )),
      shQuote(raw_file)
    ),
    stdout = TRUE
  )
  expect_equal(sprintf("%.0f", seen$tensors$long$crc), wanted)
})
