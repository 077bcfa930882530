# R's own random numbers, for generators and callbacks written in R.

# The seed's first number holds the kinds of generator.
r_seed <- function() {
  seed <- globalenv()[[".Random.seed"]]
  if (is.null(seed)) "" else paste(seed, collapse = ",")
}

set_r_seed <- function(text) {
  if (nzchar(text)) {
    seed <- as.integer(strsplit(text, ",", fixed = TRUE)[[1]])
    env <- globalenv()
    env[[".Random.seed"]] <- seed
  }
}
