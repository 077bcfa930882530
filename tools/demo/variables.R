# Owns: the exact value of everything a model has learnt: each variable's bytes.

#' A data frame with a row for each variable of the model and its optimizer.
variables_of <- function(model) {
  # Without conversion: what reaches R is the bytes, not numbers made of them.
  keras <- reticulate::import("keras", convert = FALSE)
  text <- function(object) as.character(reticulate::py_to_r(object))
  rows <- lapply(c(model$variables, model$optimizer$variables), function(v) {
    array <- keras$ops$convert_to_numpy(v)
    data.frame(
      path = v$path,
      dtype = text(array$dtype$name),
      shape = paste(unlist(v$shape), collapse = " "),
      bytes = text(array$tobytes()$hex())
    )
  })
  do.call(rbind, rows)
}

#' The paths of the variables that are not the same, to the last bit, in both.
different_variables <- function(one, other) {
  if (!identical(one[-4], other[-4])) {
    stop("The two models do not have the same variables.")
  }
  one$path[one$bytes != other$bytes]
}
