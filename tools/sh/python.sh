# Owns: the virtual environment .venv (.venv-3.8 for Keras 3.8, and so on): which
# interpreter it is made from, and that it holds the pinned packages of the legs
# asked for.
# Sourced by tools/setup after system.sh.
# shellcheck shell=bash

REQUIREMENTS=tools/requirements

# requirement NAME: the file with these pins; another Keras may have its own.
requirement() {
  local own="$REQUIREMENTS/keras-$OTHER_KERAS/$1.txt"
  if [ -n "$OTHER_KERAS" ] && [ -f "$own" ]; then
    echo "$own"
  else
    echo "$REQUIREMENTS/$1.txt"
  fi
}

python_objection() { # INTERPRETER: prints its path, or why it will not do
  has "$1" && bounded 30 "$1" tools/py/interpreter.py 2>/dev/null
}

venv_is_sound() {
  [ -x "$PYTHON" ] &&
    bounded 30 "$PYTHON" tools/py/interpreter.py "$VENV" >/dev/null 2>&1
}

# Sets BASE_PYTHON where an interpreter is there, or notes what is missing.
# The one on the PATH comes first; Debian's own is the other one looked at.
BASE_PYTHON=""
need_python() {
  ! venv_is_sound || return 0
  local why="the Python that R loads"
  if has python3; then
    if BASE_PYTHON=$(python_objection python3); then return 0; fi
    [ "$(command -v python3)" -ef /usr/bin/python3 ] ||
      say "$(command -v python3) is not used: ${BASE_PYTHON:-it does not run}"
  fi
  if BASE_PYTHON=$(python_objection /usr/bin/python3); then return 0; fi
  BASE_PYTHON=""
  miss "Python 3.11 to 3.14" python3 "$why"
  miss "its venv module" python3-venv "making .venv"
  miss "its shared library" libpython3-dev "$why"
}

make_venv() {
  ! venv_is_sound || return 0
  if [ -z "$BASE_PYTHON" ]; then
    BASE_PYTHON=$(python_objection /usr/bin/python3) ||
      die "/usr/bin/python3 will not do: $BASE_PYTHON"
  fi
  if [ -e "$VENV" ]; then
    say "Making ${VENV##*/} anew: it was made for another place or Python"
    rm -rf "$VENV"
  else
    say "Making the virtual environment ${VENV##*/}, from $BASE_PYTHON"
  fi
  bounded 120 "$BASE_PYTHON" -m venv "$VENV" || die "could not make ${VENV##*/}"
}

missing_pins() { bounded 60 "$PYTHON" tools/py/missing.py "$@"; }

# pip_install WHY [--no-deps] FILE...: what is missing of these files, and
# nothing else.
pip_install() {
  local why=$1 file missing arguments=()
  shift
  if [ "$1" = --no-deps ]; then
    arguments+=("$1")
    shift
  fi
  missing=$(missing_pins "$@")
  [ -n "$missing" ] || return 0
  say "Installing with pip into ${VENV##*/}, for $why:"
  printf '%s\n' "$missing" | sed 's/^/    /'
  for file in "$@"; do arguments+=(-r "$file"); done
  bounded 1500 "$PYTHON" -m pip install --quiet --no-warn-script-location \
    -c "$(requirement constraints)" "${arguments[@]}" \
    >"$NOTES/pip.log" 2>&1 || {
    grep -v '^WARNING' "$NOTES/pip.log" | tail -n 15 >&2
    die "pip could not install them; all it said is in .cache/setup/pip.log"
  }
}

# reticulate before 1.39 crashes on numpy 2, and an old Keras knows none.
numpy_file() {
  if [[ "$OTHER_KERAS" != 3.* ]] && bounded 60 Rscript tools/r/reticulate-knows-numpy2.R; then
    echo $REQUIREMENTS/numpy2.txt
  else
    echo $REQUIREMENTS/numpy1.txt
  fi
}

# Prints "cpu", or why torch is not to be installed. pip is asked which build
# it would take: the one for CUDA brings gigabytes that nothing here uses.
torch_build() {
  local report="$NOTES/torch.json" build
  rm -f "$report"
  bounded 300 "$PYTHON" -m pip install --quiet --dry-run --no-deps \
    --ignore-installed --report "$report" -r "$(requirement torch)" \
    >"$NOTES/torch.log" 2>&1 || {
    echo "pip could not say which build it would take (.cache/setup/torch.log)"
    return 0
  }
  build=$("$PYTHON" tools/py/torch_build.py "$report" </dev/null)
  if [ "$build" = cpu ]; then
    echo cpu
  else
    echo "pip would take a CUDA build, with $(echo "$build" | wc -w) more" \
      "packages for GPUs"
  fi
}

# Status 1 says that torch is not to be had here.
want_torch() {
  local note="$NOTES/torch.skipped" build
  if [ -n "$(missing_pins "$(requirement torch)")" ] &&
    [ "${TORCH:-}" != any ]; then
    if [ ! "$note" -nt "$(requirement torch)" ]; then
      rm -f "$note"
      say "Asking pip which build of torch it would take"
      build=$(torch_build)
      [ "$build" = cpu ] || echo "$build." >"$note"
    fi
    if [ -f "$note" ]; then
      say "torch is not installed: $(cat "$note")"
      more "TORCH=any takes it all the same; to have pip asked again, delete"
      more ".cache/setup/torch.skipped"
      return 1
    fi
  fi
  pip_install "the torch backend" "$(requirement keras)" "$NUMPY" \
    "$(requirement torch)"
  rm -f "$note"
}

want_python_packages() { # BACKEND...
  local backend
  NUMPY=$(numpy_file)
  pip_install "what is to come: a pip that can be asked" $REQUIREMENTS/pip.txt
  for backend in "$@"; do
    if [ "$backend" = torch ]; then
      want_torch || [ "$GOAL" != demo ] ||
        die "the torch backend was asked for, and is not to be had."
    else
      pip_install "the $backend backend" "$(requirement keras)" "$NUMPY" \
        "$(requirement "$backend")"
    fi
  done
}
