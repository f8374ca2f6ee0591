"""Packages that a configuration needs, and that are not installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend import registry
from allowsync.model.nameserver import Transport

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.model.nameserver import Nameserver


def lacking(nameservers: Iterable[Nameserver]) -> Iterator[str]:
    """Yield the packages that nameservers of these kinds need and that are not installed."""
    for one in nameservers:
        if one.transport is Transport.HTTPS and not _installed("httpcore"):
            what = "DNS over HTTPS needs the package httpcore; docs/install.md says how to add it"
            yield f"{one}: {what}"


def lacking_for_fleet() -> str:
    """The packages that a fleet needs and that are not installed; empty if all are."""
    lacks = [name for name in ("cryptography", "httpx") if not _installed(name)]
    if not lacks:
        return ""
    return f"a fleet needs the package {' and '.join(lacks)}; docs/install.md says how to add it"


def sources() -> tuple[str, ...]:
    """The names of the installed sources of networks."""
    return registry.names(registry.NETWORKS)


def _installed(module: str) -> bool:
    from importlib.util import find_spec  # asked about few configurations

    return find_spec(module) is not None
