# Owns: the picture of the demo: the loss over both runs, the kill marked.

#' `losses`: a data frame with `epoch` and `loss` of the run that was killed and
#' resumed, and `alone`, the loss of the one that was left alone; `killed`: how
#' many epochs were complete at the kill, with the fraction of the next one.
plot_losses <- function(losses, killed, file) {
  .data <- rlang::.data
  losses$run <- ifelse(
    losses$epoch <= floor(killed),
    "before the kill",
    "run again"
  )
  plot <- ggplot2::ggplot(losses, ggplot2::aes(.data$epoch, .data$loss)) +
    ggplot2::geom_line(
      ggplot2::aes(y = .data$alone, linetype = "never killed"),
      colour = "grey75",
      linewidth = 3
    ) +
    ggplot2::geom_line(ggplot2::aes(colour = .data$run)) +
    ggplot2::geom_point(ggplot2::aes(colour = .data$run), size = 2) +
    ggplot2::geom_vline(
      xintercept = killed,
      linetype = "dashed",
      colour = "#b2182b"
    ) +
    ggplot2::annotate(
      "text",
      x = killed,
      y = max(losses$loss),
      label = " kill -9",
      hjust = 0,
      colour = "#b2182b"
    ) +
    ggplot2::scale_y_log10() +
    ggplot2::scale_colour_manual(
      values = c("before the kill" = "#2166ac", "run again" = "#1b7837")
    ) +
    ggplot2::labs(
      x = "epoch",
      y = "loss",
      colour = NULL,
      linetype = NULL,
      title = sprintf(
        "Killed in epoch %i, run again, and none the worse",
        ceiling(killed)
      )
    ) +
    ggplot2::theme_minimal(base_size = 12) +
    ggplot2::theme(legend.position = "bottom")
  ggplot2::ggsave(
    file,
    plot,
    width = 7,
    height = 4.2,
    dpi = 110,
    bg = "white"
  )
}
