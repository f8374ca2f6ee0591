"""Reachability of guarded ports through the packet filter: questions, and judgement of answers.

Pure: packets are tried elsewhere.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from allowsync.inspect.guarded_packets import meant_for_friends, met, questions
from allowsync.inspect.guarded_target import strangers
from allowsync.model.networks import short
from allowsync.model.target import Finding, Severity, remedy
from allowsync.model.value import Value, replace
from allowsync.packetpath.question import Aim, PacketVerdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from ipaddress import IPv4Address, IPv6Address
    from typing import TypeAlias

    from allowsync.inspect.guarded_packets import PacketAnswers
    from allowsync.inspect.guarded_target import GuardedTarget
    from allowsync.model.target import Guard, PortRange
    from allowsync.model.types import Entry, Network
    from allowsync.packetpath.question import Answer, Question

    Address: TypeAlias = IPv4Address | IPv6Address

MOST_NAMED: Final = 3
_OFF_MIDDLE, _RARE = 6, 10
IN: Final = (PacketVerdict.DELIVERED, PacketVerdict.FORWARDED)
OUT: Final = (PacketVerdict.REFUSED, PacketVerdict.DROPPED)
_LOST: Final = "its replies do not arrive"
_LET_ANSWERS_LEAVE: Final = (
    "let its replies leave: see `ip rule`, `ip route`, rules for what goes out"
)


# Drops that the kernel counts: sources that arrive by another interface (RFC 3704), and martian
# destinations of outside packets (RFC 1812, 5.3.7), as 127.0.0.1.
_COUNTED: Final = {
    "IPReversePathFilter": "route answers by {0}, or set rp_filter of {0} to 2 (loose)",
    "MartianDestination": "translate to an address of an interface in place of 127.0.0.1, or set "
    "route_localnet of {0} to 1, which opens all that listens there alone to the network",
}
_NO_RULE: Final = "no rule is known to decide: see routes, rp_filter and `allowsync explain`"


def address_in(network: Network) -> Address:
    """An address of a network that a device could have, and that routers and servers rarely do."""
    number = network.num_addresses
    inner = _RARE if network.version == 6 else number // 2 - _OFF_MIDDLE
    return network.network_address + (max(1, min(inner, number - 2)) if number > 2 else 0)


def at_port(targets: Iterable[GuardedTarget], port: PortRange) -> tuple[GuardedTarget, ...]:
    """Targets narrowed to their ports within a range; those without any are left out."""
    return tuple(
        replace(one, guard=replace(one.guard, ports=shared))
        for one in targets
        if (shared := tuple(filter(None, map(port.shared, one.guard.ports))))
    )


def about_strangers(targets: Sequence[GuardedTarget]) -> Iterator[Question]:
    """Questions whether strangers reach guarded ports."""
    for source in strangers(targets):
        for one in targets:
            yield from questions(source, one.guard)


def about_friends(targets: Iterable[GuardedTarget]) -> Iterator[Question]:
    """Questions whether the hosts on a target reach its guarded ports."""
    for one in targets:
        for entry in one.friends:
            yield from questions(address_in(entry.network), one.guard)


def openings(
    targets: Sequence[GuardedTarget], answers: PacketAnswers
) -> Iterator[tuple[str, Finding]]:
    """Ports that strangers reach, with the target that should keep them out.

    Ports of a target that strangers reach in one way, by one rule, are one finding.
    """
    alike: dict[tuple[str, Finding], list[str]] = {}
    for target, port, found, given in _opened(targets, answers):
        opened = target.name, _open(target, port, found, given)
        alike.setdefault(opened, []).append(asked_of(port, found, given))
    for (name, one), ports in alike.items():
        verb = "are" if len(ports) > 1 else "is"
        yield name, replace(one, what=f"{', '.join(ports)} {verb} open to {one.what}")


def _opened(
    targets: Sequence[GuardedTarget], answers: PacketAnswers
) -> Iterator[tuple[GuardedTarget, PortRange, Sequence[Answer], Sequence[Answer]]]:
    """The guarded ports that strangers reach: answers that got in, and all answers there."""
    sources = strangers(targets)
    for one in targets:
        for port in one.guard.ports:
            given = [
                answer for source in sources for answer in met(answers, source, one.guard, port)
            ]
            found = [answer for answer in given if answer.verdict in IN]
            if found:
                yield one, port, found, given


def _by_vpn(
    targets: Sequence[GuardedTarget], answers: PacketAnswers
) -> Iterator[tuple[str, Finding]]:
    """Ports that strangers would reach by a VPN, if its other end lets them."""
    for one, port, found, given in _opened(targets, replace(answers, found=answers.by_vpn)):
        where = asked_of(port, found, given)
        what = f"{where} is open to clients that the other end of a VPN admits"
        yield one.name, Finding(Severity.INFO, f"{what}{way(found, port)}{by_rules(found)}")


def _open(
    target: GuardedTarget, port: PortRange, found: Sequence[Answer], given: Sequence[Answer]
) -> Finding:
    """The finding of an open port: its sources, way and rule."""
    what = f"{_whom(found, given)}{way(found, port)}{by_rules(found)}"
    # Others may be meant to get in, and the set be for something else.
    severity = Severity.WARNING if target.assumed else Severity.ERROR
    return Finding(severity, what, _advice(target, found))


def asked_of(port: PortRange, found: Iterable[Answer], given: Iterable[Answer]) -> str:
    """A guarded port; for a range, the concerned ports where others were asked as well."""
    inside = {one.question.port for one in found}
    asked = sorted({one.question.port for one in given})
    asked = [one for one in asked if port.first <= one <= port.last]
    if inside.isdisjoint(asked) or inside.issuperset(asked):
        return str(port)
    parts = [
        str(port._replace(first=several[0], last=several[-1]))
        for meant, run in groupby(asked, inside.__contains__)
        if meant and (several := list(run))
    ]
    return f"{some(parts)} of {port}"


def _whom(found: Sequence[Answer], given: Sequence[Answer]) -> str:
    """Everyone, where every stranger who asked the same way gets in; else the sources that do."""
    ways = {way_of(answer) for answer in found}
    alike = {answer.question.source for answer in given if way_of(answer) in ways}
    sources = dict.fromkeys(answer.question.source for answer in found)
    return "everyone" if set(sources) == alike else f"strangers ({some(map(str, sources))})"


def way_of(answer: Answer) -> tuple[str, object, int]:
    """The way of a packet: interface, destination address and port."""
    return answer.question.interface, answer.question.destination, answer.question.port


def way(found: Sequence[Answer], port: PortRange) -> str:
    """The way of packets as text: family, interface, other ports, and forwarded ends."""
    versions = sorted({answer.question.source.version for answer in found})
    over = " and ".join(f"IPv{version}" for version in versions)
    interfaces = some(dict.fromkeys(answer.question.interface for answer in found))
    return f" over {over} by {interfaces}{_onward(found, port)}"


def _onward(found: Iterable[Answer], port: PortRange) -> str:
    """Other requested ports and addresses, and the ends they lead to, as text."""
    found = tuple(found)
    others = {
        f"{answer.question.port}/{port.protocol}": None
        for answer in found
        if not port.first <= answer.question.port <= port.last
    }
    behind = {
        f"{answer.question.destination}": None
        for answer in found
        if answer.question.aim is Aim.BEHIND
    }
    ends = {f"{answer.to[1]} port {answer.to[2]}": None for answer in found if answer.to}
    at = f" at {some((*others, *behind))}" if others or behind else ""
    leads = [one for one in ends if one.split()[0] not in behind]
    return at + (f", forwarded to {some(leads)}" if leads else "")


def by_rules(found: Iterable[Answer]) -> str:
    """The deciding rules, and their conditions, as text."""
    found = tuple(found)
    rules = dict.fromkeys(rule for answer in found for rule in answer.rules[-1:])
    conditions = dict.fromkeys(answer.reason for answer in found if answer.reason)
    said = f": {some(rules, '; ')}" if rules else ": no rule keeps them out"
    return said + (f" ({some(conditions, '; ')})" if conditions else "")


def named_rules(answer: Answer) -> tuple[str, ...]:
    """The deciding rules, without those of the kernel itself."""
    return tuple(one for one in answer.rules if not one.startswith("kernel:"))


def some(names: Iterable[str], between: str = ", ") -> str:
    """The first few names, and the number of the others."""
    given = list(names)
    more = len(given) - MOST_NAMED
    return between.join(given[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _advice(target: GuardedTarget, found: Sequence[Answer]) -> str:
    if target.flaws:
        return f"{'; '.join(target.flaws)}: {remedy(target.obstacles)}"
    interfaces = dict.fromkeys(answer.question.interface for answer in found)
    wide = [one for one in interfaces if _is_open(one, target.guard)]
    if wide:
        return f"take {', '.join(wide)} out of open_interfaces: the default route is there"
    if target.guard.forwarded:
        return (
            "delete that rule, or have packets meet the allowlist's rules before it, "
            "as by Docker's chain DOCKER-USER"
        )
    return "delete or narrow that rule; hosts of the allowlist have entries of their own"


def _is_open(interface: str, guard: Guard) -> bool:
    return any(
        interface == one or (one.endswith("*") and interface.startswith(one[:-1]))
        for one in guard.open_interfaces
    )


class LockedOut(Value):
    """An entry whose packets do not get in, the interfaces concerned, and those where they do."""

    entry: Entry
    interfaces: tuple[str, ...]
    elsewhere: tuple[str, ...]
    everywhere: bool
    answers: tuple[Answer, ...]


def lockouts(
    targets: Iterable[GuardedTarget], answers: PacketAnswers
) -> Iterator[tuple[str, Finding]]:
    """Hosts of the allowlist that do not reach a guarded port; one finding for each rule."""
    for one in targets:
        for port in one.guard.ports:
            given = {
                entry: met(answers, address_in(entry.network), one.guard, port)
                for entry in one.friends
            }
            grouped: dict[tuple[str, bool], list[LockedOut]] = {}
            for locked in _locked(given):
                key = (by_rules(locked.answers), locked.everywhere)
                grouped.setdefault(key, []).append(locked)
            every = [answer for several in given.values() for answer in several]
            for (rules, everywhere), several in grouped.items():
                stopped = (answer for locked in several for answer in locked.answers)
                where = asked_of(port, stopped, every)
                yield one.name, _shut(port, where, rules, several, everywhere=everywhere)


def _locked(given: Mapping[Entry, Sequence[Answer]]) -> Iterator[LockedOut]:
    for entry, several in given.items():
        for at_a_port in meant_for_friends(several):
            yield from _shut_out(entry, at_a_port)


def as_friend(answer: Answer) -> Answer:
    """An answer as it concerns a friend: without packets in return there is no connection.

    The packets of a stranger get in all the same.
    """
    if not answer.unanswered:
        return answer
    stopped = (answer.unanswered,)
    return replace(answer, verdict=PacketVerdict.DROPPED, rules=stopped, reason=_LOST)


def _shut_out(entry: Entry, several: Sequence[Answer]) -> Iterator[LockedOut]:
    given = tuple(map(as_friend, several))
    shut = {one.question.interface: None for one in given if one.verdict in OUT}
    for one in given:
        if one.verdict not in OUT:
            shut.pop(one.question.interface, None)
    refused = tuple(one for one in given if one.question.interface in shut)
    everywhere = len(refused) == len(given)
    # A machine with two uplinks may legitimately receive one source's packets by one of them alone.
    if refused and (everywhere or any(named_rules(one) for one in refused)):
        inside = {one.question.interface: None for one in given if one.verdict in IN}
        elsewhere = tuple(one for one in inside if one not in shut)
        yield LockedOut(entry, tuple(shut), elsewhere, everywhere, refused)


def _shut(
    port: PortRange, where: str, rules: str, several: Sequence[LockedOut], *, everywhere: bool
) -> Finding:
    whose = dict.fromkeys(named_entry(one.entry) for one in several)
    verb = "is" if len(whose) == 1 else "are"
    versions = sorted({one.entry.network.version for one in several})
    over = " and ".join(f"IPv{version}" for version in versions)
    interfaces = some({name: None for one in several for name in one.interfaces})
    inside = some({name: None for one in several for name in one.elsewhere})
    but = f"; by {inside} they get in" if inside else ""
    stopped = [answer for one in several for answer in one.answers]
    counted = everywhere and any(map(_advice_by_count, stopped))
    known = counted or any(map(named_rules, stopped))
    onward = _onward(stopped, port) if any(one.to for one in stopped) else ""
    rules = rules if known else ""
    severity = Severity.ERROR if everywhere else Severity.WARNING
    what = f"{some(whose)} {verb} locked out of {where} over {over}"
    return Finding(
        severity if known else Severity.INFO,  # a copy has no neighbours, and no IPsec
        f"{what} by {interfaces}{onward}{rules}{but}",
        _advice_to_let_in(port, stopped) if rules else _NO_RULE,
    )


def _is_by_route(answer: Answer) -> bool:
    return any(one.startswith("routing:") for one in answer.rules)


def _advice_by_count(answer: Answer) -> str:
    """The remedy where a kernel counter explains a drop without a rule; else ""."""
    for one in answer.rules:
        for count, advice in _COUNTED.items():
            if one.startswith("kernel:") and count in one:
                return advice.format(answer.question.interface)
    return ""


def _advice_to_let_in(port: PortRange, stopped: Sequence[Answer]) -> str:
    for advice in filter(None, map(_advice_by_count, stopped)):
        return advice
    if any(one.unanswered or _is_by_route(one) for one in stopped):
        return _LET_ANSWERS_LEAVE
    ends = {one.to[2]: None for one in stopped if one.to}
    if ends and not any(port.first <= one <= port.last for one in ends):
        others = some(f"{one}/{port.protocol}" for one in ends)
        return f"guard {others}: forwarded packets are matched by their destination port"
    return f"let that rule accept {port}, or put one before it; others stay blocked nevertheless"


def named_entry(entry: Entry) -> str:
    """The hosts and the network of an entry, as text."""
    return f"{', '.join(entry.hosts) or 'host unknown'} ({short(entry.network)})"


def unknowns(answers: PacketAnswers) -> str:
    """The reasons for unknown packet verdicts; empty where all are known."""
    if answers.unknown:
        return answers.unknown
    given = (one for several in answers.found.values() for one in several)
    return some({one.reason: None for one in given if one.verdict is PacketVerdict.UNKNOWN}, "; ")


def _unasked(
    targets: Iterable[GuardedTarget], answers: PacketAnswers
) -> Iterator[tuple[str, Finding]]:
    """Ports to which nothing is seen to be forwarded, and entries that were not tried."""
    for one in targets:
        sources = {ask.source: None for ask in answers.found} if one.guard.forwarded else {}
        for port in one.guard.ports if sources else ():
            if not any(met(answers, source, one.guard, port) for source in sources):
                what = f"{port}: nothing is known to be forwarded there, so no packet was tested"
                yield one.name, Finding(Severity.INFO, what)
        if (more := len(one.entries) - len(one.friends)) > 0:
            what = f"packets of {len(one.friends)} entries were tested, {more} others were not"
            yield one.name, Finding(Severity.INFO, what)


def judged(
    targets: Sequence[GuardedTarget], answers: PacketAnswers
) -> Iterator[tuple[str, Finding]]:
    """All findings from packet answers."""
    yield from openings(targets, answers)
    yield from _by_vpn(targets, answers)
    yield from lockouts(targets, answers)
    yield from _unasked(targets, answers)
    if why := unknowns(answers):
        what = f"whether hosts get in and others do not is unknown: {why}"
        yield "packets", Finding(Severity.INFO, what)
    if answers.unseen and not answers.unknown:
        yield "packets", Finding(Severity.INFO, answers.unseen)
