"""Whether an address, a network or a host is allowed, where, and why. Pure."""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING

from allowsync.model.networks import Coverage, covers, short, without
from allowsync.model.special_purpose import acceptable, rejection
from allowsync.model.value import Value, replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from allowsync.inspect.access_at import AccessAt, HostAccess, TargetContents
    from allowsync.model.types import Entry, Network, Policy
    from allowsync.packetpath.question import Answer
    from allowsync.policy.decision import Decision
    from allowsync.state.history import AccessPeriod, Past


class AccessVerdict(Enum):
    """Whether access is granted."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"
    UNKNOWN = "unknown"


class TargetAnswer(Value):
    """The answer for one target.

    Attributes:
        target: Its full name.
        verdict: Whether it admits the subject of the question.
        entries: The entries that admit it.
        said: Remarks; empty when there are none.
        through: The source of networks through which the subject passes a gate that admits these
            instead; empty where it passes by its own address.
    """

    target: str
    verdict: AccessVerdict
    entries: tuple[Entry, ...] = ()
    said: str = ""
    through: str = ""


class MetPacket(Value):
    """The answer to a packet, and the target that guards its port; "" where none does."""

    target: str
    answer: Answer


class Explanation(Value):
    """The explanation of an address, a network or a host.

    Attributes:
        asked: The subject as written.
        host: The host asked about; None for an address or a network.
        network: The network asked about; None for a host.
        scene: Access and target contents at the instant of the question.
        places: The answer for each target.
        accesses: The access behind the answer.
        reasons: Reasons against it, and further remarks, a sentence each.
        shut_out: Orphaned gates that drop its packets.
        open: Ports that are open to strangers, each with its target.
        packets: The answers to packets from the subject.
        unguarded: What packets meet at the port asked about, which no target of this machine
            guards; None where one does, or no port was asked about.
    """

    asked: str
    host: str | None
    network: Network | None
    scene: AccessAt
    places: tuple[TargetAnswer, ...]
    accesses: tuple[HostAccess, ...]
    reasons: tuple[str, ...] = ()
    shut_out: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    packets: tuple[MetPacket, ...] = ()
    unguarded: AccessVerdict | None = None

    @property
    def verdict(self) -> AccessVerdict:
        """Whether it is allowed at any target; certain verdicts come first."""
        if self.unguarded is not None:
            return self.unguarded
        found = {one.verdict for one in self.places}
        if self.shut_out and found & {AccessVerdict.YES, AccessVerdict.PARTLY}:
            return AccessVerdict.UNKNOWN
        order = (AccessVerdict.YES, AccessVerdict.PARTLY, AccessVerdict.UNKNOWN)
        nothing = (
            AccessVerdict.UNKNOWN
            if self.scene.past and self.scene.run is None
            else AccessVerdict.NO
        )
        return next((one for one in order if one in found), nothing)


def asked_network(text: str) -> Network | None:
    """The network written in a question, host bits set or not; None when it is no address."""
    try:
        found: IPv4Network | IPv6Network = ip_network(text.strip(), strict=False)
    except ValueError:
        return None
    return found


def where(asked: Network, holding: TargetContents) -> TargetAnswer:
    """Whether a target admits a network."""
    if holding.unknown:
        return TargetAnswer(holding.target, AccessVerdict.UNKNOWN, said=holding.unknown)
    found = [one for one in holding.entries if touches(one.network, asked)]
    mine = tuple(one for one in found if one.network not in holding.ineffective)
    shut = [f"{short(one.network)} has no effect: {holding.ineffective[one.network]}"
            for one in found if one.network in holding.ineffective]  # fmt: skip
    others = [one for one in sorted(holding.others, key=str) if touches(one, asked)]
    sure = [one.network for one in mine if one.network not in holding.doubtful]
    doubts = [holding.doubtful[one.network] for one in mine if one.network in holding.doubtful]
    were = "were" if len(others) > 1 else "was"
    foreign = f"{', '.join(map(short, others))} {were} added outside allowsync" if others else ""
    left = without(asked, Coverage([*sure, *others]))
    said = "; ".join(part for part in (foreign, *shut, *doubts) if part)
    return TargetAnswer(holding.target, _verdict(left, asked, doubts), mine, said)


def _verdict(left: list[Network], asked: Network, doubts: list[str]) -> AccessVerdict:
    if not left:
        return AccessVerdict.YES
    if doubts:
        return AccessVerdict.UNKNOWN
    return AccessVerdict.NO if left == [asked] else AccessVerdict.PARTLY


def touches(one: Network, other: Network) -> bool:
    """Whether two networks have an address in common."""
    return covers(one, other) or covers(other, one)


def of_network(
    text: str, asked: Network, scene: AccessAt, members: Mapping[str, Collection[str]]
) -> Explanation:
    """The answer for an address or a network.

    Args:
        text: The subject as written.
        asked: The network.
        scene: Access and target contents at the instant of the question.
        members: The present hosts of each target's allowlist.
    """
    accesses = tuple(one for one in scene.accesses if touches(one.network, asked))
    places = tuple(
        _explained(
            where(asked, one), one.concerned(accesses), members.get(one.target), past=scene.past
        )
        for one in scene.holdings
    )
    gates = (where(asked, one) for one in scene.gates)
    return Explanation(text, None, asked, scene, places, accesses, (), _shut_out(gates))


def of_host(
    text: str, name: str, scene: AccessAt, members: Mapping[str, Collection[str]]
) -> Explanation:
    """The answer for a host: a target admits it when it admits the host's networks.

    Args:
        text: The subject as written.
        name: The host.
        scene: Access and target contents at the instant of the question.
        members: The present hosts of each target's allowlist.
    """
    accesses = tuple(one for one in scene.accesses if one.host == name)
    each = [(one, one.concerned(accesses)) for one in scene.holdings]
    places = tuple(
        _unclear(one)
        if name in scene.unclear and not its and name in members.get(one.target, ())
        else _explained(_whole(one, its), its, members.get(one.target), past=scene.past)
        for one, its in each
    )
    gates = (_whole(one, accesses) for one in scene.gates)
    return Explanation(text, name, None, scene, places, accesses, (), _shut_out(gates))


def _unclear(holding: TargetContents) -> TargetAnswer:
    """The answer for a host of unknown access."""
    if not holding.unknown and all(one.hosts for one in holding.entries):
        return TargetAnswer(holding.target, AccessVerdict.NO)
    said = holding.unknown or "it holds entries whose host is unknown"
    return TargetAnswer(holding.target, AccessVerdict.UNKNOWN, said=said)


def _shut_out(gates: Iterable[TargetAnswer]) -> tuple[str, ...]:
    return tuple(one.target for one in gates if one.verdict is not AccessVerdict.YES)


def _whole(holding: TargetContents, accesses: Iterable[HostAccess]) -> TargetAnswer:
    """One answer combined from those for each network of a host."""
    parts = [where(one.network, holding) for one in accesses]
    verdicts = {one.verdict for one in parts}
    entries = tuple(dict.fromkeys(entry for one in parts for entry in one.entries))
    said = "; ".join(dict.fromkeys(one.said for one in parts if one.said))
    if holding.unknown:
        return TargetAnswer(holding.target, AccessVerdict.UNKNOWN, said=holding.unknown)
    if len(verdicts) == 1:
        return TargetAnswer(holding.target, verdicts.pop(), entries, said)
    some = verdicts & {AccessVerdict.YES, AccessVerdict.PARTLY}
    rest = AccessVerdict.UNKNOWN if AccessVerdict.UNKNOWN in verdicts else AccessVerdict.NO
    return TargetAnswer(holding.target, AccessVerdict.PARTLY if some else rest, entries, said)


def _explained(
    place: TargetAnswer,
    accesses: Iterable[HostAccess],
    members: Collection[str] | None,
    *,
    past: bool,
) -> TargetAnswer:
    """An answer with remarks on missing hosts and entries, where a host uses the network."""
    if past or place.verdict in (AccessVerdict.YES, AccessVerdict.UNKNOWN) or members is None:
        return place
    outside = list(dict.fromkeys(one.host for one in accesses if one.host not in members))
    held = Coverage(entry.network for entry in place.entries)
    lacking = any(one.host in members and without(one.network, held) for one in accesses)
    verb = "are" if len(outside) > 1 else "is"
    whose = f"{', '.join(outside)} {verb} not among the hosts of {place.target.partition('/')[0]}"
    parts = [
        place.said,
        whose if outside else "",
        "it is out of sync: see allowsync status" if lacking else "",
    ]
    said = "; ".join(part for part in parts if part)
    return replace(place, said=said)


def through(entry: Entry, asked: Network | None) -> str:
    """An entry as text: its network, its hosts, and whether it is wider than the asked network."""
    whose = ", ".join(entry.hosts) or "host unknown"
    wider = asked is not None and covers(entry.network, asked) and entry.network != asked
    kind = "the wider entry " if wider else ""
    return f"{kind}{short(entry.network)} ({whose})"


MOST = 3  # earlier stays that are reported


def about_network(
    asked: Network, decisions: Mapping[str, Decision], past: Past | None, policy: Policy
) -> Iterator[str]:
    """Reasons why no host may use a network now, and how to allow it."""
    reason = rejection(asked, policy.accept)
    if reason:
        advice = "; policy.accept would allow that" if acceptable(asked) else ""
        yield f"no hostname can give it access ({reason}){advice}"
    for decision in decisions.values():
        for hostname, what in decision.held_back:
            # A line about a refused address begins with that address.
            if what.partition(" ")[0] in map(str, _addresses(asked)):
                yield f"{decision.host.name}: {hostname}: {what}"
    stays = () if past is None else past.stays
    earlier = [one for one in stays if touches(one.network, asked) and one.ended is not None]
    yield from map(told, reversed(earlier[-MOST:]))
    if past is None:
        yield "unknown whether a host used this network: the state cannot be read"
    elif not earlier and not reason:
        since = "" if past.first_run is None else f" since {past.first_run:%Y-%m-%d %H:%M} UTC"
        yield f"no host used this network{since}"
    revoked = [one for one in dict.fromkeys(one.host for one in earlier)
               if one in decisions and decisions[one].host.revoked is not None]  # fmt: skip
    yield from (f"{name} is revoked; to allow it again: allowsync approve {name}"
                for name in revoked)  # fmt: skip
    if not (reason or revoked):
        yield (
            f"to allow it: allowsync grant {short(asked)} --for 4h, or allowsync host add NAME "
            f"{short(asked)}; of a host whose address changes, its DDNS hostname"
        )


def _addresses(asked: Network) -> tuple[object, ...]:
    return (asked.network_address,) if asked.num_addresses == 1 else ()


def about_host(decision: Decision, past: Past, doubts: Iterator[str]) -> Iterator[str]:
    """Reasons why a host has no access now, and the addresses that guards reject."""
    host = decision.host
    if decision.ended and host.revoked is None:
        yield f"{decision.ending} (`until`)"
    elif decision.ended:
        yield f"{decision.ending}; to allow it again: allowsync approve {host.name}"
    elif decision.undecided:
        yield f"no answer yet for {host.name}: {_unheard(decision)}"
    elif not decision.grants:
        yield f"{host.name} has no address: {_unheard(decision)}"
    yield from doubts
    if not decision.grants:
        earlier = [one for one in past.stays if one.host == host.name and one.ended is not None]
        yield from map(told, reversed(earlier[-MOST:]))


def about_former(name: str, past: Past) -> Iterator[str]:
    """The recorded access of a host that was removed from the configuration."""
    mine = [one for one in past.stays if one.host == name]
    if all(one.ended is not None for one in mine):
        yield f"{name} is not in the configuration any more"
    if not mine:
        yield f"{name} never had an address"
    yield from map(told, reversed([one for one in mine if one.ended is not None][-MOST:]))


def _unheard(decision: Decision) -> str:
    tracks = decision.memory.tracks.items()
    heard = {query.hostname: track.reason for query, track in tracks if track.reason}
    heard |= dict.fromkeys(decision.host.sources, "its networks are not known yet")
    return ", ".join(f"{name} ({why})" for name, why in heard.items()) or "not asked yet"


def about_past(scene: AccessAt, past: Past) -> Iterator[str]:
    """The extent of the history at an instant."""
    if scene.run is None:
        first = past.first_run
        begins = "no run is on record" if first is None else f"it begins {first:%Y-%m-%d %H:%M} UTC"
        yield f"the history does not go back that far: {begins}"
    else:
        yield f"from the history; the last run before that was at {scene.run:%Y-%m-%d %H:%M:%S} UTC"


def unrecorded(answer: Explanation) -> Iterator[str]:
    """Limits of an answer about the past: earlier configurations are not recorded."""
    if answer.scene.run is None:
        return
    names = {access.hostname for access in answer.accesses}
    if answer.host is not None and answer.asked.lower() not in {answer.host, *names}:
        yield f"{answer.asked} is a name of {answer.host} today; its names then are not on record"
    denied = (AccessVerdict.NO, AccessVerdict.PARTLY)
    if answer.accesses and any(place.verdict in denied for place in answer.places):
        yield "which hosts an allowlist had then is not on record, only what its targets held"


def told(stay: AccessPeriod) -> str:
    """An earlier access as a sentence."""
    began = f"{stay.began:%Y-%m-%d %H:%M}"
    ended = "now" if stay.ended is None else f"{stay.ended:%Y-%m-%d %H:%M} UTC"
    why = f": {stay.why}" if stay.why else ""
    return f"{stay.host} was allowed from {short(stay.network)}, {began} to {ended}{why}"
