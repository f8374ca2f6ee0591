"""Functions and classes of all modules, put back where a backend of others has replaced them.

A test's stand-in that is left in a module, or a library that changes Python's for itself, would
change what allowsync does for all other targets. What holds data is left alone: modules keep caches
and counters there. What is new stays, too, unless it overrides a method of a class.
"""

from __future__ import annotations

import sqlite3  # noqa: F401 - what a run loads later is loaded before code of others can change it
import sys
from operator import eq, is_
from types import FunctionType, ModuleType

import click  # noqa: F401

from allowsync.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_Owner = ModuleType | type

_known: Final[dict[_Owner, dict[str, Any]]] = {}


def note() -> None:
    """Note what there is now."""
    for owner in _owners():
        names = vars(owner)
        if not _same(names, _known.get(owner)):
            _known[owner] = dict(names)


def put_back() -> None:
    """Put back what was noted and has been replaced or deleted since."""
    for owner, before in _known.items():
        names = vars(owner)
        if not _same(names, before):
            _restore(owner, names, before)


def _owners() -> Iterator[_Owner]:
    """Each module, and each class in one that Python code can change."""
    found: dict[_Owner, None] = {}
    for module in list(sys.modules.values()):  # another thread may be importing
        if type(module) is ModuleType:  # to look into one of another type may run its code
            found[module] = None
            found.update(dict.fromkeys(filter(_is_changeable, list(vars(module).values()))))
    yield from found


def _is_changeable(value: object) -> bool:
    return isinstance(value, type) and bool(value.__flags__ & _HEAP)


_HEAP: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE: not one of C's own, which cannot be changed


def _same(now: Mapping[str, Any], before: Mapping[str, Any] | None) -> bool:
    """Whether names stand for the very same objects. Equality would be code of theirs."""
    if before is None or len(now) != len(before):
        return False
    return all(map(is_, now.values(), before.values())) and all(map(eq, now, before))


def _restore(owner: _Owner, now: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    change = type.__setattr__ if isinstance(owner, type) else ModuleType.__setattr__
    for name, value in before.items():
        if now.get(name) is not value and _is_definition(value):
            change(owner, name, value)
    if isinstance(owner, type):
        for name in now.keys() - before.keys():
            if isinstance(now[name], FunctionType):
                type.__delattr__(owner, name)


def _is_definition(value: object) -> bool:
    return callable(value) or isinstance(value, ModuleType) or hasattr(type(value), "__get__")
