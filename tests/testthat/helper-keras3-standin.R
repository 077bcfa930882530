# A stand-in for what the R package keras3 does around fit(), written from how
# it behaves: R functions and classes made in R are callbacks, epochs and
# batches count from 1, R data become arrays of Keras' float type, an R function
# is a generator, and the result is a `keras_training_history`.
# test-keras-standin.R compares both where keras3 is installed.

keras3_standin <- function() {
  # How a method of R reaches that of the class it inherits from.
  registerS3method("$", "keras3_standin_super", standin_of_super)
  list(
    Callback = standin_callback,
    callback_early_stopping = standin_early_stopping,
    callback_lambda = standin_lambda,
    compile = standin_compile,
    fit = standin_fit,
    keras_model_sequential = function(input_shape) {
      shape <- do.call(reticulate::tuple, as.list(as.integer(input_shape)))
      keras()$Sequential(list(keras()$Input(shape)))
    },
    layer_batch_normalization = standin_layer("BatchNormalization"),
    layer_dense = standin_layer("Dense"),
    layer_dropout = standin_layer("Dropout"),
    load_model_weights = function(model, filepath) {
      model$load_weights(filepath)
      invisible(model)
    },
    op_convert_to_numpy = function(x) keras()$ops$convert_to_numpy(x),
    optimizer_sgd = function(...) keras()$optimizers$SGD(...),
    set_random_seed = function(seed) {
      set.seed(seed)
      reticulate::py_set_seed(as.integer(seed))
      keras()$utils$set_random_seed(as.integer(seed))
    }
  )
}

# The methods of what fit() returns. They would take the place of keras3's.
register_standin_history <- function() {
  class <- "keras_training_history"
  registerS3method("print", class, standin_print)
  registerS3method("plot", class, standin_plot)
  registerS3method("as.data.frame", class, standin_as_data_frame)
}

standin_python <- function() python_file("keras3_standin")

# A layer is added to the model, which is returned.
standin_layer <- function(name) {
  function(object, ...) {
    arguments <- lapply(list(...), function(one) {
      if (is.numeric(one) && one == round(one)) as.integer(one) else one
    })
    object$add(do.call(keras()$layers[[name]], arguments))
    invisible(object)
  }
}

standin_compile <- function(object, ..., metrics = NULL) {
  object$compile(..., metrics = if (!is.null(metrics)) as.list(metrics))
  invisible(object)
}

# --- callbacks ---------------------------------------------------------------

# @return Function that makes an instance. In a method `self` is the callback,
#   `super` the class it inherits from, and `private` an environment of R's, of
#   which Python knows nothing.
standin_callback <- function(
  classname,
  initialize = NULL,
  ...,
  private = list(),
  parent_env = parent.frame(),
  module = standin_module(parent_env)
) {
  # Both are evaluated here, not when a method is called.
  force(parent_env)
  force(private)
  force(module)
  methods <- list(...)
  methods$`__init__` <- initialize
  shared <- new.env()
  shared$privates <- list()
  methods <- lapply(methods, function(fn) {
    force(fn)
    method <- function(self, ...) {
      scope <- new.env(parent = parent_env)
      scope$self <- self
      scope$super <- structure(
        list(class = shared$class, self = self),
        class = "keras3_standin_super"
      )
      scope$private <- standin_private(shared, self, private, scope)
      environment(fn) <- scope
      fn(...)
    }
    # What Python calls it with is converted to values of R.
    reticulate::r_to_py(method, convert = TRUE)
  })
  shared$class <- standin_python()$callback_class(
    classname,
    module,
    reticulate::py_dict(names(methods), unname(methods))
  )
  function(...) shared$class(...)
}

# Python's classes have a module. Those made in R are named after where that is.
standin_module <- function(env) {
  top <- topenv(env)
  name <- if (isNamespace(top)) {
    paste0("namespace:", environmentName(top))
  } else {
    "globalenv"
  }
  paste0("<r-", name, ">")
}

standin_private <- function(shared, self, members, scope) {
  id <- as.character(reticulate::py_id(self))
  if (is.null(shared$privates[[id]])) {
    shared$privates[[id]] <- list2env(members, parent = emptyenv())
  }
  found <- shared$privates[[id]]
  for (name in names(members)) {
    if (is.function(members[[name]])) {
      environment(found[[name]]) <- scope
    }
  }
  found
}

standin_of_super <- function(x, name) {
  if (name == "initialize") {
    name <- "__init__"
  }
  both <- unclass(x)
  reticulate::import_builtins()$super(both$class, both$self)[[name]]
}

standin_lambda <- function(...) {
  hooks <- list(...)
  hooks <- Map(standin_python()$hook, names(hooks), hooks)
  do.call(keras()$callbacks$LambdaCallback, hooks)
}

standin_early_stopping <- function(
  monitor = "val_loss",
  min_delta = 0,
  patience = 0L
) {
  keras()$callbacks$EarlyStopping(monitor, min_delta, as.integer(patience))
}

# What draws the metrics while fit() runs. It is given a data frame at the end
# of each epoch, one row an epoch of the whole training.
standin_view_metrics <- function(initial_epoch, show) {
  force(show)
  standin_callback(
    "ViewMetricsCallback",
    module = "<r-namespace:keras3>",
    on_epoch_end = function(epoch, logs = NULL) {
      # It knows the names of the logs from the first epoch.
      if (epoch == initial_epoch) {
        private$seen <- lapply(logs, function(one) numeric())
      }
      for (name in names(private$seen)) {
        value <- logs[[name]]
        private$seen[[name]] <- c(
          private$seen[[name]],
          if (is.null(value)) NA else mean(value)
        )
      }
      epochs <- self$params$epochs
      show(as.data.frame(lapply(private$seen, function(values) {
        c(values, rep(NA, epochs - length(values)))
      })))
      # A list would be taken as logs.
      NULL
    },
    private = list(seen = NULL)
  )()
}

# --- fit() -------------------------------------------------------------------

# @param show Function that is given each data frame of metrics (not in keras3,
#   where RStudio and tfruns are given it).
standin_fit <- function(
  object,
  x = NULL,
  y = NULL,
  ...,
  epochs = 1,
  initial_epoch = 1,
  callbacks = NULL,
  view_metrics = FALSE,
  show = getOption("keras3_standin.show")
) {
  arguments <- list(...)
  # "auto" is a choice of `verbose`.
  arguments <- lapply(arguments, function(one) {
    if (is.numeric(one) && length(one) == 1) as.integer(one) else one
  })
  if (!is.null(arguments$validation_data)) {
    arguments$validation_data <- lapply(arguments$validation_data, standin_data)
  }
  if (view_metrics) {
    callbacks <- c(callbacks, list(standin_view_metrics(initial_epoch, show)))
  }
  arguments <- c(
    list(
      x = standin_data(x),
      y = standin_data(y),
      epochs = as.integer(epochs),
      initial_epoch = as.integer(initial_epoch) - 1L,
      callbacks = callbacks
    ),
    arguments
  )
  history <- do.call(object$fit, arguments)
  invisible(structure(
    list(params = history$params, metrics = history$history),
    class = "keras_training_history"
  ))
}

standin_data <- function(x) {
  if (is.null(x) || inherits(x, "python.builtin.object")) {
    return(x)
  }
  if (is.list(x)) {
    return(lapply(x, standin_data))
  }
  if (is.function(x)) {
    return(standin_generator(x))
  }
  type <- if (is.double(x)) keras()$config$floatx()
  reticulate::np_array(x, type)
}

standin_generator <- function(fn) {
  draw <- function() {
    drawn <- fn()
    if (!is.null(drawn)) {
      do.call(reticulate::tuple, unname(standin_data(drawn)))
    }
  }
  # Newer versions of reticulate call R in its own thread only.
  has_prefetch <- "prefetch" %in% names(formals(reticulate::py_iterator))
  iterator <- if (has_prefetch) {
    reticulate::py_iterator(draw, prefetch = 1L)
  } else {
    reticulate::py_iterator(draw)
  }
  python <- reticulate::import_from_path(
    "keras3_standin",
    testthat::test_path("python"),
    convert = FALSE
  )
  python$generate(iterator)
}

# --- the history -------------------------------------------------------------

# One row an epoch and log, with NA for the epochs that were not trained.
standin_as_data_frame <- function(x, ...) {
  epochs <- x$params$epochs
  padded <- lapply(x$metrics, function(values) {
    c(unlist(values), rep(NA, epochs - length(values)))
  })
  is_validation <- grepl("^val_", names(padded))
  metric <- sub("^val_", "", names(padded))
  data.frame(
    epoch = rep(seq_len(epochs), length(padded)),
    value = unlist(padded, use.names = FALSE),
    metric = factor(rep(metric, each = epochs), unique(metric)),
    data = factor(
      ifelse(rep(is_validation, each = epochs), "validation", "training"),
      c("training", "validation")
    )
  )
}

standin_print <- function(x, ...) {
  last <- min(x$params$epochs, length(x$metrics[[1]]))
  values <- vapply(
    x$metrics,
    function(values) format(values[[last]], digits = 4),
    ""
  )
  labels <- formatC(names(values), width = max(nchar(names(values))))
  cat("\nFinal epoch (plot to see history):\n")
  cat(paste0(labels, ": ", values, collapse = "\n"), "\n")
}

standin_plot <- function(x, y, method = "base", ...) {
  frame <- as.data.frame(x)
  old <- graphics::par(mfrow = c(nlevels(frame$metric), 1), mar = c(3, 4, 1, 1))
  on.exit(graphics::par(old))
  for (metric in levels(frame$metric)) {
    one <- frame[frame$metric == metric, ]
    plot(one$epoch, one$value, pch = c(1, 4)[one$data], ylab = metric, ...)
  }
  invisible()
}
