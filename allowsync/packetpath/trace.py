"""Trace events: the rules that a packet meets, as the kernel reports them."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from allowsync.packetpath import packet
from allowsync.packetpath.netlink import (
    NETFILTER,
    Netlink,
    attribute,
    attributes,
    first,
    given,
    number,
    text,
)
from allowsync.packetpath.question import PacketsUnavailable

if TYPE_CHECKING:
    from allowsync.packetpath.netlink import NetlinkMessage
    from allowsync.packetpath.packet import Packet

_NF_TRACE, _LOGGED = 0xA11, 0x400
_LOG_CONFIG: Final = 0x401
_BIND_FAMILY, _BIND = b"\x03", b"\x01"
_FAMILIES: Final = (2, 10)
_COPIED: Final = 128
POLICY, RETURN, RULE = 1, 2, 3
DROP, ACCEPT, QUEUE = 0, 1, 3


class TraceEvent(NamedTuple):
    """A rule or policy that a packet met in nftables.

    Attributes:
        trace: The number of the packet.
        family: The family of the hook.
        kind: `POLICY`, `RETURN` or `RULE`.
        handle: The rule's, in the copy.
        verdict: Its verdict: `DROP`, `ACCEPT`, `QUEUE`, or less than 0 to continue.
        queue: The queue of a `QUEUE` verdict.
        packet: The packet at that point, where the kernel reports it.
        out: The interface it leaves through.
        mark: Its mark, at the end of a chain.
    """

    trace: bytes
    family: int
    table: str
    chain: str
    kind: int
    handle: int
    verdict: int
    queue: int
    packet: Packet | None
    out: int
    mark: int

    @property
    def is_final(self) -> bool:
        """Whether the packet goes no further."""
        return self.verdict == DROP or self.verdict == QUEUE


class LegacyEvent(NamedTuple):
    """A rule or policy that a packet met in iptables-legacy, and the packet's mark then."""

    packet: Packet
    table: str
    chain: str
    kind: str
    position: int
    mark: int


def event(message: NetlinkMessage) -> TraceEvent | None:
    """Return the event of a message; None for other messages."""
    if message.kind != _NF_TRACE:
        return None
    held = attributes(message.body[4:])
    network, transport = given(held, 8), given(held, 9)
    verdict = attributes(given(held, 5))
    kind = number(first(held, 4))
    policy = first(held, 16)
    code = number(policy) if kind == POLICY and policy else _signed(first(verdict, 1))
    return TraceEvent(
        trace=given(held, 6),
        family=number(first(held, 15)),
        table=text(first(held, 1)),
        chain=text(first(held, 2)),
        kind=kind,
        handle=number(first(held, 3)),
        verdict=code if code < 0 else code & 0xFF,
        queue=code >> 16 if code > 0 else 0,
        packet=packet.read(network + transport, len(network)) if network else None,
        out=number(first(held, 12)),
        mark=number(first(held, 14)),
    )


def legacy_event(message: NetlinkMessage) -> LegacyEvent | None:
    """Return the event of iptables-legacy's TRACE in a message; None for other messages."""
    if message.kind != _LOGGED:
        return None
    held = attributes(message.body[4:])
    said = text(first(held, 10))
    seen = packet.read(given(held, 9))
    if seen is None or not said.startswith("TRACE: "):
        return None
    table, chain, kind, position = said[7:].split(":")[:4]
    mark = number(first(held, 2))
    return LegacyEvent(seen, table, chain, kind, int(position.split()[0] or 0), mark)


def legacy_traces() -> Netlink:
    """Redirect the events of iptables-legacy's TRACE from the kernel's log to a socket.

    Raises:
        PacketsUnavailable: The kernel refuses.
    """
    netlink = Netlink(NETFILTER)
    for family in _FAMILIES:
        head = struct.pack(">BBH", family, 0, 0)
        netlink.request(_LOG_CONFIG, 0, head + attribute(1, _BIND_FAMILY))
    copied = attribute(2, struct.pack(">IBB", _COPIED, 2, 0))
    at_once = attribute(5, struct.pack(">I", 1))
    for body in (attribute(1, _BIND), copied, at_once):
        if errno := netlink.request(_LOG_CONFIG, 0, struct.pack(">BBH", 0, 0, 0) + body):
            raise PacketsUnavailable(f"iptables-legacy cannot be traced: {os.strerror(errno)}")
    netlink.socket.settimeout(0)
    return netlink


def _signed(value: bytes | None) -> int:
    return int.from_bytes(value or b"\xff\xff\xff\xff", "big", signed=True)
