"""Acceptance of new addresses: six guards over all hosts and over runs. Pure.

    guard          an arrival, a network that its host does not hold, is rejected when
    latch_absent   its name was absent for longer than that, and was not approved since
    max_sharing    more hosts than that gave it within `guard_window`, and none vouches for it
    canary         a random name beside its own gives it, now or within the window
    agreement      fewer nameservers than that give it in this run
    max_moves      its host had that many new networks within a day
    (DNS64)        its resolver synthesizes IPv6 addresses from all of IPv4 with that prefix

An address whose network its host has held for longer than the window is never rejected. One that
came within it and was accepted is checked again in each run: `max_sharing` and `canary` refute it
when more becomes known (see `allowsync.policy.sightings`). Any single nameserver can keep out a new
address; to refute a granted one takes as many as have to agree.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import chain

from allowsync.model.answer import Absent, Found
from allowsync.model.memory import HostMemory, Sighting
from allowsync.model.networks import network, overlap
from allowsync.model.types import Family, Query
from allowsync.model.value import replace
from allowsync.policy.dns64 import PROBE, looks_synthesized
from allowsync.policy.evidence import all_told, decoys, key_of, parent_of, unproven
from allowsync.policy.screening import GuardRefusal, without
from allowsync.policy.sightings import ROW, Heard, Ledger, SightingIndex, by_hostname, record
from allowsync.policy.tracking import recent
from allowsync.text import said
from allowsync.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from allowsync.model.types import Address, Host, Network
    from allowsync.policy.clock import Now
    from allowsync.policy.crowd import Crowd
    from allowsync.policy.evidence import Evidence
    from allowsync.policy.newcomers import NewAddress
    from allowsync.policy.screening import ScreenedAnswer
    from allowsync.policy.sightings import Judgements, Refuted

_SYNTHESIZED = GuardRefusal(
    "it embeds the IPv4 address of the same name, as with DNS64, and not every nameserver "
    "answered whether it uses DNS64 (ipv4only.arpa)",
    "name a resolver without DNS64 in resolver.nameservers",
)


class Verdict(NamedTuple):
    """The result of the guards.

    Attributes:
        judged: The screened answers.
        ledger: The sightings after the run.
        refuted: By hostname, networks that were granted and are refuted.
    """

    judged: dict[str, tuple[ScreenedAnswer, ...]]
    ledger: Ledger
    refuted: Refuted


def guard(
    new: Collection[NewAddress],
    judged: Judgements,
    evidence: Evidence,
    holders: Mapping[str, tuple[Host, HostMemory]],
    ledger: Ledger,
    now: Now,
) -> Verdict:
    """Screen the answers by the guards.

    Args:
        new: The addresses that are new in the run, or came within the window.
        judged: The answers screened so far. A rejected answer counts as evidence, too.
        evidence: The answers to probes.
        holders: By label, every host with access, and its memory.
        ledger: The sightings of the runs before.
        now: The instant of the run.
    """
    hosts = [host for host, _ in holders.values()]
    window = max((host.policy.guard_window for host in hosts), default=timedelta(0))
    heard = _heard(new, judged, evidence, ledger)
    agreed = _agreed(heard, new, evidence)
    after = record(ledger, agreed, window, now).proven(
        {key_of(one) for one in evidence.arrivals}, unproven(evidence, heard)
    )
    if all(one.granted for one in new) and after.undisputed is not None:
        return Verdict(dict(judged), after, {})
    from allowsync.policy.crowd import Crowd

    made_up = _made_up_by_resolver(judged, evidence, holders)
    seen = SightingIndex(_sure(after, evidence))
    certain = doubtful = (seen, Crowd(holders, seen, now))
    if agreed is not heard:
        seen = SightingIndex(record(ledger, heard, window, now))
        doubtful = (seen, Crowd(holders, seen, now))
    refused: dict[tuple[str, Query], dict[Address, GuardRefusal]] = {}
    refuted = {(one.name, one.network) for one in after.sightings if one.refuted}
    arriving = {one.host.name for one in new if not one.granted}
    moves = {name: dict.fromkeys(recent(_memory(holders, name).arrivals, now)) for name in arriving}
    for one in new:
        name = one.host.name
        mine = moves.get(name, {})  # none are counted for hosts without arrivals
        index, crowd = certain if one.granted else doubtful
        refusal = _SYNTHESIZED if one in made_up else _doubt(one, evidence, index, crowd, mine)
        if refusal is None:
            if name in arriving:
                mine[one.network] = None
            if refuted:
                refuted.discard((one.query.hostname, one.network))
            continue
        if one not in made_up and _is_tenable(one, evidence, *certain):
            refusal = replace(refusal, tenable=True)
        refused.setdefault((name, one.query), {})[one.address] = refusal
        if one.granted:
            refuted.add((one.query.hostname, one.network))
    believed = dict(judged)
    for name in judged.keys() & {name for name, _ in refused}:
        answers = judged[name]
        believed[name] = tuple(without(one, refused.get((name, one.query), {})) for one in answers)
    return Verdict(believed, after.marked(refuted), by_hostname(refuted))


def _memory(holders: Mapping[str, tuple[Host, HostMemory]], name: str) -> HostMemory:
    return holders[name][1] if name in holders else HostMemory()


def _heard(
    new: Iterable[NewAddress], judged: Judgements, evidence: Evidence, ledger: Ledger
) -> Heard:
    """The answers about networks that are new or in the ledger."""
    widths = {(one.query, one.address): one.network for one in new}
    others: list[tuple[set[Network], Address]] = []
    names: dict[Query, set[Network]] = {}
    for answers in judged.values():
        for one in answers:
            addresses = _addresses(one)
            if not (addresses or isinstance(one.answer, Found | Absent)):
                continue
            heard = names.setdefault(one.query, set())
            for address in addresses:
                if (given := widths.get((one.query, address))) is None:
                    others.append((heard, address))
                else:
                    heard.add(given)
    if others:
        _add_overlapping(others, new, ledger)
    return Heard(names, decoys(evidence))


def _add_overlapping(
    others: Iterable[tuple[set[Network], Address]], new: Iterable[NewAddress], ledger: Ledger
) -> None:
    """Add, for addresses that are not new to their hosts, the new networks that hold them."""
    arrivals = {one.network for one in new}
    arrivals |= {one.network for one in ledger.sightings if not one.decoy}
    kinds = sorted({(one.version, one.prefixlen) for one in arrivals})
    for heard, address in others:
        given = _overlapping(address, arrivals, kinds)
        if given is not None:
            heard.add(given)


def _agreed(heard: Heard, new: Iterable[NewAddress], evidence: Evidence) -> Heard:
    """The same without networks of hosts' names that too few nameservers gave."""
    if evidence.agreement <= 1:
        return heard
    asked = [one for one in new if not one.granted and one.query in evidence.answers]
    doubtful = {(one.query, one.network) for one in asked if _too_few_agree(one, evidence)}
    doubtful -= {(one.query, one.network) for one in asked if not _too_few_agree(one, evidence)}
    names = {
        query: {one for one in networks if (query, one) not in doubtful}
        for query, networks in heard.names.items()
    }
    return Heard(names, heard.decoys)


def _sure(ledger: Ledger, evidence: Evidence) -> Ledger:
    """The same with only those networks of made-up names that enough nameservers gave now."""
    if evidence.agreement <= 1:
        return ledger
    now = decoys(evidence, evidence.agreement)
    sure = {(query.hostname, network) for query, given in now.items() for network in given}
    return Ledger(
        tuple(one for one in ledger.sightings if not one.decoy or (one.name, one.network) in sure)
    )


def _addresses(judged: ScreenedAnswer) -> list[Address]:
    found = judged.answer.addresses if isinstance(judged.answer, Found) else ()
    return [*found, *(one.address for one in judged.rejected)]


def _overlapping(
    address: Address, networks: Collection[Network], kinds: Iterable[tuple[int, int]]
) -> Network | None:
    """One of some networks that holds an address; `kinds` are their versions and widths."""
    number = int(address)
    for width in [width for version, width in kinds if version == address.version]:
        beyond = address.max_prefixlen - width
        found = network(address.version, number >> beyond << beyond, width)
        if found in networks:
            return found
    return None


def _doubt(
    one: NewAddress,
    evidence: Evidence,
    ledger: SightingIndex,
    crowd: Crowd,
    moves: Mapping[Network, None],
) -> GuardRefusal | None:
    """The first objection to an address."""
    seen = ledger.of(one.query.hostname, one.network)
    if seen is not None and seen.approved:
        return None
    refusal = (
        _translated(one, ledger) or _shared(one, crowd, seen) or _made_up_too(one, ledger, seen)
    )
    if one.granted:
        return refusal
    return _latched(one) or refusal or _too_few_agree(one, evidence) or _too_many_moves(one, moves)


def _is_tenable(one: NewAddress, evidence: Evidence, ledger: SightingIndex, crowd: Crowd) -> bool:
    """Whether a rejected arrival would stay if its host held it."""
    if one.granted or one.latched or _too_few_agree(one, evidence):
        return False
    return _doubt(replace(one, granted=True), evidence, ledger, crowd, {}) is None


def _latched(one: NewAddress) -> GuardRefusal | None:
    if not one.latched:
        return None
    span = said(one.host.policy.latch_absent)
    seen = f"its name was gone for longer than latch_absent ({span}) and may have a new owner"
    return GuardRefusal(seen, f"if it is still theirs: allowsync approve {one.host.name}")


def _translated(one: NewAddress, ledger: SightingIndex) -> GuardRefusal | None:
    prefixes = ledger.decoys(PROBE)
    if not prefixes or not any(overlap(prefix.network, one.network) for prefix in prefixes):
        return None
    seen = "the resolver synthesizes IPv6 addresses (DNS64), and all of IPv4 comes from this prefix"
    return GuardRefusal(seen, "name a resolver without DNS64 in resolver.nameservers")


def _made_up_by_resolver(
    judged: Judgements,
    evidence: Evidence,
    holders: Mapping[str, tuple[Host, HostMemory]],
) -> list[NewAddress]:
    """IPv6 addresses that DNS64 may have synthesized, where a DNS64 probe is unanswered."""
    if all_told(evidence):
        return []
    ipv4 = _ipv4_held(holders)
    for one in chain.from_iterable(judged.values()):
        numbers = {int(address) for address in _addresses(one) if address.version == 4}
        ipv4.setdefault(one.query.hostname, set()).update(numbers)
    return [
        one
        for one in evidence.arrivals
        if looks_synthesized(one.address, ipv4.get(one.query.hostname, ()))
    ]


def _ipv4_held(holders: Mapping[str, tuple[Host, HostMemory]]) -> dict[str, set[int]]:
    """By hostname, the remembered IPv4 addresses: the name may give none just now."""
    held: dict[str, set[int]] = {}
    for _, memory in holders.values():
        for query, track in memory.tracks.items():
            if query.family is Family.IPV4:
                numbers = (int(one.address) for one in (*track.held, *track.past))
                held.setdefault(query.hostname, set()).update(numbers)
    return held


def _shared(one: NewAddress, crowd: Crowd, seen: Sighting | None) -> GuardRefusal | None:
    most, every = one.host.policy.max_sharing, crowd.givers(one.network)
    if len(every) <= most:
        return None
    names = crowd.strangers(one.network)
    if len(names) <= most or crowd.vouched(one.network, one.host):
        return None
    present = crowd.still_giving(one.network)
    alarm = len(names) > 2 or crowd.whole_domain(one.query.hostname, present)
    lasts = seen is not None and seen.runs >= ROW and len(crowd.apart(present)) <= most
    if not alarm and (one.granted or lasts):
        return None  # it came first, and one more may be a visitor; or the other host left it
    listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    what = f"{listed} resolved to it within guard_window, more hosts than max_sharing ({most}), "
    what += "and no host had it before"
    return GuardRefusal(what, "if they live together, raise max_sharing for them")


def _made_up_too(
    one: NewAddress, ledger: SightingIndex, seen: Sighting | None
) -> GuardRefusal | None:
    if not one.host.policy.canary:
        return None
    asked = parent_of(one.query)
    decoys = ledger.decoys(asked)
    if not decoys:
        return None
    advice = f"if that is intended, set canary: false for {one.host.name}"
    if any(overlap(decoy.network, one.network) for decoy in decoys):
        return GuardRefusal(
            f"the domain {asked.hostname} answers for any name (wildcard, canary)", advice
        )
    if one.granted or (seen is not None and seen.runs >= ROW):
        return None
    what = f"the domain {asked.hostname} answers for any name: "
    what += f"it needs answers in {ROW} consecutive runs (canary)"
    return GuardRefusal(what, advice)


def _too_few_agree(one: NewAddress, evidence: Evidence) -> GuardRefusal | None:
    if evidence.agreement <= 1:
        return None
    answers = evidence.answers.get(one.query, {}).values()
    gave = sum(isinstance(said, Found) and one.address in said.addresses for said in answers)
    if gave >= evidence.agreement:
        return None
    seen = f"{gave} of {len(answers)} nameservers returned it, fewer than agreement"
    seen += f" ({evidence.agreement})"
    return GuardRefusal(seen, f"compare their answers: allowsync resolve {one.host.name}")


def _too_many_moves(one: NewAddress, moves: Mapping[Network, None]) -> GuardRefusal | None:
    most = one.host.policy.max_moves
    if one.network in moves or len(moves) < most:
        return None
    seen = f"{one.host.name} had {most} new networks within 24 hours, all that max_moves allows"
    return GuardRefusal(seen, "it is granted once one of them is a day old; or raise max_moves")
