# Owns one start of the training, in a process that may be killed: the model,
# its data and its callbacks, as a script has them that is run again.

# @param job list:
#   dir: string, the training's directory.
#   name: string, of this start: its notes go to dir/<name>.notes.
#   epochs, batch_size: integers.
#   subject: list, what backs up (subjects.R), or NULL for none; then every
#     batch is noted.
#   configuration: list, how it does.
# @return the digest of the whole run, lines of text.
train <- function(job) {
  set.seed(11)
  keras$utils$set_random_seed(11L)
  model <- large_model()
  plateau <- case_callbacks$plateau()
  notes <- witness$Notes(
    file.path(job$dir, paste0(job$name, ".notes")),
    whole = is.null(job$subject) || job$subject$exact
  )
  callbacks <- list(
    plateau,
    witness$Witness(notes, every = is.null(job$subject))
  )
  if (!is.null(job$subject)) {
    callbacks <- c(job$subject$callback(job, notes), callbacks)
  }
  random <- reticulate::import("numpy", convert = FALSE)$random$RandomState(1L)
  history <- model$fit(
    random$randn(64L, 256L)$astype("float32"),
    random$randn(64L, 1L)$astype("float32"),
    batch_size = job$batch_size,
    epochs = job$epochs,
    verbose = 0L,
    callbacks = callbacks
  )
  # No callback here writes files.
  cases$digest(model, history, list(plateau), file.path(job$dir, "none"))
}

# 3.4 million weights; with Adam's moments 41 MB.
large_model <- function() {
  layer <- keras$layers
  wide <- function() layer$Dense(1024L, activation = "relu")
  model <- keras$Sequential(list(
    keras$Input(reticulate::tuple(256L)),
    wide(),
    layer$BatchNormalization(),
    wide(),
    layer$Dropout(0.3),
    wide(),
    wide(),
    layer$Dense(1L)
  ))
  model$compile(
    optimizer = keras$optimizers$Adam(0.001),
    loss = "mse",
    metrics = list("mae")
  )
  model
}
