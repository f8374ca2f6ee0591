"""The kinds of networks: fixed ones of a host, and special ones that are accepted."""

from __future__ import annotations

import re
from abc import abstractmethod
from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network
from typing import Any, Final

from allowsync.config.schema.kind import Leaf, UnfitError
from allowsync.config.schema.nodes import Scalar, ScalarType, got
from allowsync.config.schema.scalar_kinds import Integer
from allowsync.model.special_purpose import NO_SOURCE, TRANSLATION
from allowsync.model.types import Family, Network

# ip_network also takes netmasks and zones; a single form is comparable.
_FORM: Final = r"[0-9a-fA-F:.]{1,45}(?:/[0-9]{1,3})?"
# Multicast, reserved (RFC 1112) and limited broadcast; discard-only (RFC 6666). Not the addresses
# of this machine itself, such as 0.0.0.0 and ::1.
_NOBODY: Final = tuple(
    ip_network(one) for one in ("224.0.0.0/4", "240.0.0.0/4", "100::/64", "ff00::/8")
)
MAPPED: Final = IPv6Network("::ffff:0:0/96")

WIDEST: Final = {Family.IPV4: 16, Family.IPV6: 48}
# A translated address ends in the 32 bits of the IPv4 one (RFC 6052 section 2.2).
_TRANSLATED_WIDEST: Final = 96 + WIDEST[Family.IPV4]

# Home connections get addresses out of such blocks: a wider network lets in thousands of
# neighbours.
TOO_WIDE: Final = {
    Family.IPV4: "a /{} is {} addresses, and all but one belong to strangers",
    Family.IPV6: "a /{} is {} networks of the size one customer gets, the rest are strangers'",
}


def too_wide(family: Family, prefix: int) -> str:
    """The reason why a width lets strangers in; empty if it is narrow enough."""
    if prefix >= WIDEST[family]:
        return ""
    # One IPv6 customer is a /56 (RIPE-690); one IPv4 customer is an address.
    customers = 2 ** max((32 if family is Family.IPV4 else 56) - prefix, 0)
    reason = TOO_WIDE[family].format(prefix, f"{customers:,}")
    return f"/{WIDEST[family]} is the widest that may be granted: {reason}"


class Width(Integer):
    """The width, in bits, of the networks granted to a host in one family."""

    def __init__(self, family: Family) -> None:
        super().__init__(1, family.bits)
        self.family = family

    def read(self, scalar: Scalar) -> int:
        """A prefix length that lets in no neighbour."""
        prefix = super().read(scalar)
        if reason := too_wide(self.family, prefix):
            raise UnfitError(f"got {prefix}: {reason}")
        return prefix

    def schema(self) -> dict[str, Any]:
        """The widths that may be granted."""
        return {**super().schema(), "minimum": WIDEST[self.family]}


class _Cidr(Leaf[Network]):
    """A network in CIDR form, or one address."""

    @property
    def expected(self) -> str:
        """The form."""
        return "a network such as 203.0.113.0/24 or 2001:db8:5::/48"

    def read(self, scalar: Scalar) -> Network:
        """The network, when its host bits are zero and the kind allows it."""
        text = scalar.text
        if scalar.type is not ScalarType.TEXT or not re.fullmatch(_FORM, text):
            raise UnfitError
        try:
            interface = ip_interface(text)
        except ValueError:
            raise UnfitError from None
        network = interface.network
        if network.network_address != interface.ip:
            raise UnfitError(
                f"{got(scalar)} is an address inside a network: "
                f"did you mean {network} (all of it) or {ip_network(interface.ip)} (this address)?"
            )
        self.judge(network)
        return network

    @abstractmethod
    def judge(self, network: Network) -> None:
        """Raise UnfitError for a network that is not allowed here."""

    def schema(self) -> dict[str, Any]:
        """A string schema with the characters of a network."""
        return {"type": "string", "pattern": f"^{_FORM}$"}

    def show(self, value: Network) -> Any:
        """CIDR form."""
        return str(value)


class FixedNetwork(_Cidr):
    """A network that always belongs to a host."""

    def judge(self, network: Network) -> None:
        """Refuse non-source addresses, and networks too wide to belong to one host."""
        if reason := too_wide(Family.of(network), network.prefixlen):
            raise UnfitError(f"{network}: {reason}")
        for block in NO_SOURCE:
            if _overlap(network, block):
                raise UnfitError(f"{network} lies in {block}, from which no packet can come")
        if _overlap(network, MAPPED):
            raise UnfitError(
                f"{network} is made of IPv4 addresses mapped into IPv6; write them as IPv4"
            )
        if _translates_too_much(network):
            raise UnfitError(
                f"{network} is made of IPv4 addresses behind NAT64: /{_TRANSLATED_WIDEST} is the "
                "widest that may be granted, as strangers come from the rest"
            )


class AcceptedNetwork(_Cidr):
    """A network whose addresses are granted although they are special. May be wide."""

    def judge(self, network: Network) -> None:
        """Refuse networks that are never acceptable."""
        for block in NO_SOURCE:
            if _overlap(network, block):
                raise UnfitError(f"{network} overlaps {block}, which is never accepted")


class AnyNetwork(_Cidr):
    """A network that grants no access, such as that of a proxy."""

    def judge(self, network: Network) -> None:
        """Accept any network, loopback included."""


class Unreachable(_Cidr):
    """A network that no client comes from: the placeholder of an empty list."""

    @property
    def expected(self) -> str:
        """The form."""
        return "a network that no client comes from, such as 255.255.255.255/32"

    def judge(self, network: Network) -> None:
        """Refuse networks that clients can come from."""
        if not any(_within(network, block) for block in _NOBODY):
            raise UnfitError(f"got {network}: clients can come from there")


def _translates_too_much(network: Network) -> bool:
    """Whether a network translates to more IPv4 addresses than may be granted."""
    wide = network.prefixlen < _TRANSLATED_WIDEST
    return wide and any(_overlap(network, block) for block in TRANSLATION)


def _within(one: Network, other: Network) -> bool:
    return _overlap(one, other) and one.prefixlen >= other.prefixlen


def _overlap(one: Network, other: Network) -> bool:
    if isinstance(one, IPv4Network) and isinstance(other, IPv4Network):
        return one.overlaps(other)
    return isinstance(one, IPv6Network) and isinstance(other, IPv6Network) and one.overlaps(other)
