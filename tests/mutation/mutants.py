"""All mutants of a module: each with one piece changed, in an order that never varies."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.mutation.operators import expressions, filters, statements

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

# Left alone: what types say, what is done when a function is defined, the text of documentation.
SKIPPED: Final = frozenset(
    {"annotation", "returns", "decorator_list", "type_comment", "format_spec"}
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: the line it is in, the code there, and what it was changed into."""

    line: int
    was: str
    became: str

    def __str__(self) -> str:
        return f"{self.line}: {_short(self.was)}  →  {_short(self.became)}"


def mutants(source: str) -> Iterator[tuple[Mutant, ast.Module]]:
    """Each mutant of a program, with its tree, which is whole again once the next one is asked for.

    The tree is the same object each time: make code of it at once (`compiled`).
    """
    tree = ast.parse(source)
    for parent, field, number, child in list(_places(tree)):
        for other in _changes(child):
            line = _line(child)
            mutant = Mutant(line, ast.unparse(child), ast.unparse(ast.fix_missing_locations(other)))
            _put(parent, field, number, other)
            yield mutant, tree
            _put(parent, field, number, child)


def compiled(tree: ast.Module, path: str) -> CodeType:
    """The code of a mutant."""
    return compile(ast.fix_missing_locations(tree), path, "exec")


def _places(parent: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Every node below another one, with where it stands: the field, and the number in a list."""
    if _is_not_run(parent):
        return
    for field, value in ast.iter_fields(parent):
        if field in SKIPPED:
            continue
        children = enumerate(value) if isinstance(value, list) else [(None, value)]
        for number, child in children:
            if isinstance(child, ast.AST):
                yield parent, field, number, child
                yield from _places(child)


def _is_not_run(node: ast.AST) -> bool:
    """Whether it is for type checkers, for `import *`, or documentation."""
    match node:
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.AnnAssign(annotation=ast.Name(id="TypeAlias")):
            return True
        case _:
            return False


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return
        case ast.expr():
            yield from expressions(node)
        case ast.stmt():
            yield from statements(node)
        case ast.comprehension():
            yield from filters(node)
        case _:
            return


def _put(parent: ast.AST, field: str, number: int | None, child: ast.AST) -> None:
    if number is None:
        setattr(parent, field, child)
    else:
        getattr(parent, field)[number] = child


def _line(node: ast.AST) -> int:
    if isinstance(node, ast.comprehension):
        return node.target.lineno
    return getattr(node, "lineno", 0)


def _short(code: str) -> str:
    line = " ".join(code.split())
    return line if len(line) <= 90 else f"{line[:89]}…"
