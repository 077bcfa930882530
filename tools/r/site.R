# Makes the site with pkgdown from the installed package. tools/site starts it.

# A warning is an error, but only at the end, so that all of them are seen.
options(pkgdown.internet = FALSE, warn = 1)
warned <- 0L
withCallingHandlers(
  pkgdown::build_site(
    preview = FALSE,
    install = FALSE,
    new_process = FALSE,
    devel = FALSE
  ),
  warning = function(warning) warned <<- warned + 1L
)

# pkgdown only prints the links that lead nowhere.
pages <- list.files("build/site", "[.]html$", recursive = TRUE)
for (page in pages) {
  text <- paste(readLines(file.path("build/site", page)), collapse = "\n")
  links <- regmatches(text, gregexpr('(href|src)="[^"]*"', text))[[1]]
  links <- sub('^[a-z]+="([^"#?]*).*$', "\\1", links)
  links <- unique(links[nzchar(links) & !grepl("^[a-z]+:|^//", links)])
  there <- file.exists(file.path("build/site", dirname(page), links))
  for (link in links[!there]) {
    warning(page, " links to ", link, ", which is not there")
    warned <- warned + 1L
  }
}
quit(status = as.integer(warned > 0))
