"""Hosts removed from an externally managed list, as this machine's limits count them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.types import Host
from allowsync.policy.decision import Decision

if TYPE_CHECKING:
    from datetime import datetime

    from allowsync.config.settings import Allowlist
    from allowsync.engine.memory import Memory
    from allowsync.model.memory import TargetMemory
    from allowsync.policy.clock import Now


def departed(allowlist: Allowlist, memory: Memory, held: TargetMemory | None) -> list[Decision]:
    """Decisions about hosts that a target admits, and that are not on its list any more.

    No limit applies to hosts that the administrator removed from the configuration, unless the list
    is managed elsewhere: by another machine, which may be wrong about thousands of targets, or by a
    program that writes a file. Then they count as hosts that lose access. Where the list is
    unknown, so are they, except for the recorded end of their access: that is read only where a
    host is gone.
    """
    unknown = _is_unknown(allowlist, memory)
    if held is None or unknown is None:
        return []
    gone = {host for one in held.claimed for host in one.hosts}.difference(allowlist.hosts)
    known = memory.store.ends() if gone else {}
    return [_of(name, known.get(name), memory.now, unknown=unknown) for name in sorted(gone)]


def _is_unknown(allowlist: Allowlist, memory: Memory) -> bool | None:
    """Whether an externally managed list is unknown; None for any other list."""
    view, config = memory.fleet, memory.config
    if view is not None and allowlist.follow:
        return None if allowlist.name in view.retired else allowlist.name not in view.documents
    return None if config.hosts_file is None else bool(config.hosts_trouble)


def _of(name: str, until: datetime | None, now: Now, *, unknown: bool) -> Decision:
    host = Host(name, until=until, followed=True)
    if until is not None and now.reaches(until):
        return Decision(host, ended=True)
    return Decision(host, undecided=unknown, unheard=unknown)
