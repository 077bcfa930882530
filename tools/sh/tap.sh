# Owns: parts of a run that say what they did as "ok N - name" and "not ok ..."
# lines: recording those.
# Sourced after results.sh.
# shellcheck shell=bash

# leg_tap GROUP LIMIT COMMAND...: run it, and record each of its lines. A command
# that fails or says nothing is a failure too. It is stopped where it says nothing
# for so many seconds.
leg_tap() { # GROUP LIMIT COMMAND...
  leg_tap_at "$1" "$2" "$RESULTS/$1.log" "${@:3}"
}

# The same for a command that is stopped where it writes nothing to PLACE.
leg_tap_at() { # GROUP LIMIT PLACE COMMAND...
  local group=$1 limit=$2 place=$3 log="$RESULTS/$1.log" status=0 outcome name
  shift 3
  patient "$limit" "$place" "$@" >"$log" 2>&1 || status=$?
  while IFS=$'\t' read -r outcome name; do
    record "$outcome" "$group" "$name"
  done < <(awk -v OFS='\t' '
    /^ok .*# *SKIP/ { print "skipped", substr($0, 4); next }
    /^ok /          { print "passed", substr($0, 4) }
    /^not ok /      { print "failed", substr($0, 8) }' "$log")
  if [ "$(count failed "$group")" -gt 0 ]; then
    grep -A 20 '^not ok ' "$log" | sed 's/^/      | /'
  elif [ "$status" -ne 0 ]; then
    fail "$group" "$1 ended with status $status" "$log"
  elif [ "$(count passed "$group")" -eq 0 ]; then
    fail "$group" "nothing was run" "$log"
  fi
  more "$group: $(tally "$group")"
}

# The fuzzers of tests/fuzz, so many seconds each. Only clang has them.
leg_fuzz() { # SECONDS
  say "Fuzzing the reader and the names, $1 seconds each"
  if ! has clang; then
    record skipped fuzz "clang is not installed"
    more "fuzz: $(tally fuzz)"
    return
  fi
  leg_tap fuzz $((300 + 2 * $1)) sh tests/fuzz/run.sh "$ROOT/build/fuzz" "$1"
}
