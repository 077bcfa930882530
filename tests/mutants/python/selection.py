"""Which unit tests may notice a change of a line."""

import ast
import os

import unit_tests

# Seconds of tests that are tried on a change, beside the tests of the module.
BUDGET = float(os.environ.get("BUDGET", "5"))


class Selection:
    def __init__(
        self, file: str, text: str, tests: list[unit_tests.UnitTest]
    ) -> None:
        own = f"unit_{file.rpartition('/')[2].removesuffix('.py')}."
        self._file = file
        self._own = [one for one in tests if one.name.startswith(own)]
        # One of its own may read a constant alone, and run no line.
        self._tests = [
            one for one in tests if file in one.lines or one in self._own
        ]
        self._spans = _spans(ast.parse(text))

    def tests(self, line: int) -> list[unit_tests.UnitTest]:
        """Those of the module come first, then the quickest."""
        reached = self._spans.get(line, set())
        chosen = [
            one
            for one in self._tests
            if reached & one.lines.get(self._file, set())
        ]
        # What only an import runs matters to all tests.
        chosen = chosen or [*self._tests]
        chosen.sort(key=lambda one: (one not in self._own, one.seconds))
        left = BUDGET
        kept = []
        for one in chosen:
            left -= 0 if one in self._own else one.seconds
            if left < 0:
                break
            kept.append(one)
        return kept


def _spans(tree: ast.Module) -> dict[int, set[int]]:
    """From each line within a function to the lines of its statement; that of a
    compound statement ends where its body begins."""
    spans: dict[int, set[int]] = {}

    def visit(node: ast.AST, in_function: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt) and in_function:
                body = getattr(child, "body", None)
                end = body[0].lineno - 1 if body else child.end_lineno
                lines = set(range(child.lineno, max(end, child.lineno) + 1))
                spans.update(dict.fromkeys(lines, lines))
            inside = in_function or isinstance(
                child, ast.FunctionDef | ast.AsyncFunctionDef
            )
            visit(child, inside)

    visit(tree, False)
    return spans
