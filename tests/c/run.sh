#!/bin/sh
# Build the core without R, and run the test programs.
#
#   CC=... CFLAGS=... RUNNER=... SRC=... EXE=... sh run.sh BUILD_DIR [test_x.c ...]
#
# RUNNER stands in front of each program (valgrind ...), EXE behind its name. No
# file names reach make, so that paths may have spaces in them.
set -u
cd "$(dirname "$0")" || exit 2
build=$1
shift
src=${SRC:-../../src}
mkdir -p "$build" || exit 2
[ $# -gt 0 ] || set -- test_*.c

flags="-std=c11 -pthread -Wall -Wextra -Wpedantic -Werror ${CFLAGS:--O2 -g}"
rm -f "$build"/*.o
for file in "$src"/*.c tap.c posix.c fixture.c gate.c vfs_fault.c vfs_memory.c \
  vfs_record.c; do
  case $file in
    */ffi*.c) continue ;;
  esac
  # shellcheck disable=SC2086
  ${CC:-cc} $flags -I "$src" -c "$file" \
    -o "$build/$(basename "$file" .c).o" || exit 2
done

failed=0
for file; do
  program="$build/$(basename "$file" .c)${EXE:-}"
  # shellcheck disable=SC2086
  ${CC:-cc} $flags -I "$src" "$file" "$build"/*.o -o "$program" || exit 2
  echo "# $(basename "$program")"
  ${RUNNER:-} "$program" || {
    failed=1
    echo "# $(basename "$program") FAILED"
  }
done
exit $failed
