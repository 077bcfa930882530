# Owns: installing packages from CRAN into a library of our own.
# Arguments: the library, then the packages. Exit status 3 says that CRAN did
# not answer, 1 that a package could not be installed.

arguments <- commandArgs(trailingOnly = TRUE)
library_dir <- arguments[[1]]
packages <- arguments[-1]

# The user's own choice of a mirror is left as it is.
if (getOption("repos")[["CRAN"]] == "@CRAN@") {
  chooseCRANmirror(ind = 1, local.only = TRUE)
}

# A mirror that does not answer must not hold up the set-up: R tries three files
# of it.
options(timeout = 15)
offered <- tryCatch(
  suppressWarnings(available.packages()),
  error = function(error) NULL
)
if (is.null(offered) || nrow(offered) == 0) {
  quit(status = 3)
}

options(timeout = 60, Ncpus = 2L)
install.packages(packages, lib = library_dir, quiet = TRUE)
absent <- setdiff(packages, rownames(installed.packages(library_dir)))
quit(status = if (length(absent) > 0) 1L else 0L)
