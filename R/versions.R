# The versions of Python and Keras that this package is tested with, and what
# happens with others.
#
# May not touch checkpoints, or anything of Keras but its version.

# The oldest whose syntax the Python part uses.
oldest_python <- "3.10"

# The oldest (`make test-old-keras`), and the newest, which the pins of the
# tests have (tools/requirements/keras.txt).
oldest_keras <- "3.8"
newest_keras <- "3.15"

# @return string, as Keras tells it; it may end in ".dev" and a date.
keras_version <- function() reticulate::import("keras")$`__version__`

# Whether the script has imported tf_keras, which has the API of Keras 2.
uses_tf_keras <- function() {
  reticulate::py_available(initialize = TRUE) &&
    reticulate::py_eval("'tf_keras' in __import__('sys').modules")
}

# @return string, of the Python that reticulate has loaded.
python_version <- function() {
  reticulate::py_eval("__import__('platform').python_version()")
}

refuse_old_python <- function(version) {
  refuse_older(
    "Python",
    version,
    oldest_python,
    paste(
      "Install Keras for a newer Python, for example with",
      "`keras3::install_keras(python_version = \"3.11\")`."
    )
  )
}

refuse_old_keras <- function(version) {
  refuse_older(
    "Keras",
    version,
    oldest_keras,
    "Update it, for example with `keras3::install_keras()`."
  )
}

refuse_older <- function(what, version, oldest, hint) {
  number <- version_number(version)
  if (is.na(number) || number < oldest) {
    stop_unsupported(
      paste0(what, " ", version, " is not supported."),
      paste0(
        "The oldest version that is supported is ",
        what,
        " ",
        oldest,
        "."
      ),
      hint
    )
  }
}

# @return the first two numbers of a version, NA where it has none.
version_number <- function(version) {
  numbers <- regmatches(version, regexpr("^[0-9]+[.][0-9]+", version))
  numeric_version(c(numbers, NA)[[1]], strict = FALSE)
}

new_keras <- rlang::env(told = character())

# A resume relies on Keras' internals, which may have changed in a newer
# version. The message is given once per R session.
tell_new_keras <- function(version) {
  is_new <- !is.null(version) && isTRUE(version_number(version) > newest_keras)
  if (is_new && !version %in% new_keras$told) {
    new_keras$told <- c(new_keras$told, version)
    inform_new_keras(version, newest_keras)
  }
  invisible()
}
