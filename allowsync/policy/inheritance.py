"""Memory of hosts after a hostname moved to another label, or to another host. Pure.

Labels are words for people: memory belongs to a hostname, and moves with it.
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
    """The memory of each host, by its hostnames rather than by its label.

    A host with a new label, or with a hostname that another host had, continues that name's state;
    the host that had it drops the state, as of a former name. Memories of labels that are not
    configured any more count, too.
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
    """The remaining memory by label, after hostnames moved to other hosts."""
    own = {host.name: host.hostnames for host in hosts}
    went = {name for host in lacking for name in _newly_its_own(host, memories.get(host.name))}
    return {label: _without(memory, went, own.get(label, ())) for label, memory in memories.items()}


def _newly_its_own(host: Host, memory: HostMemory | None) -> set[str]:
    """The names of a host without a known state under its label."""
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
    """The memory of a host; `before` holds that of its earlier labels."""
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
