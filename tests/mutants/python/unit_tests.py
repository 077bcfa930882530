"""The unit tests of the package: how long each takes, and which lines of the
package it runs."""

import dataclasses
import importlib
import os
import pathlib
import re
import sys
import threading
import time
import unittest
from collections.abc import Iterator
from unittest import mock

import children

ROOT = pathlib.Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "inst" / "python" / "kerasbackup"
TESTS = ROOT / "tests" / "testthat" / "python"

# Seconds for all tests of a file; tracing makes them slower.
LIMIT = 600


@dataclasses.dataclass(frozen=True)
class UnitTest:
    name: str
    seconds: float
    lines: dict[str, set[int]]  # by file, as in "store/values.py"


def find_package() -> None:
    """Only for children: each imports the package for itself."""
    sys.path[:0] = [str(PACKAGE.parent), str(TESTS)]


def failure(name: str) -> str:
    """What went wrong in a test; "" where it is green or skipped."""
    # How two long lists differ takes minutes to find out.
    unittest.case.difflib = mock.Mock(ndiff=lambda *_: ())
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromName(name).run(result)
    return "\n".join(text for _, text in result.failures + result.errors)


def _names(file: str) -> list[str]:
    def walk(tests: unittest.TestSuite) -> Iterator[str]:
        for one in tests:
            if isinstance(one, unittest.TestSuite):
                yield from walk(one)
            else:
                yield one.id()

    module = importlib.import_module(file)
    return [*walk(unittest.defaultTestLoader.loadTestsFromModule(module))]


def _run(file: str) -> list[tuple[str, float, str]]:
    find_package()
    found = []
    for name in _names(file):
        begin = time.perf_counter()
        wrong = failure(name)
        found.append((name, time.perf_counter() - begin, wrong))
    return found


def _trace(file: str) -> list[dict[str, list[int]]]:
    find_package()
    lines: dict[str, set[int]] = {}

    def on_line(frame, event, argument):
        code = frame.f_code
        lines.setdefault(code.co_filename, set()).add(frame.f_lineno)
        return on_line

    def on_call(frame, event, argument):
        ours = frame.f_code.co_filename.startswith(str(PACKAGE))
        return on_line(frame, event, argument) if ours else None

    found = []
    for name in _names(file):
        lines.clear()
        threading.settrace(on_call)
        sys.settrace(on_call)
        try:
            failure(name)
        finally:
            sys.settrace(None)
            threading.settrace(None)
        found.append({path: [*numbers] for path, numbers in lines.items()})
    return found


def all_tests() -> list[UnitTest]:
    tests = []
    for path in sorted(TESTS.glob("unit_*.py")):
        file = path.stem
        wanted = re.search(os.environ.get("TESTS", "."), file)
        if not wanted or file == "unit_runner":
            continue
        outcomes = children.run(lambda file=file: _run(file), LIMIT)
        # Twice, as a trace changes how long a test takes.
        traces = children.run(lambda file=file: _trace(file), LIMIT)
        for (name, seconds, wrong), trace in zip(outcomes, traces, strict=True):
            if wrong:
                sys.exit(f"{name} is not green to begin with:\n{wrong}")
            lines = {
                pathlib.Path(one).relative_to(PACKAGE).as_posix(): {*numbers}
                for one, numbers in trace.items()
            }
            tests.append(UnitTest(name, seconds, lines))
    return tests
