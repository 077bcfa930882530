#!/bin/sh
# Break the core on purpose, one line at a time, and see a test turn red.
#
#   CC=... REPORT=file sh mutate.sh BUILD_DIR [pattern]
#
# mutations.txt has blocks of three lines and an empty one:
#   file, and what is broken (file#2 for the line's second occurrence)
#   the line as it is (leading space does not matter; it must occur once)
#   the line as it becomes ("-" removes it)
# A fourth line "hangs: why" allows that a test does not end: else that is no
# notice taken. The tests run one after the other until one is red, the quick
# ones first. REPORT gets a line a break: how, file, what, by which test.
set -u
cd "$(dirname "$0")" || exit 2
build=$1
pattern=${2:-.}
report=${REPORT:-/dev/null}
tests='names vfs crc32c copy store format writer reader'
slow='powercut faults bits'
# And what there is besides, but for what needs another system, or much memory.
for file in test_*.c; do
  test=${file#test_}
  test=${test%.c}
  case " $tests $slow large windows " in
    *" $test "*) ;;
    *) tests="$tests $test" ;;
  esac
done
tests="$tests $slow"
flags='-std=c11 -pthread -O1 -w'
survived=0
killed=0
hung=0
tab=$(printf '\t')
: > "$report"

compile() { # FILE OBJECT
  # shellcheck disable=SC2086
  ${CC:-cc} $flags -I "$build/src" -c "$1" -o "$2"
}

# Everything once; afterwards only what is broken is compiled.
rm -rf "$build"
mkdir -p "$build/good" "$build/test" "$build/src" || exit 2
cp ../../src/*.[ch] "$build/src" || exit 2
sources=''
for file in ../../src/*.c tap.c posix.c fixture.c gate.c vfs_fault.c vfs_memory.c \
  vfs_record.c; do
  case $file in
    */ffi*.c) continue ;;
  esac
  sources="$sources $(basename "$file" .c)"
  compile "$file" "$build/good/$(basename "$file" .c).o" || exit 2
done
for test in $tests; do
  compile "test_$test.c" "$build/test/test_$test.o" || exit 2
done

# Which tests are worth running first for a break in this file.
tests_for() {
  case $1 in
    names.c) echo "names $tests" ;;
    crc32c.c) echo "crc32c $tests" ;;
    copy.c) echo "copy $tests" ;;
    keep.c) echo "keep $tests" ;;
    writer.c | os_thread_*.c) echo "writer reader store signals faults" ;;
    os_signals_posix.c) echo "signals $tests" ;;
    reader.c) echo "reader $tests" ;;
    format.c | stream.c) echo "format $tests" ;;
    *) echo "$tests" ;;
  esac
}

# Sets `outcome` and `red`.
run_tests() { # FILE
  outcome=survived
  red=''
  limit=${LIMIT:-300}
  # For ever need not be that long.
  [ -z "$hangs" ] || limit=${LIMIT:-100}
  done_tests=' '
  for test in $(tests_for "$1"); do
    case $done_tests in *" $test "*) continue ;; esac
    done_tests="$done_tests$test "
    object="$build/test/test_$test.o"
    if [ "$test" = vfs ]; then
      # It includes the source.
      object="$build/test/broken_vfs.o"
      compile test_vfs.c "$object" || { outcome=build; return; }
    fi
    # shellcheck disable=SC2086
    ${CC:-cc} $flags "$object" $objects -o "$build/test_$test" || {
      outcome=build
      return
    }
    rm -rf "$build/tmp" && mkdir "$build/tmp" || exit 2
    TAP_STOP=1 TMPDIR="$build/tmp" timeout -k 5 "$limit" \
      "$build/test_$test" > "$build/log" 2>&1
    code=$?
    red=$(grep -m 1 '^not ok' "$build/log" | sed 's/^not ok [0-9]* - //')
    red="test_$test: ${red:-the program ended with status $code}"
    if [ $code -eq 124 ] || [ $code -eq 137 ]; then
      outcome=hung
      red="test_$test did not end in $limit s"
      return
    elif [ $code -ne 0 ]; then
      outcome=noticed
      return
    fi
  done
  case $1 in
    os_thread_posix.c) run_tsan ;;
  esac
}

# What no single run need show: ThreadSanitizer does.
run_tsan() {
  # shellcheck disable=SC2046 # names without spaces
  ${CLANG:-clang} -std=c11 -pthread -w -O1 -fsanitize=thread -I "$build/src" \
    $(for source in $sources; do
      found=
      for dir in "$build/src" .; do
        [ -n "$found" ] || [ ! -f "$dir/$source.c" ] || found="$dir/$source.c"
      done
      printf '%s\n' "$found"
    done) test_writer.c -o "$build/tsan_writer" || {
    outcome=build
    return
  }
  TSAN_OPTIONS=halt_on_error=1 TAP_STOP=1 TMPDIR="$build/tmp" \
    timeout -k 5 "$limit" "$build/tsan_writer" > "$build/log" 2>&1
  code=$?
  if [ $code -eq 124 ] || [ $code -eq 137 ]; then
    outcome=hung
    red="test_writer did not end in $limit s under ThreadSanitizer"
  elif [ $code -ne 0 ]; then
    outcome=noticed
    red="test_writer under ThreadSanitizer: $(grep -m 1 'WARNING:\|^not ok' \
      "$build/log" | sed 's/ (pid=.*//')"
  fi
}

attempt() {
  printf '%s\n' "$what" | grep -q -- "$pattern" || return 0
  file=${what%% *}
  nth=${file#*#}
  file=${file%#*}
  [ "$nth" != "$file" ] || nth=
  outcome=
  FROM=$from TO=$to NTH=$nth awk '
    BEGIN { from = ENVIRON["FROM"]; to = ENVIRON["TO"]; nth = ENVIRON["NTH"] }
    {
      line = $0
      sub(/^[ \t]+/, "", line)
      if (line != from || (++n != nth && nth != "")) print
      else if (to != "-") print to
    }
    END { if (nth == "" ? n != 1 : n < nth) exit 3 }
  ' "../../src/$file" > "$build/src/$file" || outcome=stale
  if [ -z "$outcome" ]; then
    name=${file%.c}
    objects="$build/broken.o"
    for source in $sources; do
      [ "$source" = "$name" ] || objects="$objects $build/good/$source.o"
    done
    if compile "$build/src/$file" "$build/broken.o" 2> "$build/log"; then
      run_tests "$file"
    else
      outcome=build
    fi
  fi
  cp "../../src/$file" "$build/src/$file"
  case $outcome in
    noticed)
      echo "ok - $what -> $red"
      killed=$((killed + 1))
      ;;
    hung)
      if [ -n "$hangs" ]; then
        red="$red, as it should: $hangs"
        echo "ok - $what -> $red"
        hung=$((hung + 1))
      else
        echo "not ok - $what: timeout, $red"
        survived=$((survived + 1))
        outcome=timeout
      fi
      ;;
    stale)
      echo "not ok - $what: the line is not there, or not once"
      survived=$((survived + 1))
      ;;
    build)
      echo "not ok - $what: did not build"
      tail -3 "$build/log"
      survived=$((survived + 1))
      ;;
    survived)
      echo "not ok - $what: no test noticed"
      survived=$((survived + 1))
      ;;
  esac
  printf '%s\n' "$outcome${tab}src/$file${tab}${what#* }${tab}$red" >> "$report"
}

what='' from='' to='' hangs=''
while IFS= read -r line || [ -n "$line" ]; do
  case $what$line in
    '#'*) continue ;;
  esac
  if [ -z "$line" ]; then
    [ -z "$what" ] || attempt
    what='' from='' to='' hangs=''
  elif [ -z "$what" ]; then
    what=$line
  elif [ -z "$from" ]; then
    from=$line
  elif [ -z "$to" ]; then
    to=$line
  else
    hangs=${line#hangs: }
  fi
done < "${MUTATIONS:-mutations.txt}"
[ -z "$what" ] || attempt
echo "# $killed breaks noticed, $hung hung as declared, $survived not noticed"
[ $survived -eq 0 ]
