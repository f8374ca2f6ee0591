"""Hosts that a followed list does not have any more, as the limits of this machine count them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.types import Host
from allowsync.policy.decision import Decision

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from allowsync.config.settings import Allowlist
    from allowsync.engine.fleet.view import FleetView
    from allowsync.model.memory import TargetMemory
    from allowsync.policy.clock import Now


def departed(
    allowlist: Allowlist,
    view: FleetView,
    held: TargetMemory | None,
    ends: Callable[[], Mapping[str, datetime]],
    now: Now,
) -> Collection[Decision]:
    """Decisions about hosts that a target lets in, and that a list it follows lacks.

    On a machine that decides they would have been taken out of the configuration by its
    administrator, which no limit holds up. Another machine may be wrong about thousands of targets:
    here they are hosts that lose access. Where nothing is known of the list, so it is of them, but
    for when their access ends, as the state has it: that is read where a host is gone alone.
    """
    if held is None or not allowlist.follow or allowlist.name in view.retired:
        return ()
    unknown = allowlist.name not in view.documents
    gone = {host for one in held.claimed for host in one.hosts}.difference(allowlist.hosts)
    known = ends() if gone else {}
    return [_of(name, known.get(name), now, unknown=unknown) for name in sorted(gone)]


def _of(name: str, until: datetime | None, now: Now, *, unknown: bool) -> Decision:
    host = Host(name, until=until, followed=True)
    if until is not None and now.reaches(until):
        return Decision(host, ended=True)
    return Decision(host, undecided=unknown, unheard=unknown)
