"""Facilities beside the packet filter that decide about packets and are not copied."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Final

from allowsync.packetpath.netlink import ROUTE, XFRM, Netlink, attributes, first, native, text
from allowsync.packetpath.nftables import devices

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from allowsync.packetpath.nftables import KernelRuleset
    from allowsync.packetpath.original import Link

_GET_QDISC, _GET_FILTER, _GET_POLICY = 38, 46, 0x15
_INGRESS: Final = frozenset({"ingress", "clsact"})
# The verdict of filters of tc(8) in each direction, for tc-clsact.
_PARENTS: Final = {0xFFFFFFF2: "decides first", 0xFFFFFFF3: "decides about answers"}
_LOSING: Final = frozenset({"blackhole", "netem", "plug"})  # tc(8): these drop or delay packets
_IPVS: Final = Path("/proc/net/ip_vs")
_IPVS_HEAD: Final = 3  # lines
_POLICY_SIZE, _DIRECTION_AT, _OUT = 168, 160, 1
EVERYWHERE: Final = ""
_BRIDGE: Final = "bridge"
_MADE_OF_PORTS: Final = (_BRIDGE, "bond", "team")


def caveats(links: Mapping[int, Link], ruleset: KernelRuleset) -> dict[str, str]:
    """Return the facilities not seen, by the interface they concern, or `EVERYWHERE`."""
    found = _at_interfaces(links)
    with_rules = {name for _, held in ruleset.chains for name in devices(held)}
    for link in links.values():
        for one in _below(link, links):
            if one.name in found:
                found.setdefault(link.name, found[one.name])
            elif one.name in with_rules and link.kind != _BRIDGE:  # its ports are copied
                found.setdefault(link.name, f"rules at {one.name} decide first")
    if _IPVS.exists() and len(_IPVS.read_text().splitlines()) > _IPVS_HEAD:
        found[EVERYWHERE] = "IPVS forwards packets to servers of its own choice"
    elif _has_policies():
        found[EVERYWHERE] = "IPsec policies decide about packets"
    return found


def _below(link: Link, links: Mapping[int, Link]) -> Iterator[Link]:
    """Yield the interfaces that packets pass before: those it is a part of, or made of."""
    parts = [links[link.lower]] if link.lower in links else []
    if link.kind in _MADE_OF_PORTS:
        parts += [one for one in links.values() if one.master == link.index]
    for one in parts:
        yield one
        yield from _below(one, links)


def _at_interfaces(links: Mapping[int, Link]) -> dict[str, str]:
    """Return programs that decide before any rule, by interface."""
    found = {
        one.name: f"an XDP program at {one.name} decides first"
        for one in links.values()
        if one.has_xdp
    }
    for index, what in _by_tc():
        if index in links:
            name = links[index].name
            found.setdefault(name, what.format(name))
    return found


def _by_tc() -> Iterator[tuple[int, str]]:
    """Yield interfaces with filters of tc, or queues that drop packets, each with the reason."""
    netlink = Netlink(ROUTE)
    try:
        for queue in netlink.dump(_GET_QDISC, struct.pack("=BxxxiIII", 0, 0, 0, 0, 0)):
            kind = text(first(attributes(queue[20:]), 1))
            (index,) = struct.unpack_from("=i", queue, 4)
            if kind in _LOSING:
                yield index, f"the queue of {{}} (tc qdisc {kind}) decides about answers"
            for parent, what in _PARENTS.items() if kind in _INGRESS else ():
                asked = struct.pack("=BxxxiIII", 0, index, 0, parent, 0)
                if netlink.dump(_GET_FILTER, asked):
                    yield index, f"a tc filter at {{}} {what}"
    finally:
        netlink.close()


def _has_policies() -> bool:
    """Whether an IPsec policy applies to arriving packets."""
    try:
        netlink = Netlink(XFRM)
    except OSError:  # a kernel without IPsec
        return False
    try:
        policies = netlink.dump(_GET_POLICY, b"")
    finally:
        netlink.close()
    return any(_direction(one) != _OUT for one in policies)


def _direction(policy: bytes) -> int:
    return native(policy[_DIRECTION_AT : _DIRECTION_AT + 1])
