"""Every small change that mutmut knows for a text of Python, one at a time."""

import ast
import dataclasses
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


class _Pieces:
    """The statements of a module, and those of its classes. For a change, only
    the text of one of them is written anew: a whole module takes ten times as
    long."""

    def __init__(self, module: cst.Module) -> None:
        self._module = module
        self._texts: list[str] = []
        self._found: dict[int, tuple[int, cst.CSTNode, bool]] = {}
        rest = module.code
        for node, in_class in _statements(module):
            text = self._write(node, in_class)
            before, _, rest = rest.partition(text)
            self._texts += [before, text]
            for inside in _nodes(node):
                self._found[id(inside)] = len(self._texts) - 1, node, in_class
        self._texts.append(rest)

    def replaced(self, old: cst.CSTNode, new: cst.CSTNode) -> str:
        """The whole text, with one node in place of another."""
        if id(old) not in self._found:
            return self._module.deep_replace(old, new).code
        place, node, in_class = self._found[id(old)]
        texts = [*self._texts]
        changed = node.deep_replace(old, new)
        texts[place] = self._write(changed, in_class)
        return "".join(texts)

    def _write(self, node: cst.CSTNode, in_class: bool) -> str:
        if not in_class:
            return self._module.code_for_node(node)
        around = cst.ClassDef(cst.Name("C"), cst.IndentedBlock([node]))
        _, _, text = self._module.code_for_node(around).partition("\n")
        return text


def _statements(module: cst.Module) -> Iterator[tuple[cst.CSTNode, bool]]:
    """Each with whether it is a class's."""
    for node in module.body:
        body = node.body if isinstance(node, cst.ClassDef) else None
        if isinstance(body, cst.IndentedBlock):
            yield from ((inside, True) for inside in body.body)
        else:
            yield node, False


def _nodes(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    yield node
    for child in node.children:
        yield from _nodes(child)


def _difference(old: list[str], new: list[str]) -> tuple[int, str, str]:
    """The number of the first line that differs, and the lines that do."""
    first = _count_alike(old, new)
    old, new = old[first:], new[first:]
    last = _count_alike(old[::-1], new[::-1])
    return (
        first + 1,
        " ".join(line.strip() for line in old[: len(old) - last]),
        " ".join(line.strip() for line in new[: len(new) - last]),
    )


def _count_alike(one: list[str], other: list[str]) -> int:
    """How many lines at the beginning are alike."""
    count = 0
    for line, its in zip(one, other):
        if line != its:
            break
        count += 1
    return count


def mutations(text: str) -> Iterator[Mutation]:
    wrapper = cst.MetadataWrapper(cst.parse_module(text))
    nothing = pragma_handling.IgnoredCode(set(), set(), set())
    visitor = _Visitor(mutators.mutation_operators, nothing)
    module = wrapper.visit(visitor)
    pieces = _Pieces(module)
    lines = text.splitlines()
    seen = set()
    for one in visitor.mutations:
        if not _is_wanted(one.original_node, one.mutated_node):
            continue
        code = pieces.replaced(one.original_node, one.mutated_node)
        if code in seen or code == text:
            continue
        seen.add(code)
        try:
            ast.parse(code)
        except SyntaxError:
            continue
        line, was, becomes = _difference(lines, code.splitlines())
        yield Mutation(line, was, becomes, code)
