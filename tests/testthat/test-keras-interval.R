# When save_freq = "auto" saves: a training without Keras, on a clock of its
# own.

interval_run <- function(...) {
  skip_without_keras()
  bridge_module()
  fake <- reticulate::import_from_path(
    "fake_training",
    testthat::test_path("python"),
    delay_load = FALSE
  )
  run <- fake$run(...)
  run$gaps <- diff(run$time)
  run$batches <- diff(run$step)
  run$news <- lapply(run$news, unlist)
  run
}

# Each save counts, also the last, which nothing has paid for yet.
expect_within <- function(run, part, cost) {
  total <- utils::tail(run$time, 1)
  expect_gt(length(run$time), 2)
  expect_lte(run$overhead, part + cost / total)
}

test_that("a save costs what training waits, and is paid for by the time after", {
  run <- interval_run(steps = 10000L, step = 0.01, stall = 0.2)
  expect_equal(run$time[[1]], 1.2, tolerance = 0.02)
  expect_equal(run$gaps, rep(20.2, length(run$gaps)), tolerance = 0.001)
  expect_equal(run$news, list(c(2000, 20, 0.2)), tolerance = 0.001)
  expect_within(run, 0.01, 0.2)
  run <- interval_run(
    steps = 10000L,
    step = 0.01,
    stall = 0.2,
    max_overhead = 0.02
  )
  expect_equal(run$gaps, rep(10.2, length(run$gaps)), tolerance = 0.002)
  expect_within(run, 0.02, 0.2)
})

test_that("it never saves more often than every five seconds", {
  run <- interval_run(steps = 5000L, step = 0.01, stall = 0.01)
  expect_equal(run$gaps, rep(5.01, length(run$gaps)), tolerance = 0.003)
  expect_length(run$gaps, 9)
})

test_that("it never saves while the one before is being written (I9)", {
  run <- interval_run(steps = 30000L, step = 0.01, stall = 0.01, write = 30)
  expect_equal(run$waited, 0)
  # As long again, to see how fast steps are without the writer.
  expect_equal(run$gaps, rep(60, length(run$gaps)), tolerance = 0.001)
  expect_gt(length(run$gaps), 3)
})

test_that("when steps become slower or faster, the batches follow, not the time", {
  for (factor in c(3, 1 / 3)) {
    run <- interval_run(
      steps = 30000L,
      step = 0.01,
      stall = 0.2,
      change_at = 10000L,
      factor = factor
    )
    expect_equal(run$gaps, rep(20.2, length(run$gaps)), tolerance = 0.003)
    expect_equal(run$batches[[1]], 2000, tolerance = 0.002)
    expect_equal(utils::tail(run$batches, 1), 2000 / factor, tolerance = 0.01)
    expect_within(run, 0.01, 0.2)
  }
})

test_that("the first steps may compile: they are not taken for a save's cost", {
  run <- interval_run(
    steps = 5000L,
    step = 0.01,
    stall = 0.1,
    extra = list("0" = 20, "1" = 10)
  )
  expect_equal(run$step[[1]], 2)
  expect_equal(run$news, list(c(1000, 10, 0.1)), tolerance = 0.003)
})

test_that("steps that the writer slows down are part of a save's cost", {
  # 2 seconds in which steps are half as slow again: 2/3 of a second is lost.
  run <- interval_run(
    steps = 30000L,
    step = 0.01,
    stall = 0.01,
    write = 2,
    slowdown = 0.5
  )
  expect_equal(run$news[[1]][[3]], 0.01 + 2 / 3, tolerance = 0.001)
  expect_equal(run$gaps, rep(67.7, length(run$gaps)), tolerance = 0.001)
  expect_within(run, 0.01, 0.68)
})

test_that("nothing else that holds steps up then is taken for more than that", {
  run <- interval_run(
    steps = 20000L,
    step = 0.01,
    stall = 0.1,
    write = 1,
    extra = list("150" = 5)
  )
  expect_equal(run$gaps[1:2], c(110.1, 10.1), tolerance = 0.001)
})

test_that("it is the same where steps are begun long before they run", {
  run <- interval_run(
    steps = 30000L,
    step = 0.01,
    stall = 0.01,
    write = 2,
    slowdown = 0.5,
    ahead = 32L,
    dispatch = 0.0005
  )
  expect_equal(run$news[[1]][[3]], 0.01 + 2 / 3, tolerance = 0.02)
  expect_within(run, 0.01, 0.68)
  # What was under way when a save began is no cost of it.
  run <- interval_run(
    steps = 5000L,
    step = 0.01,
    stall = 0.1,
    ahead = 32L,
    dispatch = 0.0005
  )
  expect_equal(run$news[[1]][[3]], 0.1, tolerance = 0.001)
})

test_that("with steps of 100 microseconds, the clock is looked at now and then", {
  run <- interval_run(steps = 100000L, step = 0.0001, stall = 0.002)
  expect_lt(run$reads, 0.03)
  expect_equal(run$gaps, 5, tolerance = 0.01)
  # Also where they become that fast later.
  run <- interval_run(
    steps = 110000L,
    step = 0.1,
    stall = 0.002,
    change_at = 100L,
    factor = 0.001
  )
  expect_lt(run$reads, 0.03)
})

test_that("a save may take longer than an epoch", {
  run <- interval_run(
    steps = 2000L,
    step = 1,
    stall = 5,
    write = 100,
    epoch = 10L,
    validation = 5
  )
  expect_equal(run$waited, 0)
  expect_equal(run$time[[1]], 2 + 5)
  expect_true(all(run$gaps >= 505 & run$gaps <= 511))
  expect_within(run, 0.01, 5)
})

test_that("ends of epochs count too, and no save is made as one begins", {
  run <- interval_run(
    steps = 300L,
    step = 1,
    stall = 0.05,
    write = 1,
    slowdown = 0.5,
    epoch = 1L
  )
  expect_equal(run$news[[1]][[3]], 0.05 + 1 / 3, tolerance = 0.001)
  expect_setequal(run$batch, 1)
  expect_within(run, 0.01, 0.4)
  run <- interval_run(
    steps = 20000L,
    step = 0.005,
    stall = 0.05,
    write = 1,
    slowdown = 0.5,
    epoch = 3L,
    between = 0.02
  )
  expect_equal(run$news[[1]][[3]], 0.05 + 1 / 3, tolerance = 0.03)
  expect_within(run, 0.01, 0.4)
  # 3 is the end of one, and 0 would be the beginning.
  expect_setequal(run$batch, c(1, 3))
})

test_that("validation and an epoch's first step are no cost of a save", {
  for (first in c(0, 3)) {
    run <- interval_run(
      steps = 5000L,
      step = 0.01,
      stall = 0.01,
      write = 2,
      epoch = 50L,
      validation = 3 - first,
      first = first
    )
    expect_equal(run$news[[1]][[3]], 0.01, tolerance = 0.001)
    expect_lt(max(run$gaps), 18)
  }
})

test_that("the bound holds where every step takes another time", {
  run <- interval_run(
    steps = 100000L,
    step = 0.01,
    stall = 0.05,
    write = 1,
    slowdown = 0.3,
    noise = 0.5,
    epoch = 100L,
    validation = 0.2
  )
  expect_within(run, 0.0105, 0.3)
  expect_gt(length(run$gaps), 20)
})
