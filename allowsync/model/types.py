"""The nouns of allowsync: families, networks, hosts, grants, entries. Values without behaviour.

Addresses and networks are `ipaddress` objects everywhere; text exists only at the edges. Instants
are timezone-aware and in UTC; spans of time are `timedelta`.
"""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from allowsync.model.value import Value, field
from allowsync.typed import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network


class Family(Enum):
    """An address family."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"

    __hash__ = object.__hash__  # a key of many thousands of queries, and faster than by its name

    @property
    def bits(self) -> int:
        """The length of an address in bits: 32 or 128."""
        return 32 if self is Family.IPV4 else 128

    @staticmethod
    def of(value: Address | Network) -> Family:
        """The family an address or network belongs to."""
        return Family.IPV4 if value.version == 4 else Family.IPV6


BOTH_FAMILIES = (Family.IPV4, Family.IPV6)


class Policy(Value):
    """Rules for accepting DNS answers. Every field may be overridden for one host."""

    keep_unavailable: timedelta = timedelta(days=3)
    keep_absent: timedelta = timedelta(hours=1)
    absent_runs: int = 6
    keep_replaced: timedelta = timedelta(minutes=15)
    replaced_runs: int = 3
    latch_absent: timedelta = timedelta(days=7)
    max_addresses: int = 4
    max_sharing: int = 1
    guard_window: timedelta = timedelta(hours=24)
    max_moves: int = 12
    canary: bool = True
    accept: tuple[Network, ...] = ()


class Limits(Value):
    """The most access that one run may remove without --force."""

    max_remove_hosts: float = 0.5
    always_allow_hosts: int = 1
    allow_empty: bool = False


class Query(NamedTuple):
    """One question to the DNS. `hostname` is lower case, in A-labels, without the final dot."""

    hostname: str
    family: Family


@lru_cache(maxsize=1 << 17)
def _queries(hostnames: tuple[str, ...], families: tuple[Family, ...]) -> tuple[Query, ...]:
    """The queries for hostnames and families. Cached: every step of a run uses them."""
    return tuple(Query(name, family) for name in hostnames for family in families)


LISTS = "lists."  # the prefix of a list's name among a host's sources
FLEET = "fleet."  # the prefix of sources known only to the machine that decides for a fleet


class Host(Value):
    """A trusted host: a label with hostnames, or with fixed networks, or with both.

    `sources` names publishers of further networks of it that are unknown yet; `published` holds
    the known networks, by publisher (see `allowsync.policy.published`). A list of the configuration
    is called `lists.NAME` there.
    `granted`, `revoked` and `revoked_networks` (from which it is never admitted) were ordered by
    command (see `allowsync.policy.orders`).
    `followed` marks a host that another machine decides about: this one sends no DNS query for it.
    """

    name: str
    hostnames: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    families: tuple[Family, ...] = BOTH_FAMILIES
    ipv4_prefix: int = 32
    ipv6_prefix: int = 64
    until: datetime | None = None
    policy: Policy = field(default_factory=Policy)
    sources: tuple[str, ...] = ()
    published: tuple[tuple[str, tuple[Network, ...]], ...] = ()
    granted: bool = False
    revoked: datetime | None = None
    revoked_networks: tuple[Network, ...] = ()
    followed: bool = False

    @property
    def lists(self) -> tuple[str, ...]:
        """The lists among its sources, by their names in the configuration."""
        return tuple(one.removeprefix(LISTS) for one in self.sources if one.startswith(LISTS))

    @property
    def publishers(self) -> tuple[str, ...]:
        """Its sources except lists, and except those that another machine asks."""
        return tuple(one for one in self.sources if not one.startswith((LISTS, FLEET)))

    @property
    def queries(self) -> tuple[Query, ...]:
        """The queries for this host, in a fixed order."""
        return _queries(self.hostnames, self.families)


class Basis(Enum):
    """The basis of a grant."""

    FRESH = "fresh"  # the DNS gave it in this run
    STALE = "stale"  # no usable answer, or a proven absence that is not old enough yet
    REPLACED = "replaced"  # the DNS gives another address now; this one stays for a moment
    FORMER = "former"  # given by a hostname that was edited away; its successor is not known yet
    FIXED = "fixed"  # written in the configuration, or published by a source named there
    GRANTED = "granted"  # by command, for a limited time


class Grant(Value):
    """A network a host is allowed from now.

    `hostname` is empty for fixed networks. `ends` is the end of access if nothing changes: the
    clock of a stale or replaced address, or the host's own `until`, whichever comes first.
    `why` gives the reason for a stale grant (`SERVFAIL`, `NXDOMAIN`), or a network's publisher.
    """

    host: str
    network: Network
    basis: Basis
    since: datetime
    confirmed: datetime
    ends: datetime | None = None
    hostname: str = ""
    why: str = ""


class Entry(Value):
    """One network in a target, with the labels of the hosts that want it, sorted.

    `hosts` is empty where unknown (most firewalls keep addresses, not names). `replaced` are those
    of them that have another network by now, so that this one is about to be removed; only targets
    that record the hosts of entries get it (`Capabilities.replaced`).
    """

    network: Network
    hosts: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()

    def __hash__(self) -> int:
        return hash(self.network)


def by_network(network: Network) -> tuple[int, int, int]:
    """Sort key that puts IPv4 before IPv6 and then orders by address and width."""
    kept: tuple[int, int, int] | None = getattr(network, "key", None)
    return kept or (network.version, int(network.network_address), network.prefixlen)
