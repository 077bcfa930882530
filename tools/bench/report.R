# Owns: the tables and the picture of the benchmark.

#' One row a system and operation: the least, the middle, the most.
summarise_times <- function(times) {
  key <- c("size", "tensors", "system", "operation")
  groups <- split(times, times[key], drop = TRUE, lex.order = TRUE)
  rows <- lapply(groups, function(one) {
    data.frame(
      one[1, key],
      min = min(one$seconds),
      median = stats::median(one$seconds),
      max = max(one$seconds),
      peak = max(one$peak),
      written = stats::median(one$written)
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
    MB = megabytes(out$size),
    tensors = out$tensors,
    system = out$system,
    operation = out$operation,
    min = seconds(out$min),
    median = seconds(out$median),
    max = seconds(out$max),
    `peak MB` = megabytes(out$peak),
    `written MB` = megabytes(out$written),
    check.names = FALSE
  )
}

# What is held against what, and how much of it there may be. A row of the table
# is one line.
# nolint start: line_length_linter.
targets <- read.csv(
  strip.white = TRUE,
  text = "
what,system,operation,against,its operation,at most
stall : memcpy,kerasbackup,stall,limit,memcpy,1.2
saved and committed : write + fsync,kerasbackup,\"save, committed\",limit,write + fsync,1.1
writing to reserved space : write + fsync,limit,reserve + write + fsync,limit,write + fsync,
verified restore : cached read,kerasbackup,\"restore, verified\",limit,\"read, cached\",1.5
verified restore : read into new memory,kerasbackup,\"restore, verified\",limit,\"read, cached, into new memory\",
\"verified restore : read, both cold\",kerasbackup,\"restore, verified, cold\",limit,\"read, cold\",
restore into a model : Keras,\"kerasbackup, a model's variables\",\"restore, verified\",Keras BackupAndRestore,restore,1
\"restore into a model, new process : Keras\",\"kerasbackup, a model's variables\",\"restore, verified, new process\",Keras BackupAndRestore,\"restore, new process\",1
stall : a save of Keras,\"kerasbackup, a model's variables\",stall,Keras BackupAndRestore,save,
stall : a save of safetensors,kerasbackup,stall,safetensors,save,
stall : a save of torch.save,kerasbackup,stall,torch.save,save,
stall : the stall of Orbax,kerasbackup,stall,Orbax,\"asynchronous, stall\",
",
  check.names = FALSE
)
# nolint end

#' How many times as long ours takes: in the middle of the rounds, and from ...
#' to. Of what was measured side by side, in one round.
ratio_table <- function(times) {
  of <- function(system, operation, size, tensors) {
    one <- times[
      times$system == system &
        times$operation == operation &
        times$size == size &
        times$tensors == tensors,
    ]
    stats::setNames(one$seconds, one$round)
  }
  sizes <- unique(times[c("size", "tensors")])
  cells <- Map(
    function(size, tensors) {
      vapply(
        seq_len(nrow(targets)),
        function(i) {
          ours <- of(targets$system[[i]], targets$operation[[i]], size, tensors)
          other <- of(
            targets$against[[i]],
            targets$`its operation`[[i]],
            size,
            tensors
          )
          if (length(ours) == 0 || length(other) == 0) {
            return("")
          }
          ratios <- ours / other[names(ours)]
          sprintf(
            "%.2f (%.2f to %.2f)",
            stats::median(ratios),
            min(ratios),
            max(ratios)
          )
        },
        ""
      )
    },
    sizes$size,
    sizes$tensors
  )
  names(cells) <- paste0(megabytes(sizes$size), " MB in ", sizes$tensors)
  data.frame(
    ratio = targets$what,
    `at most` = ifelse(is.na(targets$`at most`), "", targets$`at most`),
    cells,
    check.names = FALSE
  )
}

#' Many tensors against few, of as many bytes: medians.
tensors_table <- function(summary, most = 1.5) {
  ours <- summary[startsWith(summary$system, "kerasbackup"), ]
  few <- ours[ours$tensors == min(ours$tensors), ]
  many <- ours[ours$tensors == max(ours$tensors), ]
  both <- merge(few, many, c("size", "system", "operation"))
  both <- both[order(both$size, both$system, both$operation), ]
  data.frame(
    MB = megabytes(both$size),
    system = both$system,
    operation = both$operation,
    few = seconds(both$median.x),
    many = seconds(both$median.y),
    ratio = sprintf("%.2f", both$median.y / both$median.x),
    `at most` = most,
    check.names = FALSE
  )
}

#' Whole trainings. One of them is hit or missed by what else the machine does;
#' the epoch in the middle of all epochs of all rounds is not.
#'
#' @param runs data frame: callback, round, what ("fit", "epoch"), seconds.
#' @param callbacks their names, the first is none.
training_table <- function(runs, callbacks) {
  of <- function(what, fun) {
    one <- runs[runs$what == what, ]
    tapply(one$seconds, one$callback, fun)[callbacks]
  }
  against_none <- function(x) sprintf("%+.2f %%", 100 * (x / x[[1]] - 1))
  whole <- of("fit", stats::median)
  epoch <- of("epoch", stats::median)
  data.frame(
    callback = callbacks,
    min = seconds(of("fit", min)),
    median = seconds(whole),
    max = seconds(of("fit", max)),
    `against none` = against_none(whole),
    `an epoch, median` = seconds(epoch),
    `its quartiles` = paste(
      seconds(of("epoch", function(x) stats::quantile(x, 0.25))),
      "to",
      seconds(of("epoch", function(x) stats::quantile(x, 0.75)))
    ),
    `an epoch against none` = against_none(epoch),
    check.names = FALSE
  )
}

#' Lines of a Markdown table.
markdown <- function(frame) {
  cells <- rbind(names(frame), "---", as.matrix(frame))
  cells <- apply(cells, 2, function(column) trimws(column))
  apply(cells, 1, function(row) {
    paste0("| ", paste(row, collapse = " | "), " |")
  })
}

plot_times <- function(out, file) {
  .data <- rlang::.data
  out$what <- paste(out$system, out$operation, sep = ": ")
  out$panel <- paste0(megabytes(out$size), " MB, ", out$tensors, " tensors")
  out$panel <- factor(out$panel, unique(out$panel))
  out$limit <- out$system == "limit"
  plot <- ggplot2::ggplot(
    out,
    ggplot2::aes(.data$median, .data$what, colour = .data$limit)
  ) +
    ggplot2::geom_linerange(
      ggplot2::aes(xmin = .data$min, xmax = .data$max)
    ) +
    ggplot2::geom_point() +
    ggplot2::facet_wrap(~panel, scales = "free_x") +
    ggplot2::scale_x_log10() +
    ggplot2::scale_colour_manual(
      values = c(`TRUE` = "#b2182b", `FALSE` = "#2166ac"),
      guide = "none"
    ) +
    ggplot2::labs(x = "seconds (log scale)", y = NULL) +
    ggplot2::theme_minimal(base_size = 10)
  ggplot2::ggsave(file, plot, width = 13, height = 8, dpi = 110, bg = "white")
}
