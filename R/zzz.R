# Owns what happens when the package is loaded and unloaded.

.onLoad <- function(libname, pkgname) {
  reticulate::register_class_filter(bridge_condition_classes)
  watch_keras3()
}

# The library stays loaded, as objects may be left whose finalizers are in it;
# its threads end, and it answers no signal any more.
.onUnload <- function(libpath) {
  unwatch_keras3()
  store_stop_all()
  signals_release_all()
}
