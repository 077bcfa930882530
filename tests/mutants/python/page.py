"""The figures of each module in dev/MUTANTS.md."""

import pathlib

import unit_tests

PAGE = unit_tests.ROOT / "dev" / "MUTANTS.md"
HEADING = "## Python, module by module\n"
WORDS = """
`make mutants PYTHON=1` writes this part. mutmut makes every small change that
it knows to a module of Python, one at a time; messages for people stay as
they are. The unit tests that run the changed line are tried until one fails.
A change that makes a test hang is counted apart. Tests with a real training,
which are not tried, may notice more. `tests/mutants/python/equivalent.txt`
lists the changes that make no difference, with the reason. Modules that are
not in the table were not changed.

| module | changes | noticed | hung | no difference | noticed by nothing |
|---|---|---|---|---|---|
"""
KINDS = ("noticed", "hung", "equivalent", "survived")


def _rows(text: str) -> dict[str, str]:
    rows = {}
    for line in text.splitlines():
        if line.startswith("| `"):
            rows[line.split("`")[1]] = line
    return rows


def write(counts: dict[str, dict[str, int]]) -> None:
    """Other modules keep the figures that they had."""
    before, _, after = PAGE.read_text().partition(HEADING)
    rows = _rows(after)
    for file, count in counts.items():
        figures = [sum(count.values()), *(count[kind] for kind in KINDS)]
        rows[file] = f"| `{file}` | {' | '.join(map(str, figures))} |"
    table = [
        row
        for file, row in sorted(rows.items())
        if pathlib.Path(unit_tests.PACKAGE, file).exists()
    ]
    PAGE.write_text(
        f"{before.rstrip()}\n\n{HEADING}{WORDS}" + "\n".join(table) + "\n"
    )
