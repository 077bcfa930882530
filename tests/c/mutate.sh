#!/bin/sh
# Break the core on purpose, one line at a time, and see a test turn red.
#
#   CC=... sh mutate.sh BUILD_DIR [pattern]
#
# mutations.txt has blocks of three lines and an empty one:
#   file, and what is broken (file#2 for the line's second occurrence)
#   the line as it is (leading space does not matter; it must occur once)
#   the line as it becomes ("-" removes it)
set -u
cd "$(dirname "$0")" || exit 2
build=$1
pattern=${2:-.}
mkdir -p "$build" || exit 2
survived=0
killed=0

attempt() {
  printf '%s\n' "$what" | grep -q -- "$pattern" || return 0
  file=${what%% *}
  nth=${file#*#}
  file=${file%#*}
  [ "$nth" != "$file" ] || nth=
  rm -rf "$build/src" && cp -R ../../src "$build/src" || exit 2
  FROM=$from TO=$to NTH=$nth awk '
    BEGIN { from = ENVIRON["FROM"]; to = ENVIRON["TO"]; nth = ENVIRON["NTH"] }
    {
      line = $0
      sub(/^[ \t]+/, "", line)
      if (line != from || (++n != nth && nth != "")) print
      else if (to != "-") print to
    }
    END { if (nth == "" ? n != 1 : n < nth) exit 3 }
  ' "../../src/$file" > "$build/src/$file" || {
    echo "not ok - $what: the line is not there, or not once"
    survived=$((survived + 1))
    return 0
  }
  log="$build/log"
  SRC="$build/src" CC="${CC:-cc}" CFLAGS="-O1 -Wno-error -w" timeout 180 \
    sh run.sh "$build/out" > "$log" 2>&1
  code=$?
  if [ $code -eq 0 ]; then
    echo "not ok - $what: no test noticed"
    survived=$((survived + 1))
  elif [ $code -eq 2 ]; then
    echo "not ok - $what: did not build"
    tail -3 "$log"
    survived=$((survived + 1))
  else
    red=$(grep -m 1 '^not ok' "$log" | sed 's/^not ok [0-9]* - //')
    echo "ok - $what -> ${red:-the program ended}"
    killed=$((killed + 1))
  fi
}

what=''
from=''
to=''
while IFS= read -r line || [ -n "$line" ]; do
  case $what$line in
    '#'*) continue ;;
  esac
  if [ -z "$line" ]; then
    [ -z "$what" ] || attempt
    what='' from='' to=''
  elif [ -z "$what" ]; then
    what=$line
  elif [ -z "$from" ]; then
    from=$line
  else
    to=$line
  fi
done < mutations.txt
[ -z "$what" ] || attempt
echo "# $killed breaks noticed, $survived not"
[ $survived -eq 0 ]
