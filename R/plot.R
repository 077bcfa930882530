# Draws a backup: `plot()`, and `autoplot()` of ggplot2.
#
# May not touch Python, `.Call` or files.

#' Plot a backup
#'
#' Draws the losses over the epochs of the whole run so far, marks the
#' checkpoints that training can resume from, and marks where the run was
#' interrupted and for how long.
#'
#' @param x,object An object from [backup_info()].
#' @param logs Character, the logs to draw. By default these are the loss and,
#'   if there is one, the validation loss. [backup_history()] has the names of
#'   all logs.
#' @param log `"y"` for a logarithmic axis of the losses.
#' @param xlab,ylab,main Titles.
#' @param ... For `plot()`, further arguments of [graphics::matplot()]. Must be
#'   empty for `autoplot()`.
#' @return `plot()` returns invisibly a data frame with one row per checkpoint:
#'   `epoch` and `batch`, and `at`, the position of its line. A checkpoint from
#'   within an epoch is drawn halfway between the end of the previous epoch and
#'   the end of that epoch. `autoplot()`, which needs the package ggplot2,
#'   returns a `ggplot` object. The time at an interruption is the time from the
#'   save of the checkpoint until training resumed from it. Several
#'   interruptions at one place are one line, with the sum of their times.
#' @section Errors:
#' `kerasbackup_error_argument` is raised if there is no such log, or if no
#' epoch is complete.
#' @family backup functions
#' @examples
#' dir <- system.file("extdata", "example-backup", package = "kerasbackup")
#' plot(backup_info(dir))
#' @export
plot.keras_backup <- function(
  x,
  logs = NULL,
  ...,
  log = "",
  xlab = "epoch",
  ylab = NULL,
  main = "Training so far"
) {
  shows <- what_to_draw(x, logs)
  logs <- shows$logs
  range <- range(x$history$epoch, shows$saves$at, shows$breaks$at)
  # The legend is above the lines, not on them.
  old <- graphics::par(mar = graphics::par("mar") + c(0, 0, 0.7, 0))
  on.exit(graphics::par(old))
  graphics::matplot(
    x$history$epoch,
    as.matrix(x$history[logs]),
    # One epoch makes no line.
    type = if (nrow(x$history) > 1) "l" else "p",
    pch = 19,
    lty = 1,
    lwd = 2,
    col = log_colours(logs),
    xlim = range,
    log = log,
    xaxt = "n",
    xlab = xlab,
    ylab = ylab %||% value_label(logs),
    main = NULL,
    ...
  )
  graphics::title(main, line = 2.7)
  graphics::axis(1, at = whole_epochs(range))
  graphics::abline(v = shows$saves$at, lty = "dashed", col = "grey40")
  if (nrow(shows$breaks) > 0) {
    graphics::abline(v = shows$breaks$at, lty = "dotted", col = break_colour)
    top <- graphics::par("usr")[[4]]
    # Along the line, where times of interruptions side by side fit.
    graphics::text(
      shows$breaks$at,
      if (graphics::par("ylog")) 10^top else top,
      shows$breaks$lost,
      srt = 90,
      adj = c(1.1, -0.3),
      cex = 0.7,
      col = break_colour
    )
  }
  draw_legend(
    c(logs, "checkpoint", if (nrow(shows$breaks) > 0) "interruption"),
    c(log_colours(logs), "grey40", break_colour),
    c(rep("solid", length(logs)), "dashed", "dotted")
  )
  invisible(shows$saves)
}

#' @rdname plot.keras_backup
#' @exportS3Method ggplot2::autoplot
autoplot.keras_backup <- function(object, logs = NULL, ...) {
  .data <- rlang::.data
  check_dots(...)
  shows <- what_to_draw(object, logs)
  epoch <- object$history$epoch
  values <- data.frame(
    epoch = rep(epoch, length(shows$logs)),
    log = factor(rep(shows$logs, each = length(epoch)), shows$logs),
    value = unlist(object$history[shows$logs], use.names = FALSE)
  )
  lines <- rbind(
    data.frame(
      at = shows$saves$at,
      kind = rep("checkpoint", nrow(shows$saves))
    ),
    data.frame(
      at = shows$breaks$at,
      kind = rep("interruption", nrow(shows$breaks))
    )
  )
  range <- range(epoch, lines$at)
  ggplot2::ggplot(values, ggplot2::aes(.data$epoch, .data$value)) +
    ggplot2::geom_vline(
      ggplot2::aes(xintercept = .data$at, linetype = .data$kind),
      lines,
      colour = ifelse(lines$kind == "checkpoint", "grey40", break_colour)
    ) +
    (if (length(epoch) > 1) {
      ggplot2::geom_line(ggplot2::aes(colour = .data$log))
    } else {
      ggplot2::geom_point(ggplot2::aes(colour = .data$log))
    }) +
    ggplot2::geom_text(
      ggplot2::aes(.data$at, Inf, label = .data$lost),
      shows$breaks,
      angle = 90,
      hjust = 1.1,
      vjust = -0.3,
      size = 3,
      colour = break_colour
    ) +
    ggplot2::scale_x_continuous(breaks = whole_epochs(range)) +
    ggplot2::scale_colour_manual(
      values = stats::setNames(log_colours(shows$logs), shows$logs)
    ) +
    ggplot2::scale_linetype_manual(
      values = c(checkpoint = "dashed", interruption = "dotted")
    ) +
    ggplot2::labs(
      x = "epoch",
      y = value_label(shows$logs),
      colour = NULL,
      linetype = NULL
    ) +
    ggplot2::theme(legend.position = "top", legend.box = "vertical")
}

break_colour <- "#b2182b"

# @return list(logs, saves, breaks): the logs, where the checkpoints are, and
#   where the run was interrupted with the time that was lost in words.
what_to_draw <- function(x, logs, call = rlang::caller_env()) {
  known <- names(x$history)[-1]
  logs <- logs %||% intersect(c("loss", "val_loss"), known)
  check_logs(logs, known, nrow(x$history), call)
  saves <- x$files[!is.na(x$files$epoch), c("epoch", "batch")]
  saves$at <- place_on_axis(saves)
  rownames(saves) <- NULL
  breaks <- x$interruptions
  lost <- as.double(breaks$resumed_at) - as.double(breaks$saved_at)
  places <- place_on_axis(breaks)
  # Several at one place are one line, with the time of all of them.
  at <- sort(unique(places))
  total <- vapply(at, function(one) sum(lost[places == one]), 0)
  breaks <- data.frame(
    at = at,
    lost = vapply(total, function(x) if (is.na(x)) "" else format_age(x), "")
  )
  list(logs = logs, saves = saves, breaks = breaks)
}

place_on_axis <- function(places) places$epoch + (places$batch > 0) / 2

# Where the axis has ticks: at whole epochs.
whole_epochs <- function(range) {
  ticks <- pretty(range)
  ticks <- unique(round(ticks))
  ticks[ticks >= range[[1]] & ticks <= range[[2]]]
}

# Of a loss and a validation loss: "loss".
value_label <- function(logs) {
  paste(unique(sub("^val_", "", logs)), collapse = ", ")
}

log_colours <- function(logs) {
  grDevices::hcl.colors(max(length(logs), 2), "Dark 2")[seq_along(logs)]
}

# Draws the legend between the title and the plot, in as many columns as there
# is room for.
draw_legend <- function(labels, colours, types) {
  draw <- function(columns, ...) {
    graphics::legend(
      "bottom",
      legend = labels,
      col = colours[seq_along(labels)],
      lty = types[seq_along(labels)],
      lwd = 2,
      ncol = columns,
      bty = "n",
      cex = 0.8,
      xpd = NA,
      ...
    )
  }
  usr <- graphics::par("usr")
  columns <- length(labels)
  while (
    columns > 1 && draw(columns, plot = FALSE)$rect$w > usr[[2]] - usr[[1]]
  ) {
    columns <- columns - 1
  }
  # `inset` is a part of the height of the plot.
  line <- graphics::par("csi") / graphics::par("pin")[[2]]
  draw(columns, inset = c(0, 1 + 0.1 * line))
}

check_logs <- function(logs, known, epochs, call = rlang::caller_env()) {
  if (!is.character(logs)) {
    stop_must_be("logs", "names of logs", logs, call = call)
  }
  unknown <- setdiff(logs, known)
  if (epochs == 0 || length(logs) == 0 || length(unknown) > 0) {
    stop_argument(
      c(
        "There is nothing to draw.",
        x = if (epochs == 0) {
          "No epoch is complete."
        } else if (length(unknown) > 0) {
          paste0(
            "There is no log ",
            paste0("`", unknown, "`", collapse = ", "),
            "."
          )
        } else {
          "There is no log `loss`."
        },
        i = if (epochs > 0) {
          paste0("Logs: ", paste0("`", known, "`", collapse = ", "), ".")
        }
      ),
      "logs",
      call
    )
  }
}
