#!/bin/sh
# Build the fuzzers and let each run for a while.
#
#   CLANG=clang FUZZ_SEED=1 sh run.sh BUILD_DIR SECONDS [reader|names ...]
#
# Each begins with what is in corpus/, which stays as it is. An input that
# breaks something is left in BUILD_DIR, to be run again:
# BUILD_DIR/fuzz_reader BUILD_DIR/reader-crash-...
set -u
cd "$(dirname "$0")" || exit 2
build=$1
seconds=$2
shift 2
[ $# -gt 0 ] || set -- reader names
mkdir -p "$build" || exit 2

flags="-std=c11 -pthread -Wall -Wextra -Wpedantic -Werror -O1 -g
  -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined
  -fno-sanitize-recover=all -I ../../src -I ../c"
rm -f "$build"/*.o
for file in ../../src/*.c ../c/vfs_memory.c; do
  case $file in
    */ffi*.c) continue ;;
  esac
  # shellcheck disable=SC2086
  ${CLANG:-clang} $flags -c "$file" -o "$build/$(basename "$file" .c).o" ||
    exit 2
done

n=0
failed=0
for target; do
  n=$((n + 1))
  program="$build/fuzz_$target"
  log="$build/$target.log"
  # shellcheck disable=SC2086
  ${CLANG:-clang} $flags -fsanitize=fuzzer "fuzz_$target.c" "$build"/*.o \
    -o "$program" || exit 2
  mkdir -p "$build/corpus/$target"
  # New inputs go to the first directory.
  if "$program" "$build/corpus/$target" "corpus/$target" \
    -max_total_time="$seconds" -max_len=4096 -timeout=20 -rss_limit_mb=2048 \
    -malloc_limit_mb=256 -seed="${FUZZ_SEED:-1}" -use_value_profile=1 \
    -artifact_prefix="$build/$target-" -print_final_stats=1 >"$log" 2>&1
  then
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    if [ "${runs:-0}" -gt 100 ]; then
      echo "ok $n - $target: $runs inputs, nothing found"
      continue
    fi
    echo "not ok $n - $target: only ${runs:-0} inputs were tried"
  else
    echo "not ok $n - $target: something was found"
    grep -v '^#' "$log" | tail -n 30 | sed 's/^/# /'
  fi
  failed=1
done
echo "1..$n"
exit $failed
