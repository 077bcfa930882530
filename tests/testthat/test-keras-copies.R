# I9: the one copy of a save is the one into the writer's memory.

test_that("a save looks at the variables' own memory, and copies none (I9)", {
  skip_without_keras()
  model <- build_model()
  fit_model(model, epochs = 1L)
  bridge_module()
  found <- python_helpers()$located_twice(model)
  expect_gt(length(found[[1]]), 10)
  expect_identical(found[[2]], found[[1]])
  expect_identical(found[[3]], found[[1]])
})

test_that("sizes beyond 32 bits come to R as they are", {
  skip_without_keras()
  bridge_module()
  received <- NULL
  functions <- list(
    prepare = function(bytes) {
      received <<- bytes
      list(value = NULL)
    },
    plan = function(spec) {
      received <<- manifest_plan_json(spec)$sizes
      list(value = NULL)
    }
  )
  store <- reticulate::import("kerasbackup.store.client")$Store(
    reticulate::r_to_py(functions, convert = TRUE)
  )
  store$prepare(reticulate::py_eval("3 * 10**9", convert = FALSE))
  expect_identical(received, 3e9)
  store$plan(reticulate::py_eval(
    "[('a', 'F64', [3 * 10**9]), ('b', 'F32', [2**16, 2**16])]",
    convert = FALSE
  ))
  expect_identical(received, c(24e9, 2^34))
})
