"""Hosts that were taken off a list elsewhere, as the limits of this machine count them."""

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
    """Decisions about hosts that a target lets in, and that its list lacks.

    The administrator took them out of the configuration, which no limit holds up, unless the list
    is made elsewhere: by another machine, which may be wrong about thousands of targets, or by a
    program that writes a file. Then they are hosts that lose access. Where nothing is known of the
    list, so it is of them, but for when their access ends, as the state has it: that is read where
    a host is gone alone.
    """
    unknown = _is_unknown(allowlist, memory)
    if held is None or unknown is None:
        return []
    gone = {host for one in held.claimed for host in one.hosts}.difference(allowlist.hosts)
    known = memory.store.ends() if gone else {}
    return [_of(name, known.get(name), memory.now, unknown=unknown) for name in sorted(gone)]


def _is_unknown(allowlist: Allowlist, memory: Memory) -> bool | None:
    """Whether nothing is known of a list that is made elsewhere; None for any other."""
    view, config = memory.fleet, memory.config
    if view is not None and allowlist.follow:
        return None if allowlist.name in view.retired else allowlist.name not in view.documents
    return None if config.hosts_file is None else bool(config.hosts_trouble)


def _of(name: str, until: datetime | None, now: Now, *, unknown: bool) -> Decision:
    host = Host(name, until=until, followed=True)
    if until is not None and now.reaches(until):
        return Decision(host, ended=True)
    return Decision(host, undecided=unknown, unheard=unknown)
