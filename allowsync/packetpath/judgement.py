"""The verdict about a packet from its events, with the rules that decided."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

from allowsync.packetpath.chains import Chains
from allowsync.packetpath.copy import has_passed
from allowsync.packetpath.netlink import first, given, number, text
from allowsync.packetpath.original import bridge_of
from allowsync.packetpath.question import Aim, Answer, PacketVerdict
from allowsync.packetpath.routing import Travel, no_way
from allowsync.packetpath.trace import ACCEPT, QUEUE, RULE
from allowsync.packetpath.unlimited import counts_only, limited

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allowsync.packetpath.copy import Copy
    from allowsync.packetpath.netlink import Attributes
    from allowsync.packetpath.nftables import Expression
    from allowsync.packetpath.packet import Packet
    from allowsync.packetpath.probe import Probe, Prober
    from allowsync.packetpath.question import Address
    from allowsync.packetpath.trace import LegacyEvent, TraceEvent
    from allowsync.packetpath.words import Words

_TRANSLATES: Final = frozenset({"nat", "redir"})
_TRANSLATORS: Final = frozenset({"DNAT", "REDIRECT", "NETMAP"})
_LEGACY_DECIDES: Final = re.compile(r"(-j|-g) (ACCEPT|DNAT|REDIRECT|NETMAP)\b")
# Rules that let a packet on: TRACE reports rules, returns and policies alike.
_LEGACY_GOES_ON: Final = re.compile(
    r"policy ACCEPT$|: return$| -j (ACCEPT|RETURN|(CONN)?(SEC)?MARK|DSCP|TOS|TTL|HL|TCPMSS|SET|CT"
    r"|NOTRACK|TEE|N?FLOG|LOG|CLASSIFY|CHECKSUM|DNAT|SNAT|REDIRECT|MASQUERADE|NETMAP)\b"
)
_LIMITING: Final = frozenset({"limit", "hashlimit", "connlimit", "quota", "recent"})
_LEGACY_LIMIT: Final = re.compile(r"-m (limit|hashlimit|connlimit|quota|recent(?! --set))\b")
_COUNTED: Final = re.compile(
    r"Discard|NoRoute|ReverseP|AddrErr|Martian|HdrErr|OutNoR|Unreach|FilterDrop"
)
_MARTIAN: Final = "in_martian_dst"  # as to 127.0.0.1, from outside
_REVERSE: Final = re.compile("ReverseP")
_NO_MORE: Final = "the first packet of a connection is accepted, later ones are not"
_LOST: Final = "its replies do not arrive"
_NOT_SEEN_LOST: Final = "kernel: neither a rule nor a route explains it"
_NO_RULE: Final = "kernel: no rule decided"
_UNEXPLAINED: Final = "it was dropped, and neither a rule nor a kernel counter explains it"
_QUEUED: Final = "the program that reads queue {} decides"
_SYNPROXY: Final = 10  # NFT_OBJECT_SYNPROXY
_BY_FORM: Final = "chain {} asks packets for their TTL, length, options or the like"
_DECIDED_ELSEWHERE: Final = {
    "tproxy": "the program that TPROXY hands the packet to decides",
    "synproxy": "SYNPROXY answers first in the place of the server",
}
_LEGACY_QUEUE: Final = re.compile(r" -j NFQUEUE\b(?:.* --queue-(?:num|balance) (\d+))?")
# The number of repetitions under chance: at least, for each choice, and the limit of odds.
_OFTEN, _TIMES, _MOST_ODDS = 24, 6, 32


class Judge:
    """Judges the probes of one copy."""

    def __init__(self, copy: Copy, prober: Prober, words: Words) -> None:
        self._copy, self._prober, self._words = copy, prober, words
        self._chains = Chains(copy, words)
        self._by_kernel: dict[object, tuple[str, ...]] = {}

    def judge(self, probe: Probe) -> Answer:
        """Return the answer to a probe's question."""
        ports = self._ports(probe)
        most, chance = self._chains.chance(probe, ports)
        reason = self._unknown(probe) or self._chains.uncopied(probe, ports)
        form = self._chains.form(probe, ports)
        if reason := reason or (self._varies(probe, most, form) if chance or form else ""):
            return Answer(probe.question, PacketVerdict.UNKNOWN, (), None, reason)
        if probe.end is None:
            return self._stopped(probe, chance)
        after = probe.following
        rules = self._stopped_by(after) if after is not None and after.end is None else ()
        if rules:
            return Answer(probe.question, PacketVerdict.DROPPED, rules, self._to(probe), _NO_MORE)
        forwarded = probe.end.chain == "postrouting"
        verdict = PacketVerdict.FORWARDED if forwarded else PacketVerdict.DELIVERED
        rules = self._passed_by(probe)
        unanswered = self._unanswered(probe, probe.end)
        lost = f"{_LOST}: {unanswered}" if unanswered else ""
        condition = lost or self._condition(probe, ports) or chance
        return Answer(probe.question, verdict, rules, self._to(probe), condition, unanswered)

    def _unanswered(self, probe: Probe, end: TraceEvent) -> str:
        """Return the reason why no answer reaches the source; "" where one does."""
        if not probe.replies:
            return self._lost(probe, end)
        ports = [one for one in probe.back if bridge_of(one.out, self._copy.original.links)]
        return self._beside_bridge(ports[0].out) if ports else ""

    def _beside_bridge(self, index: int) -> str:
        """Return that an answer leaves by a bridge's port, beside the bridge; "" where it gets on.

        The router that the port resolves answers to the bridge. So the neighbours of a port are
        only permanent entries.
        """
        original = self._copy.original
        if any(at == index and _is_known(held) for at, held in original.routing.neighbours):
            return ""
        links = original.links
        port, bridge = links[index].name, links[links[index].master].name
        return f"routing: they leave by {port}, a port of {bridge}, and find no router there"

    def _lost(self, probe: Probe, end: TraceEvent) -> str:
        """Return the rule or route that stopped the answer."""
        if probe.strayed:
            return probe.strayed
        if probe.astray is not None:
            seen = probe.astray
            return f"translation: they come from {seen.source} port {seen.source_port}"
        last = probe.back[-1] if probe.back else None
        if last is not None and last.is_final:
            return self._words.of(last)
        if not (last and has_passed(last)) and (rule := self._stopped_by_legacy(probe.legacy_back)):
            return rule
        return self._no_way_back(probe, end) or _NOT_SEEN_LOST

    def _no_way_back(self, probe: Probe, end: TraceEvent) -> str:
        """Return the reason why routing stops an answer; "" where it does not."""
        seen, question = end.packet, probe.question
        if seen is None:
            return ""
        arriving = end.out if end.chain == "postrouting" else 0
        original, ends = self._copy.original, (seen.destination, question.source)
        ports, mark = (
            (seen.destination_port, seen.source_port),
            _mark(probe.back, probe.legacy_back),
        )
        own = question.protocol, question.source.version, seen.destination_port
        user = None if arriving else original.owner(*own)
        return no_way(Travel(*ends, question.protocol, ports, arriving, mark, user), original)

    def _unknown(self, probe: Probe) -> str:
        for one in probe.events:
            if one.verdict == QUEUE and one.queue in self._copy.original.queues:
                return _QUEUED.format(one.queue)
            for step in self._words.steps(one) if one.kind == RULE else ():
                if reason := _DECIDED_ELSEWHERE.get(_kind(step).lower()):
                    return reason
        return self._unknown_to_legacy(probe)

    def _unknown_to_legacy(self, probe: Probe) -> str:
        """Return the same of the iptables-legacy rule that a packet ended at."""
        said = self._words.of_legacy(probe.legacy[-1]) if probe.legacy else ""
        for kind, reason in _DECIDED_ELSEWHERE.items():
            if f" -j {kind.upper()}" in said:
                return reason
        queue = _LEGACY_QUEUE.search(said)
        number = int(queue[1] or 0) if queue else -1
        return _QUEUED.format(number) if number in self._copy.original.queues else ""

    def _ports(self, probe: Probe) -> frozenset[int]:
        """Return the destination port of a packet, and the port after translation."""
        to = self._to(probe) or self._was_going_to(probe)
        return frozenset((probe.question.port, to[2] if to else probe.question.port))

    def _varies(self, probe: Probe, most: int, form: str) -> str:
        """Return the reason why repeated packets differ in outcome; "" where they do not."""
        if probe.question.aim is not Aim.OWN:
            return ""  # there may be many; the answer reports that chance decides
        if most > _MOST_ODDS:
            return f"chance decides for one packet of {most}"
        again = self._prober.ask_again(probe.question, max(_OFTEN, _TIMES * most) if most else 0)
        if len({_outcome(one) for one in (probe, *again)}) == 1:
            return ""
        decides = _BY_FORM.format(form) if form else "chance decides"
        return f"{decides}: some are accepted and others are not"

    def _to(self, probe: Probe) -> tuple[str, Address, int] | None:
        end = probe.end
        if end is None or end.packet is None:
            return None
        where = end.packet.destination, end.packet.destination_port
        if end.chain == "postrouting":
            out = self._copy.original.links.get(end.out)
            return (out.name if out else "", *where)
        asked = probe.question.destination, probe.question.port
        return (probe.question.interface, *where) if where != asked else None

    def _was_going_to(self, probe: Probe) -> tuple[str, Address, int] | None:
        """Return the translated destination of a packet that was stopped after translation."""
        asked = probe.question.destination, probe.question.port
        met: list[tuple[Packet | None, int]] = [(one.packet, one.out) for one in probe.events]
        met += [(one.packet, 0) for one in probe.legacy]
        for packet, out in reversed(met):
            if packet is None:
                continue
            where = packet.destination, packet.destination_port
            if packet.source == probe.question.source and where != asked:
                link = self._copy.original.links.get(out)
                return (link.name if link else "", *where)
        return None

    def _stopped(self, probe: Probe, chance: str) -> Answer:
        """Return the answer for a stopped packet: by a rule, by the kernel, or unknown."""
        refused = any(one != "answer" for one in probe.replies)
        rules = self._stopped_by(probe)
        if not (rules or refused):
            again, rules = self._stopped_by_kernel(probe)
            if again.end is not None or self._stopped_by(again):
                return self.judge(again)
            if not rules:
                return Answer(probe.question, PacketVerdict.UNKNOWN, reason=_UNEXPLAINED)
        verdict = PacketVerdict.REFUSED if refused else PacketVerdict.DROPPED
        going_to = self._was_going_to(probe)
        return Answer(probe.question, verdict, rules or (_NO_RULE,), going_to, chance)

    def _stopped_by(self, probe: Probe) -> tuple[str, ...]:
        """Return the rule that stopped a packet; none where none did."""
        last = probe.events[-1] if probe.events else None
        if last is not None and last.is_final:
            return (self._words.of(last),)
        rule = self._stopped_by_legacy(probe.legacy)
        return (rule,) if rule else ()

    def _stopped_by_legacy(self, met: Sequence[LegacyEvent]) -> str:
        """Return the iptables-legacy rule that a packet ended at; "" where that lets it on."""
        said = self._words.of_legacy(met[-1]) if met else ""
        return "" if _LEGACY_GOES_ON.search(said) else said

    def _stopped_by_kernel(self, probe: Probe) -> tuple[Probe, tuple[str, ...]]:
        """Send a packet that no rule stopped once more, and read the kernel's counters."""
        question = probe.question
        link = self._copy.original.named(question.interface)
        if link is not None and not link.is_up:
            return probe, (f"kernel: {link.name} is switched off",)
        place = question.interface, question.source, question.destination
        if question.aim is not Aim.OWN and place in self._by_kernel:  # there may be many
            return probe, self._by_kernel[place]
        before = _counters()
        again = self._prober.ask_alone(question)
        moved = [
            key
            for key, count in _counters().items()
            if count > before.get(key, 0) and _COUNTED.search(key)
        ]
        if moved:
            self._by_kernel[place] = (f"kernel: {', '.join(moved)}",)
        if why := self._no_way(probe, moved):
            self._by_kernel[place] = (why,)
        return again, self._by_kernel.get(place, ())

    def _no_way(self, probe: Probe, moved: Sequence[str]) -> str:
        """Return the reason why a packet, or its answer, has no route; "" where it has one."""
        question, target = probe.question, self._was_going_to(probe)
        to = target[1] if target else question.destination
        link = self._copy.original.named(question.interface)
        if to is None or link is None:
            return ""
        protocol, own = question.protocol, question.destination
        port = target[2] if target else question.port
        if not moved:
            ports, mark = (probe.port, port), _mark(probe.events, probe.legacy)
            travel = Travel(question.source, to, protocol, ports, link.index, mark)
            return no_way(travel, self._copy.original)
        if own is None or not any(map(_REVERSE.search, moved)):
            return ""
        travel = Travel(own, question.source, protocol, (question.port, probe.port))
        return no_way(travel, self._copy.original)

    def _passed_by(self, probe: Probe) -> tuple[str, ...]:
        """Return the rules that accepted or translated; without any the policies that did."""
        decided = [
            one
            for one in probe.events
            if one.kind == RULE and (one.verdict == ACCEPT or self._translates(one))
        ]
        said = [self._words.of(one) for one in decided]
        told = [(one.kind, self._words.of_legacy(one)) for one in probe.legacy]
        said += [one for _, one in told if _LEGACY_DECIDES.search(one)]
        if not said:
            said = [self._words.of(one) for one in probe.events if one.kind != RULE]
            said += [one for kind, one in told if kind == "policy"]
        return tuple(dict.fromkeys(said))

    def _translates(self, told: TraceEvent) -> bool:
        return any(
            one.kind in _TRANSLATES
            or (one.kind == "target" and text(first(one.held, 1)) in _TRANSLATORS)
            for one in self._words.steps(told)
        )

    def _condition(self, probe: Probe, ports: frozenset[int]) -> str:
        """Return a condition of the answer: a limit that is not used up; "" without any."""
        for one in probe.events:
            if one.kind == RULE and any(map(_is_limit, self._words.steps(one))):
                return f"as long as the limit of {self._words.of(one)!r} lasts"
        for legacy in probe.legacy:
            if _LEGACY_LIMIT.search(said := self._words.of_legacy(legacy)):
                return f"as long as the limit of {said!r} lasts"
        chain = self._chains.limit(probe, ports)
        return f"as long as the limit in chain {chain} lasts" if chain else ""


def _is_known(neighbour: Attributes) -> bool:
    """Whether the hardware address of one neighbour is known."""
    address = given(neighbour, 1)
    return bool(given(neighbour, 2)) and not ip_address(address).is_multicast


def _mark(met: Sequence[TraceEvent], by_legacy: Sequence[LegacyEvent]) -> int:
    """Return the mark of a packet after its last event."""
    marks = [one.mark for one in met[-1:]] + [one.mark for one in by_legacy[-1:]]
    return max(marks, default=0)


def _kind(step: Expression) -> str:
    """Return the kind of a step; of a target of iptables or a named object, its own kind."""
    if step.kind == "objref":
        return "synproxy" if number(first(step.held, 1)) == _SYNPROXY else step.kind
    return text(first(step.held, 1)) if step.kind == "target" else step.kind


def _is_limit(step: Expression) -> bool:
    if step.kind == "match":
        return text(first(step.held, 1)) in _LIMITING and not counts_only(step)
    return step.kind == "quota" or bool(limited(step))


def _outcome(probe: Probe) -> tuple[str, bool]:
    """Return the last chain of a packet, and whether its sender got a reply."""
    return probe.end.chain if probe.end else "", bool(probe.replies)


def _martians() -> int:
    """Return the kernel's count of martian destinations, of all namespaces."""
    try:
        head, *by_processor = Path("/proc/net/stat/rt_cache").read_text().splitlines()
        column = head.split().index(_MARTIAN)
    except (FileNotFoundError, ValueError):  # a kernel without these counters
        return 0
    return sum(int(line.split()[column], 16) for line in by_processor)


def _counters() -> dict[str, int]:
    """Return the kernel's counters, of the current network namespace."""
    found = {}
    for path in ("/proc/net/snmp", "/proc/net/netstat"):
        lines = Path(path).read_text().splitlines()
        for names, values in zip(lines[::2], lines[1::2], strict=False):
            group = names.split()[0]
            pairs = zip(names.split()[1:], values.split()[1:], strict=False)
            found.update({f"{group}{name}": int(value) for name, value in pairs})
    found["MartianDestination"] = _martians()
    for line in Path("/proc/net/snmp6").read_text().splitlines():
        name, value = line.split()
        found[f"Ip6:{name}"] = int(value)
    return found
