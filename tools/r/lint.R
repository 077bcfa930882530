# Lints R with the tidyverse's rules, which are lintr's defaults. `.lintr` has
# what this project decides otherwise. There, `exclude` lets the name of a test
# exceed a line, because it is one string.
#
# tools/lint calls this in the root of the sources.

# Where lintr finds no installed package, it looks for the objects in the global
# environment. So the sources are checked, and not an older package in .lib.
invisible(loadNamespace("lintr"))
.libPaths(character())
entries <- grep("ENTRY\\(ffi_", readLines("src/ffi_init.c"), value = TRUE)
for (routine in sub(".*ENTRY\\((ffi_\\w+).*", "\\1", entries)) {
  assign(routine, NULL)
}
`%||%` <- rlang::`%||%`
for (file in list.files("R", "[.]R$", full.names = TRUE)) {
  sys.source(file, globalenv())
}

# lintr does not see the objects of the scripts that a script sources.
rules <- parse(text = read.dcf(".lintr")[, "linters"])
rules <- eval(rules, asNamespace("lintr"))
scripts <- rules[names(rules) != "object_usage_linter"]
lints <- c(
  lintr::lint_dir("R"),
  lintr::lint_dir("tests", scripts),
  lintr::lint_dir("tools", scripts),
  lintr::lint_dir("vignettes", scripts)
)
for (lint in lints) {
  print(lint)
}
quit(status = as.integer(length(lints) > 0))
