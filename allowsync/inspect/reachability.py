"""Whom a packet filter lets in at the ports that targets guard: questions, and their judgement.

Pure: what packets meet is asked elsewhere.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final

from allowsync.model.networks import Coverage, short, without
from allowsync.model.target import Finding, PortRange, Severity
from allowsync.model.value import Value, field, replace
from allowsync.packetpath.question import Question, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from ipaddress import IPv4Address, IPv6Address
    from typing import TypeAlias

    from allowsync.model.target import Guard
    from allowsync.model.types import Entry, Network
    from allowsync.packetpath.question import Answer

    Address: TypeAlias = IPv4Address | IPv6Address

# Homes all over the world: a filter by country, or of addresses that are no one's, knows them.
_ELSEWHERE: Final = tuple(
    ip_address(text)
    for text in (
        *("73.15.20.9", "91.64.10.9", "114.32.10.9", "177.32.10.9", "41.32.10.9"),
        *("2601:100:10::9", "2a02:8100:10::9", "2001:b000:10::9", "2804:14c:10::9", "2c0f:f8::9"),
    )
)
MOST_FRIENDS: Final = 512  # of one target; of more, as many that are spread evenly
MOST_NAMED: Final = 3
IN: Final = (Verdict.DELIVERED, Verdict.FORWARDED)
OUT: Final = (Verdict.REFUSED, Verdict.DROPPED)


class GuardedTarget(Value):
    """A target that guards ports of this machine's packet filter, and whom it is to let in.

    Attributes:
        name: Its full name.
        guard: What it guards.
        entries: What it holds.
        others: Networks of strangers at the same place.
        flaws: What is wrong with it, as far as the next run repairs it.
    """

    name: str
    guard: Guard
    entries: tuple[Entry, ...] = ()
    others: frozenset[Network] = frozenset()
    flaws: tuple[str, ...] = ()

    @property
    def friends(self) -> tuple[Entry, ...]:
        """The entries that are asked about."""
        step = -(-len(self.entries) // MOST_FRIENDS) or 1
        return self.entries[::step]


class PacketAnswers(Value):
    """What was answered, by what was asked.

    Attributes:
        found: The answers to each question, one for each interface and destination.
        uplinks: The interfaces with a default route.
        caveats: What decides about packets and is not seen.
        unknown: Why nothing could be asked; empty when it could.
    """

    found: Mapping[Question, tuple[Answer, ...]] = field(default_factory=dict)
    uplinks: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    unknown: str = ""

    def to(self, asked: Iterable[Question]) -> tuple[Answer, ...]:
        """The answers to some questions."""
        return tuple(answer for one in asked for answer in self.found.get(one, ()))


def address_in(network: Network) -> Address:
    """An address of a network that a device could have."""
    return network.network_address + (1 if network.num_addresses > 2 else 0)


def strangers(targets: Sequence[GuardedTarget]) -> tuple[Address, ...]:
    """Addresses of both families that no target is to let in."""
    held = Coverage(
        network
        for one in targets
        for network in (*(entry.network for entry in one.entries), *one.others)
    )
    return tuple(one for one in _ELSEWHERE if without(ip_network(one), held))


def questions(source: Address, port: PortRange) -> tuple[Question, ...]:
    """Whether an address reaches a port: of a range, its ends."""
    ends = dict.fromkeys((port.first, port.last))
    return tuple(Question(source, port.protocol, number) for number in ends)


def at_port(targets: Iterable[GuardedTarget], port: PortRange) -> tuple[GuardedTarget, ...]:
    """Targets as far as they guard some of a range of ports."""
    return tuple(
        replace(one, guard=replace(one.guard, ports=shared))
        for one in targets
        if (shared := tuple(_shared(one.guard.ports, port)))
    )


def _shared(ports: Iterable[PortRange], port: PortRange) -> Iterator[PortRange]:
    for one in ports:
        first, last = max(one.first, port.first), min(one.last, port.last)
        if one.protocol == port.protocol and first <= last:
            yield PortRange(first, last, port.protocol)


def about_strangers(targets: Sequence[GuardedTarget]) -> Iterator[Question]:
    """Whether strangers reach what is guarded."""
    for source in strangers(targets):
        for one in targets:
            for port in one.guard.ports:
                yield from questions(source, port)


def about_friends(targets: Iterable[GuardedTarget]) -> Iterator[Question]:
    """Whether those whom a target holds reach what it guards."""
    for one in targets:
        for entry in one.friends:
            for port in one.guard.ports:
                yield from questions(address_in(entry.network), port)


def openings(
    targets: Sequence[GuardedTarget], answers: PacketAnswers
) -> Iterator[tuple[str, Finding]]:
    """Ports that strangers reach, with the target that should keep them out."""
    sources = strangers(targets)
    for one in targets:
        for port in one.guard.ports:
            given = answers.to(ask for source in sources for ask in questions(source, port))
            found = [answer for answer in given if answer.verdict in IN]
            if found:
                yield one.name, _open(one, port, found, given)


def _open(
    target: GuardedTarget, port: PortRange, found: Sequence[Answer], given: Sequence[Answer]
) -> Finding:
    what = f"{port} is open to {_whom(found, given)}{_way(found)}{by_rules(found)}"
    return Finding(Severity.ERROR, what, _advice(target, found))


def _whom(found: Sequence[Answer], given: Sequence[Answer]) -> str:
    """Everyone, where every stranger gets in who asked the same way; else those who do."""
    ways = {_way_of(answer) for answer in found}
    alike = {answer.question.source for answer in given if _way_of(answer) in ways}
    sources = dict.fromkeys(answer.question.source for answer in found)
    return "everyone" if set(sources) == alike else f"strangers ({some(map(str, sources))})"


def _way_of(answer: Answer) -> tuple[str, object, int]:
    return answer.question.interface, answer.question.destination, answer.question.port


def _way(found: Iterable[Answer]) -> str:
    """How they come: over which family, by which interface, to where."""
    found = tuple(found)
    versions = sorted({answer.question.source.version for answer in found})
    over = " and ".join(f"IPv{version}" for version in versions)
    interfaces = some(dict.fromkeys(answer.question.interface for answer in found))
    ends = {f"{answer.to[1]} port {answer.to[2]}": None for answer in found if answer.to}
    onward = f", which lead to {some(ends)}" if ends else ""
    return f" over {over} by {interfaces}{onward}"


def by_rules(found: Iterable[Answer]) -> str:
    """The rules that decided, and under which condition."""
    found = tuple(found)
    rules = dict.fromkeys(rule for answer in found for rule in answer.rules[-1:])
    conditions = dict.fromkeys(answer.reason for answer in found if answer.reason)
    said = f": {some(rules, '; ')}" if rules else ": no rule keeps them out"
    return said + (f" ({some(conditions, '; ')})" if conditions else "")


def named_rules(answer: Answer) -> tuple[str, ...]:
    """The rules that decided, where any did and not the kernel by itself."""
    return tuple(one for one in answer.rules if not one.startswith("kernel:"))


def some(names: Iterable[str], between: str = ", ") -> str:
    """The first few of some names."""
    given = list(names)
    more = len(given) - MOST_NAMED
    return between.join(given[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _advice(target: GuardedTarget, found: Sequence[Answer]) -> str:
    if target.flaws:
        return f"{'; '.join(target.flaws)}: 'allowsync apply' puts that right"
    interfaces = dict.fromkeys(answer.question.interface for answer in found)
    wide = [one for one in interfaces if _is_open(one, target.guard)]
    if wide:
        return f"take {', '.join(wide)} out of open_interfaces: the default route is there"
    return "delete or narrow that rule; hosts of the allowlist have entries of their own"


def _is_open(interface: str, guard: Guard) -> bool:
    return any(
        interface == one or (one.endswith("*") and interface.startswith(one[:-1]))
        for one in guard.open_interfaces
    )


class LockedOut(Value):
    """An entry whose packets do not get in, and by which interfaces."""

    entry: Entry
    interfaces: tuple[str, ...]
    everywhere: bool
    answers: tuple[Answer, ...]


def lockouts(
    targets: Iterable[GuardedTarget], answers: PacketAnswers
) -> Iterator[tuple[str, Finding]]:
    """Hosts of the allowlist that do not reach what is guarded; one finding for each rule."""
    for one in targets:
        for port in one.guard.ports:
            grouped: dict[tuple[str, bool], list[LockedOut]] = {}
            for locked in _locked(one, port, answers):
                key = (by_rules(locked.answers), locked.everywhere)
                grouped.setdefault(key, []).append(locked)
            for (rules, everywhere), several in grouped.items():
                yield one.name, _shut(port, rules, several, everywhere=everywhere)


def _locked(target: GuardedTarget, port: PortRange, answers: PacketAnswers) -> Iterator[LockedOut]:
    for entry in target.friends:
        given = answers.to(questions(address_in(entry.network), port))
        shut = {one.question.interface: None for one in given if one.verdict in OUT}
        for one in given:
            if one.verdict not in OUT:
                shut.pop(one.question.interface, None)
        if not shut:
            continue
        refused = tuple(one for one in given if one.question.interface in shut)
        everywhere = len(refused) == len(given)
        # A machine with two uplinks may well take packets of one source by one of them alone.
        if everywhere or any(named_rules(one) for one in refused):
            yield LockedOut(entry, tuple(shut), everywhere, refused)


def _shut(
    port: PortRange, rules: str, several: Sequence[LockedOut], *, everywhere: bool
) -> Finding:
    whose = some(_named(one.entry) for one in several)
    verb = "is" if len(several) == 1 else "are"
    versions = sorted({one.entry.network.version for one in several})
    over = " and ".join(f"IPv{version}" for version in versions)
    interfaces = some({name: None for one in several for name in one.interfaces})
    known = any(named_rules(answer) for one in several for answer in one.answers)
    rules = rules if known else ""
    severity = Severity.ERROR if everywhere else Severity.WARNING
    return Finding(
        severity if known else Severity.INFO,  # a copy has no neighbours, and no IPsec
        f"{whose} {verb} locked out of {port} over {over} by {interfaces}{rules}",
        f"let that rule accept {port}, or put one before it; others stay out all the same"
        if rules
        else "no rule is known to decide: see routes, rp_filter and `allowsync explain`",
    )


def _named(entry: Entry) -> str:
    return f"{', '.join(entry.hosts) or 'host unknown'} ({short(entry.network)})"


def unknowns(answers: PacketAnswers) -> str:
    """Why it is not known what some packets meet; empty where all is known."""
    if answers.unknown:
        return answers.unknown
    given = (one for several in answers.found.values() for one in several)
    return some({one.reason: None for one in given if one.verdict is Verdict.UNKNOWN}, "; ")


def judged(
    targets: Sequence[GuardedTarget], answers: PacketAnswers
) -> Iterator[tuple[str, Finding]]:
    """Everything that answers show."""
    yield from openings(targets, answers)
    yield from lockouts(targets, answers)
    if why := unknowns(answers):
        what = f"whether hosts get in and others do not is unknown: {why}"
        yield "packets", Finding(Severity.INFO, what)
    if answers.caveats and not answers.unknown:
        what = f"not seen, and may decide as well: {some(answers.caveats, '; ')}"
        yield "packets", Finding(Severity.INFO, what)
