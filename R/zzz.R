# Loading and unloading the package.

.onLoad <- function(libname, pkgname) {
  reticulate::register_class_filter(bridge_condition_classes)
  watch_keras3()
}

# The library stays loaded, because the finalizers of objects that are left are
# in it. Its threads end, and it watches no signals any more.
.onUnload <- function(libpath) {
  unwatch_keras3()
  store_stop_all()
  signals_release_all()
}
