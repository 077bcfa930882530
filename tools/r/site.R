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

# The table of contents of a page would be made by a script that is loaded from
# the network. It is written into the page instead.
contents_of <- function(text) {
  heading <- '(?s)<h2 id="([^"]+)"[^>]*>(.*?)\\s*<a class="anchor"'
  found <- regmatches(text, gregexpr(heading, text, perl = TRUE))[[1]]
  items <- sub(
    heading,
    '<li><a class="nav-link" href="#\\1">\\2</a></li>',
    found,
    perl = TRUE
  )
  paste0('<ul class="nav flex-column">', paste(items, collapse = ""), "</ul>")
}

# Debian's pkgdown links to MathJax on this machine. No page has a formula.
mathjax <- '<!-- mathjax -->(<script src="[^"]*"[^>]*></script>\\s*)+'

for (page in list.files(site, "[.]html$", recursive = TRUE)) {
  file <- file.path(site, page)
  text <- paste(readLines(file, encoding = "UTF-8"), collapse = "\n")
  text <- sub(
    '(<nav id="toc">(<h2>[^<]*</h2>)?)\\s*</nav>',
    paste0("\\1", contents_of(text), "</nav>"),
    text
  )
  writeLines(sub(mathjax, "", text), file, useBytes = TRUE)
}

# Its script must do without the one that made the contents, and without the
# network.
script <- file.path(site, "pkgdown.js")
text <- paste(readLines(script), collapse = "\n")
text <- sub("Toc[.]init\\(\\{[^}]*\\}\\);", "", text)
text <- sub(
  "(\\$\\('nav.navbar'\\)[.]headroom)",
  "if ($.fn.headroom) \\1",
  text
)
stopifnot(
  !grepl("Toc.init", text),
  grepl("if ($.fn.headroom)", text, fixed = TRUE)
)
writeLines(text, script)

for (page in list.files(site, "[.]html$", recursive = TRUE)) {
  text <- paste(readLines(file.path(site, page)), collapse = "\n")
  links <- regmatches(text, gregexpr('(href|src)="[^"]*"', text))[[1]]
  links <- sub('^[a-z]+="([^"#?]*).*$', "\\1", links)
  is_elsewhere <- grepl("^[a-z]+:|^//", links) & !grepl("^file:", links)
  links <- unique(links[nzchar(links) & !is_elsewhere])
  there <- file.exists(file.path(site, dirname(page), links))
  for (link in links[!there]) {
    warning(page, " links to ", link, ", which is not there")
    warned <- warned + 1L
  }
}
quit(status = as.integer(warned > 0))
