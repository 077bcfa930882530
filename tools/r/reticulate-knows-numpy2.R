# Owns: whether the installed reticulate can work with numpy 2; says so with its
# exit status.

quit(status = if (packageVersion("reticulate") >= "1.39") 0L else 1L)
