"""Which new addresses are believed: five guards over all hosts of a run. Pure.

    guard          an address that its host does not hold is refused when
    latch_absent   its name was absent for longer than that, and it was not approved since
    max_sharing    more hosts than that give it in this run, and no host held it before
    canary         a name made up at random beside its own gives it too
    agreement      fewer nameservers than that give it in this run
    max_moves      its host had that many new networks within a day

An address whose network its host holds already is never touched. What is left of an answer is
believed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.answer import Answer, Found
from allowsync.model.memory import HostMemory
from allowsync.model.networks import covers
from allowsync.model.types import Address, Host, Network, Query
from allowsync.model.value import Value, field
from allowsync.policy.screening import GuardRefusal, ScreenedAnswer, without
from allowsync.policy.tracking import Now, latched, network_of, recent, settled_tracks
from allowsync.text import said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Judgements = Mapping[str, tuple[ScreenedAnswer, ...]]
    Memories = Mapping[str, HostMemory]


class NewAddress(Value):
    """An address that is believed so far and that its host does not hold.

    Attributes:
        host: Whose it is to be.
        query: What was asked.
        address: What came.
        latched: Whether the name has to be approved first.
    """

    host: Host
    query: Query
    address: Address
    latched: bool = False

    @property
    def network(self) -> Network:
        """What would be granted."""
        return network_of(self.address, self.host)


class Evidence(Value):
    """What was found out about newcomers.

    Attributes:
        givers: The hosts that give an address, for addresses that no host held before.
        agreement: How many nameservers must give an address.
        siblings: For a query, the one that was put beside it, with a made-up name.
        answers: What each nameserver answered to whatever was asked again or beside.
    """

    givers: Mapping[Address, tuple[str, ...]] = field(default_factory=dict)
    agreement: int = 1
    siblings: Mapping[Query, Query] = field(default_factory=dict)
    answers: Mapping[Query, Mapping[str, Answer]] = field(default_factory=dict)


def newcomers(
    hosts: Iterable[Host], judged: Judgements, memories: Memories, now: Now
) -> tuple[NewAddress, ...]:
    """The addresses of a run that are new to their hosts, in the order of hosts and answers."""
    return tuple(
        newcomer
        for host in hosts
        if not _plainly_held(judged.get(host.name, ()), memories.get(host.name))
        for newcomer in _new_to(host, judged[host.name], memories.get(host.name), now)
    )


def _plainly_held(judged: Iterable[ScreenedAnswer], memory: HostMemory | None) -> bool:
    """Whether every address is held for its very question; nearly always so, and quickly seen."""
    tracks = {} if memory is None else memory.tracks
    for one in judged:
        if isinstance(one.answer, Found):
            track = tracks.get(one.query)
            held = () if track is None else [held.address for held in track.held]
            if any(address not in held for address in one.answer.addresses):
                return False
    return True


def _new_to(
    host: Host, judged: Iterable[ScreenedAnswer], memory: HostMemory | None, now: Now
) -> Iterator[NewAddress]:
    tracks = settled_tracks(host, memory or HostMemory(), now.instant)
    held = {network_of(one.address, host) for track in tracks.values() for one in track.held}
    for one in judged:
        if not isinstance(one.answer, Found):
            continue
        shut = latched(tracks, one.query.hostname)
        for address in one.answer.addresses:
            network = network_of(address, host)
            fixed = any(covers(mine, network) for mine in host.networks)
            if network not in held and not fixed:
                yield NewAddress(host, one.query, address, shut)


def siblings(new: Iterable[NewAddress], label: Callable[[], str]) -> dict[Query, Query]:
    """For each query with a newcomer, one with a made-up first label, where the policy wants it.

    A name right below the top of the DNS has none: who asks for `x.org` learns nothing of `y.org`.
    """
    wanted = dict.fromkeys(one.query for one in new if one.host.policy.canary and not one.latched)
    parents = ((query, query.hostname.partition(".")[2]) for query in wanted)
    return {
        query: Query(f"{label()}.{parent}", query.family)
        for query, parent in parents
        if "." in parent
    }


def disputed(new: Iterable[NewAddress]) -> tuple[Query, ...]:
    """What to ask every nameserver about where several have to agree."""
    return tuple(dict.fromkeys(one.query for one in new if not one.latched))


def givers(
    new: Iterable[NewAddress], judged: Judgements, holders: Iterable[tuple[Host, HostMemory]]
) -> dict[Address, tuple[str, ...]]:
    """Who gives each address that several hosts give and that no host held before.

    Args:
        new: The newcomers.
        judged: Every answer of the run. An answer that is rejected counts here, too.
        holders: Every host that has access, with what is remembered of it.
    """
    given: dict[Address, dict[str, None]] = {one.address: {} for one in new}
    for name, answers in judged.items():
        for one in answers:
            for address in _addresses(one):
                if address in given:
                    given[address][name] = None
    shared = {address: tuple(sorted(names)) for address, names in given.items() if len(names) > 1}
    if shared:
        held = list(_held_by_anybody(holders))
        shared = {
            address: names
            for address, names in shared.items()
            if not any(address in network for network in held)
        }
    return shared


def _addresses(judged: ScreenedAnswer) -> Iterator[Address]:
    if isinstance(judged.answer, Found):
        yield from judged.answer.addresses
    yield from (one.address for one in judged.rejected)


def _held_by_anybody(holders: Iterable[tuple[Host, HostMemory]]) -> Iterator[Network]:
    for host, memory in holders:
        yield from host.networks
        for query in host.queries:
            track = memory.tracks.get(query)
            if track is not None:
                yield from (network_of(one.address, host) for one in track.held)


def guard(
    new: Iterable[NewAddress],
    judged: Judgements,
    evidence: Evidence,
    memories: Memories,
    now: Now,
) -> dict[str, tuple[ScreenedAnswer, ...]]:
    """What is believed of each answer once the guards have seen the newcomers.

    Args:
        new: The newcomers of the run.
        judged: What is believed so far.
        evidence: What was found out about them.
        memories: What is remembered of each host.
        now: The instant of the run.
    """
    refused: dict[tuple[str, Query], dict[Address, GuardRefusal]] = {}
    moves: dict[str, dict[Network, None]] = {}
    for one in new:
        name = one.host.name
        if name not in moves:
            memory = memories.get(name, HostMemory())
            moves[name] = dict.fromkeys(recent(memory.arrivals, now.instant))
        refusal = _doubt(one, evidence) or _too_many_moves(one, moves[name])
        if refusal is None:
            moves[name][one.network] = None
        else:
            refused.setdefault((name, one.query), {})[one.address] = refusal
    return {
        name: tuple(without(one, refused.get((name, one.query), {})) for one in answers)
        for name, answers in judged.items()
    }


def _doubt(one: NewAddress, evidence: Evidence) -> GuardRefusal | None:
    """The first thing that speaks against an address by itself."""
    return (
        _latched(one)
        or _shared(one, evidence.givers)
        or _made_up_too(one, evidence)
        or _too_few_agree(one, evidence)
    )


def _latched(one: NewAddress) -> GuardRefusal | None:
    if not one.latched:
        return None
    span = said(one.host.policy.latch_absent)
    seen = f"its name was gone for longer than latch_absent ({span}) and may have a new owner"
    return GuardRefusal(seen, f"if it is still theirs: allowsync approve {one.host.name}")


def _shared(one: NewAddress, givers: Mapping[Address, tuple[str, ...]]) -> GuardRefusal | None:
    names = givers.get(one.address, ())
    most = one.host.policy.max_sharing
    if len(names) <= most:
        return None
    listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    seen = (
        f"{listed} give it at once, more hosts than max_sharing ({most}), and no host had it before"
    )
    return GuardRefusal(seen, "if they live together, raise max_sharing for them")


def _made_up_too(one: NewAddress, evidence: Evidence) -> GuardRefusal | None:
    sibling = evidence.siblings.get(one.query)
    if sibling is None:
        return None
    for answer in evidence.answers.get(sibling, {}).values():
        if isinstance(answer, Found) and any(
            network_of(address, one.host) == one.network for address in answer.addresses
        ):
            parent = sibling.hostname.partition(".")[2]
            seen = f"the domain {parent} answers for any name (wildcard, canary)"
            return GuardRefusal(
                seen, f"if that is meant to be, set canary: false for {one.host.name}"
            )
    return None


def _too_few_agree(one: NewAddress, evidence: Evidence) -> GuardRefusal | None:
    if evidence.agreement <= 1:
        return None
    answers = evidence.answers.get(one.query, {}).values()
    gave = sum(isinstance(said, Found) and one.address in said.addresses for said in answers)
    if gave >= evidence.agreement:
        return None
    seen = f"{gave} of {len(answers)} nameservers give it, fewer than agreement"
    seen += f" ({evidence.agreement})"
    return GuardRefusal(seen, f"see what each says: allowsync resolve {one.host.name}")


def _too_many_moves(one: NewAddress, moves: Mapping[Network, None]) -> GuardRefusal | None:
    most = one.host.policy.max_moves
    if one.network in moves or len(moves) < most:
        return None
    seen = f"{one.host.name} had {most} new networks within 24 hours, all that max_moves allows"
    return GuardRefusal(seen, "it is let in when one of them is a day old; or raise max_moves")
