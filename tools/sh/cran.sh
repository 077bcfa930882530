# Owns: R packages from CRAN, where the system has none and CRAN answers.
# They go to .lib in the checkout.
# Sourced by tools/setup after system.sh.
# shellcheck shell=bash

# cran_install PACKAGE...: status 3 says that CRAN did not answer.
cran_install() {
  bounded 900 Rscript tools/r/install-cran.R "$LIB" "$@" \
    >"$NOTES/cran.log" 2>&1
}

# Packages that must be there: what apt could not give.
cran_install_missing() {
  [ -n "$MISSING" ] || return 0
  local packages status=0
  ! printf '%s' "$MISSING" | grep -qv '^R package ' ||
    name_missing_and_stop "apt could not provide:"
  packages=$(missing_r_packages)
  say "Installing from CRAN into .lib what Debian lacks:"
  more "$(printf '%s' "$packages" | paste -sd' ' -)"
  # shellcheck disable=SC2086 # names without spaces
  cran_install $packages || status=$?
  [ "$status" -ne 3 ] || name_missing_and_stop "CRAN does not answer; missing:"
  [ "$status" -eq 0 ] || name_missing_and_stop \
    "CRAN could not provide (see .cache/setup/cran.log):"
  MISSING=""
}

# keras3, R's own front end to Keras: used by the tests where it is there, and
# asked for once, so that a later set-up needs no network.
want_keras3() {
  local note="$NOTES/keras3.skipped" status=0
  [ -n "$(absent_r_packages keras3)" ] || return 0
  if [ -f "$note" ]; then
    say "keras3 is not installed: $(cat "$note")"
    return 0
  fi
  say "Installing keras3 from CRAN into .lib, for the tests that use it"
  cran_install keras3 || status=$?
  case $status in
    0) return 0 ;;
    3) echo "CRAN did not answer." >"$note" ;;
    *) echo "its installation failed (.cache/setup/cran.log)." >"$note" ;;
  esac
  more "skipped: $(cat "$note") A stand-in takes its place in the tests."
  more "To have CRAN asked again, delete .cache/setup/keras3.skipped"
}
