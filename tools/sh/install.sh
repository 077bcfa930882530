# Owns: the package as a user gets it: built with R CMD build, installed from
# that into .lib, and only when its sources have changed.
# Sourced after common.sh.
# shellcheck shell=bash

BUILD="$CACHE/build"

# A fingerprint of all that goes into the package.
package_sources() {
  find DESCRIPTION NAMESPACE R inst man src -type f \
    ! -name '*.o' ! -name '*.so' ! -path '*/__pycache__/*' -print0 2>/dev/null |
    sort -z | xargs -0 cksum
}

# The compiler's warnings from when what is installed was compiled.
compiler_warnings() { grep -n 'warning:' "$BUILD.log"; }

# build_package DIRECTORY [OPTION...]: leaves the tarball there, alone.
build_package() {
  local dir=$1 status=0
  shift
  rm -rf "$dir"
  mkdir -p "$dir/source"
  # R copies a whole directory, through links, before it looks at .Rbuildignore:
  # with .venv that is gigabytes. So it gets a copy without what is hidden.
  tar -cf - .Rbuildignore -- * | tar -xf - -C "$dir/source"
  (cd "$dir" && bounded 300 R CMD build "$@" source) >"$dir.log" 2>&1 ||
    status=$?
  rm -rf "$dir/source"
  return "$status"
}

install_package() {
  local stamp="$BUILD.installed" now
  now=$(package_sources)
  if [ -d "$LIB/kerasbackup" ] && [ "$now" = "$(cat "$stamp" 2>/dev/null)" ]
  then
    return 0
  fi
  say "Building kerasbackup and installing it into .lib"
  rm -f "$stamp"
  if ! build_package "$BUILD" --no-build-vignettes --no-manual; then
    tail -n 30 "$BUILD.log" >&2
    return 1
  fi
  # The flags are ours; a user's own Makevars stays out of it.
  if ! R_MAKEVARS_USER="$ROOT/tools/r/Makevars" bounded 300 R CMD INSTALL \
    --no-docs --no-test-load --library="$LIB" "$BUILD"/kerasbackup_*.tar.gz \
    >"$BUILD.log" 2>&1; then
    tail -n 40 "$BUILD.log" >&2
    return 1
  fi
  printf '%s\n' "$now" >"$stamp"
}
