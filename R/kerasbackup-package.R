# Owns the package's documentation page and what it imports.

#' @keywords internal
"_PACKAGE"

#' @importFrom rlang %||%
NULL
