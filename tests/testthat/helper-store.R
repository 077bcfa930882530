# Stores, plans and files for the tests of the storage layer.

metadata_text <- function(epoch = 3) {
  sprintf("{\"kerasbackup\":\"1\",\"epoch\":\"%d\"}", epoch)
}

# What store_plan() and store_save() take, from a named list of raw vectors
# with attributes "dtype" and "shape" (default: U8, flat).
tensor_plan <- function(tensors) {
  sizes <- as.double(lengths(tensors))
  ends <- cumsum(sizes)
  members <- vapply(
    seq_along(tensors),
    function(i) {
      x <- tensors[[i]]
      shape <- attr(x, "shape")
      if (is.null(shape)) {
        shape <- length(x)
      }
      dtype <- attr(x, "dtype")
      sprintf(
        "\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%.0f,%.0f]}",
        names(tensors)[[i]],
        if (is.null(dtype)) "U8" else dtype,
        paste(shape, collapse = ","),
        ends[[i]] - sizes[[i]],
        ends[[i]]
      )
    },
    character(1)
  )
  list(
    text = paste(members, collapse = ","),
    sizes = sizes,
    addresses = do.call(c, c(list(raw()), lapply(tensors, store_raw_address)))
  )
}

# Plan and save; `tensors` must live until this returns, which it does.
save_tensors <- function(store, tensors, epoch = 3) {
  plan <- tensor_plan(tensors)
  store_plan(store, plan$text, plan$sizes)
  store_save(store, plan$addresses, metadata_text(epoch))
}

# Save through a store of its own.
save_once <- function(dir, tensors, keep = 1L, epoch = 3) {
  store <- store_open(dir, keep)
  on.exit(store_close(store))
  save_tensors(store, tensors, epoch)
}

# 8 bytes, in this machine's order.
native64 <- function(n) {
  halves <- c(as.integer(n), 0L)
  writeBin(if (.Platform$endian == "big") rev(halves) else halves, raw())
}

# The data of a generation, each part in a raw vector of its own.
read_apart <- function(store, generation, sizes) {
  into <- lapply(unname(sizes), function(n) as.raw(rep(238, n)))
  places <- lapply(into, function(x) {
    c(store_raw_address(x), native64(length(x)))
  })
  store_read_into(store, generation, do.call(c, c(list(raw()), places)))
  into
}

# What Python does to load a checkpoint, but that all data go to one place.
#
# @param load,read as R hands them to Python.
# @return list(path, data); NULL where there is no checkpoint.
load_as_python <- function(load, read) {
  for (verified in c(FALSE, TRUE)) {
    found <- load(verified)
    if (is.null(found)) {
      return(NULL)
    }
    into <- raw(manifest_parse(found$header, found$path)$data_bytes)
    if (read(c(store_raw_address(into), native64(length(into))))) {
      return(list(path = found$path, data = into))
    }
  }
}

# The same without a lock.
load_unlocked <- function(dir, keep = 1L) {
  session <- rlang::env(store = store_open(dir, keep = keep), loaded = NULL)
  on.exit(store_close(session$store))
  load_as_python(
    function(verified) session_load(session, verified),
    function(places) session_read(session, list(verbose = FALSE), places)
  )
}

some_bytes <- function(n = 40, seed = 1) {
  list(a = as.raw((seq_len(n) * 7 + seed) %% 256))
}

# What Python gives `bridge_functions()`, with other settings in `...`.
training_config <- function(dir, ...) {
  utils::modifyList(
    list(
      backup_dir = dir,
      delete_checkpoint = TRUE,
      keep = backup_keep(),
      async = FALSE,
      on_save_error = "stop",
      verbose = FALSE
    ),
    list(...)
  )
}

# A training of so many saves, complete or interrupted: the calls that Python
# makes.
train <- function(dir, saves = 2, complete = TRUE, ...) {
  config <- training_config(dir, ...)
  withr::local_options(warning.length = 1000L)
  functions <- bridge_functions(config)
  # As where fit() raises an error.
  on.exit(functions$close())
  value_of(functions$open(function() TRUE))
  load_as_python(
    function(verified) value_of(functions$load(verified)),
    function(places) value_of(functions$read(places))
  )
  value_of(functions$plan("[[\"a\",\"U8\",[40]]]"))
  bytes <- some_bytes()$a
  for (i in seq_len(saves)) {
    value_of(functions$save(
      store_raw_address(bytes),
      manifest_metadata(list(epoch = as.character(i)))
    ))
  }
  if (complete) {
    value_of(functions$finish())
  }
  invisible()
}

value_of <- function(result) {
  if (!is.null(result$error)) {
    rlang::abort(result$message, class = result$error)
  }
  result$value
}

all_data <- function(loaded) {
  store_buffer_read(loaded$buffer, 0, loaded$data_bytes)
}

# Puts another function in the place of one of the package's until a test ends.
local_function <- function(name, value, envir = parent.frame()) {
  namespace <- environment(store_open)
  old <- get(name, namespace)
  put <- function(value) {
    unlockBinding(name, namespace)
    assign(name, value, namespace)
    lockBinding(name, namespace)
  }
  withr::defer(put(old), envir = envir)
  put(value)
}

# What the directory holds, to see that nothing has changed.
directory_state <- function(dir) {
  paths <- list.files(dir, all.files = TRUE, no.. = TRUE, full.names = TRUE)
  stats::setNames(unname(tools::md5sum(paths)), basename(paths))
}

# The failure that an expression ends with, as C reported it.
failure_of <- function(expr) {
  tryCatch(
    {
      expr
      NULL
    },
    kerasbackup_error = function(e) e$failure
  )
}

# A Python with safetensors, or skip.
safetensors_python <- function() {
  python <- Sys.getenv("KERASBACKUP_PYTHON", Sys.getenv("RETICULATE_PYTHON"))
  skip_if(python == "", "no Python is named")
  found <- suppressWarnings(system2(
    python,
    c("-c", shQuote("import safetensors, numpy")),
    stdout = FALSE,
    stderr = FALSE
  ))
  skip_if(found != 0, "there is no Python with safetensors")
  python
}
