# Owns: the tables and the picture of the benchmark.

#' One row a system and operation: the least, the middle, the most.
summarise_times <- function(times) {
  key <- c("size", "tensors", "system", "operation")
  groups <- split(times, times[key], drop = TRUE, lex.order = TRUE)
  rows <- lapply(groups, function(one) {
    data.frame(
      one[1, key],
      min = min(one$seconds), median = stats::median(one$seconds),
      max = max(one$seconds),
      peak = max(one$peak), written = stats::median(one$written)
    )
  })
  out <- do.call(rbind, rows)
  rownames(out) <- NULL
  out[order(out$size, out$tensors, out$system != "limit"), ]
}

megabytes <- function(x) ifelse(is.na(x), "", sprintf("%.0f", x / 1e6))
seconds <- function(x) sprintf("%.4f", x)

format_summary <- function(out) {
  data.frame(
    MB = megabytes(out$size), tensors = out$tensors, system = out$system,
    operation = out$operation, min = seconds(out$min),
    median = seconds(out$median), max = seconds(out$max),
    `peak MB` = megabytes(out$peak), `written MB` = megabytes(out$written),
    check.names = FALSE
  )
}

#' Lines of a Markdown table.
markdown <- function(frame) {
  cells <- rbind(names(frame), "---", as.matrix(frame))
  cells <- apply(cells, 2, function(column) trimws(column))
  apply(cells, 1, function(row) paste0("| ", paste(row, collapse = " | "), " |"))
}

plot_times <- function(out, file) {
  .data <- rlang::.data
  out$what <- paste(out$system, out$operation, sep = ": ")
  out$panel <- paste0(megabytes(out$size), " MB, ", out$tensors, " tensors")
  out$panel <- factor(out$panel, unique(out$panel))
  out$limit <- out$system == "limit"
  plot <- ggplot2::ggplot(
    out, ggplot2::aes(.data$median, .data$what, colour = .data$limit)
  ) +
    ggplot2::geom_linerange(
      ggplot2::aes(xmin = .data$min, xmax = .data$max)
    ) +
    ggplot2::geom_point() +
    ggplot2::facet_wrap(~panel, scales = "free_x") +
    ggplot2::scale_x_log10() +
    ggplot2::scale_colour_manual(
      values = c(`TRUE` = "#b2182b", `FALSE` = "#2166ac"), guide = "none"
    ) +
    ggplot2::labs(x = "seconds (log scale)", y = NULL) +
    ggplot2::theme_minimal(base_size = 10)
  ggplot2::ggsave(file, plot, width = 13, height = 8, dpi = 110, bg = "white")
}
