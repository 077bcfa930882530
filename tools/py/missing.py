"""Owns: which pinned requirements a virtual environment lacks.

Run by the environment's own interpreter, with requirement files as arguments.
Prints a line for each pin that is not met; prints nothing where all are met.
Looks at the installed packages themselves, and needs no network.
"""

import sys
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version

from pip._vendor.packaging.requirements import Requirement


def requirements(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            text = line.split("#")[0].strip()
            if text:
                yield Requirement(text)


def main():
    for path in sys.argv[1:]:
        for wanted in requirements(path):
            if wanted.marker and not wanted.marker.evaluate():
                continue
            try:
                found = version(wanted.name)
            except PackageNotFoundError:
                found = None
            if found is None:
                print(f"{wanted.name}{wanted.specifier}")
            elif not wanted.specifier.contains(found, prereleases=True):
                print(f"{wanted.name}{wanted.specifier} (there is {found})")


main()
