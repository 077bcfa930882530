# What a training does to its directory, and to what else is in it (I7): others'
# files, links, permissions, and what merely looks like ours. Without Python.

# Everything in a directory: kind, permissions, content or target.
everything_in <- function(dir) {
  # list.files() follows links.
  names <- sort(withr::with_dir(dir, system2("find", ".", stdout = TRUE)))
  paths <- file.path(dir, names)
  is_file <- vapply(paths, store_is_file, NA)
  data.frame(
    name = names,
    target = Sys.readlink(paths),
    mode = as.character(file.mode(paths)),
    content = ifelse(is_file, tools::md5sum(paths[is_file])[paths], NA)
  )
}

# The number of a process that has ended.
dead_process <- function() {
  as.integer(system2("sh", c("-c", shQuote("echo $$")), stdout = TRUE))
}

# Groups that a directory of ours can be given to.
other_groups <- function() {
  mine <- as.integer(strsplit(system2("id", "-G", stdout = TRUE), " ")[[1]])
  # The superuser may give it to any.
  if (identical(system2("id", "-u", stdout = TRUE), "0")) c(mine, 1L) else mine
}

copy_of_ours <- function(to) {
  source <- withr::local_tempdir()
  file.copy(save_once(source, some_bytes())$path, to)
}

test_that("I10: only completion deletes, and only where it is asked to", {
  dir <- withr::local_tempdir()
  train(dir, complete = FALSE)
  expect_equal(store_list(dir)$generation, 2)
  train(dir, saves = 1, delete_checkpoint = FALSE)
  expect_equal(store_list(dir)$generation, 3)
  train(dir)
  expect_identical(files_in(dir), character())
})

test_that("I7: what others have in the directory stays, whatever it is called", {
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  outside <- withr::local_tempdir()
  target <- file.path(outside, "target")
  copy_of_ours(target)
  # A checkpoint of ours under names that are not quite ours.
  for (name in c(
    "model.safetensors",
    "backup-000000000001.safetensors.bak",
    "backup-1.safetensors",
    "backup-000000000001.tmp",
    ".hidden",
    "kerasbackup.lock.old",
    "backup-000000000001.keras"
  )) {
    copy_of_ours(file.path(dir, name))
  }
  # Directories, full and empty, and links: to a file, to a directory, to us, to
  # nothing, and under our own names.
  dir.create(file.path(dir, "sub", "deeper"), recursive = TRUE)
  copy_of_ours(file.path(dir, "sub", "backup-000000000001.safetensors"))
  dir.create(file.path(dir, "backup-000000000002.safetensors"))
  file.symlink(target, file.path(dir, "link"))
  file.symlink(outside, file.path(dir, "link-to-directory"))
  file.symlink(dir, file.path(dir, "sub", "link-to-us"))
  file.symlink(file.path(outside, "nothing"), file.path(dir, "dangling"))
  file.symlink(target, file.path(dir, "backup-000000000003.safetensors"))
  dead <- sprintf("backup-000000000003.%d-0123456789abcdef.tmp", dead_process())
  file.symlink(target, file.path(dir, dead))
  # Two are in the way of a training, which says what to do about them.
  for (i in 3:2) {
    path <- file.path(dir, sprintf("backup-00000000000%i.safetensors", i))
    error <- expect_error(train(dir), class = "kerasbackup_error_corrupt")
    expect_match(conditionMessage(error), path, fixed = TRUE)
    expect_match(conditionMessage(error), "is a link, a directory")
    expect_match(conditionMessage(error), "Delete it or move it away")
    file.remove(path)
  }
  backup_delete(dir)
  before <- lapply(c(dir, outside), everything_in)
  train(dir, saves = 3)
  expect_identical(lapply(c(dir, outside), everything_in), before)
})

test_that("I7: a link or directory under our name is passed over by a save", {
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  target <- withr::local_tempfile()
  copy_of_ours(target)
  train(dir, saves = 1, complete = FALSE)
  file.symlink(target, file.path(dir, "backup-000000000002.safetensors"))
  dir.create(file.path(dir, "backup-000000000003.safetensors"))
  before <- tools::md5sum(target)
  expect_warning(train(dir), class = "kerasbackup_warning_fallback")
  expect_setequal(
    files_in(dir),
    paste0("backup-00000000000", 2:3, ".safetensors")
  )
  expect_identical(tools::md5sum(target), before)
})

test_that("a directory that is reached by a link is used, and the link stays", {
  skip_on_os("windows")
  parent <- withr::local_tempdir()
  real <- file.path(parent, "real")
  link <- file.path(parent, "link")
  dir.create(real)
  file.symlink(real, link)
  train(link, complete = FALSE)
  expect_length(store_list(real)$path, 1)
  # As if we had made it: a link is not ours to remove all the same.
  lock <- lock_acquire(link, made_dir = TRUE)
  lock_release(lock)
  train(link)
  expect_identical(files_in(real), character())
  expect_identical(Sys.readlink(link), real)
  unlink(real, recursive = TRUE)
  expect_error(train(link), "is a link whose target does not exist")
  expect_identical(Sys.readlink(link), real)
})

test_that("I7: hard links in a copy of the directory keep what they have", {
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  copy <- withr::local_tempdir()
  train(dir, saves = 1, complete = FALSE)
  for (name in files_in(dir)) {
    file.link(file.path(dir, name), file.path(copy, name))
  }
  lines <- readLines(file.path(copy, owner_name))
  # The owner's note must differ, were it to be written anew.
  writeLines(
    sub("\"pid\":[0-9]+", "\"pid\":1", lines),
    file.path(copy, owner_name)
  )
  before <- everything_in(copy)
  train(dir, saves = 3)
  expect_identical(everything_in(copy), before)
  expect_identical(files_in(dir), character())
})

test_that("files that others have under the lock's names are not written to", {
  dir <- withr::local_tempdir()
  writeLines("mine", file.path(dir, owner_name))
  writeLines("mine", file.path(dir, lock_name))
  before <- everything_in(dir)
  train(dir)
  expect_identical(everything_in(dir), before)
})

test_that("what has a checkpoint's name and is none is named, with a way out", {
  dir <- withr::local_tempdir()
  path <- file.path(dir, "backup-000000000007.safetensors")
  for (content in list(raw(), charToRaw("someone else's"))) {
    writeBin(content, path)
    error <- expect_error(train(dir), class = "kerasbackup_error_corrupt")
    message <- conditionMessage(error)
    expect_match(message, path, fixed = TRUE)
    expect_match(message, if (length(content) == 0) "is empty" else "neither")
    expect_match(message, "Delete it or move it away")
    expect_match(
      conditionMessage(expect_error(backup_info(dir))),
      "was not written by kerasbackup"
    )
    # It is not ours, so it stays (I7).
    expect_identical(backup_delete(dir), character())
    expect_identical(readBin(path, "raw", 100), content)
  }
  file.remove(path)
  expect_no_error(train(dir))
})

test_that("I5: such a file is passed over where there is a good one", {
  dir <- withr::local_tempdir()
  train(dir, saves = 1, complete = FALSE)
  path <- file.path(dir, "backup-000000000007.safetensors")
  file.create(path)
  expect_warning(
    train(dir, complete = FALSE),
    "It is empty",
    class = "kerasbackup_warning_fallback"
  )
  # The next save is above it, and is what is restored from then on.
  expect_no_warning(train(dir))
  expect_identical(files_in(dir), basename(path))
})

test_that("temporary files of the dead are swept, those of the living are not", {
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  of_pid <- function(pid, nonce) {
    file.path(dir, sprintf("backup-000000000004.%d-%016x.tmp", pid, nonce))
  }
  dead <- dead_process()
  ours <- of_pid(dead, 1:3)
  copy_of_ours(ours[[1]])
  file.create(ours[[2]])
  writeBin(readBin(ours[[1]], "raw", 20), ours[[3]])
  foreign <- of_pid(dead, 4)
  writeLines("mine", foreign)
  living <- of_pid(1L, 1)
  copy_of_ours(living)
  train(dir)
  expect_setequal(files_in(dir), basename(c(foreign, living)))
})

test_that("files get the permissions that the umask leaves, as R's own do", {
  skip_on_os("windows")
  for (umask in c("022", "002", "077", "027")) {
    parent <- withr::local_tempdir()
    dir <- file.path(parent, "made")
    reference <- file.path(parent, c("file", "directory"))
    local({
      old <- Sys.umask(umask)
      withr::defer(Sys.umask(old))
      train(dir, complete = FALSE)
      file.create(reference[[1]])
      dir.create(reference[[2]])
    })
    files <- file.path(dir, files_in(dir))
    expect_length(files, 3)
    expect_identical(
      as.character(file.mode(c(files, dir))),
      as.character(file.mode(reference[c(1, 1, 1, 2)]))
    )
  }
})

test_that("in a directory of a group, files belong to the group", {
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  other <- setdiff(other_groups(), file.info(dir)$gid)
  skip_if(length(other) == 0, "there is no other group to give a directory to")
  system2("chgrp", c(other[[1]], shQuote(dir)))
  # R's own Sys.chmod() masks the bit.
  system2("chmod", c("2770", shQuote(dir)))
  train(dir, complete = FALSE)
  files <- file.path(dir, files_in(dir))
  expect_length(files, 3)
  expect_identical(file.info(files)$gid, rep(other[[1]], 3))
})

test_that("nothing is created outside of the directory", {
  skip_on_os("windows")
  base <- withr::local_tempdir()
  places <- file.path(base, c("home", "cwd", "tmp"))
  for (place in places) {
    dir.create(place)
  }
  out <- run_r(
    c(
      "args <- commandArgs(TRUE)",
      "setwd(args[[3]])",
      "places <- c(args[2:3], dirname(tempdir()))",
      "everything <- function() list.files(places, all.files = TRUE,",
      "  recursive = TRUE, include.dirs = TRUE)",
      "helpers <- new.env(parent = asNamespace('kerasbackup'))",
      "for (file in args[4:5]) sys.source(file, helpers)",
      "before <- everything()",
      "for (async in c(FALSE, TRUE)) {",
      "  helpers$train(args[[1]], complete = FALSE, async = async)",
      "  suppressMessages(",
      "    stopifnot(kerasbackup::backup_verify(args[[1]]))",
      "  )",
      "  kerasbackup::backup_info(args[[1]])",
      "  kerasbackup::backup_read(args[[1]])",
      "  helpers$train(args[[1]], async = async)",
      "}",
      "cat(setdiff(everything(), before), 'done', length(before) > 0)"
    ),
    file.path(base, "backup"),
    places[1:2],
    normalizePath(test_path(c("helper-backup.R", "helper-store.R"))),
    env = c(paste0("HOME=", places[[1]]), paste0("TMPDIR=", places[[3]]))
  )
  expect_equal(out, " done TRUE")
  expect_false(dir.exists(file.path(base, "backup")))
})
