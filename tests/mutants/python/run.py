"""Changes modules of Python in every way that mutmut knows, one at a time, and
sees whether a unit test turns red. Called by tools/mutants:

    run.py REPORTS [MODULE]

MODULE is a regular expression; without it all modules are changed. REPORTS is a
directory, where each module gets a file of lines "how, line, as it was, as it
became, which test". AGAIN=1 takes what was noticed before for noticed.

Each change is made in a child, forked from this process, which has imported
what takes long to import and nothing of the package. So a change of a module's
own lines is seen by all that imports it, and nothing has to be undone.
"""

import collections
import gc
import importlib.machinery
import os
import pathlib
import re
import resource
import sys

import children
import equivalent
import mutations
import page
import selection
import unit_tests

# A change may ask for memory without end.
MEMORY = 16 << 30


def _import_libraries() -> None:
    import keras  # noqa: F401
    import tensorflow  # noqa: F401
    import torch._dynamo  # noqa: F401

    # A collection in a child would copy all of it, and tests that look at every
    # object would take half a minute.
    gc.collect()
    gc.freeze()


def _first_red(path: str, text: str, names: list[str]) -> str:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    loader = importlib.machinery.SourceFileLoader
    get_code = loader.get_code

    def changed(self: importlib.machinery.SourceFileLoader, name: str):
        if self.path == path:
            return compile(text, path, "exec", dont_inherit=True)
        return get_code(self, name)

    loader.get_code = changed
    unit_tests.find_package()
    for name in names:
        if unit_tests.failure(name):
            return name
    return ""


def _attempt(
    path: pathlib.Path, one: mutations.Mutation, tests: list
) -> tuple[str, str]:
    names = [test.name for test in tests]
    # Other processes may take their share of the machine meanwhile.
    limit = 10 + 10 * sum(test.seconds for test in tests)
    try:
        red = children.run(
            lambda: _first_red(str(path), one.text, names), limit
        )
    except children.Hung:
        return "hung", ""
    except children.Crashed as error:
        return "noticed", str(error)
    return ("noticed", red) if red else ("survived", "")


def _read(report: pathlib.Path) -> dict[tuple, list[str]]:
    if not os.environ.get("AGAIN") or not report.exists():
        return {}
    lines = [line.split("\t") for line in report.read_text().splitlines()]
    return {tuple(line[1:4]): line for line in lines}


def _change(file: str, tests: list, report: pathlib.Path) -> dict[str, int]:
    path = unit_tests.PACKAGE / file
    text = path.read_text()
    chosen = selection.Selection(file, text, tests)
    listed = equivalent.equivalent(file)
    before = _read(report)
    counts: dict[str, int] = collections.Counter()
    lines = []
    unseen = set(listed)
    for one in mutations.mutations(text):
        key = (str(one.line), one.old, one.new)
        unseen.discard(key[1:])
        how, by = "equivalent", ""
        if key[1:] not in listed:
            how, _, _, _, by = before.get(key, ["survived", *key, ""])
            if how in ("survived", "equivalent", "hung"):
                how, by = _attempt(path, one, chosen.tests(one.line))
        counts[how] += 1
        lines.append("\t".join([how, *key, by]))
        if how == "survived":
            print(f"not ok - {file}:{one.line} {one.old}\n    => {one.new}")
            sys.stdout.flush()
    for old, new in unseen:
        print(f"not ok - {file} has no such line: {old}\n    => {new}")
        counts["survived"] += 1
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text("\n".join(lines) + "\n")
    return counts


def main(reports: str, module: str = ".") -> int:
    sys.pycache_prefix = str(pathlib.Path(reports, "pycache"))
    files = [
        path.relative_to(unit_tests.PACKAGE).as_posix()
        for path in sorted(unit_tests.PACKAGE.rglob("*.py"))
        if path.name != "__init__.py"
    ]
    files = [file for file in files if re.search(module, file)]
    _import_libraries()
    tests = unit_tests.all_tests()
    print(f"{len(tests)} unit tests are green", flush=True)
    bad = 0
    for file in files:
        report = pathlib.Path(reports, file.replace("/", ".") + ".tsv")
        counts = _change(file, tests, report)
        figures = ", ".join(f"{counts[kind]} {kind}" for kind in page.KINDS)
        print(f"{file}: {figures}", flush=True)
        page.write({file: counts})
        bad += counts["survived"]
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
