# Owns: programs and R packages of the operating system. On Debian, and on what is
# made of it as Ubuntu is, apt installs what is missing; elsewhere what is missing
# is named, and nothing is installed.
# Sourced by tools/setup after common.sh.
# shellcheck shell=bash

# What is missing, as lines "name|apt package|what it is for".
MISSING=""
miss() { MISSING+="$1|$2|$3"$'\n'; }

is_debian() {
  has apt-get && has dpkg && [ -r /etc/os-release ] &&
    grep -qE '^ID(_LIKE)?="?([^"]* )?debian( |"|$)' /etc/os-release
}

need_program() { # PROGRAM APT-PACKAGE WHY
  has "$1" || miss "$1" "$2" "$3"
}

# Debian has what clang needs for them in a package that clang does not depend on.
need_clang_with_sanitizers() { # WHY
  local name=libclang_rt.fuzzer-$(uname -m).a
  need_program clang clang "$1"
  # It prints the name alone where it has no such file.
  if ! has clang || [ ! -e "$(clang -print-file-name="$name")" ]; then
    miss "clang's sanitizers" libclang-rt-dev "$1"
  fi
}

# Those of the R packages named that R cannot find.
absent_r_packages() {
  if has Rscript; then
    bounded 60 Rscript tools/r/absent.R "$@" ||
      die "R does not run: Rscript tools/r/absent.R"
  else
    printf '%s\n' "$@"
  fi
}

need_r_packages() { # WHY PACKAGE...
  local why=$1 absent package
  shift
  absent=$(absent_r_packages "$@")
  for package in $absent; do
    miss "R package $package" \
      "r-cran-$(printf '%s' "$package" | tr '[:upper:]' '[:lower:]')" "$why"
  done
}

missing_r_packages() {
  printf '%s' "$MISSING" | sed -n 's/^R package \([^|]*\)|.*/\1/p'
}

name_missing_and_stop() { # FIRST LINE
  local name why r
  printf 'error: %s\n' "$1" >&2
  while IFS='|' read -r name _ why; do
    printf '         %-24s for %s\n' "$name" "$why" >&2
  done < <(printf '%s' "$MISSING")
  r=$(missing_r_packages | sed 's/.*/"&"/' | paste -sd, - | sed 's/,/, /g')
  [ -z "$r" ] || printf '       In R: install.packages(c(%s))\n' "$r" >&2
  exit 1
}

apt_failed() { # WHAT
  tail -n 15 "$NOTES/apt.log" >&2
  die "$1 failed, or took too long; all it said is in .cache/setup/apt.log"
}

# Installs what Debian has of what is missing, and forgets the list.
apt_install_missing() {
  [ -n "$MISSING" ] || return 0
  is_debian || name_missing_and_stop \
    "this is not Debian, so set-up installs none of what is missing here:"
  local root=(env)
  if [ "$(id -u)" -ne 0 ]; then
    has sudo || name_missing_and_stop "root, or sudo, is needed to install:"
    # In the foreground, where a password can be typed.
    sudo -v || die "sudo refused"
    root=(sudo -n env)
  fi

  local name package why wanted offered=()
  say "Installing with apt what is missing:"
  while IFS='|' read -r name package why; do
    more "$(printf '%-20s %s' "$package" "for $why")"
  done < <(printf '%s' "$MISSING")

  local apt=("${root[@]}" DEBIAN_FRONTEND=noninteractive apt-get -q -y
    -o Acquire::Retries=3 -o Acquire::http::Timeout=60
    -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
  bounded 300 "${apt[@]}" update >"$NOTES/apt.log" 2>&1 ||
    apt_failed "apt-get update"
  wanted=$(printf '%s' "$MISSING" | cut -d'|' -f2 | sort -u)
  for package in $wanted; do
    if apt-cache show "$package" >/dev/null 2>&1; then
      offered+=("$package")
    else
      more "$package is not in this Debian"
    fi
  done
  if [ ${#offered[@]} -gt 0 ]; then
    bounded 1500 "${apt[@]}" install --no-install-recommends "${offered[@]}" \
      >"$NOTES/apt.log" 2>&1 || apt_failed "apt-get install"
  fi
  MISSING=""
  hash -r
}
