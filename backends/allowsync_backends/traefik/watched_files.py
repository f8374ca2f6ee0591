"""The other files of a folder that Traefik watches: users and duplicates of a middleware."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from allowsync.model.value import Value
from allowsync_backends.traefik.document import Unfit, loaded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from allowsync_backends.traefik.options import MiddlewareKind

LARGEST: Final = 1 << 20  # bytes of one file
MOST: Final = 500  # files
TEMPLATE: Final = "{{"


class WatchedFile(Value):
    """A file beside ours.

    Attributes:
        path: Its path.
        document: Its content; None where that is unknown.
        flaw: The reason why Traefik cannot read it, and so loads no change of any file there.
    """

    path: Path
    document: Any = None
    flaw: str = ""


def neighbours(ours: Path) -> tuple[WatchedFile, ...]:
    """Return every other file that Traefik reads in the folder of ours and below, sorted."""
    found = (Path(folder, name) for folder, _, names in os.walk(ours.parent) for name in names)
    read = (one for one in found if _kind_of(one) and one != ours)
    return tuple(_read(one) for one in sorted(read)[:MOST])


def _kind_of(path: Path) -> str:
    """Return `yaml` or `toml`, by the ending, as Traefik does; empty for anything else."""
    ending = path.suffix.lower()
    return {".yml": "yaml", ".yaml": "yaml", ".toml": "toml"}.get(ending, "")


def _read(path: Path) -> WatchedFile:
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1).decode()
    except OSError:
        # An unreadable file keeps Traefik from reading the rest. Another user may read more.
        leads_nowhere = path.is_symlink() and not path.exists()
        return WatchedFile(path, flaw="it is a link to nothing" if leads_nowhere else "")
    except UnicodeDecodeError:
        return WatchedFile(path, flaw="it is no text")
    # Traefik fills in templates first; the result is unknown here.
    if len(text) > LARGEST or TEMPLATE in text:
        return WatchedFile(path)
    try:
        return WatchedFile(path, _parsed(text, _kind_of(path)))
    except Unfit as error:
        return WatchedFile(path, flaw=str(error))


def _parsed(text: str, kind: str) -> Any:
    if kind == "yaml":
        return loaded(text)
    import tomllib

    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Unfit(f"it is no TOML ({error})") from None


def defining(several: Iterable[WatchedFile], kind: MiddlewareKind, name: str) -> Iterator[Path]:
    """Yield the files that define a middleware of that name."""
    for one in several:
        if name in _section(one.document, kind, "middlewares"):
            yield one.path


def is_used(several: Iterable[WatchedFile], kind: MiddlewareKind, name: str) -> bool:
    """Whether a router of these files uses a middleware, by itself or through a chain."""
    documents = [one.document for one in several]
    chains = {
        chain: _named(definition.get("chain"), "middlewares")
        for document in documents
        for chain, definition in _section(document, kind, "middlewares").items()
        if isinstance(definition, dict)
    }
    leading = leading_to(name, chains)
    return any(
        _named(router, "middlewares") & leading
        for document in documents
        for router in _section(document, kind, "routers").values()
    )


def leading_to(name: str, chains: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return a middleware, and every chain of middlewares that includes it, at any depth."""
    leading = frozenset((name,))
    while more := {chain for chain, links in chains.items() if links & leading} - leading:
        leading |= more
    return leading


def _section(document: Any, kind: MiddlewareKind, key: str) -> dict[str, Any]:
    below = document.get(kind.value) if isinstance(document, dict) else None
    found = below.get(key) if isinstance(below, dict) else None
    return {str(name): one for name, one in found.items()} if isinstance(found, dict) else {}


def _named(holder: Any, key: str) -> frozenset[str]:
    """Return the names in a list, without the provider, which is the same in all these files."""
    listed = holder.get(key) if isinstance(holder, dict) else None
    texts = listed if isinstance(listed, list) else []
    return frozenset(one.removesuffix("@file") for one in texts if isinstance(one, str))
