"""A document with everything in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

from allowsync.fleet.document import ListDocument, PublishedHost
from allowsync.model.memory import HeldAddress, HostMemory, RetentionState
from allowsync.model.types import Family, Host, Policy, Query

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DOCUMENT = ListDocument("home", "web", 1, 7, NOON, HOUR)


def held(address: str, *, replaced: bool = False) -> HeldAddress:
    since = NOON - 2 * HOUR
    if replaced:
        return HeldAddress(ip_address(address), since, NOON - HOUR, NOON - HOUR / 2, 2)
    return HeldAddress(ip_address(address), since, NOON - HOUR)


def simple(name: str = "alice", address: str = "81.2.69.1") -> PublishedHost:
    query = Query(f"{name}.example.org", Family.IPV4)
    host = Host(name, (query.hostname,), families=(Family.IPV4,))
    track = RetentionState((held(address),), NOON - HOUR, summary=f"found {address}")
    return PublishedHost(host, HostMemory({query: track}))


def everything() -> ListDocument:
    ipv6, former = Query("bob.example.org", Family.IPV6), Query("old.example.org", Family.IPV4)
    fixed, listed = ip_network("81.2.70.0/24"), ip_network("81.2.71.0/24")
    bob = Host(
        "bob",
        ("bob.example.org",),
        (fixed,),
        (Family.IPV4, Family.IPV6),
        24,
        56,
        NOON + 24 * HOUR,
        Policy(keep_unavailable=HOUR, accept=(ip_network("192.168.0.0/24"),)),
        ("fleet.lists.branches",),
        (("lists.office", (listed,)),),
        granted=True,
        revoked=NOON,
        revoked_networks=(ip_network("81.2.72.0/24"),),
    )
    tracks = {
        ipv6: RetentionState(
            (held("2a01:4f8::1"), held("2a01:4f8:1::1", replaced=True)),
            NOON - HOUR,
            NOON - HOUR / 4,
            3,
            4,
            "absent NXDOMAIN",
            "NXDOMAIN",
            latched=True,
            held_back=("81.2.99.1: shared",),
            past=(held("2a01:4f8:2::1", replaced=True),),
        )
    }
    memory = HostMemory(
        tracks,
        {fixed: NOON - HOUR},
        {ip_network("2a01:4f8::/56"): NOON - HOUR},
        {former: RetentionState((held("81.2.69.9"),), NOON - HOUR)},
    )
    hosts = (simple(), PublishedHost(bob, memory))
    return ListDocument("home", "web", 2, 7, NOON, HOUR, hosts)
