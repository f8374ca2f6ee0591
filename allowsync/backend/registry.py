"""Discovery of code that other distributions register as entry points.

`importlib.metadata` costs more than a whole idle run may (30 to 50 ms), so the folders of
`sys.path` are scanned for `entry_points.txt` directly (the PyPA entry points specification).
If distributions can be elsewhere (zip files, import hooks), `importlib.metadata` is used.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from functools import lru_cache

from allowsync.model.value import Value
from allowsync.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeVar

    from allowsync.backend.api import AnyBackendType

    R = TypeVar("R")

BACKENDS: Final = "allowsync.backends"
COMMANDS: Final = "allowsync.commands"
NETWORKS: Final = "allowsync.networks"
OURS: Final = "allowsync"  # the distribution with the core's own entry points


class EntryPoint(Value):
    """One line of an `entry_points.txt`: a name, `module:attribute`, and its distribution."""

    name: str
    value: str
    distribution: str


class UnknownBackend(Exception):
    """No backend of that name is registered. `known` holds the registered names."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(name, known)
        self.name = name
        self.known = known

    def __str__(self) -> str:
        return f"there is no backend {self.name!r}"


class BrokenBackend(Exception):
    """A backend is registered but cannot be used: `why` is the reason."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name, why)
        self.name = name
        self.why = why

    def __str__(self) -> str:
        return f"the backend {self.name!r} cannot be loaded: {self.why}"


def names(group: str = BACKENDS) -> tuple[str, ...]:
    """The names registered in a group, sorted."""
    return tuple(sorted({one.name for one in entry_points(group)}))


def load_type(name: str) -> AnyBackendType:
    """The backend of that name.

    Raises:
        UnknownBackend: No distribution registers it.
        BrokenBackend: Two distributions register it, or it fails to import, or is no backend, or
            is written for another version of the interface.
    """
    from allowsync.backend.api import API
    from allowsync.backend.driver import checked_type

    found = _entry_point(BACKENDS, name)
    _confine(found)
    loaded = _load(found, checked_type)
    if loaded.name != name:
        raise BrokenBackend(name, f"it calls itself {loaded.name!r}")
    if loaded.api != API:
        raise BrokenBackend(name, _other_version(found.distribution, loaded.api, API))
    return loaded


def _other_version(distribution: str, its: int, ours: int) -> str:
    """Advice on the versions to install, for a backend with another interface version."""
    install = (
        f"a newer {distribution}, or an older allowsync" if its < ours else "a newer allowsync"
    )
    return (
        f"{distribution} is written for version {its} of the backend interface, this allowsync "
        f"has version {ours}; install {install}"
    )


def load_entry_point(group: str, name: str) -> Any:
    """The object of the single entry point of that name in the group.

    Raises:
        UnknownBackend: No distribution registers it.
        BrokenBackend: Two distributions register it, or it fails to import.
    """
    return _load(_entry_point(group, name), lambda loaded: loaded)


def _entry_point(group: str, name: str) -> EntryPoint:
    """The single entry point of that name in the group. Raises as `load_entry_point` does."""
    found = [one for one in entry_points(group) if one.name == name]
    found = found or [one for one in _kept_metadata(group, tuple(sys.path)) if one.name == name]
    if not found:
        raise UnknownBackend(name, names(group))
    found = [one for one in found if one.distribution == OURS] or found  # ours takes precedence
    owners = sorted({one.distribution for one in found})
    if len(owners) > 1:
        raise BrokenBackend(name, f"both {' and '.join(owners)} register it")
    return found[0]


def entry_points(group: str) -> tuple[EntryPoint, ...]:
    """Every entry point of a group, as `importlib.metadata` finds them, but faster."""
    folders = tuple(sys.path)
    if _beyond_folders(folders):
        return by_metadata(group)
    return _by_scan(group, folders)


def by_metadata(group: str) -> tuple[EntryPoint, ...]:
    """Every entry point of a group, by `importlib.metadata`. Damaged metadata has none."""
    from importlib import metadata

    found: dict[str, list[EntryPoint]] = {}  # of duplicates, the first on the path is imported
    for one in metadata.distributions():
        with suppress(OSError, ValueError):
            name, entries = _normal(one.name or ""), one.entry_points.select(group=group)
            found.setdefault(name, [EntryPoint(each.name, each.value, name) for each in entries])
    return tuple(each for entries in found.values() for each in entries)


@lru_cache(maxsize=8)
def _kept_metadata(group: str, folders: tuple[str, ...]) -> tuple[EntryPoint, ...]:  # noqa: ARG001
    """The same, cached for these folders: reading all metadata takes long."""
    return by_metadata(group)


def parse(text: str, group: str) -> Iterator[tuple[str, str]]:
    """Names and values of one group in the text of an `entry_points.txt`."""
    section = ""
    for line in map(str.strip, text.splitlines()):
        if not line or line[0] in "#;":
            continue
        if line[0] == "[" and line[-1] == "]":
            section = line[1:-1]
        elif section == group and "=" in line:
            name, _, value = line.partition("=")
            yield name.strip(), value.strip()


def _load(found: EntryPoint, check: Callable[[Any], R]) -> R:
    from allowsync.backend.api import BackendError
    from allowsync.backend.containment import contained

    def load() -> Any:
        from importlib import import_module

        module, _, attributes = found.value.partition("[")[0].partition(":")
        loaded: Any = import_module(module.strip())
        for attribute in filter(None, attributes.strip().split(".")):
            loaded = getattr(loaded, attribute)
        return loaded

    try:
        return contained(found.name, load, check)
    except BackendError as error:
        what = str(error).removeprefix("unexpected ")
        why = f"{what} ({found.distribution}, {found.value})"
        raise BrokenBackend(found.name, why) from error


def _confine(found: EntryPoint) -> None:
    """Continue in a worker process, which third-party code may end, if there is such code.

    It is started with the first backend of any kind, before there are locks and an open state.

    Raises:
        BrokenBackend: This backend ended such a process.
    """
    others = {one.name for one in entry_points(BACKENDS) if one.distribution != OURS}
    if not others:
        return
    from allowsync.backend import containment
    from allowsync.system import worker

    containment.others.update(others)
    worker.split(others)
    containment.watch = worker if worker.at_work() else None
    if how := worker.ended_by(found.name, ours=found.distribution == OURS):
        raise BrokenBackend(found.name, how)


@lru_cache(maxsize=8)
def _by_scan(group: str, folders: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    found: list[EntryPoint] = []
    seen: set[str] = set()
    for folder in dict.fromkeys(folders):
        for distribution, path in _distributions(folder):
            # Of duplicates, the first on the path is imported.
            if distribution not in seen:
                seen.add(distribution)
                text = _text(f"{path}/entry_points.txt")
                found += [EntryPoint(*pair, distribution) for pair in parse(text, group)]
    return tuple(found)


def _distributions(folder: str) -> Iterable[tuple[str, str]]:
    """Normalised name and metadata folder of each distribution in a folder of `sys.path`."""
    try:
        with os.scandir(folder or ".") as items:
            listed = [item.name for item in items]
    except OSError:
        return []
    stems = ((name.rpartition("."), name) for name in listed)
    return [
        (_normal(stem.partition("-")[0]), f"{folder or '.'}/{name}")
        for (stem, _, ending), name in stems
        if ending.lower() in ("dist-info", "egg-info")
    ]


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace", opener=_at_once) as file:
            return file.read()
    except OSError:
        return ""


def _at_once(path: str, flags: int) -> int:
    """Open a file without blocking. A FIFO without a writer reads as empty."""
    return os.open(path, flags | os.O_NONBLOCK)


def _normal(name: str) -> str:
    """A distribution's name in its normalized form (PEP 503)."""
    return "-".join(
        part for part in name.lower().replace("_", "-").replace(".", "-").split("-") if part
    )


def _beyond_folders(folders: tuple[str, ...]) -> bool:
    """Whether distributions may be outside the folders: archives, eggs, import hooks."""
    if any(folder.endswith((".egg", ".egg/")) or _is_file(folder) for folder in folders):
        return True
    hooks = [finder for finder in sys.meta_path if hasattr(finder, "find_distributions")]
    return any(getattr(hook, "__name__", "") != "PathFinder" for hook in hooks)


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 - no Path here
    except OSError:
        return False
