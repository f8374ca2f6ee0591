"""The original machine: all state that decides about a packet, read and never changed."""

from __future__ import annotations

import os
import re
import struct
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from allowsync.model.value import Value
from allowsync.packetpath import legacy, nftables
from allowsync.packetpath.listeners import ListeningSocket, listeners
from allowsync.packetpath.netlink import (
    ROUTE,
    Attributes,
    ListingInterrupted,
    Netlink,
    attributes,
    first,
    given,
    native,
    text,
)
from allowsync.packetpath.question import PacketsUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from allowsync.packetpath.isolation import Tools
    from allowsync.packetpath.question import Address

GET_LINK, GET_ADDRESS, GET_ROUTE, GET_NEIGHBOUR, GET_RULE, GET_NEXTHOP = 18, 22, 26, 30, 34, 106
LINKS: Final = struct.pack("=BBHiII", 0, 0, 0, 0, 0, 0)
RULES: Final = {4: struct.pack("=12B", 2, *[0] * 11), 6: struct.pack("=12B", 10, *[0] * 11)}
_ADDRESSES: Final = struct.pack("=BBBBI", 0, 0, 0, 0, 0)
_LOOPBACK: Final = 1
_MAC: Final = 6
_PARTS: Final = ("vlan", "macvlan", "ipvlan", "macsec")
_SCOPE_LINK: Final = 253
_UNICAST: Final = 1
_INET: Final = 2  # AF_INET
_MADE_OF_IPV6: Final = ip_network("192.0.0.0/29")  # IPv4 service continuity, RFC 7335
_SETTINGS: Final = Path("/proc/sys/net")
_SETTING: Final = re.compile(
    r"ipv4/(ip_forward$|ip_default_ttl|ip_nonlocal_bind|(tcp|udp|raw)_l3mdev_accept|fwmark_reflect"
    r"|tcp_fwmark_accept|fib_multipath|ip_early_demux)|bridge/"
    r"|netfilter/nf_conntrack_(tcp_(be_liberal|loose)|helper|checksum)"
    r"|ipv6/(ip_nonlocal_bind|fwmark_reflect|fib_multipath)"
    r"|ipv[46]/conf/.*/(forwarding|force_forwarding|rp_filter|accept_local|route_localnet"
    r"|src_valid_mark|accept_source_route|bc_forwarding|arp_ignore|hop_limit|ignore_routes_with_linkdown"
    r"|disable_(ipv6|policy|xfrm)|drop_unicast_in_l2_multicast|drop_unsolicited_na|seg6_enabled)$"
)
_ELSEWHERE: Final = ("neigh", "core", "unix", "mptcp", "route", "xfrm")


class Link(Value):
    """An interface: `kind` is "" for hardware, `info` the kernel's data for the kind.

    Attributes:
        lower: The interface that it is a part of, as a VLAN is; 0 for none.
    """

    index: int
    flags: int
    name: str
    mac: bytes
    mtu: int
    group: bytes
    master: int
    kind: str
    info: bytes
    has_xdp: bool
    lower: int

    @property
    def is_up(self) -> bool:
        """Whether it is switched on."""
        return bool(self.flags & 1)

    @property
    def is_running(self) -> bool:
        """Whether it has a carrier."""
        return bool(self.flags & 0x40)

    @property
    def is_tunnel(self) -> bool:
        """Whether it has only one neighbour, as WireGuard, tun, PPP and IP in IP."""
        return self.index != _LOOPBACK and len(self.mac) != _MAC


class Routing(NamedTuple):
    """Addresses, rules, next hops and routes as listed."""

    addresses: tuple[bytes, ...]
    rules: Mapping[int, tuple[bytes, ...]]
    hops: tuple[bytes, ...]
    routes: tuple[bytes, ...]
    neighbours: tuple[tuple[int, Attributes], ...]


class Original(NamedTuple):
    """All state read of a machine.

    Attributes:
        uplinks: The interfaces with a default route, or a half of one, as VPNs have.
        listeners: The listening sockets of programs.
    """

    links: Mapping[int, Link]
    all_links: Mapping[int, Link]
    routing: Routing
    settings: Mapping[str, str]
    ruleset: nftables.KernelRuleset
    tables: Mapping[int, str]
    sets: legacy.Sets
    recent: Mapping[str, list[tuple[str, int]]]
    queues: frozenset[int]
    uplinks: tuple[int, ...]
    listeners: tuple[ListeningSocket, ...]

    @property
    def connected(self) -> frozenset[int]:
        """The versions of IP with a default route."""
        return frozenset(route_version(one) for one in _ways_in(self.routing))

    def addresses(self, index: int) -> tuple[Address, ...]:
        """Return the addresses of an interface that are valid beyond its link."""
        found = [
            _held(one)
            for one in self.routing.addresses
            if native(one[4:8]) == index and one[3] != _SCOPE_LINK
        ]
        return tuple(one for one in dict.fromkeys(found) if one not in _MADE_OF_IPV6)

    def reaches(self, index: int) -> tuple[Address, ...]:
        """Return the possible destinations of packets from an interface: its own addresses, or any.

        An uplink without an address of its own receives packets for those of the others.
        """
        own = self.addresses(index)
        versions = {one.version for one in own}
        others = [
            address
            for other in self.links
            for address in self.addresses(other)
            if index in self.uplinks and not address.is_loopback
        ]
        routed = {
            route_version(one)
            for one in _ways_in(self.routing)
            if index in _arrive_by(leads_to(one), self.all_links)
        }
        extra = [one for one in others if one.version in routed - versions]
        return tuple(dict.fromkeys([*own, *extra]))

    def owner(self, protocol: str, version: int, port: int) -> int | None:
        """Return the user whose program answers at a port; None where none is known."""
        owners = {
            one.version: one.owner
            for one in self.listeners
            if (one.protocol, one.port) == (protocol, port) and not one.address.is_loopback
        }
        return owners.get(version, owners.get(6))

    def hears(self, protocol: str, address: Address, port: int, interface: str) -> bool:
        """Whether a program listens at an address and port for packets from an interface."""
        link = self.named(interface)
        devices = (link.index, link.master) if link else ()
        return any(
            (one.protocol, one.port) == (protocol, port) and one.takes(address, devices)
            for one in self.listeners
        )

    def named(self, name: str) -> Link | None:
        """Return the interface of a name."""
        return next((one for one in self.all_links.values() if one.name == name), None)


def read(tools: Tools) -> Original:
    """Read the machine in whose network namespace this process runs.

    Raises:
        PacketsUnavailable: A part cannot be read.
    """
    try:
        return _read(tools)
    except ListingInterrupted as error:
        raise PacketsUnavailable("the network configuration keeps changing") from error
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        raise PacketsUnavailable(f"the network cannot be read: {what}{error.strerror}") from error


def _read(tools: Tools) -> Original:
    netlink = Netlink(ROUTE)
    every = {one.index: one for one in map(_link, netlink.dump(GET_LINK, LINKS))}
    routing = _routing(netlink)
    netlink.close()
    ruleset = nftables.list_ruleset()
    uplinks = _uplinks(routing, every)
    links = _routed(every, uplinks, ruleset)
    return Original(
        links=links,
        all_links=every,
        routing=routing,
        settings=_settings({"all", "default", *(one.name for one in links.values())}),
        ruleset=ruleset,
        tables=legacy.saved_tables(tools),
        sets=legacy.saved_sets(tools),
        recent=legacy.recent_lists(),
        queues=_queues(),
        uplinks=uplinks,
        listeners=listeners(),
    )


def _link(body: bytes) -> Link:
    _, _, _, index, flags, _ = struct.unpack_from("=BBHiII", body)
    held = attributes(body[16:])
    info = given(held, 18)
    xdp = attributes(given(held, 43))
    kind = text(first(attributes(info), 1))
    return Link(
        index=index,
        flags=flags,
        name=text(first(held, 3)),
        mac=given(held, 1),
        mtu=native(first(held, 4)),
        group=given(held, 27, struct.pack("=I", 0)),
        master=native(first(held, 10)),
        kind=kind,
        info=info,
        has_xdp=any(value[:1] != b"\0" for what, value in xdp if what & 0x3FFF == 2),
        lower=native(first(held, 5)) if kind in _PARTS else 0,
    )


def _routing(netlink: Netlink) -> Routing:
    addresses = tuple(netlink.dump(GET_ADDRESS, _ADDRESSES))
    rules = {version: tuple(netlink.dump(GET_RULE, one)) for version, one in RULES.items()}
    routes = [one for asked in RULES.values() for one in netlink.dump(GET_ROUTE, asked)]
    try:
        hops = tuple(netlink.dump(GET_NEXTHOP, bytes(8)))
    except OSError:  # a kernel before 5.3
        hops = ()
    neighbours = tuple(
        (struct.unpack_from("=BBHi", one)[3], attributes(one[12:]))
        for one in netlink.dump(GET_NEIGHBOUR, bytes(12))
    )
    return Routing(addresses, rules, hops, tuple(routes), neighbours)


def _routed(
    links: Mapping[int, Link], uplinks: tuple[int, ...], ruleset: nftables.KernelRuleset
) -> dict[int, Link]:
    """Return the interfaces that routing or a rule sees: without guests' ports of a bridge."""
    hooked = b"".join(
        value
        for one in (*ruleset.chains, *ruleset.flowtables)
        for kind, value in one.held
        if kind & 0x3FFF in (3, 4)
    )

    def is_inner(link: Link) -> bool:
        if not bridge_of(link.index, links) or link.master in uplinks or not link.kind:
            return False
        return link.name.encode() + b"\0" not in hooked

    return {index: one for index, one in sorted(links.items()) if not is_inner(one)}


def _uplinks(routing: Routing, links: Mapping[int, Link]) -> tuple[int, ...]:
    ways = _ways_in(routing)
    found = {index for one in ways for index in _arrive_by(leads_to(one), links)}
    return tuple(sorted(found - {_LOOPBACK}))


def _arrive_by(indexes: Iterable[int], links: Mapping[int, Link]) -> Iterator[int]:
    """Yield the interfaces where packets arrive: for a bridge's port, the bridge."""
    return (bridge_of(index, links) or index for index in indexes)


def bridge_of(index: int, links: Mapping[int, Link]) -> int:
    """Return the bridge that an interface is a port of; 0 where it is none."""
    link = links.get(index)
    master = links.get(link.master) if link else None
    return master.index if master and master.kind == "bridge" else 0


def _ways_in(routing: Routing) -> Iterator[bytes]:
    """Return default routes, and halves of one, by whose interfaces packets come from afar.

    Over IPv4 that 464XLAT (RFC 6877) or DS-Lite (RFC 6333) makes of IPv6, there is a way out alone.
    """
    own = [(native(one[4:8]), _held(one)) for one in routing.addresses if one[0] == _INET]
    held = {(index, address in _MADE_OF_IPV6) for index, address in own}
    one_way = {index for index, made in held if made and (index, False) not in held}
    for one in routing.routes:
        beyond = set(leads_to(one)) - (one_way if route_version(one) == 4 else set())
        if one[1] <= 1 and one[7] == _UNICAST and beyond:
            yield one


def _held(address: bytes) -> Address:
    """Return the address of an interface from a listing."""
    held = attributes(address[8:])
    return ip_address(first(held, 2) or given(held, 1))


def route_version(route: bytes) -> int:
    """Return the version of IP of a route."""
    return 4 if route[0] == _INET else 6


def leads_to(route: bytes) -> Iterator[int]:
    """Yield the interfaces of a route."""
    held = attributes(route[12:])
    if (one := first(held, 4)) is not None:
        yield native(one)
    several, at = given(held, 9), 0
    while at + 8 <= len(several):
        length, _, _, index = struct.unpack_from("=HBBi", several, at)
        yield index
        at += (max(length, 8) + 3) & ~3


def _settings(interfaces: set[str]) -> dict[str, str]:
    """Return the kernel's settings (sysctls) that decide about packets."""
    found = {}
    for top, folders, files in os.walk(_SETTINGS):
        keep = interfaces if top.endswith("/conf") else set(folders) - set(_ELSEWHERE)
        folders[:] = [one for one in folders if one in keep]
        for file in files:
            key = f"{top}/{file}".removeprefix(f"{_SETTINGS}/")
            if _SETTING.match(key):
                try:
                    with open(f"{top}/{file}") as setting:  # noqa: PTH123 - a hundred: no Path
                        found[key] = setting.read().strip()
                except PermissionError:  # a write-only setting
                    continue
    return found


def _queues() -> frozenset[int]:
    """Return the queues that a program reads."""
    try:
        lines = Path("/proc/net/netfilter/nfnetlink_queue").read_text().splitlines()
    except FileNotFoundError:
        return frozenset()
    return frozenset(int(line.split()[0]) for line in lines)
