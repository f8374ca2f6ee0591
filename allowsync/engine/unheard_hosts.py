"""Unknown hosts: as long as their addresses may be any, denylists add nothing."""

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
    """The reasons why denylists add nothing, one for each unknown host. Raises nothing.

    Args:
        state: The state.
        decisions: The decisions about hosts.
        now: The instant.
        lost: Whether the state lacks the last run: then the time begins anew, as any host may have
            been known.
        keep: Whether the start of each host's silence is kept for later runs.
    """
    known = read_unheard(state)
    before = {} if lost else known
    # A hostname that was edited is waited for anew.
    hosts = {
        " ".join((name, *one.host.hostnames)): one
        for name, one in decisions.items()
        if one.undecided
    }
    since = {host: before.get(host, now.instant) for host in hosts}
    if keep and since != known:
        write_unheard(state, since)
    found = (unheard(hosts[host], at, now) for host, at in since.items())
    return tuple(filter(None, found))
