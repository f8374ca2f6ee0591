"""Probe packets, and the events of each."""

from __future__ import annotations

import socket
import struct
from contextlib import closing, suppress
from functools import cache
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from allowsync.packetpath import packet
from allowsync.packetpath.copy import TABLE, has_passed
from allowsync.packetpath.isolation import as_user
from allowsync.packetpath.legacy import load_recent
from allowsync.packetpath.links import OUTER_MAC, add_neighbour
from allowsync.packetpath.netlink import ROUTE, Netlink, attributes, first, given
from allowsync.packetpath.original import leads_to
from allowsync.packetpath.outside import patience, stay
from allowsync.packetpath.question import Aim, PacketsUnavailable, is_private
from allowsync.packetpath.trace import event, legacy_event

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from allowsync.packetpath.copy import Copy
    from allowsync.packetpath.packet import Packet
    from allowsync.packetpath.question import Address, Question
    from allowsync.packetpath.trace import LegacyEvent, TraceEvent

_FIRST_PORT, _PORTS = 33000, 32000
_BATCH: Final = 256
_WAYS: Final = 2  # to this machine, and back
_PACKET_INFO: Final = ((socket.IPPROTO_IP, 8), (socket.IPPROTO_IPV6, 49))
_QUEUE: Final = 4096
_TOO_FEW_HOPS: Final = "their TTL: they leave with 1, and no router passes them on"


class Probe:
    """One probe packet, and its events.

    Attributes:
        index: The interface it arrives at.
        port: Its source port.
        events: The rules and policies it met in nftables.
        legacy: Those in iptables-legacy.
        back: The rules and policies its answer met in nftables, to the end of it.
        legacy_back: The same in iptables-legacy.
        astray: An answer from an address or port that was not asked.
        strayed: The reason why an answer that left does not reach the source; "" without any.
        replies: The replies to its sender: `reset`, `ICMP 3/3`, `answer`.
        end: The event behind the last rule, in `input` or `postrouting`, with the packet then.
        answered: The answer of TCP, if any came.
        following: The probe of the packet that follows the answer, if one was sent.
    """

    __slots__ = (
        "answered", "astray", "back", "end", "events", "following", "index", "legacy",
        "legacy_back", "port", "question", "replies", "strayed",
    )  # fmt: skip

    def __init__(self, question: Question, index: int, port: int) -> None:
        self.question, self.index, self.port = question, index, port
        self.events: list[TraceEvent] = []
        self.legacy: list[LegacyEvent] = []
        self.back: list[TraceEvent] = []
        self.legacy_back: list[LegacyEvent] = []
        self.astray: Packet | None = None
        self.strayed = ""
        self.replies: list[str] = []
        self.end: TraceEvent | None = None
        self.answered: bytes | None = None
        self.following: Probe | None = None


class Prober:
    """Sends packets into a copy and collects their events."""

    def __init__(self, copy: Copy) -> None:
        self._copy = copy
        self._sent = 0
        self._forms: Sequence[packet.PacketForm] = (packet.PLAIN,)
        self._by_port: dict[int, Probe] = {}
        self._by_trace: dict[bytes, tuple[Probe, bool]] = {}  # and whether the packet is its answer
        self._forwarded: list[tuple[int, bytes]] = []
        self._listening: dict[tuple[str, int], list[socket.socket]] = {}
        self._watched: list[TraceEvent | LegacyEvent] | None = None
        self._watched_traces: set[bytes] = set()
        self._came: list[bytes] | None = None
        self._gateway = cache(self._find_gateway)
        stay()

    def ask(self, questions: Sequence[Question]) -> list[Probe]:
        """Send a packet for each question; each names its interface and destination."""
        served = (one for one in questions if one.aim is Aim.OWN)
        self._listen({(one.protocol, one.port) for one in served})
        probes: dict[int, Probe] = {}
        for batch in self._batches(questions):
            probes.update(zip(batch, self._ask([questions[one] for one in batch]), strict=True))
        return [probes[one] for one in range(len(questions))]

    def ask_again(self, question: Question, times: int) -> list[Probe]:
        """Send packets for one question, in each form that they may have."""
        self._forms = packet.FORMS
        probes = self.ask([question] * max(times, len(packet.FORMS)))
        self._forms = (packet.PLAIN,)
        return probes

    def _batches(self, questions: Sequence[Question]) -> Iterator[Sequence[int]]:
        """Yield the positions of questions asked at once.

        Where rules count how often a source was seen, each batch starts with the machine's counts.
        """
        recent = self._copy.original.recent
        if not recent:
            every = range(len(questions))
            yield from (every[at : at + _BATCH] for at in range(0, len(questions), _BATCH))
            return
        by_source: dict[Address, list[int]] = {}
        for position, one in enumerate(questions):
            by_source.setdefault(one.source, []).append(position)
        for turn in zip_longest(*by_source.values()):
            load_recent(recent)
            yield [one for one in turn if one is not None]

    def _ask(self, questions: Sequence[Question]) -> list[Probe]:
        self._by_port, self._by_trace = {}, {}
        self._forwarded = []
        probes = [self._send(one) for one in questions]
        self._until_handled()
        self._answer_datagrams()
        for index, frame in self._forwarded:
            if (answer := packet.answer(frame)) is not None:
                self._copy.outside.send(index, self._mac(index) + OUTER_MAC + answer)
        self._until_handled()
        self._follow()
        return probes

    def _follow(self) -> None:
        """Send the packet that follows each answer: a rule may let in the first alone."""
        asked, self._by_port, self._by_trace = self._by_port, {}, {}
        for port, probe in asked.items():
            question, to = probe.question, probe.question.destination
            if probe.answered is None or probe.end is None or probe.end.chain != "input":
                continue
            if to is not None:
                probe.following = self._by_port[port] = Probe(question, probe.index, port)
                ports = port, question.port
                frame = packet.acknowledgement(question.source, to, ports, probe.answered)
                self._copy.outside.send(probe.index, self._head(probe.index, to.version) + frame)
                if len(self._by_port) % 8 == 0:
                    self._collect()
        self._until_handled()

    def ask_alone(self, question: Question) -> Probe:
        """Send one packet, with no other in flight."""
        return self.ask([question])[0]

    def watch(
        self, index: int, data: bytes, mac: bytes = b""
    ) -> tuple[list[TraceEvent | LegacyEvent], list[bytes]]:
        """Send a message of neighbour discovery; return its events, its answer's, and the output.

        Args:
            index: The interface where it arrives.
            data: The packet, with the type of its frame.
            mac: Its destination hardware address; by default the interface's own.
        """
        arriving = self._arrival(index)
        self._copy.light(arriving)
        self._by_port, self._by_trace = {}, {}
        self._watched, self._came = [], []
        self._watched_traces.clear()
        head = self._head(arriving, 6)
        self._copy.outside.send(arriving, (mac or head[:6]) + head[6:] + data)
        self._until_handled()
        events, came = self._watched, self._came
        self._watched = self._came = None
        return events, came

    def _send(self, question: Question) -> Probe:
        copy = self._copy
        link = copy.original.named(question.interface)
        if link is None or question.destination is None:
            raise PacketsUnavailable(f"{question.interface}: {question} cannot be asked")
        index = self._arrival(link.index)
        copy.light(index)
        ends = question.source, question.destination
        source_port = _FIRST_PORT + self._sent % _PORTS
        self._sent += 1
        protocol = packet.PROTOCOLS[question.protocol]
        form = self._forms[self._sent % len(self._forms)]
        asking = packet.new(*ends, protocol, (source_port, question.port), form)
        probe = self._by_port[source_port] = Probe(question, index, source_port)
        if bridges := copy.cables.bridges:
            with closing(Netlink(ROUTE)) as netlink:
                for bridge in bridges:
                    add_neighbour(netlink, bridge, question.source.packed)
        copy.outside.send(index, self._head(index, ends[0].version) + asking)
        if len(self._by_port) % 8 == 0:
            self._collect()
        return probe

    def _arrival(self, index: int) -> int:
        """Return the cable behind an interface: of a bridge a port of it, hardware first."""
        cables = self._copy.cables
        if index not in cables.bridges:
            return index
        ports = [one for one in cables.ends.values() if one.master == index]
        return min(ports, key=lambda one: (bool(one.kind), one.index)).index

    def _head(self, index: int, version: int) -> bytes:
        """Return the hardware addresses of packets that arrive at an interface."""
        master = self._copy.cables.ends[index].master
        behind = master if master in self._copy.cables.bridges else index
        return self._mac(behind) + self._gateway(behind, version)

    def _mac(self, index: int) -> bytes:
        return self._copy.cables.macs[index]

    def _find_gateway(self, index: int, version: int) -> bytes:
        """Return the hardware address of an interface's gateway, where the machine knows it."""
        routing, length = self._copy.original.routing, 4 if version == 4 else 16
        gateways = {
            first(attributes(one[12:]), 5)
            for one in routing.routes
            if one[1] == 0 and index in leads_to(one)
        }
        for where, held in routing.neighbours:
            address, mac = given(held, 1), given(held, 2)
            if where == index and address in gateways and (len(address), len(mac)) == (length, 6):
                return mac
        return OUTER_MAC

    def _until_handled(self) -> None:
        """Wait until all packets were handled, and their answers have come out."""
        outside, end = self._copy.outside, patience()
        for _ in range(_WAYS):
            mark = outside.mark()
            self._collect()
            while not outside.has_passed(mark):
                outside.await_mark(self._copy.traces.socket, end)
                self._collect()
        self._collect()

    def _collect(self) -> None:
        """Read the trace events and packets that have come so far."""
        for message in self._copy.traces.waiting():
            if (told := event(message)) is not None:
                self._traced(told)
        if self._copy.legacy_traces is not None:
            for message in self._copy.legacy_traces.waiting():
                if (by_legacy := legacy_event(message)) is not None:
                    self._traced_by_legacy(by_legacy)
        for index, data in self._copy.outside.came_out():
            self._came_out(index, data)

    def _traced_by_legacy(self, told: LegacyEvent) -> None:
        if told.packet.discovery and self._watched is not None:
            self._watched.append(told)
        probe, is_answer = self._about(told.packet)
        if probe is not None:
            (probe.legacy_back if is_answer else probe.legacy).append(told)

    def _about(self, seen: Packet) -> tuple[Probe | None, bool]:
        """Return the probe that a packet belongs to, and whether it is an answer to it."""
        probe = self._by_port.get(seen.source_port)
        if probe is not None and probe.question.source == seen.source:
            return probe, bool(seen.error)
        probe = self._by_port.get(seen.destination_port)
        if probe is not None and probe.question.source == seen.destination:
            return probe, True
        return None, False

    def _traced(self, told: TraceEvent) -> None:
        self._recognize(told)
        if told.trace in self._watched_traces and self._watched is not None:
            self._watched.append(told)
        probe, is_answer = self._by_trace.get(told.trace, (None, False))
        if probe is None:
            return
        if is_answer:
            probe.back.append(told)
        elif told.table != TABLE:
            probe.events.append(told)
            if told.is_final:  # dropped at egress, behind the last chains
                probe.end = None
        elif has_passed(told) and told.packet is not None:
            probe.end = told

    def _recognize(self, told: TraceEvent) -> None:
        """Find the packet of a trace: its number may have been another's before."""
        seen = told.packet
        if told.table == TABLE and told.chain in ("begin", "output"):
            self._by_trace.pop(told.trace, None)
            self._watched_traces.discard(told.trace)
        if seen is None:
            return
        probe, is_answer = self._about(seen)
        if probe is not None:
            self._by_trace[told.trace] = probe, is_answer
        if seen.discovery:
            self._watched_traces.add(told.trace)

    def _came_out(self, index: int, data: bytes) -> None:
        if self._came is not None:
            self._came.append(data)
        seen = packet.read(data)
        if seen is None or seen.discovery:
            return
        if seen.error:
            port, reply = seen.source_port, seen.error
        elif seen.destination_port in self._by_port:
            port = seen.destination_port
            reply = "reset" if seen.flags in packet.RESETS else "answer"
        else:
            self._forwarded.append((index, data))
            return
        probe = self._by_port.get(port)
        if probe is None:
            return
        asked = probe.question.destination, probe.question.port
        if not (seen.error or (seen.source, seen.source_port) == asked):
            probe.astray = seen
            return
        probe.strayed = self._strays(probe, index, data)
        if reply == "answer" and packet.hops(data) <= 1 and not is_private(probe.question.source):
            probe.strayed = probe.strayed or _TOO_FEW_HOPS
        if probe.strayed:
            return
        probe.replies.append(reply)
        if reply == "answer" and probe.question.protocol == "tcp":
            probe.answered = data

    def _strays(self, probe: Probe, index: int, data: bytes) -> str:
        """Return the reason why an answer that left by an interface misses its destination, or "".

        A tunnel accepts no packet whose source address is not its own.
        """
        ends, original = self._copy.cables.ends, self._copy.original
        ways = (index, ends[index].master)
        beside = ends[probe.index].master
        comes_back = probe.index == index or (beside and beside in ways)
        if not comes_back and any(one in original.uplinks for one in ways):
            own = original.addresses(index)
            comes_back = not ends[index].is_tunnel or packet.sender(data) in own
        return "" if comes_back else f"routing: they leave by {ends[index].name}"

    def _listen(self, services: Iterable[tuple[str, int]]) -> None:
        for protocol, port in services:
            if (protocol, port) in self._listening:
                continue
            opened = self._listening[protocol, port] = []
            for version, family in ((4, socket.AF_INET), (6, socket.AF_INET6)):
                # Rules and routes may depend on the user of the answering program.
                owner = self._copy.original.owner(protocol, version, port)
                # The kernel may occupy a port; then nothing answers there.
                with suppress(OSError), as_user(owner):
                    opened.append(_listener(family, protocol, port))

    def _answer_datagrams(self) -> None:
        for (protocol, _), opened in self._listening.items():
            if protocol == "udp":
                for one in opened:
                    _answer_all(one)


def _listener(family: socket.AddressFamily, protocol: str, port: int) -> socket.socket:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    made = socket.socket(family, kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family is socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if protocol == "udp":
        made.setsockopt(*_PACKET_INFO[family is socket.AF_INET6], 1)
    made.bind(("", port))
    made.settimeout(0)
    if protocol == "tcp":
        made.listen(_QUEUE)
    return made


def _answer_all(listening: socket.socket) -> None:
    """Answer each datagram from the address it was sent to."""
    while True:
        try:
            _, told, _, sender = listening.recvmsg(64, 256)
        except BlockingIOError:
            return
        from_there = [
            (level, kind, data if level == socket.IPPROTO_IPV6 else _from(data))
            for level, kind, data in told
        ]
        with suppress(OSError):  # the rules may forbid the answer, or there is no route
            listening.sendmsg([b"ok"], from_there, 0, sender)


def _from(info: bytes) -> bytes:
    return struct.pack("=I", 0) + info[4:8] + struct.pack("=I", 0)
