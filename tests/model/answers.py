"""What nameservers say, as far as promises go by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.answer import Absent, Found
from allowsync.model.types import Family, Query
from allowsync.policy.screening import network_of
from tests.model.installation import NAMESERVERS, Dns, Installation, reply
from tests.support.values import net, nets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync.model.answer import Answer
    from allowsync.model.types import Address, Host, Network

# No friend comes from there: a LAN, a CDN's edge, and what a resolver makes of all of IPv4.
NO_HOME = nets("10.0.0.0/8", "104.16.0.0/13", "2606:4700::/32", "2a01:4f8:64:ff9b::/64")


def covered(network: Network, held: set[Network]) -> bool:
    """Whether a network lies within one of others."""
    return any(
        one.version == network.version and network.subnet_of(one)  # type: ignore[arg-type]
        for one in held
    )


def quorum(at: Installation, query: Query) -> set[Address]:
    """The addresses that enough nameservers give."""
    answers = [reply(at.zones[server], query) for server in NAMESERVERS]
    if at.agreement == 1:
        answers = [Dns(at.zones).first(query)]
    given = [address for one in answers for address in addresses(one)]
    return {one for one in given if given.count(one) >= at.agreement}


def proven_absent(at: Installation, host: Host, query: Query) -> bool:
    """Whether enough nameservers agree that there is no address.

    It proves nothing that there is no such name, where it gave an address of another family.
    """
    answers = [reply(zone, query) for zone in at.zones.values()]
    proving = sum(isinstance(one, Absent) for one in answers)
    giving = any(isinstance(one, Found) for one in answers)
    first = Dns(at.zones).first
    there = [first(one) for one in host.queries if one.hostname == query.hostname]
    denied = first(query) == Absent("NXDOMAIN") and any(isinstance(one, Found) for one in there)
    return proving >= max(2, at.agreement) and not (giving or denied)


def made_up(at: Installation, given: Iterable[tuple[str, Network]]) -> set[Network]:
    """What made-up names give, but for what hostnames of another provider gave.

    Siblings are made up of a friend's name: that of another provider has others.
    """
    wild = reply(at.zones[NAMESERVERS[0]], Query("made-up.ddns.example", Family.IPV4))
    elsewhere = {network for hostname, network in given if not hostname.endswith(".ddns.example")}
    return {net(str(address)) for address in addresses(wild)} - elsewhere


def contested(at: Installation, query: Query, host: Host, network: Network) -> bool:
    """Whether fewer nameservers than have to agree gave an answer without a network."""
    answers = [addresses(reply(zone, query)) for zone in at.zones.values()]
    without = [one for one in answers if one and network not in {network_of(a, host) for a in one}]
    return at.agreement > 1 and len(without) < at.agreement


def addresses(answer: Answer) -> tuple[Address, ...]:
    """Those that can be a home."""
    given = answer.addresses if isinstance(answer, Found) else ()
    return tuple(one for one in given if not any(one in other for other in NO_HOME))
