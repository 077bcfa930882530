# Owns the rows' data and callbacks that are written in R.

# @return the arguments of fit() for data that begin with "r-", else NULL.
r_data <- function(name) {
  numbers <- withr::with_seed(
    1,
    list(
      x = matrix(rnorm(72 * 6), 72),
      y = matrix(rnorm(72), 72)
    )
  )
  switch(
    name,
    "r-arrays" = c(numbers, list(batch_size = 8L)),
    # Draws from R's generator, and keeps its place in its environment.
    "r-generator" = {
      place <- 0L
      draw <- function() {
        place <<- place + 1L
        pick <- c(sample(72L, 7L), place %% 72L + 1L)
        noise <- rnorm(8, sd = 0.1)
        reticulate::tuple(
          numbers$x[pick, ] + noise,
          numbers$y[pick, , drop = FALSE]
        )
      }
      list(x = as_generator(draw), steps_per_epoch = 7L)
    }
  )
}

# @return a list of callbacks, empty where the row has none of R's.
r_callbacks <- function(name) {
  if (name != "r-callback") {
    return(list())
  }
  # Its fields live on `self`, as those of keras3's Callback() do.
  hook <- function(self, epoch) {
    self$seen <- self$seen + 1
    self$rates <- c(unlist(self$rates), runif(1))
    rate <- 0.01 * (0.5 + self$rates[[length(self$rates)]]) / self$seen
    optimizer <- self$model$optimizer
    optimizer$learning_rate <- rate
    invisible()
  }
  list(cases$WrittenInR(reticulate::r_to_py(hook, convert = TRUE)))
}

# reticulate hands functions over; Keras asks for a generator.
as_generator <- function(fn) {
  python <- reticulate::py_run_string(paste(
    "def endless(fn):",
    "    while True:",
    "        yield fn()",
    sep = "\n"
  ))
  python$endless(reticulate::r_to_py(fn, convert = TRUE))
}
