"""The changes that make no difference, as `equivalent.txt` lists them."""

import pathlib
import re

PATH = pathlib.Path(__file__).with_name("equivalent.txt")


def equivalent(file: str) -> set[tuple[str, str]]:
    """What stands in a file, and what it may become."""
    lines = [
        line
        for line in PATH.read_text().splitlines()
        if not line.startswith("# ")
    ]
    text = "\n".join(lines).strip()
    found = set()
    for block in re.split("\n\n+", text) if text else []:
        head, old, new = block.split("\n")
        if head.split(" ")[0] == file:
            found.add((old, "" if new == "-" else new))
    return found
