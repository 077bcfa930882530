# Owns: what the callback hands to Python, for a directory of its own, and a way
# to wait for a save and learn how long it took, which fit() has no use for.

bench_functions <- function(dir, async) {
  made <- kerasbackup:::bridge_functions(list(
    backup_dir = dir,
    keep = kerasbackup::backup_keep(),
    async = async,
    on_save_error = "stop",
    verbose = FALSE
  ))
  session <- environment(environment(made$save)$fn)$session
  # As fit() has it, but that what came of it is left for `wait()`.
  made$save <- function(addresses, metadata, ...) {
    list(value = kerasbackup:::store_submit(session$store, addresses, metadata))
  }
  made$wait <- function() {
    kerasbackup:::store_wait(session$store)$seconds
  }
  reticulate::r_to_py(made, convert = TRUE)
}
