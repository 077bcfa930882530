"""Every small change that mutmut knows for a text of Python, one at a time."""

import ast
import dataclasses
import difflib
from collections.abc import Iterator

import libcst as cst
from mutmut.mutation import file_mutation
from mutmut.mutation import mutators
from mutmut.mutation import pragma_handling


@dataclasses.dataclass(frozen=True)
class Mutation:
    """One change: where it is, and the whole text with it."""

    line: int  # the first one that differs, counted from 1
    old: str  # the lines that differ, in one
    new: str
    text: str


class _Visitor(file_mutation.MutationVisitor):
    """mutmut copies each function, so it leaves out those with a decorator.
    Nothing is copied here."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef):
            return node.name.value in file_mutation.NEVER_MUTATE_FUNCTION_NAMES
        return super()._skip_node_and_children(node)


def _is_prose(node: cst.CSTNode) -> bool:
    """Whether it is a message for people. Tests do not repeat those word for
    word, so a change of one says nothing about them."""
    if isinstance(node, cst.ConcatenatedString):
        return _is_prose(node.left) or _is_prose(node.right)
    if isinstance(node, cst.FormattedString):
        return any(
            isinstance(part, cst.FormattedStringText) and " " in part.value
            for part in node.parts
        )
    return isinstance(node, cst.SimpleString) and " " in node.value


def _is_wanted(old: cst.CSTNode, new: cst.CSTNode) -> bool:
    if isinstance(old, cst.BaseString):
        # One other string is as good as three.
        return not _is_prose(old) and "XX" in new.value
    if isinstance(old, cst.Call) and isinstance(new, cst.Call):
        kept = {id(argument) for argument in new.args}
        return not any(
            _is_prose(argument.value)
            for argument in old.args
            if id(argument) not in kept
        )
    return True


def _difference(old: list[str], new: list[str]) -> tuple[int, str, str]:
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    codes = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    first, last = codes[0], codes[-1]
    return (
        first[1] + 1,
        " ".join(line.strip() for line in old[first[1] : last[2]]),
        " ".join(line.strip() for line in new[first[3] : last[4]]),
    )


def _lines_around(old: list[str], new: list[str]) -> int:
    """How many lines at the beginning are alike: `difflib` is slow on them."""
    alike = 0
    for one, other in zip(old, new):
        if one != other:
            break
        alike += 1
    return alike


def mutations(text: str) -> Iterator[Mutation]:
    wrapper = cst.MetadataWrapper(cst.parse_module(text))
    nothing = pragma_handling.IgnoredCode(set(), set(), set())
    visitor = _Visitor(mutators.mutation_operators, nothing)
    module = wrapper.visit(visitor)
    lines = text.splitlines()
    seen = set()
    for one in visitor.mutations:
        if not _is_wanted(one.original_node, one.mutated_node):
            continue
        changed = module.deep_replace(one.original_node, one.mutated_node)
        code = changed.code
        if code in seen or code == text:
            continue
        seen.add(code)
        try:
            ast.parse(code)
        except SyntaxError:
            continue
        new = code.splitlines()
        skip = _lines_around(lines, new)
        line, was, becomes = _difference(lines[skip:], new[skip:])
        yield Mutation(skip + line, was, becomes, code)
