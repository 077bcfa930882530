# Owns: the results of a run of the tests, one line each, and their count.
# Sourced by tools/test after common.sh.
# shellcheck shell=bash

RESULTS="$CACHE/results"
rm -rf "$RESULTS"
mkdir -p "$RESULTS"

# record STATUS GROUP NAME: STATUS is passed, failed or skipped. A group has a
# file of its own, so that groups can run side by side.
record() { printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$RESULTS/$2.tsv"; }

count() { # STATUS [GROUP]
  local files=("$RESULTS"/*.tsv)
  [ -z "${2:-}" ] || files=("$RESULTS/$2.tsv")
  cat "${files[@]}" 2>/dev/null | grep -c "^$1	" || true
}

# fail GROUP NAME LOG: a failure, with the end of what was said.
fail() {
  record failed "$1" "$2"
  printf '    FAILED %s: %s\n' "$1" "$2"
  [ ! -s "${3:-}" ] || tail -n 40 "$3" | sed 's/^/      | /'
}

# shellcheck disable=SC2120 # without a group: of all
tally() { # [GROUP]: "3 passed, 0 failed"
  local skipped text
  skipped=$(count skipped "${1:-}")
  text="$(count passed "${1:-}") passed, $(count failed "${1:-}") failed"
  [ "$skipped" -eq 0 ] || text+=", $skipped skipped"
  printf '%s\n' "$text"
}

# Says loudly which packages were not there, so that their stand-ins were tested.
warn_of_standins() {
  local name note
  for name in $(awk -F '\t' '$1 == "standin" { print $3 }' "$RESULTS"/*.tsv |
    sort -u); do
    note="$CACHE/setup/$name.skipped"
    echo
    say "!!! $name WAS NOT THERE. !!!"
    more "The tests that train through it ran on a stand-in, which is not the same."
    if [ -f "$note" ]; then
      more "It is not installed: $(cat "$note")"
      more "Delete ${note#"$ROOT/"} to try again, or install $name yourself."
    fi
    echo
  done
}

# The last line of a run, and its exit status. Nothing tested is no success.
finish() {
  local line
  # shellcheck disable=SC2119
  line=$(tally)
  if [ "$(count failed)" -gt 0 ]; then
    say "What failed:"
    cat "$RESULTS"/*.tsv | awk -F '\t' \
      '$1 == "failed" { printf "    %s: %s\n", $2, $3 }'
  fi
  if [ "$(count skipped)" -gt 0 ]; then
    say "What was skipped:"
    cat "$RESULTS"/*.tsv | awk -F '\t' \
      '$1 == "skipped" { printf "    %s: %s\n", $2, $3 }'
  fi
  warn_of_standins
  say "Logs are in .cache/results; it took $SECONDS seconds."
  printf '%s\n' "$line" | tee "$RESULTS/count"
  [ "$(count failed)" -eq 0 ] && [ "$(count passed)" -gt 0 ]
}
