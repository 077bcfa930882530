# Owns what happens when the package is loaded.

.onLoad <- function(libname, pkgname) {
  reticulate::register_class_filter(bridge_condition_classes)
}
