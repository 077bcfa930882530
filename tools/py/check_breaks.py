"""Checks that every deliberate break finds the line that it is to replace: one
that finds none breaks nothing, and nobody would notice for months."""

import pathlib
import re
import sys

LISTS = {"tests/c/mutations.txt": "src/", "tests/mutants/mutations.txt": ""}


def blocks(path):
    """Lists of lines: what is broken, the line as it is, and as it becomes;
    then, where a test hangs, why that is so."""
    lines = [
        line
        for line in pathlib.Path(path).read_text().splitlines()
        if not line.startswith("# ")
    ]
    return [
        block.split("\n")
        for block in re.split("\n\n+", "\n".join(lines).strip())
    ]


def finds_its_line(head, line, folder):
    """Once, or as often as a number behind the file or the line asks for."""
    file, _, in_file = head.split(" ")[0].partition("#")
    found = re.fullmatch(r"(.*?)(?:#(\d+))?", line)
    nth = in_file or found[2]
    source = pathlib.Path(folder + file).read_text().splitlines()
    times = sum(one.lstrip(" \t") == found[1] for one in source)
    return times >= int(nth) if nth else times == 1


def main():
    status = 0
    for path, folder in LISTS.items():
        for block in blocks(path):
            if len(block) not in (3, 4) or not finds_its_line(
                *block[:2], folder
            ):
                print(f"{path}: {block[0]}: its line is not there, or not once")
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
