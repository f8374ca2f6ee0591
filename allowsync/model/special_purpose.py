"""Addresses that no home has and that are never granted, each with an actionable reason.

The blocks are those of the IANA special-purpose address registries (RFC 6890 and its updates) that
are not globally reachable, by explicit list: `ipaddress` calls multicast, NAT64, 6to4 and mapped
addresses global.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from allowsync.model.networks import KeptNetwork, overlap, span
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.model.types import Network

PRIVATE: Final = "a private address (RFC 1918): the router reports its LAN, or sits behind another"
CARRIER_NAT: Final = (
    "a shared address (RFC 6598): the router reports a carrier-grade NAT address, which "
    "many customers share"
)
DOCUMENTATION: Final = "an address reserved for documentation"
TRANSLATED: Final = "a NAT64 address (RFC 6052, RFC 8215): all of IPv4 comes from there"
RESERVED: Final = "an address reserved for special purposes"

IPV4_BLOCKS: Final = (
    ("0.0.0.0/8", "not an address of a host (this network, RFC 791)"),
    ("10.0.0.0/8", PRIVATE),
    ("100.64.0.0/10", CARRIER_NAT),
    ("127.0.0.0/8", "a loopback address: many block lists and parked names answer so"),
    ("169.254.0.0/16", "a link-local address: the router has no address from its provider"),
    ("172.16.0.0/12", PRIVATE),
    ("192.0.0.0/24", RESERVED),
    ("192.0.2.0/24", DOCUMENTATION),
    ("192.31.196.0/24", "an address of the AS112 project (RFC 7535)"),
    ("192.52.193.0/24", "an AMT relay address (RFC 7450)"),
    ("192.88.99.0/24", "a 6to4 relay address (RFC 7526)"),
    ("192.168.0.0/16", PRIVATE),
    ("192.175.48.0/24", "an address of the AS112 project (RFC 7534)"),
    ("198.18.0.0/15", "an address reserved for benchmarks (RFC 2544)"),
    ("198.51.100.0/24", DOCUMENTATION),
    ("203.0.113.0/24", DOCUMENTATION),
    ("224.0.0.0/4", "a multicast address"),
    ("240.0.0.0/4", RESERVED),
)

# Within 2000::/3; everything outside it is rejected as a whole.
IPV6_BLOCKS: Final = (
    ("2001::/23", "an address reserved for protocols such as Teredo (RFC 2928)"),
    ("2001:db8::/32", DOCUMENTATION),
    ("2002::/16", "a 6to4 address (RFC 7526)"),
    ("3fff::/20", DOCUMENTATION),
    ("2620:4f:8000::/48", "an address of the AS112 project (RFC 7534)"),
)

IPV6_OUTSIDE: Final = (
    ("::/128", "the unspecified address"),
    ("::1/128", "the loopback address"),
    ("::ffff:0:0/96", "an IPv4 address mapped into IPv6"),
    ("64:ff9b::/96", TRANSLATED),
    ("64:ff9b:1::/48", TRANSLATED),
    ("fc00::/7", "a unique local address (RFC 4193): it never leaves the LAN"),
    ("fe80::/10", "a link-local address"),
    ("ff00::/8", "a multicast address"),
)

PROXIED: Final = (
    "an address of Cloudflare's edge: the name is proxied, and all its clients come from there; "
    "set its record to 'DNS only'"
)

IPV6_ELSEWHERE: Final = "outside the global unicast space 2000::/3 (RFC 4291)"
OUTSIDE_UNICAST: Final = ("::/3", "4000::/2", "8000::/1")

# Never the source of a friend's packet: a configuration with one of these is wrong.
NO_SOURCE: Final[tuple[Network, ...]] = (
    *map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4")),
    *map(IPv6Network, ("::/128", "::1/128", "ff00::/8")),
)

# All of IPv4 comes from behind a translation prefix (RFC 6052, RFC 8215).
TRANSLATION: Final[tuple[Network, ...]] = tuple(
    map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48"))
)

# Not even `policy.accept` allows these.
NEVER_ACCEPTABLE: Final[tuple[Network, ...]] = (*NO_SOURCE, *TRANSLATION)

# Cloudflare's own ranges (www.cloudflare.com/ips): a name that resolves into them is proxied, and
# the address is shared by everyone behind the proxy.
# Its source of networks takes precedence, once fetched.
CLOUDFLARE_SOURCE: Final = "cloudflare"
CLOUDFLARE: Final = (
    "103.21.244.0/22", "103.22.200.0/22", "103.31.4.0/22", "104.16.0.0/13", "104.24.0.0/14",
    "108.162.192.0/18", "131.0.72.0/22", "141.101.64.0/18", "162.158.0.0/15", "172.64.0.0/13",
    "173.245.48.0/20", "188.114.96.0/20", "190.93.240.0/20", "197.234.240.0/22",
    "198.41.128.0/17", "2400:cb00::/32", "2405:8100::/32", "2405:b500::/32", "2606:4700::/32",
    "2803:f800::/32", "2a06:98c0::/29", "2c0f:f248::/32",
)  # fmt: skip


def rejection(
    given: Network, accept: tuple[Network, ...] = (), edge: tuple[Network, ...] = ()
) -> str:
    """The reason why a network must not be granted; an empty string when it may.

    Args:
        given: The network to be granted for an address. Its overlap with a block counts, not the
            address alone; a mapped address is judged as such, never unmapped.
        accept: Networks allowed all the same (`policy.accept`).
        edge: The networks published by Cloudflare; where empty, the list above.
    """
    if not edge and not listed(given):
        return ""  # nearly always, and cached for a kept network
    reason = special_within(given) or (PROXIED if proxied(given, edge) else "")
    if not reason or not any(overlap(given, network) for network in accept):
        return reason
    return reason if any(overlap(given, block) for block in NEVER_ACCEPTABLE) else ""


def listed(network: Network) -> bool:
    """Whether a network overlaps special addresses, or Cloudflare's in the list above."""
    if not isinstance(network, KeptNetwork):
        return bool(_listed(network.version).within(*span(network)))
    if network.listed is None:
        network.listed = bool(_listed(network.version).within(*span(network)))
    return network.listed


def special_within(network: Network) -> str:
    """The kind of special address a network holds, however few; empty when it holds none."""
    first, last = span(network)
    if network.version == 6 and (network.prefixlen < 3 or first >> 125 != 1):
        outside = (reason for block, reason in _outside() if network.network_address in block)
        return next(outside, IPV6_ELSEWHERE)
    return _blocks(network.version).within(first, last)


def acceptable(given: Network) -> bool:
    """Whether `policy.accept` is to be advised for a network that is on the reject list.

    Strangers come from a translation prefix and from a CDN's edge as well: one cannot be accepted,
    the other should not be.
    """
    special = special_within(given)
    return bool(special) and not any(overlap(given, block) for block in NEVER_ACCEPTABLE)


def proxied(given: Network, edge: tuple[Network, ...] = ()) -> bool:
    """Whether a network overlaps Cloudflare's own: a name that resolves into it is proxied.

    Args:
        given: The network.
        edge: The networks published by Cloudflare; where empty, the list above.
    """
    if edge:
        return any(overlap(given, network) for network in edge)
    return bool(_cloudflare(given.version).within(*span(given)))


class _Ranges:
    """Descriptions of disjoint ranges of addresses, found by bisection."""

    def __init__(self, blocks: Iterable[tuple[str, str]]) -> None:
        self._ranges = sorted((*_ends(block), said) for block, said in blocks)
        self._starts = [first for first, _, _ in self._ranges]

    def within(self, first: int, last: int) -> str:
        """The description of the last range that overlaps these addresses; empty for none."""
        place = bisect_right(self._starts, last)
        if not place:
            return ""
        _, end, said = self._ranges[place - 1]
        return said if first <= end else ""


@lru_cache(maxsize=2)
def _listed(version: int) -> _Ranges:
    """All ranges of the lists above, Cloudflare's included, and those outside 2000::/3."""
    special = [block for block, _ in (*IPV4_BLOCKS, *IPV6_BLOCKS)]
    return _Ranges(
        (one, "listed") for one in _of(version, (*special, *OUTSIDE_UNICAST, *CLOUDFLARE))
    )


def _of(version: int, blocks: Iterable[str]) -> Iterator[str]:
    """The blocks of one IP version."""
    return (block for block in blocks if (":" in block) is (version == 6))


def _ends(block: str) -> tuple[int, int]:
    """The first and the last address of a block. A network takes thrice as long to parse."""
    start, _, length = block.partition("/")
    first = IPv6Address(start) if ":" in start else IPv4Address(start)
    return int(first), int(first) | (1 << first.max_prefixlen - int(length)) - 1


@lru_cache(maxsize=2)
def _blocks(version: int) -> _Ranges:
    return _Ranges(IPV4_BLOCKS if version == 4 else IPV6_BLOCKS)


@lru_cache(maxsize=1)
def _outside() -> tuple[tuple[IPv6Network, str], ...]:
    return tuple((IPv6Network(block), reason) for block, reason in IPV6_OUTSIDE)


@lru_cache(maxsize=2)
def _cloudflare(version: int) -> _Ranges:
    return _Ranges((block, "proxied") for block in _of(version, CLOUDFLARE))
