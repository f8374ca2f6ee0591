"""What hosts remember where a hostname has another label than it had, or is new to its host. Pure.

Labels are words for people: what is known belongs to a hostname, and goes where that goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.memory import HostMemory, RetentionState
from allowsync.model.value import replace
from allowsync.policy.tracking import (
    NOTHING_KNOWN,
    by_label,
    lacks_known,
    last_heard,
    renamed,
    still_lasting,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from allowsync.model.types import Host, Query
    from allowsync.policy.clock import Now


def inherit(
    hosts: Iterable[Host], memories: Mapping[str, HostMemory], now: Now
) -> dict[str, HostMemory]:
    """What is remembered of each host, by its hostnames rather than by its label.

    A host that has a new label, or a hostname that another one had, goes on with what is known of
    that name; the one that had it does not, as by a former name of its own. Memories of labels that
    are configured no more are looked at, too.
    """
    hosts = list(hosts)
    plain = by_label(hosts, memories)
    if plain is not None:
        return plain
    lacking = [host for host in hosts if lacks_known(host, memories.get(host.name))]
    known: dict[Query, tuple[str, RetentionState]] = {}
    for label, memory in memories.items():
        for query, track in {**memory.former, **memory.tracks}.items():
            if track.known and _later(track, known.get(query, ("", NOTHING_KNOWN))[1]):
                known[query] = (label, track)
    left = _left(hosts, lacking, memories)
    before: dict[str, list[HostMemory]] = {}
    for label, new in renamed(hosts, memories).items():
        before.setdefault(new, []).append(left[label])
    return {
        host.name: _inherited(host, left, known, before.get(host.name, ()), now) for host in hosts
    }


def _left(
    hosts: Iterable[Host], lacking: Iterable[Host], memories: Mapping[str, HostMemory]
) -> dict[str, HostMemory]:
    """What is left of what is remembered, by label, when hostnames went to other hosts."""
    own = {host.name: host.hostnames for host in hosts}
    went = {name for host in lacking for name in _newly_its_own(host, memories.get(host.name))}
    return {label: _without(memory, went, own.get(label, ())) for label, memory in memories.items()}


def _newly_its_own(host: Host, memory: HostMemory | None) -> set[str]:
    """The names of a host of which nothing is known under its label."""
    tracks = {} if memory is None else memory.tracks
    return {*host.hostnames} - {query.hostname for query, track in tracks.items() if track.known}


def _without(memory: HostMemory, went: Collection[str], own: Collection[str]) -> HostMemory:
    gone = {
        query
        for query in (*memory.tracks, *memory.former)
        if query.hostname in went and query.hostname not in own
    }
    if not gone:
        return memory
    tracks, former = (
        {query: track for query, track in known.items() if query not in gone}
        for known in (memory.tracks, memory.former)
    )
    return replace(memory, tracks=tracks, former=former)


def _inherited(
    host: Host,
    memories: Mapping[str, HostMemory],
    known: Mapping[Query, tuple[str, RetentionState]],
    before: Iterable[HostMemory],
    now: Now,
) -> HostMemory:
    """What is remembered of a host; `before` is that of labels that it had."""
    own = memories.get(host.name, HostMemory())
    former = {
        query: track
        for memory in before
        for query, track in {**memory.former, **memory.tracks}.items()
        if query.hostname not in host.hostnames
    }
    missing = [
        query
        for query in host.queries
        if query in known and not own.tracks.get(query, NOTHING_KNOWN).known
    ]
    if not missing and not former:
        return own
    tracks = {query: still_lasting(known[query][1], host, now) for query in missing}
    donors = dict.fromkeys(known[query][0] for query in missing)
    came = {k: v for label in donors for k, v in memories[label].arrivals.items()}
    return replace(
        own,
        tracks={**own.tracks, **tracks},
        arrivals={**came, **own.arrivals},
        former={**former, **own.former},
    )


def _later(track: RetentionState, other: RetentionState) -> bool:
    return last_heard(track) > last_heard(other)
