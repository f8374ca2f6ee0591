"""Addresses, rules and routes of the copy: those of the machine, loaded as listed."""

from __future__ import annotations

import errno
import os
import struct
from contextlib import closing, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from allowsync.packetpath.links import add_neighbour, switch_on
from allowsync.packetpath.netlink import (
    CREATE,
    EXCLUSIVE,
    REPLACE,
    ROUTE,
    Netlink,
    attributes,
    first,
    given,
    native,
    packed,
    without,
)
from allowsync.packetpath.original import GET_ROUTE, GET_RULE, RULES, leads_to
from allowsync.packetpath.packet import PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from allowsync.packetpath.links import Cables
    from allowsync.packetpath.original import Original
    from allowsync.packetpath.question import Address

_NEW_ADDRESS, _NEW_ROUTE, _NEW_RULE, _DELETE_RULE, _NEW_NEXTHOP = 20, 24, 32, 33, 104
_EXISTS: Final = 17
_TENTATIVE_OR_DUPLICATE: Final = 0x48
_NO_PREFIX_ROUTE, _NO_DAD, _LASTING = 0x200, 0x2, 0x400
_CLONED, _ON_LINK = 0x200, 0x4
_ROUNDS: Final = 5
_GATEWAY: Final = 5
_LINK_LOCAL: Final = ip_address("fe80::ff:fe00:fe").packed
_STATE_OF_ROUTE: Final = (12, 23)
_NEXT_HOP, _HOW_LISTED = 30, 14
_IN_WORDS: Final = (4, 5, 9, 18, 21, 22)  # interface, gateway and the like, listed beside it

# The kernel's errors where a route, or a routing rule, stops a packet (ip-route(8)).
_NO_WAYS: Final = {
    errno.ENETUNREACH: "no route",
    errno.EHOSTUNREACH: "route unreachable",
    errno.EACCES: "route prohibit",
    errno.EINVAL: "route blackhole",
}

# Replies are not rate-limited, nor repeated; nothing is negotiated with neighbours.
QUIET: Final = {
    "ipv4/icmp_ratelimit": "0",
    "ipv6/icmp/ratelimit": "0",
    "ipv4/tcp_synack_retries": "0",
}
SILENT: Final = {
    "ipv6/conf/default/accept_ra": "0",
    "ipv6/conf/default/autoconf": "0",
    "ipv6/conf/default/accept_dad": "0",
    "ipv6/conf/default/dad_transmits": "0",
    "ipv6/conf/default/router_solicitations": "0",
    "ipv6/conf/default/addr_gen_mode": "1",
}


def settle(original: Original, cables: Cables, refused: list[str]) -> None:
    """Load settings, addresses, rules and routes into the interfaces of the copy."""
    _copy_settings(original.settings, refused)
    netlink = Netlink(ROUTE)
    for link in original.links.values():
        if link.is_up:
            switch_on(netlink, link.index)
    _copy_addresses(netlink, original, refused)
    _copy_rules(netlink, original.routing.rules, refused)
    _copy_routes(netlink, original, refused)
    # A bridge resolves addresses: it needs the neighbour entries for its answers.
    for route in original.routing.routes:
        if (gateway := first(attributes(route[12:]), 5)) is not None:
            for index in cables.bridges.intersection(leads_to(route)):
                add_neighbour(netlink, index, gateway)
    netlink.close()


def write_setting(key: str, value: str) -> str:
    """Set a sysctl, where it exists. Returns the error, or ""."""
    path = f"/proc/sys/net/{key}"
    try:
        with open(path) as setting:  # noqa: PTH123 - a hundred of them: no Path here
            is_other = setting.read().strip() != value
        if is_other:
            Path(path).write_text(value)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"setting {key}={value}: {error.strerror}"
    return ""


def _copy_settings(settings: Mapping[str, str], refused: list[str]) -> None:
    def is_general(key: str) -> bool:  # written first: these overwrite the others
        return key.count("/") == 1 or "/all/" in key or "/default/" in key

    ordered = sorted(settings, key=lambda one: not is_general(one))
    refused += filter(None, [write_setting(key, settings[key]) for key in ordered])
    for key, value in QUIET.items():
        write_setting(key, value)


def _copy_addresses(netlink: Netlink, original: Original, refused: list[str]) -> None:
    for one in original.routing.addresses:
        family, length, flags, scope, index = struct.unpack_from("=BBBBI", one)
        held = attributes(one[8:])
        flags = native(given(held, 8, struct.pack("=I", flags)))
        if index not in original.links or (family == 10 and flags & _TENTATIVE_OR_DUPLICATE):
            continue
        kept = [(kind, value) for kind, value in held if kind in (1, 2, 3, 4, 9)]
        kept.append((8, struct.pack("=I", flags & _LASTING | _NO_PREFIX_ROUTE | _NO_DAD)))
        head = struct.pack("=BBBBI", family, length, _NO_DAD, scope, index)
        code = netlink.request(_NEW_ADDRESS, CREATE, head + packed(kept))
        if code not in (0, _EXISTS):
            address = ip_address(first(held, 2) or given(held, 1))
            refused.append(f"address {address}: {os.strerror(code)}")


def _copy_rules(
    netlink: Netlink, rules: Mapping[int, tuple[bytes, ...]], refused: list[str]
) -> None:
    for version, several in rules.items():
        for one in netlink.dump(GET_RULE, RULES[version]):
            netlink.request(_DELETE_RULE, 0, one)
        for one in several:
            code = netlink.request(_NEW_RULE, CREATE | EXCLUSIVE, one)
            if code not in (0, _EXISTS):
                refused.append(f"routing rule: {os.strerror(code)}")


def _hop(listed: bytes) -> bytes:
    """Return a next hop in loadable form: without scope, state, and listing attributes."""
    family, _, protocol, _, flags = struct.unpack_from("=BBBBI", listed)
    head = struct.pack("=BBBBI", family, 0, protocol, 0, flags & _ON_LINK)
    return head + packed([one for one in attributes(listed[8:]) if one[0] & 0x3FFF < _HOW_LISTED])


def _copy_routes(netlink: Netlink, original: Original, refused: list[str]) -> None:
    """Load routes and numbered next hops; some need others first, so all are retried."""
    hops = [(_NEW_NEXTHOP, CREATE | REPLACE, _hop(one), b"") for one in original.routing.hops]
    todo = hops + [
        (_NEW_ROUTE, CREATE, _route(one), one)
        for one in original.routing.routes
        if not native(one[8:12]) & _CLONED and original.links.keys() >= set(leads_to(one))
    ]
    failures: list[tuple[bytes, int]] = []
    for turn in range(_ROUNDS):
        if turn >= _ROUNDS - len(_AS_LAST):  # the network of a gateway may be gone since
            other = _AS_LAST[turn - _ROUNDS]
            todo = [(kind, flags, other(kind, said), one) for kind, flags, said, one in todo]
        tried = [(one, netlink.request(*one[:3])) for one in todo]
        failed = [(one, code) for one, code in tried if code not in (0, _EXISTS)]
        todo, failures = [one for one, _ in failed], [(one[3], code) for one, code in failed]
    for route, code in failures:
        if route:  # a next hop alone stops no packet
            to = first(attributes(route[12:]), 1)
            network = f"{ip_address(to)}/{route[1]}" if to else "default"
            refused.append(f"route {network}: {os.strerror(code)}")


def _route(listed: bytes) -> bytes:
    """Return a route in loadable form: by a numbered next hop, or written out."""
    held = without(attributes(listed[12:]), *_STATE_OF_ROUTE)
    if first(held, _NEXT_HOP) is not None:
        held = without(held, *_IN_WORDS)
    return listed[:8] + struct.pack("=I", native(listed[8:12]) & _ON_LINK) + packed(held)


def _on_link(kind: int, said: bytes) -> bytes:
    """Return a route whose gateway counts as on-link, whatever networks the interface has."""
    if kind != _NEW_ROUTE:
        return said
    return said[:8] + struct.pack("=I", native(said[8:12]) | _ON_LINK) + said[12:]


def _by_link_local(kind: int, said: bytes) -> bytes:
    """Return a route with a link-local gateway: the kernel requires no network for it.

    Any will do, where interfaces resolve no neighbours.
    """
    held = attributes(said[12:])
    if kind != _NEW_ROUTE or len(given(held, _GATEWAY)) != len(_LINK_LOCAL):
        return said
    return said[:12] + packed([*without(held, _GATEWAY), (_GATEWAY, _LINK_LOCAL)])


# The alternatives of the last rounds, each in its own.
_AS_LAST: Final = (_on_link, _by_link_local)


def be_silent() -> None:
    """Keep interfaces made from now on from soliciting neighbours."""
    for key, value in SILENT.items():
        with suppress(OSError):
            write_setting(key, value)


def asked_route(destination: Address, more: Iterable[tuple[int, bytes]] = ()) -> bytes:
    """Return the request for the route to an address (rtnetlink(7))."""
    family, length = (2, 32) if destination.version == 4 else (10, 128)
    head = struct.pack("=8BI", family, length, length, *[0] * 5, 0)
    return head + packed([(1, destination.packed), *more])


def ways_to(destination: Address, netlink: Netlink) -> tuple[int, ...]:
    """Return the interfaces by which packets leave for an address; none without a route."""
    try:
        found = netlink.get(GET_ROUTE, asked_route(destination))
    except OSError:
        return ()
    return tuple(index for route in found for index in leads_to(route))


class Travel(NamedTuple):
    """A packet's fields that routing rules match.

    Attributes:
        source: Its source address.
        destination: Its destination address.
        protocol: `tcp` or `udp`.
        ports: Its source and destination port.
        arriving: The interface where it arrives; 0 for this machine's own.
        mark: Its mark, as far as that is known.
        user: The user of the sending program; None where that is not known.
    """

    source: Address
    destination: Address
    protocol: str
    ports: tuple[int, int]
    arriving: int = 0
    mark: int = 0
    user: int | None = None


def no_way(travel: Travel, original: Original) -> str:
    """Return the reason why routing stops a packet; "" where it does not.

    Where no packet of its family has a route, the machine lacks the connection, and routing has
    decided nothing.
    """
    destination = travel.destination
    ends = [(2, travel.source.packed), (27, bytes([PROTOCOLS[travel.protocol]]))]
    ends += [
        (kind, struct.pack(">H", port)) for kind, port in zip((28, 29), travel.ports, strict=True)
    ]
    numbers = {3: travel.arriving, 16: travel.mark}
    ends += [(kind, struct.pack("=I", one)) for kind, one in numbers.items() if one]
    if travel.user is not None:
        ends.append((25, struct.pack("=I", travel.user)))
    with closing(Netlink(ROUTE)) as netlink:
        code = netlink.request(GET_ROUTE, 0, asked_route(destination, ends))
    if not code:
        return ""
    decided = code in _NO_WAYS and destination.version in original.connected
    what = _NO_WAYS.get(code, os.strerror(code))
    return f"{'routing' if decided else 'kernel'}: {what} to {destination}"
