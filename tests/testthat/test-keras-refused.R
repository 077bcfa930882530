# Processes that are joined and do not train one model together, and trainings
# of tf_keras that cannot be resumed: refused at the first hook or before, and
# nothing is created.

test_that("two processes are refused where each trains by itself", {
  skip_without_keras()
  # JAX ends with an error of C++ there, which takes R with it.
  skip_if(
    Sys.getenv("KERAS_BACKEND") == "jax" &&
      is.null(suppressWarnings(utils::nsl(Sys.info()[["nodename"]]))),
    "JAX looks for the address of this machine's name, which has none"
  )
  root <- withr::local_tempdir()
  ports <- python_file("processes")$free_ports(2L)
  processes <- lapply(0:1, function(rank) {
    start_training(
      {
        dir <- file.path(args[[1]], args[[2]])
        context <- python_file("processes")$join(
          as.integer(args[[2]]),
          as.integer(args[3:4])
        )
        error <- tryCatch(
          with(context, {
            model <- build_model()
            if (Sys.getenv("KERAS_BACKEND") == "tensorflow") {
              # Where this no longer fails, the callback can be called.
              kerases_own <- tryCatch(fit_model(model), error = identity)
              stopifnot(
                "Keras 3 trains in several processes of TensorFlow" = inherits(
                  kerases_own,
                  "error"
                )
              )
            }
            # There it is refused here, or Keras would fail before the first
            # hook.
            callback <- callback_backup_and_restore(dir)
            fit_model(model, callbacks = list(callback))
          }),
          error = function(e) e
        )
        cat(conditionMessage(error), dir.exists(dir), sep = "\n")
        python_file("processes")$leave()
      },
      c(root, rank, ports)
    )
  })
  for (process in processes) {
    ended <- end_of(process)
    expect_equal(ended$status, 0, info = paste(ended$err, collapse = "\n"))
    expect_match(
      paste(ended$out, collapse = " "),
      "UnsupportedError.* in several (processes )?\\(.*(is|has) 2\\)"
    )
    expect_equal(utils::tail(ended$out, 1), "FALSE")
  }
})

test_that("a training of one process alone is one, whatever it has joined", {
  skip_without_keras()
  backend <- Sys.getenv("KERAS_BACKEND")
  skip_if(backend == "jax", "a process joins others before it computes")
  dir <- withr::local_tempdir()
  if (backend == "torch") {
    distributed <- reticulate::import("torch.distributed")
    distributed$init_process_group(
      "gloo",
      store = distributed$HashStore(),
      rank = 0L,
      world_size = 1L
    )
    withr::defer(distributed$destroy_process_group())
    context <- reticulate::import("contextlib")$nullcontext()
  } else {
    tf <- reticulate::import("tensorflow")
    context <- tf$distribute$MultiWorkerMirroredStrategy()$scope()
  }
  with(context, {
    fit_until(build_model(), 1L, callback_backup_and_restore(dir))
  })
  expect_left(dir, 1)
})
