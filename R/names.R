# The Python variables that R's names lead to: a keras.Variable that a loss or a
# callback written in R uses. Python cannot look into R's environments.

# How deep lists and the environments of functions are followed.
names_deepest <- 4L

# @return named list of Python objects, by where they were found: the global
#   environment first, then the functions that are running, outermost first.
#   How many these are says nothing: the same script may be run in several ways.
names_of_script <- function(frames = sys.frames()) {
  # Functions of packages have no variables of the script.
  is_of_package <- function(frame) isNamespace(parent.env(frame))
  frames <- Filter(Negate(is_of_package), frames)
  found <- list()
  seen <- list()
  visit <- function(value, path, depth) {
    if (inherits(value, "python.builtin.object")) {
      if (any(grepl("Variable|Parameter", class(value)))) {
        paths <- make.unique(c(names(found), path), sep = "~")
        found[[paths[[length(paths)]]]] <<- value
      }
    } else if (depth < names_deepest && is.function(value)) {
      visit_environment(environment(value), path, depth + 1L)
    } else if (depth < names_deepest && is.list(value)) {
      keys <- names(value) %||% rep("", length(value))
      for (i in seq_along(value)) {
        visit(value[[i]], paste0(path, "[", keys[[i]], i, "]"), depth + 1L)
      }
    }
  }
  visit_environment <- function(env, path, depth) {
    is_new <- is.environment(env) &&
      !isNamespace(env) &&
      !any(vapply(seen, identical, logical(1), env))
    if (!is_new || identical(env, baseenv())) {
      return()
    }
    seen <<- c(seen, env)
    for (name in names_at_hand(env)) {
      visit(env[[name]], paste0(path, "$", name), depth)
    }
  }
  visit_environment(globalenv(), "R", 0L)
  for (frame in frames) {
    visit_environment(frame, "R function", 0L)
  }
  found
}

# Reading a promise or an active binding would run code of the script.
names_at_hand <- function(env) {
  names <- sort(ls(env), method = "radix")
  is_code <- rlang::env_binding_are_lazy(env, names) |
    rlang::env_binding_are_active(env, names)
  names[!is_code]
}
