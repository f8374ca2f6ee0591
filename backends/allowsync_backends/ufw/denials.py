"""Foreign rules that deny the packets of ours. Pure."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from allowsync_backends.common.ports import Port, Protocol
from allowsync_backends.ufw.tuples import ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync_backends.ufw.tuples import Tuple, UfwRule


def denies_everybody(one: Tuple, rule: UfwRule, *, route: bool) -> bool:
    """Whether a rule denies the port of a rule of ours to every source.

    Those on one interface, at one address of this machine, or after some connections count, too.
    """
    if one.action not in ("deny", "reject", "limit") or one.source not in ANYWHERE:
        return False
    return denies(one, rule, route=route)


def is_plain_denial(one: Tuple) -> bool:
    """Whether a rule denies, and matches nothing but source, protocol and port."""
    plain = one.where == "in" and one.source_ports == "any" and one.destination in ANYWHERE
    return plain and one.action in ("deny", "reject")


def shuts_out_wholly(one: Tuple, rule: UfwRule, *, route: bool) -> bool:
    """Whether a denial covers a port of a rule of ours, and all addresses that the rule admits."""
    if not denies(one, rule, route=route):
        return False
    return ip_network(one.source, strict=False).prefixlen <= ip_network(rule.source).prefixlen


def denies(one: Tuple, rule: UfwRule, *, route: bool) -> bool:
    """Whether a denial could match packets that a rule of ours admits."""
    first, _, last = rule.ports.partition(":")
    port = Port(int(first), int(last or first), Protocol(rule.protocol))
    return is_about(one, port, route=route) and _meets(one.source, rule.source)


def is_about(one: Tuple, port: Port, *, route: bool) -> bool:
    """Whether a rule could match packets to a port."""
    if one.forward is not route or one.where.startswith("out"):
        return False
    if one.protocol not in ("any", port.protocol.value):
        return False
    return one.ports == "any" or any(
        first <= port.last and port.first <= last for first, last in _ranges(one.ports)
    )


def _ranges(ports: str) -> Iterator[tuple[int, int]]:
    for part in ports.split(","):
        first, _, last = part.partition(":")
        if first.isdecimal() and (last or first).isdecimal():
            yield int(first), int(last or first)


def _meets(source: str, network: str) -> bool:
    try:
        one, other = ip_network(source, strict=False), ip_network(network)
    except ValueError:
        return False
    return one.version == other.version and one.overlaps(other)
