# The package's help page, and what it imports.

#' @keywords internal
"_PACKAGE"

#' @importFrom rlang %||% .data
NULL
