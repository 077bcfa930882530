# Says which `callback_backup_and_restore()` a script gets if keras3, which
# exports a function of the same name, is attached too.
#
# May not touch checkpoints or Python.

.onAttach <- function(libname, pkgname) {
  tell_which_is_found()
}

# To be called when either package has been attached.
tell_which_is_found <- function(attached = search()) {
  place <- match(c("package:kerasbackup", "package:keras3"), attached)
  if (!anyNA(place)) {
    packageStartupMessage(message_which_is_found(place[1] < place[2]))
  }
}

# keras3 may be attached later. The hook is ours as long as we are loaded.
watch_keras3 <- function() {
  setHook(packageEvent("keras3", "attach"), on_keras3_attached)
}

unwatch_keras3 <- function() {
  hooks <- getHook(packageEvent("keras3", "attach"))
  is_ours <- vapply(hooks, identical, NA, on_keras3_attached)
  setHook(packageEvent("keras3", "attach"), hooks[!is_ours], "replace")
}

on_keras3_attached <- function(...) tell_which_is_found()
