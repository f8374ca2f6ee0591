"""The ports and addresses that rules of address translation (NAT) name. Pure.

Too many do no harm, as packets are sent to each: so any number that may be a port counts, wherever
a rule or set holds it.
"""

from __future__ import annotations

import re
import struct
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, TypeAlias

from allowsync.packetpath import nftables
from allowsync.packetpath.netlink import attributes, first, given, number, text
from allowsync.packetpath.question import is_public

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from allowsync.packetpath.netlink import Attributes
    from allowsync.packetpath.nftables import Expression, KernelRuleset
    from allowsync.packetpath.original import Original
    from allowsync.packetpath.question import Address

MOST_PORTS, MOST_ADDRESSES = 512, 16
MOST_WITHIN: Final = 48  # ports of a range
_ARRIVING: Final = 0  # NF_INET_PRE_ROUTING
_LEGACY_PORTS: Final = re.compile(r" --(?:dports?|to-ports?) (\S+)")
_LEGACY_ADDRESSES: Final = re.compile(r"^-A \S+(?: -[sio] \S+)* -d ([^/\s]+)", re.MULTILINE)
# Network header, offset, length: the place of the destination address.
_DESTINATION: Final = {(1, 16, 4): 4, (1, 24, 16): 16}
_EQUAL: Final = 0
_PORT_TYPE: Final = 13  # inet_service
_PORT, _SLOT = 2, 4
_INTERVAL_END: Final = 1
_LONG, _PORTS_OF_IPV4, _PORTS_OF_BOTH = 40, 16, 36  # nf_nat_ipv4_multi_range_compat, nf_nat_range
_MULTIPORT: Final = 15  # xt_multiport
_VERDICTS: Final = 0xFFFFFF00  # NFT_DATA_VERDICT

Named: TypeAlias = tuple[int, bytes, bytes]  # family, table, and a chain or set of it


def named_ports(original: Original) -> tuple[int, ...]:
    """Return the ports that rules of address translation name, in order."""
    return translated_ports(original.ruleset, original.tables)


def translated_ports(ruleset: KernelRuleset, tables: Mapping[int, str]) -> tuple[int, ...]:
    """Return the same of rules of nftables, and of the tables of iptables-legacy."""
    found = {*_in_nftables(ruleset, _tables(ruleset))}
    for saved in tables.values():
        found.update(_in_legacy(_nat(saved)))
    return tuple(sorted(found - {0}))


def ports_within(original: Original, first_port: int, last_port: int) -> tuple[int, ...]:
    """Return the ends of a range, and the ports that rules name within it, plus or minus one."""
    ruleset = original.ruleset
    every = {(family, given(held, 1)) for family, held in ruleset.tables}
    found = {*_in_nftables(ruleset, every)}
    for saved in original.tables.values():
        found.update(_in_legacy(saved))
    beside = {one + step for one in found for step in (-1, 0, 1)}
    inside = sorted(one for one in beside if first_port < one < last_port)
    return (first_port, last_port, *inside[:: -(-len(inside) // MOST_WITHIN) or 1])


def named_addresses(original: Original) -> tuple[Address, ...]:
    """Return the destinations that such rules match; of a network its first address."""
    found = dict.fromkeys(_destinations(original.ruleset))
    for saved in original.tables.values():
        found.update(dict.fromkeys(map(ip_address, _LEGACY_ADDRESSES.findall(_nat(saved)))))
    return tuple(found)


def public_addresses(original: Original) -> tuple[Address, ...]:
    """Return those that no interface has, and that are reachable from the internet."""
    own = {address for link in original.all_links for address in original.addresses(link)}
    return tuple(one for one in named_addresses(original) if one not in own and is_public(one))


def _destinations(ruleset: KernelRuleset) -> Iterator[Address]:
    chains = chains_from(ruleset, _translates_arrivals)
    for family, held in ruleset.rules:
        length = 0  # of the address that the last step loaded
        inside = (family, given(held, 1), given(held, 2)) in chains
        for step in nftables.expressions(held) if inside else ():
            if step.kind == "payload":
                length = length or _DESTINATION.get(_place(step), 0)
            elif step.kind == "lookup":
                key = family, given(held, 1), given(step.held, 1)
                yield from _first(keys_of(ruleset, key) if length else (), length)
                length = 0
            elif step.kind == "cmp":
                if number(first(step.held, 2)) == _EQUAL:
                    yield from _first([given(attributes(given(step.held, 3)), 1)], length)
                length = 0


def _place(step: Expression) -> tuple[int, int, int]:
    """Return the part of a packet that a step loads: header, offset and length."""
    header, offset, length = (number(first(step.held, kind)) for kind in (2, 3, 4))
    return header, offset, length


def _first(values: Iterable[bytes], length: int) -> Iterator[Address]:
    """Yield the addresses that values begin with."""
    yield from (ip_address(one[:length]) for one in values if length and len(one) >= length)


def keys_of(ruleset: KernelRuleset, key: Named) -> Iterator[bytes]:
    """Yield the keys of a set's elements; of intervals their starts."""
    for body in ruleset.elements:
        held = attributes(body[4:])
        if (body[0], given(held, 1), given(held, 2)) == key:
            for _, element in attributes(given(held, 3)):
                each = attributes(element)
                if not number(first(each, 3)) & _INTERVAL_END:
                    yield given(attributes(given(each, 1)), 1)


def chains_from(ruleset: KernelRuleset, is_first: Callable[[Attributes], bool]) -> set[Named]:
    """Return the selected chains, and those they jump to within their table."""
    onward: dict[Named, set[bytes]] = {}
    maps = _led_by_maps(ruleset)
    for family, held in ruleset.rules:
        table, chain = given(held, 1), given(held, 2)
        names = onward.setdefault((family, table, chain), set())
        for step in nftables.expressions(held):
            if step.kind == "immediate":
                names.add(_led_to(given(step.held, 2)))
            elif step.kind == "lookup":
                names.update(maps.get((family, table, given(step.held, 1)), ()))
    coming = [
        (family, given(held, 1), given(held, 3))
        for family, held in ruleset.chains
        if is_first(held)
    ]
    found: set[Named] = set()
    while coming:
        if (chain_of := coming.pop()) not in found:
            found.add(chain_of)
            coming += ((*chain_of[:2], name) for name in onward.get(chain_of, ()))
    return found


def _led_by_maps(ruleset: KernelRuleset) -> dict[Named, set[bytes]]:
    """Return the chains that the elements of each verdict map jump to."""
    found: dict[Named, set[bytes]] = {
        (family, given(held, 1), given(held, 2)): set()
        for family, held in ruleset.sets
        if number(first(held, 6)) == _VERDICTS
    }
    for body in ruleset.elements if found else ():
        held = attributes(body[4:])
        names = found.get((body[0], given(held, 1), given(held, 2)), set())
        names.update(
            _led_to(given(attributes(element), 2)) for _, element in attributes(given(held, 3))
        )
    return found


def _led_to(data: bytes) -> bytes:
    """Return the name of the chain in a verdict; empty where there is none."""
    return given(attributes(given(attributes(data), 2)), 2)


def _tables(ruleset: KernelRuleset) -> set[tuple[int, bytes]]:
    """Return the tables that translate arriving packets."""
    return {
        (family, given(held, 1)) for family, held in ruleset.chains if _translates_arrivals(held)
    }


def _in_nftables(ruleset: KernelRuleset, tables: set[tuple[int, bytes]]) -> Iterator[int]:
    for family, held in ruleset.rules:
        if (family, given(held, 1)) in tables:
            for step in nftables.expressions(held):
                yield from _in_step(step)
    sets = {
        (family, given(held, 1), given(held, 2))
        for family, held in ruleset.sets
        if (family, given(held, 1)) in tables and _has_ports(held)
    }
    for body in ruleset.elements if sets else ():
        held = attributes(body[4:])
        if (body[0], given(held, 1), given(held, 2)) in sets:
            for _, element in attributes(given(held, 3)):
                yield from _in_element(attributes(element))


def _has_ports(held: Attributes) -> bool:
    """Whether a set has ports, or a map leads from or to them; types take six bits each."""
    if number(first(held, 5)) == _PORT:
        return True
    types = (number(first(held, kind)) for kind in (4, 6))
    return any(one >> at & 63 == _PORT_TYPE for one in types for at in range(0, 30, 6))


def _translates_arrivals(held: Attributes) -> bool:
    hook = attributes(given(held, 4))
    return text(first(held, 7)) == "nat" and number(first(hook, 1)) == _ARRIVING


def _in_step(step: Expression) -> Iterator[int]:
    if step.kind == "match":
        yield from ports_of_match(text(first(step.held, 1)), given(step.held, 3))
    elif step.kind == "target":
        yield from _in_target(text(first(step.held, 1)), given(step.held, 3))
    elif step.kind in ("immediate", "cmp", "range"):
        for kind in (2, 3, 4):
            value = given(attributes(given(step.held, kind)), 1)
            yield from _in_value(value) if len(value) == _PORT else ()


def ports_of_match(name: str, info: bytes) -> tuple[int, ...]:
    """Return the ports of an iptables match: destination and source share one field."""
    if name in ("tcp", "udp"):
        return struct.unpack_from("=4H", info)[2:]
    if name == "multiport":
        return struct.unpack_from(f"=2x{_MULTIPORT}H", info)[: info[1]]
    return ()


def _in_target(name: str, info: bytes) -> tuple[int, ...]:
    """Return the translated ports of a target, behind one or two addresses of either size."""
    if name not in ("DNAT", "REDIRECT"):
        return ()
    return struct.unpack_from(">2H", info, _PORTS_OF_IPV4 if len(info) < _LONG else _PORTS_OF_BOTH)


def _in_element(held: Attributes) -> Iterator[int]:
    for kind in (1, 2, 10):  # the key, its value, and the end of an interval
        yield from _in_value(given(attributes(given(held, kind)), 1))


def _in_value(value: bytes) -> Iterable[int]:
    """Return a port by itself, or the parts of an element that may be one."""
    if len(value) == _PORT:
        return (number(value),)
    if len(value) > _SLOT:
        slots = (value[at : at + _SLOT] for at in range(0, len(value), _SLOT))
        return (number(one[:_PORT]) for one in slots if not any(one[_PORT:]))
    return ()


def _in_legacy(saved: str) -> Iterator[int]:
    for numbers in _LEGACY_PORTS.findall(saved):
        yield from map(int, re.findall(r"\d+", numbers))


def _nat(saved: str) -> str:
    """Return the nat table of an iptables-legacy dump."""
    return saved.partition("*nat\n")[2].partition("COMMIT")[0]
