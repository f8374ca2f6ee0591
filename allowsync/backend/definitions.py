"""Functions and classes of what allowsync uses, put back where a backend of others replaced them.

A test's stand-in that is left in a module, or a library that changes Python's for itself, would
change what allowsync does for all other targets. What holds data is left alone: modules keep caches
and counters there. What is new stays, too, unless it overrides a method of a class. A library that
only backends of others load is theirs to change.
"""

from __future__ import annotations

import sqlite3  # noqa: F401 - what a run loads later is loaded before code of others can change it
import sys
from operator import is_
from types import FunctionType, ModuleType

import click  # noqa: F401

from allowsync.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_Owner = ModuleType | type

# Python's own modules, ours, and those of the distributions that ours may load.
_WATCHED: Final = sys.stdlib_module_names | {
    *("allowsync", "allowsync_backends", "click", "dns", "yaml", "tenacity", "jeepney"),
    *("httpx", "httpcore", "h11", "h2", "hpack", "hyperframe", "anyio", "idna", "certifi"),
    *("cryptography", "jinja2", "markupsafe", "apprise"),
}

_modules: Final[dict[_Owner, dict[str, Any]]] = {}
_classes: Final[dict[_Owner, dict[str, Any]]] = {}


def note() -> None:
    """Note what there is now: of each module, and of each class in one that can be changed."""
    for name, module in list(sys.modules.items()):  # another thread may be importing
        if name.partition(".")[0] not in _WATCHED:
            continue
        # To look into a module of another type may run its code.
        if type(module) is ModuleType and _has_changed(module, _modules):
            for value in list(vars(module).values()):
                if _is_changeable(value):
                    _has_changed(value, _classes)
    for one in list(_classes):
        _has_changed(one, _classes)


def put_back() -> None:
    """Put back what was noted and has been replaced or deleted since."""
    for known in (_modules, _classes):
        for owner, before in known.items():
            names = vars(owner)
            if not _same(names, before):
                _restore(owner, names, before)


def _has_changed(owner: _Owner, known: dict[_Owner, dict[str, Any]]) -> bool:
    """Whether the names are others than those known, which they are now."""
    names = vars(owner)
    if _same(names, known.get(owner)):
        return False
    known[owner] = dict(names)
    return True


def _is_changeable(value: object) -> bool:
    return isinstance(value, type) and bool(value.__flags__ & _HEAP)


_HEAP: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE: not one of C's own, which cannot be changed


def _same(now: Mapping[str, Any], before: Mapping[str, Any] | None) -> bool:
    """Whether names stand for the very same objects. Equality would be code of theirs."""
    if before is None or len(now) != len(before):
        return False
    return all(map(is_, now.values(), before.values()))


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
