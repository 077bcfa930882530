# Owns: the data of the demo: the 53,940 diamonds of ggplot2, as numbers.

#' Every tenth diamond is held out. Predictors and log price are standardized.
diamonds_data <- function() {
  diamonds <- as.data.frame(ggplot2::diamonds)
  x <- vapply(
    diamonds[names(diamonds) != "price"],
    as.numeric,
    numeric(nrow(diamonds))
  )
  x[, c("x", "y", "z")] <- log1p(x[, c("x", "y", "z")])
  x <- scale(x)
  y <- log(diamonds$price)
  held_out <- seq_len(nrow(x)) %% 10 == 0
  list(
    x = unname(x[!held_out, ]),
    y = matrix(y[!held_out] - mean(y)),
    x_new = unname(x[held_out, ]),
    price_new = diamonds$price[held_out],
    centre = mean(y)
  )
}
