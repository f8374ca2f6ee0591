"""Functions and classes that allowsync uses, restored after replacement by a third-party backend.

A test double left in a module, or a library that patches Python for itself, would change allowsync
for all other targets. Data is not restored: modules keep caches and counters there. New names stay,
too, unless they override a method of a class. A library that only third-party backends load is
theirs to change.
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
    """Record the names of each module, and of each changeable class in one."""
    for name, module in list(sys.modules.items()):  # another thread may be importing
        if name.partition(".")[0] not in _WATCHED:
            continue
        # Reading a module of another type may run its code.
        if type(module) is ModuleType and _has_changed(module, _modules):
            for value in list(vars(module).values()):
                if _is_changeable(value):
                    _has_changed(value, _classes)
    for one in list(_classes):
        _has_changed(one, _classes)


def put_back() -> None:
    """Restore recorded definitions that were replaced or deleted since."""
    for known in (_modules, _classes):
        for owner, before in known.items():
            names = vars(owner)
            if not _same(names, before):
                _restore(owner, names, before)


def _has_changed(owner: _Owner, known: dict[_Owner, dict[str, Any]]) -> bool:
    """Whether the names differ from the recorded ones, which are updated."""
    names = vars(owner)
    if _same(names, known.get(owner)):
        return False
    known[owner] = dict(names)
    return True


def _is_changeable(value: object) -> bool:
    return isinstance(value, type) and bool(value.__flags__ & _HEAP)


_HEAP: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE: not one of C's own, which cannot be changed


def _same(now: Mapping[str, Any], before: Mapping[str, Any] | None) -> bool:
    """Whether names refer to the same objects. Equality would call third-party code."""
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
