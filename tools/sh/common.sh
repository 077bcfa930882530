# Owns: where things are, the environment every tool runs in, how the tools
# speak, and the time limit around whatever might hang.
# Sourced by the scripts in tools/; defines, installs nothing.
# shellcheck shell=bash disable=SC2034

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# OTHER_KERAS=3.8, or nightly: another Keras, in a virtual environment of its own.
OTHER_KERAS=${OTHER_KERAS:-}
VENV="$ROOT/.venv${OTHER_KERAS:+-$OTHER_KERAS}"
LIB="$ROOT/.lib"
CACHE="$ROOT/.cache"
NOTES="$CACHE/setup"
PYTHON="$VENV/bin/python"
ALL_BACKENDS="tensorflow jax torch"

cd "$ROOT"
mkdir -p "$LIB" "$NOTES"

# Everything that R, pip or Keras would keep in the home directory stays here.
export R_LIBS="$LIB"
export KERAS_HOME="$CACHE/keras"
export XDG_CACHE_HOME="$CACHE/xdg"
export RUFF_CACHE_DIR="$CACHE/ruff"
export PIP_NO_CACHE_DIR=1
export PIP_DISABLE_PIP_VERSION_CHECK=1
export PIP_NO_INPUT=1
export PIP_REQUIRE_VIRTUALENV=0

# An interpreter's own settings must not leak into the virtual environment.
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV RETICULATE_PYTHON_ENV

say() { printf '==> %s\n' "$*"; }
more() { printf '    %s\n' "$*"; }
die() {
  printf 'error: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '       %s\n' "$@" >&2
  exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }
# has_backend BACKEND [PYTHON]
has_backend() {
  "${2:-$PYTHON}" -c "import importlib.util as u, sys
sys.exit(u.find_spec('$1') is None)" </dev/null
}

# Nothing that was started survives an interrupted script: `timeout` has put it
# into a process group of its own, which the terminal's Ctrl+C does not reach.
stop_jobs() {
  local pids
  pids=$(jobs -p)
  # shellcheck disable=SC2086 # a list of numbers
  [ -z "$pids" ] || kill $pids 2>/dev/null || true
}
trap 'stop_jobs; exit 130' INT TERM HUP

# Starts a command without input in the background, for so long at most.
start_bounded() { # SECONDS COMMAND...
  if has timeout; then
    timeout -k 10 "$@" </dev/null &
  else
    shift
    "$@" </dev/null &
  fi
}

# bounded SECONDS COMMAND...: run it without input, for so long at most.
# Status 124 (or 137, where it had to be killed) says that it took too long.
bounded() {
  local status=0
  start_bounded "$@"
  wait $! || status=$?
  return "$status"
}

# patient SECONDS PLACE COMMAND...: run it without input, for as long as it goes on.
# It is stopped where nothing was written to PLACE, a file or a directory, for so
# long: a slow machine needs more time, and only one that hangs stands still.
# Status 124 says that it was stopped.
patient() {
  local limit=$1 place=$2 status=0 begun last pid
  shift 2
  begun=$(date +%s)
  start_bounded 86400 "$@"
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    last=$(date -r "$place" +%s 2>/dev/null || echo 0)
    [ "$last" -gt "$begun" ] || last=$begun
    if [ $(($(date +%s) - last)) -gt "$limit" ]; then
      kill "$pid" 2>/dev/null || true
      wait "$pid" 2>/dev/null || true
      return 124
    fi
    sleep 0.2
  done
  wait "$pid" || status=$?
  return "$status"
}

# description_field NAME: the packages a field of DESCRIPTION lists, one a line.
description_field() {
  awk -v field="$1:" '
    /^[^ \t]/ { on = ($1 == field) }
    on { sub(field, ""); print }
  ' DESCRIPTION | tr ',' '\n' | sed -e 's/(.*//' -e 's/[[:space:]]//g' \
    -e '/^$/d' -e '/^R$/d'
}
