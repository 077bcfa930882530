"""Owns: whether a Python interpreter will do for reticulate and the pins.

Run by the interpreter in question. Prints its real path and exits with 0, or
prints why it will not do and exits with 1. With a directory as argument it is
asked instead whether it still is the virtual environment that lies there.
"""

import os
import sys
import sysconfig

OLDEST, NEWEST = (3, 11), (3, 14)


def shared_library():
    """The libpython that reticulate would load, looked for where it looks."""
    version = sysconfig.get_python_version()
    suffix = ".dylib" if sys.platform == "darwin" else ".so"
    names = ["libpython" + version + abi + suffix for abi in ("", "m")]
    places = [sysconfig.get_config_var(key) for key in ("LIBPL", "LIBDIR")]
    places += [sys.prefix, sys.exec_prefix, sys.base_exec_prefix]
    for place in filter(None, places):
        for name in names:
            path = os.path.join(place, name)
            if os.path.exists(path):
                return path
    return None


def objection():
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        return "it is Python {}.{}, not {}.{} to {}.{}".format(
            *(sys.version_info[:2] + OLDEST + NEWEST)
        )
    if shared_library() is None:
        return "it has no shared libpython, which reticulate needs"
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        return f"it cannot make virtual environments ({error})"
    return None


def main():
    if len(sys.argv) > 1:
        here = os.path.realpath(sys.argv[1])
        moved = os.path.realpath(sys.prefix) != here
        why = "it was made for another directory" if moved else objection()
    else:
        why = objection()
    print(why or os.path.realpath(sys.executable))
    return 1 if why else 0


sys.exit(main())
