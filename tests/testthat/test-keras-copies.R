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
