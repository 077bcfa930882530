# Owns: the parts a run of the tests is made of. Each runs one thing, for as long as
# it goes on, and records what came of it; none stops the others.
# Sourced by tools/test and others after results.sh and install.sh.
# shellcheck shell=bash

# shellcheck source=tools/sh/tap.sh
. tools/sh/tap.sh

# The C core alone, without R. TARGET is a target of tests/c/Makefile whose
# programs print "ok ..." and "not ok ..." lines.
leg_c() { # TARGET [LIMIT]
  local target=$1 limit=${2:-1200}
  set -- make -C tests/c "$target"
  # Any compiler with sanitizers will do where there is no clang.
  has clang || set -- "$@" CLANG=cc
  say "C tests: $target"
  leg_tap "c-$target" "$limit" "$@"
}

leg_install() {
  say "The package: build, compile, install"
  if ! install_package; then
    fail install "the package cannot be installed"
    return 1
  fi
  if compiler_warnings >"$RESULTS/install.log"; then
    fail install "the compiler warns" "$RESULTS/install.log"
  else
    record passed install "it compiles without a warning"
  fi
  more "$(tally install)"
}

# testthat in an R process of its own. Only the files whose names match PATTERN.
# The tests train the same few models again and again, so what JAX compiled is
# kept, which halves their time.
leg_testthat() { # GROUP LIMIT PATTERN [VARIABLE=VALUE...]
  local group=$1 limit=$2 pattern=$3 status=0
  local log="$RESULTS/$group.log" out="$RESULTS/$group"
  shift 3
  say "testthat: $group"
  patient "$limit" "$out.at" env NOT_CRAN=true RETICULATE_PYTHON="$PYTHON" \
    KERASBACKUP_PYTHON="$PYTHON" TF_CPP_MIN_LOG_LEVEL=2 \
    JAX_COMPILATION_CACHE_DIR="$CACHE/jax" \
    JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 \
    JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1 "$@" \
    Rscript tools/r/run-testthat.R "$group" "$out" "$pattern" \
    3>&1 >"$log" 2>&1 || status=$?
  if [ ! -e "$out.done" ]; then
    [ "$status" -ne 124 ] || status="124, after $limit s without a new test,"
    fail "$group" "the R process ended with status $status in $(
      tail -n 1 "$out.at" 2>/dev/null || echo 'its set-up')" "$log"
  elif [ "$status" -ne 0 ]; then
    fail "$group" "the R process ended with status $status after the last test" \
      "$log"
  elif [ "$(count passed "$group")" -eq 0 ] && [ "${FILTER:-.}" = . ] &&
    [ "$(count failed "$group")" -eq 0 ]; then
    fail "$group" "no test ran" "$log"
  fi
  more "$group: $(tally "$group")"
}

# One row in PART of the exactness table: real processes, killed by SIGKILL and
# started again.
leg_exactness() { # BACKEND PART
  case " $BACKENDS " in
    *" $1 "*) ;;
    *) return 0 ;;
  esac
  say "Exactness: one row in $2 of the table, on $1"
  leg_tap_at "exactness-$1" 900 "$CACHE/exactness/$1" env PART="$2" BACKENDS="$1" CORES=1 tools/exactness
}

# Trainings of several workers: for each way to join processes one row that
# interrupts them. The table in the documentation is left as it is.
leg_distributed() {
  local rows='^(jax ModelParallel/2/arrays/3/2/save'
  rows+='|torch DistributedDataParallel/2/arrays/3/1/batch'
  rows+='|tf_keras MultiWorkerMirroredStrategy/2/tf.data/3/1/batch'
  rows+='|tf_keras ParameterServerStrategy/3/tf.data/3/1/batch)$'
  local table="$CACHE/distributed.md" needed
  for needed in jax torch tf_keras; do
    if ! has_backend "$needed"; then
      record skipped distributed "$needed is not installed"
      return
    fi
  done
  say "Several workers: four rows of the table"
  cp vignettes/several-workers.Rmd "$table"
  leg_tap distributed 600 env ROWS="$rows" TABLE="$table" \
    tools/test-distributed
}

# A few rows of the table with tf_keras, for each kind of data, optimizer and
# interruption.
leg_exactness_of_tf_keras() {
  case " $BACKENDS " in
    *" tensorflow "*) ;;
    *) return 0 ;;
  esac
  has_backend tf_keras || {
    record skipped exactness-tf_keras "tf_keras is not installed"
    return 0
  }
  say "Exactness: some rows of the table, with tf_keras"
  leg_tap_at exactness-tf_keras 900 "$CACHE/exactness/tf_keras" \
    env BACKENDS=tf_keras CORES=1 \
    ROWS='^(pydataset-state/dense/none|generator-counting/dense/csv preempted|tfdata/legacy/plateau auto|tfdata/mirrored/plateau twice|arrays/mixed-float16/none|arrays-validation-data/dense/several end)$' \
    tools/exactness
}

# Real trainings with a large state, killed inside their saves, on the last
# backend that there is.
leg_crashloop() { # KILLS
  local backend last=
  for backend in $BACKENDS; do
    ! has_backend "$backend" || last=$backend
  done
  if [ -z "$last" ]; then
    record skipped crashloop "no backend is installed"
    return
  fi
  say "Crash loop: $1 kills, on $last"
  leg_tap crashloop 1800 env KILLS="$1" KERAS_BACKEND="$last" \
    tools/crashloop/run
}

leg_lint() {
  say "Lint"
  local what log
  for what in $(tools/lint --list); do
    log="$RESULTS/lint-$what.log"
    if bounded 600 tools/lint "$what" >"$log" 2>&1; then
      record passed lint "$what"
    else
      fail lint "$what" "$log"
    fi
  done
  more "$(tally lint)"
}

# R CMD check as CRAN does it, and as on a machine without Python.
leg_check() {
  local dir="$CACHE/check" status=0 options=(--as-cran)
  say "R CMD build and R CMD check --as-cran, without Python"
  has pdflatex || {
    options+=(--no-manual)
    more "the PDF manual is left out: there is no pdflatex"
  }
  rm -rf "$dir" "$dir.log"
  if ! build_package "$dir"; then
    fail check "R CMD build" "$dir.log"
    return
  fi
  bounded 60 Rscript tools/r/empty-cran.R "$CACHE/cran"
  (
    cd "$dir" || exit 1
    # What needs a network, or packages that Debian lacks, is left out.
    patient 900 "$dir.log" env -u NOT_CRAN -u KERAS_BACKEND -u KERASBACKUP_PYTHON \
      RETICULATE_PYTHON=/nonexistent/python _R_CHECK_FORCE_SUGGESTS_=false \
      _R_CHECK_CRAN_INCOMING_REMOTE_=false _R_CHECK_SYSTEM_CLOCK_=false \
      R_CRAN_WEB="file://$CACHE/cran" \
      R CMD check "${options[@]}" kerasbackup_*.tar.gz
  ) >"$dir.log" 2>&1 || status=$?
  cp "$dir.log" "$RESULTS/check.log"
  if bounded 60 Rscript tools/r/judge-check.R \
    "$dir/kerasbackup.Rcheck/00check.log" "$status" \
    >"$RESULTS/check-judged.log" 2>&1; then
    record passed check "R CMD check --as-cran"
    sed 's/^/    /' "$RESULTS/check-judged.log"
  else
    fail check "R CMD check --as-cran" "$RESULTS/check-judged.log"
  fi
}
