# The storage layer: checkpoints in a directory, by way of the C core.
#
# Owns: every `.Call` about checkpoints and their directory. May not touch:
# Keras, reticulate, what a header says. A failure comes from C as a list of
# class "kb_failure":
#   status       "io", "corrupt", "nomem", "durability" (complete under its
#                name, but a power cut may undo it), "too_large", "exhausted"
#                (no number is left), "forked", or "misuse": a fault of ours
#   op           what was being done: "open", "write", "fsync", "verify", ...
#   path         the file, or NA
#   errno        "ENOSPC" and the like, or NA; errno_text in words
#   message      a terse cause
#   offset, length     the damaged bytes, counted in the data section, or NA
#   needed, available  bytes, when disk or memory ran out, or NA
# and is handed to stop_store_failure() (conditions.R). Addresses cross as raw
# vectors, 8 bytes each in the machine's order, or as decimal strings; sizes as
# doubles. A store is used by the process that opened it, and only while the
# caller holds the directory's lock.

#' @useDynLib kerasbackup, .registration = TRUE
NULL

#' Raise a failure, hand on anything else
#' @param result <any> what `.Call` returned
#' @return `result`
#' @noRd
store_result <- function(result) {
  if (inherits(result, "kb_failure")) {
    stop_store_failure(result, tensor = store_damaged_tensors(result))
  }
  result
}

#' The names of the tensors that a failure is about
#' @param failure <kb_failure>
#' @return <character>, or `NULL` where the damage is not in a tensor or the
#'   header, which has the names, is damaged too
#' @noRd
store_damaged_tensors <- function(failure) {
  if (is.na(failure$offset)) {
    return(NULL)
  }
  header <- .Call(ffi_checkpoint_header, failure$path)
  if (inherits(header, "kb_failure")) {
    return(NULL)
  }
  tryCatch(
    {
      tensors <- manifest_parse(header, failure$path)$tensors
      manifest_tensors_at(tensors, failure$offset, failure$length)
    },
    kerasbackup_error_corrupt = function(e) NULL
  )
}

#' Open the store in a directory
#'
#' Sweeps temporary files there that a dead process left.
#' @param dir <character(1)> an existing directory, absolute
#' @param keep <integer(1)> how many of the newest generations stay, at least 1
#' @param async <logical(1)> whether a thread writes, from a copy
#' @return <kb_store> an external pointer
#' @noRd
store_open <- function(dir, keep = 1L, async = FALSE) {
  store_result(.Call(ffi_store_open, dir, keep, async))
}

#' Keep older generations too, from the next commit on
#' @param store <kb_store>
#' @param every <double(1)> seconds from one that is kept to the next; 0: none
#' @param best <character(1)> whether the one with the "lowest" or the "highest"
#'   value is kept; "none": neither
#' @param marks <data.frame> what the generations there are count as:
#'   `generation` <double>, `time` <double> in seconds, `value` <double>; `NA`
#'   where it is not known or there is none. One without a row is kept
#' @return `NULL`, invisibly
#' @noRd
store_keep <- function(store, every, best, marks) {
  invisible(store_result(.Call(
    ffi_store_keep,
    store,
    every,
    best,
    marks$generation,
    marks$time,
    marks$value
  )))
}

#' The best of some values
#' @param best <character(1)> "lowest", "highest" or "none", as `store_keep()`
#'   takes it
#' @param values <double> `NA` where there is none
#' @return <double(1)> the place of the first that is best, or 0
#' @noRd
store_best <- function(best, values) {
  store_result(.Call(ffi_best_of, best, values))
}

#' Open the store in a directory to find and read checkpoints
#'
#' Changes nothing there, so the caller needs no lock, and whoever has it may
#' remove a checkpoint meanwhile.
#' @param dir <character(1)> an existing directory, absolute
#' @return <kb_store> an external pointer. It takes no plan
#' @noRd
store_open_to_read <- function(dir) {
  store_result(.Call(ffi_store_open_to_read, dir))
}

#' Say what the next saves consist of
#' @param store <kb_store>
#' @param tensors <character(1)> the header's JSON members for the tensors
#' @param sizes <double> the tensors' sizes in bytes, in the file's order
#' @return `NULL`, invisibly
#' @noRd
store_plan <- function(store, tensors, sizes) {
  result <- .Call(ffi_store_plan, store, tensors, as.double(sizes))
  invisible(store_result(result))
}

#' Make memory for a copy of about so many bytes, in the background
#' @param store <kb_store>
#' @param bytes <double(1)>
#' @return `NULL`, invisibly
#' @noRd
store_prepare <- function(store, bytes) {
  invisible(store_result(.Call(ffi_store_prepare, store, bytes)))
}

#' Hand over a save, once the one before is done
#'
#' What goes wrong with it is for `store_wait()`.
#' @param store <kb_store> with a plan
#' @param addresses <raw> 8 bytes a tensor, in the plan's order
#' @param metadata <character(1)> a JSON object of strings, as
#'   manifest_metadata() makes it
#' @param mark <double(2)> what it counts as: its time and its value, as in
#'   `store_keep()`
#' @return <logical(1)> whether it goes on in the background
#' @noRd
store_submit <- function(store, addresses, metadata, mark = unmarked) {
  store_result(.Call(ffi_store_submit, store, addresses, metadata, mark))
}

unmarked <- c(NA_real_, NA_real_)

#' Wait until no save is under way; a failure not yet reported surfaces here
#' @param store <kb_store>
#' @return <list> the last commit, where it was not returned before:
#'   `generation` <double(1)>, `path` <character(1)>, `bytes` <double(1)>,
#'   `seconds` <double(1)> it took until it was committed, `notes` <list of
#'   kb_failure> what went wrong without failing it: files that could not be
#'   removed, and with the status "durability" a directory that its file system
#'   cannot flush; else `NULL`. Only what is returned here may be reported as
#'   done
#' @noRd
store_wait <- function(store) {
  store_result(.Call(ffi_store_wait, store))
}

#' Where it can be read without a call whether a save is under way
#' @param store <kb_store>
#' @return <character(1)> the address, decimal, of two unsigned 64-bit numbers,
#'   valid until the store is closed: 1 while a save is under way in the
#'   background, else 0; and the nanoseconds that the last one there took
#' @noRd
store_activity <- function(store) {
  store_result(.Call(ffi_store_activity, store))
}

#' Save: commit the next generation, or fail and change nothing (I4)
#' @inheritParams store_submit
#' @return <list> as from `store_wait()`
#' @noRd
store_save <- function(store, addresses, metadata, mark = unmarked) {
  store_submit(store, addresses, metadata, mark)
  store_wait(store)
}

#' Find the newest generation that verifies (I5)
#' @param store <kb_store>
#' @param depth <character(1)> how much of it is read and verified: "header"
#'   only that, "verify" everything, "load" everything, and the data are kept
#' @return `NULL` if there is no checkpoint, or <list> `generation`
#'   <double(1)>, `path` <character(1)>, `header` <character(1)> JSON,
#'   `data_bytes` <double(1)> (the trailer not counted), `buffer` <kb_buffer>
#'   owns the data, if they are kept, `skipped` <list of kb_failure> newer files
#'   that did not verify. A failure carries the same list as its attribute
#'   "skipped".
#' @noRd
store_find <- function(store, depth) {
  store_result(.Call(ffi_store_find, store, depth))
}

#' Read the data of one generation to where they belong, verified in full
#' @param store <kb_store>
#' @param generation <double(1)>
#' @param places <raw> 16 bytes a tensor, in the file's order: the address and
#'   the size in bytes. After a failure what is there is of no use
#' @return `NULL`, invisibly
#' @noRd
store_read_into <- function(store, generation, places) {
  invisible(store_result(
    .Call(ffi_store_read_into, store, generation, places)
  ))
}

#' Bytes of a buffer
#' @param buffer <kb_buffer>
#' @param offset <double(1)> from 0
#' @param nbytes <double(1)>
#' @return <raw>
#' @noRd
store_buffer_read <- function(buffer, offset, nbytes) {
  store_result(.Call(ffi_buffer_read, buffer, offset, nbytes))
}

#' Write a plain safetensors file with some of a buffer's bytes
#' @param buffer <kb_buffer>
#' @param path <character(1)> absolute. On failure nothing is left there
#' @param header <character(1)> JSON, without its length
#' @param begins,sizes <double> places in the buffer, in the new file's order
#' @return `NULL`, or <kb_failure>: `errno` is "EEXIST" where the name is taken
#' @noRd
store_buffer_export <- function(buffer, path, header, begins, sizes) {
  .Call(
    ffi_buffer_export,
    buffer,
    path,
    header,
    as.double(begins),
    as.double(sizes)
  )
}

#' Free a buffer now; its address must not be used any more
#' @param buffer <kb_buffer>
#' @return `NULL`, invisibly
#' @noRd
store_buffer_release <- function(buffer) {
  invisible(.Call(ffi_buffer_release, buffer))
}

#' Close a store; closing it again does nothing
#' @param store <kb_store>
#' @return `NULL`, invisibly
#' @noRd
store_close <- function(store) {
  invisible(.Call(ffi_store_close, store))
}

#' End the threads of all open stores, after the saves under way
#' @return `NULL`, invisibly
#' @noRd
store_stop_all <- function() {
  invisible(.Call(ffi_store_stop_all))
}

#' Whether a store can be used
#' @param store <kb_store>
#' @return <logical(1)> not where it was closed, or garbage collected before an
#'   object that has it, or is that of the process that forked this one
#' @noRd
store_is_open <- function(store) {
  .Call(ffi_store_is_open, store)
}

#' The committed files in a directory, by name, newest first
#' @param dir <character(1)>
#' @return <data.frame> `path` <character>, `generation` <double>, `bytes`
#'   <double>. What only has the name of a checkpoint is among them
#' @noRd
store_list <- function(dir) {
  as.data.frame(
    store_result(.Call(ffi_checkpoint_list, dir)),
    stringsAsFactors = FALSE
  )
}

#' The header of a file, verified; its data are not read
#' @param path <character(1)>
#' @return <character(1)> JSON
#' @noRd
store_header <- function(path) {
  store_result(.Call(ffi_checkpoint_header, path))
}

#' Verify every byte of a file
#' @param path <character(1)>
#' @return `TRUE`, invisibly
#' @noRd
store_verify <- function(path) {
  store_answer(.Call(ffi_checkpoint_verify, path, may_stop()))
  invisible(TRUE)
}

#' Load one file, verified
#' @param path <character(1)>
#' @return <list> as from `store_find()`, without `skipped`
#' @noRd
store_read <- function(path) {
  result <- store_answer(.Call(ffi_checkpoint_read, path, may_stop()))
  result$skipped <- NULL
  result
}

#' Read some bytes of one file's data, verified
#'
#' Only the blocks that have them are read, and the header.
#' @param path <character(1)>
#' @param begin,end <double(1)> places in the data
#' @return <raw>
#' @noRd
store_read_part <- function(path, begin, end) {
  store_answer(.Call(ffi_checkpoint_read_part, path, begin, end, may_stop()))
}

#' Whether reading may end when the user interrupts R: the jump must not be over
#' Python's frames
#' @noRd
may_stop <- function() !is_python_on_stack()

#' As `store_result()`; and interrupts, if C has ended because of that
#' @param result <any> `TRUE` if it has
#' @noRd
store_answer <- function(result) {
  if (isTRUE(result)) {
    rlang::interrupt()
  }
  store_result(result)
}

#' Delete our committed files and stale temporary files, and nothing else (I7)
#' @param dir <character(1)>
#' @return <character> the paths that were deleted
#' @noRd
store_delete <- function(dir) {
  store_result(.Call(ffi_checkpoint_delete, dir))
}

#' The address of a raw vector's bytes, as `store_save()` takes it
#' @param x <raw> the caller keeps it alive and unchanged
#' @return <raw(8)>
#' @noRd
store_raw_address <- function(x) {
  store_result(.Call(ffi_raw_address, x))
}

#' The length of the trailer behind so many bytes of data
#' @param data_bytes <double(1)>
#' @return <double(1)>
#' @noRd
store_trailer_bytes <- function(data_bytes) {
  store_result(.Call(ffi_trailer_size, data_bytes))
}

#' Whether a file is a checkpoint of ours, by its content
#' @param path <character(1)>
#' @return <logical(1)> `NA` where it cannot be read
#' @noRd
store_owns <- function(path) {
  .Call(ffi_path_is_ours, path)
}

#' Whether a name is a plain file: no link, directory, pipe or device
#' @param path <character(1)>
#' @return <logical(1)>
#' @noRd
store_is_file <- function(path) {
  .Call(ffi_path_is_file, path)
}

#' What tells one file from another, whatever their names
#' @param path <character(1)>
#' @return <character(1)> "device:inode", or `NA` if there is no such file
#' @noRd
store_file_id <- function(path) {
  .Call(ffi_file_id, path)
}

#' Make a directory, and those above it that are missing
#'
#' Each name is on stable storage before the next one is made, which
#' `dir.create()` does not promise.
#' @param dir <character(1)> absolute
#' @return <logical(1)> whether it had to be made, or <kb_failure>
#' @noRd
store_make_dir <- function(dir) {
  .Call(ffi_directory_make, dir)
}

#' Remove a directory if it is empty
#'
#' R's own functions remove no directory on Windows, or one with what is in it.
#' @param dir <character(1)>
#' @return <logical(1)> whether it is gone; a link to a directory stays
#' @noRd
store_unmake_dir <- function(dir) {
  .Call(ffi_directory_unmake, dir)
}
