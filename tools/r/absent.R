# Owns: which of the packages named R cannot find; prints them, one a line.

for (package in commandArgs(trailingOnly = TRUE)) {
  if (!nzchar(system.file(package = package))) cat(package, "\n", sep = "")
}
