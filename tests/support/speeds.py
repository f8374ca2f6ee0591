"""Which tests are quick: those that open no socket and start no process, by the names they use."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pytest

ROOT: Final = Path(__file__).parent.parent.parent
OUTSIDE: Final = frozenset(
    {"http.server", "multiprocessing", "pty", "select", "socket", "socketserver", "subprocess"}
)
OURS: Final = ("tests.", "testkit.")

Name = tuple[Path, str]


@dataclass(frozen=True)
class Names:
    """The names of a module: what each definition uses, and where the others come from."""

    uses: dict[str, set[str]] = field(default_factory=dict)
    ours: dict[str, Name] = field(default_factory=dict)
    outside: set[str] = field(default_factory=set)


def does_io(item: pytest.Item) -> bool:
    """Whether a test, its fixtures or what they use names a module that does."""
    return any(_reaches(one) for one in _begins(item))


_REACHED: Final[dict[Name, bool]] = {}


def _reaches(begin: Name) -> bool:
    """Whether a definition leads to a name from outside; what else it led to does not, if not."""
    seen: set[Name] = set()
    waiting = [begin]
    while waiting and begin not in _REACHED:
        here = waiting.pop()
        if here in seen or not _REACHED.get(here, True):
            continue
        seen.add(here)
        path, name = here
        module = _names(path)
        if here in _REACHED or name in module.outside:
            _REACHED[begin] = True
            break
        waiting += [(path, used) for used in module.uses.get(name, ())]
        if name in module.ours:
            waiting.append(module.ours[name])
    if begin not in _REACHED:
        _REACHED.update(dict.fromkeys(seen, False))
    return _REACHED[begin]


def _begins(item: pytest.Item) -> Iterator[Name]:
    """The definitions of a test and of its fixtures; of a method, the class."""
    functions = [getattr(item, "function", None)]
    for fixtures in item._fixtureinfo.name2fixturedefs.values():  # type: ignore[attr-defined]
        functions += [one.func for one in fixtures]
    for function in filter(None, functions):
        if path := _place(function.__code__.co_filename):
            yield path, function.__qualname__.partition(".")[0]
    if cls := getattr(item, "cls", None):
        yield item.path, cls.__qualname__.partition(".")[0]


@cache
def _place(filename: str) -> Path | None:
    """Where a function is written down, if that is here."""
    path = Path(filename)
    return path if path.is_relative_to(ROOT) and path.name != "<string>" else None


@cache
def _names(path: Path) -> Names:
    found = Names()
    for node in ast.parse(path.read_text()).body if path.exists() else ():
        if isinstance(node, ast.Import | ast.ImportFrom):
            _note_import(found, node)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            _note_use(found, [node.name], node)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            _note_use(found, _named(node), node.value)
    return found


def _note_use(found: Names, names: Iterable[str], node: ast.AST) -> None:
    """Keep which names a definition uses, and what it imports itself."""
    used: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            used.add(inner.id)
        elif isinstance(inner, ast.Import | ast.ImportFrom):
            used |= _note_import(found, inner)
    for name in names:
        found.uses.setdefault(name, set()).update(used)


def _note_import(found: Names, node: ast.Import | ast.ImportFrom) -> set[str]:
    """Keep where the names of an import come from; which names these are."""
    base = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
    for alias in node.names:
        name, whole = alias.asname or alias.name.partition(".")[0], base + alias.name
        if {whole, base.rstrip(".")} & OUTSIDE:
            found.outside.add(name)
        elif base.startswith(OURS):
            found.ours[name] = _file(base.rstrip(".")), alias.name
    return {alias.asname or alias.name.partition(".")[0] for alias in node.names}


def _file(module: str) -> Path:
    """The file of a module or a package of ours."""
    base = ROOT / module.replace(".", "/")
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def _named(node: ast.Assign | ast.AnnAssign) -> Iterator[str]:
    for target in node.targets if isinstance(node, ast.Assign) else (node.target,):
        yield from (one.id for one in ast.walk(target) if isinstance(one, ast.Name))
