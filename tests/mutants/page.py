"""Writes the table of the deliberate breaks in dev/MUTANTS.md. Called by
tools/mutants:

    page.py REPORT...

A report has lines "how, file, what was broken, by which test". Breaks that no
report has keep the row that they had, and those that are not in the lists any
more lose theirs.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "dev" / "MUTANTS.md"
# The list, what its file names begin with, and how a break is announced.
LISTS = (
    ("tests/c/mutations.txt", "src/", r"([a-z0-9_]+\.c)(?:#\d+)? (.*)"),
    ("tests/mutants/mutations.txt", "", r"((?:R|inst)/\S+) \[.*?\] (.*)"),
)
PYTHON = "## Python, module by module"
HEAD = "| file | what was broken | noticed by |"
WORDS = """\
# Deliberate breaks, and what notices them

`make mutants` writes this page. It breaks one line of the package at a time
and runs tests until one fails; the table names that test. The breaks of the
core are listed in `tests/c/mutations.txt`, those of R and Python in
`tests/mutants/mutations.txt`. There is one for each sync, rename, check,
checksum and lock. A break that makes a test hang does not count as noticed,
unless the list says why a hang is its only visible effect.
"""


def listed() -> list[tuple[str, str]]:
    """File and what is broken of each break, in the order of the lists."""
    found = []
    for path, folder, head in LISTS:
        for line in (ROOT / path).read_text().splitlines():
            match = re.fullmatch(head, line)
            if match:
                found.append((folder + match[1], match[2]))
    return found


def known(page: str) -> dict[tuple[str, str], str]:
    """By file and what is broken, what the page says of it."""
    found = {}
    for line in page.partition(PYTHON)[0].splitlines():
        match = re.fullmatch(r"\| `([^`]+)` \| (.*?) \| (.*) \|", line)
        if match:
            found[match[1], match[2]] = match[3]
    return found


def reported(path: str) -> dict[tuple[str, str], str]:
    found = {}
    for line in pathlib.Path(path).read_text().splitlines():
        how, file, what, by = line.split("\t")
        text = by if how == "noticed" else f"{how}: {by}"
        found[file, _cell(what)] = _cell(text)
    return found


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _how(text: str) -> str:
    match = re.match("(hung|survived|timeout|stale|build): ", text)
    return match[1] if match else "noticed"


def main(*reports: str) -> None:
    page = PAGE.read_text()
    found = known(page)
    for report in reports:
        found |= reported(report)
    rows = [
        (file, what, found[file, what])
        for file, what in ((file, _cell(what)) for file, what in listed())
        if (file, what) in found
    ]
    ways = [_how(text) for _, _, text in rows]
    noticed, hung = ways.count("noticed"), ways.count("hung")
    total = len(listed())
    _, heading, python = page.partition(PYTHON)
    PAGE.write_text(
        f"{WORDS}\nOf {total} breaks in the lists, {noticed} made a test fail, "
        f"{hung} were noticed by a hang, and\n{len(rows) - noticed - hung} by "
        f"nothing. {total - len(rows)} were not run and are not in the "
        f"table.\n\n{HEAD}\n|---|---|---|\n"
        + "".join(f"| `{file}` | {what} | {by} |\n" for file, what, by in rows)
        + f"\n{heading}{python}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
