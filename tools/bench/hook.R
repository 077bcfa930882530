# Owns: what the callback costs at a batch, in a process of its own. Prints
# lines of `save_freq` and nanoseconds.

costs <- reticulate::import("hook")$costs()
cat(sprintf("cost %s %.1f\n", names(costs), unlist(costs)), sep = "")
