"""Detection of resolvers that synthesize IPv6 addresses (DNS64, RFC 6147). Pure.

`ipv4only.arpa` has no IPv6 address in the DNS. A resolver that gives one synthesizes it from a
translation prefix and one of two well-known IPv4 addresses (RFC 7050, RFC 6052 section 2.2); all
of IPv4 comes from behind such a prefix, so it is no home.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Network

from allowsync.model.answer import Answer, Found
from allowsync.model.types import Family, Query
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from allowsync.model.types import Address, Network

PROBE: Final = Query("ipv4only.arpa", Family.IPV6)
WELL_KNOWN: Final = (int(IPv4Address("192.0.0.170")), int(IPv4Address("192.0.0.171")))
LENGTHS: Final = (96, 64, 56, 48, 40, 32)  # of a translation prefix, RFC 6052 section 2.2


def translation_prefixes(answers: Iterable[Answer]) -> frozenset[Network]:
    """The translation prefixes in answers to `PROBE`, of the lengths in RFC 6052."""
    found = (one for answer in answers if isinstance(answer, Found) for one in answer.addresses)
    return frozenset(prefix for address in found for prefix in _prefixes(address))


def may_be_synthesized(address: Address) -> bool:
    """Whether DNS64 may have synthesized an address: bits 64 to 71 zero (RFC 6052 section 2.2)."""
    return address.version == 6 and not int(address) >> 56 & 0xFF


def looks_synthesized(address: Address, ipv4: Collection[int]) -> bool:
    """Whether an address embeds one of some IPv4 addresses exactly as DNS64 does.

    Zeros follow the embedded address there, unlike in the address of a home with 6rd (RFC 5969).
    """
    if not may_be_synthesized(address):
        return False
    number = int(address)
    return any(
        _embedded(number, length) in ipv4 and not number & ((1 << max(88 - length, 0)) - 1)
        for length in LENGTHS
    )


def _prefixes(address: Address) -> Iterable[Network]:
    if address.version == 4:
        return
    number = int(address)
    for length in LENGTHS:
        if _embedded(number, length) in WELL_KNOWN:
            yield IPv6Network((number >> (128 - length) << (128 - length), length))
            return


def _embedded(number: int, length: int) -> int:
    """The IPv4 address behind a prefix, without bits 64 to 71."""
    if length == 96:
        return number & 0xFFFFFFFF
    without_u = (number >> 64 << 56) | (number & ((1 << 56) - 1))
    return (without_u >> (120 - length - 32)) & 0xFFFFFFFF
