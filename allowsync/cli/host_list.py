"""The output of `allowsync host list`: hosts, their allowlists, and their revocations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.networks import short
from allowsync.text import Line, end_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from typing import Any

    from allowsync.config.settings import Config
    from allowsync.model.outcome import Notice
    from allowsync.model.types import Host


def revocations(config: Config) -> tuple[dict[str, datetime], tuple[Notice, ...]]:
    """The start of each host's revocation, by label, with notices if unknown."""
    from allowsync.engine.access_orders import standing
    from allowsync.model.outcome import Notice
    from allowsync.policy.orders import with_revocations
    from allowsync.state import StateError, Store

    try:
        with Store.reading(config.state) as store:
            orders, notices = standing(config.state, store)
    except StateError as error:
        what = f"{error.why}; which hosts are revoked is unknown"
        return {}, (Notice(str(error.path), what),)
    hosts = with_revocations(config.hosts, orders).items()
    return {name: one.revoked for name, one in hosts if one.revoked is not None}, notices


def documents(config: Config, revoked: Mapping[str, datetime]) -> list[dict[str, Any]]:
    """The hosts as JSON values."""
    return [
        {
            "host": one.name,
            "hostnames": list(one.hostnames),
            "networks": [*map(str, one.networks), *one.sources],
            "until": None if one.until is None else one.until.isoformat(),
            "allowlists": _on(config, one.name),
            "revoked": revoked[one.name].isoformat("T", "seconds") if one.name in revoked else None,
        }
        for one in config.hosts.values()
    ]


def lines(config: Config, revoked: Mapping[str, datetime]) -> Iterator[Line]:
    """The hosts for people, a line each."""
    rows = [
        (
            one.name,
            ", ".join((*one.hostnames, *map(short, one.networks), *one.sources)),
            ", ".join(_on(config, one.name)) or "no allowlist",
            ", ".join(_ends(one, revoked.get(one.name))),
        )
        for one in config.hosts.values()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, (*widths, 0), strict=True))
        yield Line("  ".join(cells).rstrip(), "yellow" if row[0] in revoked else "")


def _ends(host: Host, revoked: datetime | None) -> Iterator[str]:
    if host.until is not None:
        yield f"until {end_of(host.until)}"
    if revoked is not None:
        yield f"revoked on {revoked:%Y-%m-%d %H:%M} UTC"


def _on(config: Config, name: str) -> list[str]:
    return [one.name for one in config.allowlists.values() if name in one.hosts]
