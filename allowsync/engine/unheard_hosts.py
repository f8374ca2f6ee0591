"""Hosts of which nothing is known: as long as they may be anywhere, denylists add nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.policy.denylist import unheard
from allowsync.state.unheard import read_unheard, write_unheard

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from allowsync.policy.clock import Now
    from allowsync.policy.decision import Decision


def unheard_hosts(
    state: Path,
    decisions: Mapping[str, Decision],
    now: Now,
    *,
    lost: bool = False,
    keep: bool = False,
) -> tuple[str, ...]:
    """Why nothing is added to denylists: a reason for each host that keeps it. Raises nothing.

    Args:
        state: The state.
        decisions: What was decided about hosts.
        now: The instant.
        lost: Whether the state knows less than the last run did: then the time begins anew, as any
            host may have been known.
        keep: Whether it is kept for runs to come since when nothing is known.
    """
    known = read_unheard(state)
    before = {} if lost else known
    hosts = [name for name, one in decisions.items() if one.undecided]
    since = {name: before.get(name, now.instant) for name in hosts}
    if keep and since != known:
        write_unheard(state, since)
    found = (unheard(decisions[name], at, now) for name, at in since.items())
    return tuple(filter(None, found))
