"""Whether neighbours on an uplink find this machine: neighbour discovery of IPv6 (RFC 4861).

Where rules stop it, packets arrive for as long as the router caches this machine's hardware
address, and then no more, whatever port is open.
"""

from __future__ import annotations

import socket
import struct
from contextlib import closing, suppress
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Final

from allowsync.packetpath import packet
from allowsync.packetpath.copy import has_passed
from allowsync.packetpath.netlink import attributes, first
from allowsync.packetpath.original import leads_to
from allowsync.packetpath.trace import LegacyEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.packetpath.copy import Copy
    from allowsync.packetpath.original import Link, Original
    from allowsync.packetpath.probe import Prober
    from allowsync.packetpath.trace import TraceEvent
    from allowsync.packetpath.words import Words

_WITHOUT: Final = 0x80 | 0x10  # interfaces that ask no neighbours, or have one alone
_SOLICITATION, _ADVERTISEMENT, _SOLICITED = 135, 136, 0x60000000
_HOPS: Final = 255
_NEIGHBOUR: Final = IPv6Address("fe80::1")
_GROUP: Final = bytes.fromhex("ff0200000000000000000001ff")  # solicited-node multicast
_SILENT: Final = "the cause is unknown"
_MAC: Final = 6


def undiscovered(copy: Copy, prober: Prober, words: Words) -> dict[str, str]:
    """Return the uplinks on which the router does not find this machine, with the rule at fault.

    The last probe of a copy: where the router does not find the machine without any rules either,
    it is the copy that does not answer, and the result is unknown.
    """
    found = {}
    for link in _asked(copy.original):
        if why := _why(copy.original, prober, words, link):
            found[link] = why
    if found:
        copy.clear()
    return {
        link.name: why
        for link, why in found.items()
        if _is_answered(_solicited(copy.original, prober, link)[1])
    }


def _asked(original: Original) -> Iterator[Link]:
    """Yield the uplinks whose neighbours solicit addresses of this machine."""
    for index in original.uplinks:
        link = original.links.get(index)
        if link and _own(original, link) and not link.flags & _WITHOUT and len(link.mac) == _MAC:
            yield link


def _own(original: Original, link: Link) -> IPv6Address | None:
    own = (one for one in original.addresses(link.index) if isinstance(one, IPv6Address))
    return next(own, None)


def _why(original: Original, prober: Prober, words: Words, link: Link) -> str:
    """Return the rule that stops a neighbour's solicitation, or the advertisement in return."""
    events, came_out = _solicited(original, prober, link)
    if not _is_answered(came_out):
        return _stopped_by(events, words) or _SILENT
    router, own = _router(original, link.index), _own(original, link) or _NEIGHBOUR
    told = _message(_ADVERTISEMENT, _SOLICITED, (router, own), router)
    return _stopped_by(prober.watch(link.index, told)[0], words)


def _solicited(
    original: Original, prober: Prober, link: Link
) -> tuple[list[TraceEvent | LegacyEvent], list[bytes]]:
    """Send the router's solicitation of an address of this machine; return events and output."""
    own = _own(original, link) or _NEIGHBOUR
    group = IPv6Address(_GROUP + own.packed[-3:])
    with closing(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as member:
        with suppress(OSError):  # NOARP interfaces of the copy are no members
            joined = group.packed + struct.pack("=I", link.index)
            member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, joined)
        asked = _message(_SOLICITATION, 0, (_router(original, link.index), group), own)
        return prober.watch(link.index, asked, b"\x33\x33" + group.packed[-4:])


def _is_answered(came_out: list[bytes]) -> bool:
    return any(
        len(one) > 40 and one[0] >> 4 == 6 and (one[6], one[40]) == (58, _ADVERTISEMENT)
        for one in came_out
    )


def _stopped_by(events: list[TraceEvent | LegacyEvent], words: Words) -> str:
    """Return the rule that a message or its answer ended at; "" where it passed all."""
    told = [one for one in events if not isinstance(one, LegacyEvent)]
    by_legacy = [one for one in events if isinstance(one, LegacyEvent)]
    if told and told[-1].is_final:
        return words.of(told[-1])
    passed = not told or has_passed(told[-1])
    return words.of_legacy(by_legacy[-1]) if by_legacy and not passed else ""


def _router(original: Original, index: int) -> IPv6Address:
    """Return the neighbour that default routes of an interface lead to."""
    for route in original.routing.routes:
        gateway = first(attributes(route[12:]), 5)
        if route[1] == 0 and gateway and len(gateway) == 16 and index in leads_to(route):
            return IPv6Address(gateway)
    return _NEIGHBOUR


def _message(
    kind: int, flags: int, ends: tuple[IPv6Address, IPv6Address], target: IPv6Address
) -> bytes:
    """Return a message about the neighbour that has an address, with the type of its frame."""
    addresses = b"".join(one.packed for one in ends)
    option = struct.pack("BB", 1 if kind == _SOLICITATION else 2, 1) + bytes.fromhex("0200000000fe")
    rest = struct.pack(">I", flags) + target.packed + option
    length = 4 + len(rest)
    pseudo = addresses + struct.pack(">II", length, packet.ICMP6)
    check = packet.checksum(pseudo + struct.pack(">BBH", kind, 0, 0) + rest)
    head = struct.pack(">IHBB", 0x60000000, length, packet.ICMP6, _HOPS)
    return b"\x86\xdd" + head + addresses + struct.pack(">BBH", kind, 0, check) + rest
