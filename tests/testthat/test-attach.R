# attach.R: which callback is found where keras3 is attached too.

test_that("where both packages are attached, the callback that is found is told", {
  ours <- c(".GlobalEnv", "package:kerasbackup", "package:keras3")
  expect_message(
    tell_which_is_found(ours),
    "now kerasbackup's",
    class = "packageStartupMessage"
  )
  expect_message(
    tell_which_is_found(rev(ours)),
    "kerasbackup::callback_backup_and_restore()",
    fixed = TRUE,
    class = "packageStartupMessage"
  )
  for (alone in ours[2:3]) {
    expect_no_message(tell_which_is_found(c(
      ".GlobalEnv",
      alone,
      "package:base"
    )))
  }
})

test_that("it is told whenever keras3 is attached, until the package is unloaded", {
  hooks <- function() {
    ours <- vapply(
      getHook(packageEvent("keras3", "attach")),
      identical,
      NA,
      on_keras3_attached
    )
    sum(ours)
  }
  other <- function(...) NULL
  setHook(packageEvent("keras3", "attach"), other)
  withr::defer({
    kept <- getHook(packageEvent("keras3", "attach"))
    kept <- kept[!vapply(kept, identical, NA, other)]
    setHook(packageEvent("keras3", "attach"), kept, "replace")
  })
  # Other tests unload what is loaded here.
  withr::defer(watch_keras3())
  unwatch_keras3()
  expect_equal(hooks(), 0)
  watch_keras3()
  expect_equal(hooks(), 1)
  unwatch_keras3()
  expect_equal(hooks(), 0)
  expect_length(getHook(packageEvent("keras3", "attach")), 1)
})
