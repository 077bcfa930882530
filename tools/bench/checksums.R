# Owns: what checksums of batches cost, in a process of its own. Prints lines of
# a kind of batch and microseconds.

costs <- reticulate::import("checksums")$costs()
cat(sprintf("cost %s: %.2f\n", names(costs), unlist(costs)), sep = "")
