"""The addresses that rules and sets name as sources, in any form. Pure.

A set may hold destinations as well: one mistaken for a source costs a packet, and no more.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final, NamedTuple

from allowsync.model.networks import network, short
from allowsync.packetpath import nftables
from allowsync.packetpath.netlink import attributes, first, given, number, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from allowsync.model.types import Network
    from allowsync.packetpath.netlink import Attributes
    from allowsync.packetpath.nftables import Expression, KernelRuleset
    from allowsync.packetpath.question import Address

MOST_READ: Final = 4096  # elements of a set
# The offset of the source in the network header, and its size.
_SOURCES: Final = {12: 4, 8: 16}
_NETWORK: Final = 1  # NFT_PAYLOAD_NETWORK_HEADER
_SHORTEST: Final = {12: 1, 8: 2}  # offset 8 and one byte is the TTL
_EQUAL, _UNEQUAL, _AT_LEAST = 0, 1, 5
_ADDRESSES: Final = {7: 4, 8: 16}  # ipv4_addr and ipv6_addr, by the number of the type
_SIZES: Final = {8: 16, 9: 8, 41: 16}  # in a key: ipv6_addr, ether_addr, ifname; others are 4
_INTERVALS: Final = 4
_RANGE: Final = 16  # of addresses in xt_iprange
_LEGACY: Final = re.compile(r" -s (\S+)| --src-range ([^-\s]+)-(\S+)")
_ADDED: Final = re.compile(r"^add \S+ ([0-9a-fA-F.:]+)(?:-([0-9a-fA-F.:]+)|/(\d+))?(?=[,\s]|$)")


class AddressSpan(NamedTuple):
    """A range of addresses, from first to last."""

    version: int
    first: int
    last: int

    def __str__(self) -> str:
        """Return the network, where it is one."""
        width = (self.first ^ self.last).bit_length()
        if self.last - self.first + 1 == 1 << width and not self.first % (1 << width):
            first = self.address(self.first)
            return short(network(self.version, self.first, first.max_prefixlen - width))
        return f"{self.address(self.first)}-{self.address(self.last)}"

    @classmethod
    def of(cls, one: Network) -> AddressSpan:
        """Return the addresses of a network."""
        return cls(one.version, int(one.network_address), int(one.broadcast_address))

    def address(self, number: int) -> Address:
        """Return one of its addresses."""
        return IPv4Address(number) if self.version == 4 else IPv6Address(number)

    @property
    def examples(self) -> tuple[Address, ...]:
        """Addresses that devices could have: at its ends, and between."""
        size = self.last - self.first
        few = (self.first + 1, self.last - 1, self.first + size // 2) if size > 1 else self[1:]
        return tuple(map(self.address, dict.fromkeys(few)))


def in_rules(ruleset: KernelRuleset) -> Iterator[AddressSpan]:
    """Yield the sources that rules of nftables compare with, and matches of iptables-nft."""
    for family, held in ruleset.rules:
        steps = nftables.expressions(held)
        yield from _in_steps(steps)
        for step in steps:
            if step.kind == "match" and text(first(step.held, 1)) == "iprange":
                size = 4 if family == nftables.IPV4 else 16
                info = given(step.held, 3)
                yield from _between(info[:size], info[_RANGE : _RANGE + size], size)


def _in_steps(steps: Iterable[Expression]) -> Iterator[AddressSpan]:
    loaded, low = 0, b""  # the size of the loaded source; the start of a range
    mask: bytes | None = None
    for step in steps:
        if step.kind == "payload":
            yield from _between(low, b"\xff" * loaded, loaded)
            loaded, mask, low = _loaded(step), None, b""
        elif loaded and step.kind == "bitwise":
            mask = _operand(step, 4)
        elif loaded and step.kind == "range":
            yield from _between(_operand(step, 3), _operand(step, 4), loaded)
        elif loaded and step.kind == "cmp":
            value, how = _operand(step, 3), number(first(step.held, 2))
            if how == _AT_LEAST:  # the next step gives the end
                low = value
            elif how in (_EQUAL, _UNEQUAL):
                yield from _masked(value, mask, loaded)
            else:
                yield from _between(low or bytes(loaded), value, loaded)
                low = b""
    yield from _between(low, b"\xff" * loaded, loaded)


def _operand(step: Expression, kind: int) -> bytes:
    return given(attributes(given(step.held, kind)), 1)


def _loaded(step: Expression) -> int:
    """Return the size of an address, where a step loads the source or the beginning of it."""
    base, offset, length = (number(first(step.held, kind)) for kind in (2, 3, 4))
    size = _SOURCES.get(offset, 0) if base == _NETWORK else 0
    return size if size and _SHORTEST[offset] <= length <= size else 0


def _between(low: bytes, high: bytes, size: int) -> Iterator[AddressSpan]:
    if size and len(low) == len(high) == size and low <= high:
        yield AddressSpan(
            4 if size == 4 else 6, int.from_bytes(low, "big"), int.from_bytes(high, "big")
        )


def _masked(value: bytes, mask: bytes | None, size: int) -> Iterator[AddressSpan]:
    """Yield the addresses with a value as prefix, or equal to it under a mask."""
    if not value or len(value) > size:
        return
    bits = mask if mask is not None and len(mask) == len(value) else b"\xff" * len(value)
    whole = int.from_bytes(bits + b"\0" * (size - len(bits)), "big")
    low = int.from_bytes(value + b"\0" * (size - len(value)), "big") & whole
    if whole:
        yield AddressSpan(4 if size == 4 else 6, low, low | ~whole & ((1 << size * 8) - 1))


def in_set(ruleset: KernelRuleset, family: int, held: Attributes) -> Iterator[AddressSpan]:
    """Yield the addresses of a set's elements, or of a part of them."""
    places = list(_places(number(first(held, 4))))
    if not places:
        return
    plain = len(places) == 1 and places[0][0] == 0 and number(first(held, 5)) == places[0][1]
    elements = _elements(ruleset, (family, given(held, 1), given(held, 2)))
    if plain and number(first(held, 3)) & _INTERVALS:
        yield from _intervals(elements, places[0][1])
        return
    for one in elements:
        low, high = _value(one, 1), _value(one, 10) or _value(one, 1)
        for at, size in places:
            yield from _between(low[at : at + size], high[at : at + size], size)


def _places(kind: int) -> Iterator[tuple[int, int]]:
    """Yield offset and size of each address in a key: types are numbers of six bits each."""
    types = [kind >> at & 63 for at in range(24, -1, -6)]
    at = 0
    for one in types[next((n for n, one in enumerate(types) if one), len(types)) :]:
        if one in _ADDRESSES:
            yield at, _ADDRESSES[one]
        at += _SIZES.get(one, 4)


def _elements(ruleset: KernelRuleset, key: tuple[int, bytes, bytes]) -> list[Attributes]:
    """Return the elements of a set, at most `MOST_READ`, from all over it."""
    bodies = []
    for body in ruleset.elements:
        held = attributes(body[4:])
        if (body[0], given(held, 1), given(held, 2)) == key:
            bodies.append(given(held, 3))
    found: list[Attributes] = []
    for body in _from_all_over(bodies):
        found += [attributes(element) for _, element in attributes(body)]
        if len(found) >= MOST_READ:
            break
    return found


def _from_all_over(bodies: list[bytes]) -> Iterator[bytes]:
    """Yield all of them; distant ones first."""
    step = 1 << max(0, len(bodies) - 1).bit_length()
    seen: set[int] = set()
    while step:
        for at in range(0, len(bodies), step):
            if at not in seen:
                seen.add(at)
                yield bodies[at]
        step //= 2


def _value(element: Attributes, kind: int) -> bytes:
    return given(attributes(given(element, kind)), 1)


def _intervals(elements: Iterable[Attributes], size: int) -> Iterator[AddressSpan]:
    """Yield intervals: each starts at an element, and ends before the next, marked one."""
    marked = sorted((_value(one, 1), number(first(one, 3)) & 1) for one in elements)
    for at, (low, is_end) in enumerate(marked):
        if is_end or len(low) != size:
            continue
        begin = int.from_bytes(low, "big")
        ends = at + 1 < len(marked) and marked[at + 1][1]
        last = int.from_bytes(marked[at + 1][0], "big") - 1 if ends else begin
        yield AddressSpan(4 if size == 4 else 6, begin, last)


def in_legacy(saved: str) -> Iterator[AddressSpan]:
    """Yield the sources that rules of iptables-legacy name."""
    for wide, low, high in _LEGACY.findall(saved):
        if wide:
            yield AddressSpan.of(ip_network(wide, strict=False))
        else:
            yield from _between(ip_address(low).packed, ip_address(high).packed, _size(low))


def _size(address: str) -> int:
    return 16 if ":" in address else 4


def by_set(saved: str) -> Iterator[Sequence[str]]:
    """Yield the lines that fill each set of ipset, at most `MOST_READ`, spread evenly."""
    found: dict[str, list[str]] = {}
    for line in saved.splitlines():
        if line.startswith("add "):
            found.setdefault(line.split(" ", 2)[1], []).append(line)
    for lines in found.values():
        yield lines[:: -(-len(lines) // MOST_READ)]


def added(line: str) -> AddressSpan | None:
    """Return the addresses of an element; None for one that has none."""
    told = _ADDED.match(line)
    if told is None:
        return None
    try:
        if told[3]:
            return AddressSpan.of(ip_network(f"{told[1]}/{told[3]}", strict=False))
        low, high = ip_address(told[1]), ip_address(told[2] or told[1])
    except ValueError:  # a number, as in sets of ports
        return None
    return AddressSpan(low.version, int(low), int(high))
