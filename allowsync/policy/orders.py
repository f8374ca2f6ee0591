"""Access orders given by command, applied to the hosts of a run. Pure.

A temporary grant is a host with a fixed network and an `until`; a revoked host has ended; a revoked
network is granted to no host, nor is one that overlaps it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.types import Host
from allowsync.model.value import replace
from allowsync.policy.clock import TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from allowsync.model.access_order import Revocation, StandingOrders, TemporaryGrant
    from allowsync.model.clock import Pulse


def in_force(grant: TemporaryGrant, pulse: Pulse) -> bool:
    """Whether a grant has begun and its time, by the uptime of its boot, has not passed.

    `until` covers the wall clock. A wall clock set back to before the grant cannot show its
    remaining
    time: then it is not in force.
    """
    if pulse.wall < grant.at - TOLERANCE:
        return False
    same_boot = bool(grant.boot) and grant.boot == pulse.boot
    return not (same_boot and pulse.uptime - grant.uptime >= grant.ends - grant.at)


def with_grants(
    hosts: Mapping[str, Host], grants: Iterable[TemporaryGrant], pulse: Pulse
) -> dict[str, tuple[Host, tuple[str, ...]]]:
    """The hosts that represent grants, by label, each with its allowlists."""
    found: dict[str, tuple[Host, tuple[str, ...]]] = {}
    for one in grants:
        name = f"{one.name}.granted" if one.name in hosts else one.name
        until = one.ends if in_force(one, pulse) else min(one.ends, pulse.wall)
        host = Host(name, networks=(one.network,), until=until, granted=True)
        found[name] = (host, one.allowlists)
    return found


def with_revocations(hosts: Mapping[str, Host], orders: StandingOrders) -> dict[str, Host]:
    """The hosts, with revoked ones marked."""
    networks = tuple(one.network for one in orders.revocations if one.network is not None)
    revoked = {}
    for one in orders.revocations:
        for name in meant(one, hosts):
            revoked[name] = one.at
    return {
        name: replace(
            host,
            revoked=revoked.get(name, host.revoked),
            revoked_networks=(*host.revoked_networks, *networks),
        )
        if networks or name in revoked
        else host
        for name, host in hosts.items()
    }


def meant(one: Revocation, hosts: Mapping[str, Host]) -> Iterable[str]:
    """The hosts that a revocation concerns: by its label, or by their names under another label."""
    if one.network is not None:
        return ()
    if one.subject in hosts:
        return (one.subject,)
    names = set(one.hostnames)
    return [name for name, host in hosts.items() if not names.isdisjoint(host.hostnames)]
