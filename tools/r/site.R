# Makes the site with pkgdown from the installed package. tools/site starts it.

# A warning is an error, but only at the end, so that all of them are seen.
options(pkgdown.internet = FALSE, warn = 1)
warned <- 0L

# pkgdown asks CRAN for the address of each package in the examples that is not
# installed. It gets an empty list, so that no network is needed.
utils::assignInNamespace(
  "CRAN_urls",
  function() data.frame(Package = character(), URL = character()),
  "downlit"
)

withCallingHandlers(
  pkgdown::build_site(
    preview = FALSE,
    install = FALSE,
    new_process = FALSE,
    devel = FALSE
  ),
  warning = function(warning) {
    # Examples that need Keras are shown without output where it is missing.
    is_expected <- grepl("@examplesIf condition", conditionMessage(warning))
    warned <<- warned + !is_expected
    if (is_expected) {
      tryInvokeRestart("muffleWarning")
    }
  }
)

# The pages of the sources link to files of the sources. Of some of these the
# site has a page of its own; the pages for developers are not on it.
links <- c(
  "vignettes/([a-z-]+)[.]Rmd" = "articles/\\1.html",
  "inst/EXACTNESS[.]html" = "articles/exactness.html",
  "inst/FORMAT[.]html" = "articles/file-format.html",
  "NEWS[.]html" = "news/index.html"
)
site <- "build/site"
for (file in list.files(site, "[.]html$", full.names = TRUE)) {
  text <- readLines(file, encoding = "UTF-8")
  for (from in names(links)) {
    to <- paste0('href="', links[[from]], '"')
    text <- gsub(paste0('href="', from, '"'), to, text)
  }
  text <- gsub('<a href="dev/[^"]*">(.*?)</a>', "\\1", text, perl = TRUE)
  writeLines(text, file, useBytes = TRUE)
}

for (page in list.files(site, "[.]html$", recursive = TRUE)) {
  text <- paste(readLines(file.path(site, page)), collapse = "\n")
  links <- regmatches(text, gregexpr('(href|src)="[^"]*"', text))[[1]]
  links <- sub('^[a-z]+="([^"#?]*).*$', "\\1", links)
  links <- unique(links[nzchar(links) & !grepl("^[a-z]+:|^//", links)])
  there <- file.exists(file.path(site, dirname(page), links))
  for (link in links[!there]) {
    warning(page, " links to ", link, ", which is not there")
    warned <- warned + 1L
  }
}
quit(status = as.integer(warned > 0))
