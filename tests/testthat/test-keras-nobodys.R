# A variable that only R's names lead to: no model has it, and Python cannot
# look into R's environments. Found, saved, and put back before the next step.

# Trains with a loss whose second term weighs more in each epoch.
anneal <- function(callbacks = list(), epochs = 4L) {
  k <- keras()
  model <- build_model(compile = FALSE)
  beta <- k$Variable(0.5)
  loss <- function(y_true, y_pred) {
    wrong <- k$ops$mean(k$ops$square(k$ops$subtract(y_true, y_pred)))
    large <- k$ops$mean(k$ops$square(y_pred))
    k$ops$add(wrong, k$ops$multiply(beta, large))
  }
  model$compile(optimizer = "adam", loss = loss, run_eagerly = TRUE)
  raise <- k$callbacks$LambdaCallback(on_epoch_begin = function(epoch, logs) {
    beta$assign(k$ops$multiply(beta, 2))
    invisible()
  })
  error <- tryCatch(
    {
      fit_model(model, epochs = epochs, callbacks = c(callbacks, raise))
      NULL
    },
    error = conditionMessage
  )
  list(
    variables = variables_of(model),
    error = error,
    beta = as.numeric(k$ops$convert_to_numpy(beta))
  )
}

test_that("a variable that R names goes on where it was", {
  skip_without_keras()
  whole <- anneal()
  expect_null(whole$error)
  expect_equal(whole$beta, 0.5 * 2^4)
  dir <- withr::local_tempdir()
  first <- anneal(list(callback_backup_and_restore(dir), interrupt_at(2L)))
  expect_match(first$error, "interrupted")
  expect_no_news(
    resumed <- anneal(list(callback_backup_and_restore(dir))),
    class = "kerasbackup_message_notes"
  )
  expect_identical(resumed, whole)
})

test_that("R's names are looked at without running code of the script's", {
  skip_without_keras()
  beta <- keras()$Variable(1)
  make <- function(inner) {
    force(inner)
    function() inner
  }
  look <- function(promise, uses) {
    here <- environment()
    force(uses)
    makeActiveBinding("active", function() stop("it was read"), here)
    held <- list(first = beta, 1)
    names_of_script(list(here))
  }
  found <- look(stop("it was evaluated"), make(beta))
  ours <- found[startsWith(names(found), "R function")]
  expect_setequal(
    names(ours),
    c("R function$held[first1]", "R function$uses$inner")
  )
})
