# Owns: an empty stand-in for CRAN's own files, so that R CMD check --as-cran,
# which looks up who maintains what, works without a network and the same every
# day. Argument: the directory to make.

root <- commandArgs(trailingOnly = TRUE)[[1]]
web <- file.path(root, "web", "packages")
dir.create(web, recursive = TRUE, showWarnings = FALSE)
saveRDS(
  data.frame(Package = character(), Maintainer = character()),
  file.path(web, "packages.rds")
)
