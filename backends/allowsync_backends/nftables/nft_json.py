"""The output of `nft -j list`, as values. Pure.

The format is that of libnftables-json(5). Nothing is guessed: an unknown form is an error, never an
empty set.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from ipaddress import (
    IPv4Address,
    IPv6Address,
    ip_address,
    summarize_address_range,
)

from allowsync.model.networks import beginning
from allowsync.model.types import Family, Network
from allowsync.model.value import Value, field
from allowsync.typed import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Json: TypeAlias = Mapping[str, Any]


class NftListingError(ValueError):
    """The output of nft is no listing of the requested kind."""


class Element(Value):
    """One element of a set.

    Attributes:
        networks: Its networks; more than one for a range that is no network.
        text: Its text in a script.
        comment: Its comment; empty when there is none.
        lifetime: Its timeout and the rest of that, in the form of a script (`timeout 3600s expires
            12s`); empty without a timeout.
        rest: The seconds until it expires; None where that is not listed.
    """

    networks: tuple[Network, ...]
    text: str
    comment: str = ""
    lifetime: str = ""
    rest: int | None = field(default=None, compare=False)

    @property
    def plain(self) -> bool:
        """Whether it is one network without a timeout."""
        return len(self.networks) == 1 and not self.lifetime


def objects(text: str) -> tuple[tuple[str, Json], ...]:
    """Return the objects of a listing as (kind, object), in the order of the listing.

    Raises:
        NftListingError: It is no listing, or not a whole one.
    """
    try:
        listed = json.loads(text)["nftables"]
        pairs = [next(iter(one.items())) for one in listed if len(one) == 1]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NftListingError("nft printed something that is not a listing") from error
    if (
        not isinstance(listed, list)
        or len(pairs) != len(listed)
        or not all(isinstance(one, Mapping) and _is_named(one) for _, one in pairs)
    ):
        raise NftListingError("nft printed a listing with objects that cannot be understood")
    return tuple((kind, one) for kind, one in pairs if kind != "metainfo")


def _is_named(one: Json) -> bool:
    """Whether an object's name and comment, if present, are texts."""
    return all(isinstance(one.get(key, ""), str) for key in ("name", "comment"))


def elements(of: Json, family: Family) -> tuple[Element, ...]:
    """Return the elements of a set of addresses, in the order of the listing.

    Raises:
        NftListingError: One of them cannot be parsed.
    """
    try:
        return tuple(_element(one, family) for one in of.get("elem", ()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NftListingError(
            f"set {of.get('name')} holds an element that is no address"
        ) from error


def _element(one: Any, family: Family) -> Element:
    if isinstance(one, dict) and "elem" in one:
        inner = one["elem"]
        networks, text = _covered(inner["val"], family)
        lifetime = " ".join(
            f"{key} {int(inner[key])}s" for key in ("timeout", "expires") if key in inner
        )
        rest = int(inner["expires"]) if "expires" in inner else None
        return Element(networks, text, str(inner.get("comment", "")), lifetime, rest)
    return Element(*_covered(one, family))


def _covered(value: Any, family: Family) -> tuple[tuple[Network, ...], str]:
    # Lists of blocked networks have tens of thousands, nearly all of them of the first two forms.
    if type(value) is str:
        return (_network(value, family.bits, family),), value
    prefix = value.get("prefix") if type(value) is dict else None
    if prefix is not None and type(prefix["addr"]) is str and type(prefix["len"]) is int:
        start, width = prefix["addr"], prefix["len"]
        return (_network(start, width, family),), f"{start}/{width}"
    match value:
        case {"range": [str(first), str(last)]}:
            return tuple(_range(first, last, family)), f"{first}-{last}"
        case _:
            raise ValueError(value)


def _network(start: str, width: int, family: Family) -> Network:
    found = beginning(start, width)  # cached, where it is in the state
    if found.max_prefixlen != family.bits:
        raise ValueError(start)
    return found


def _range(first: str, last: str, family: Family) -> Sequence[Network]:
    ends = ip_address(first), ip_address(last)
    match ends:
        case (IPv4Address(), IPv4Address()) if family is Family.IPV4:
            return list(summarize_address_range(*ends))
        case (IPv6Address(), IPv6Address()) if family is Family.IPV6:
            return list(summarize_address_range(*ends))
        case _:
            raise ValueError(first)


def leaves(expressions: Any) -> tuple[str, ...]:
    """Return every value in a rule, sorted, in whatever shape this version of nft lists it.

    Counters change, so they are left out; so are the matches on protocol and family that other
    matches imply, which some versions print, and the name of the usual comparison.
    """
    return tuple(sorted(_leaves(expressions)))


def _leaves(value: Any) -> list[str]:
    match value:
        case {"counter": _} | {"match": {"left": {"meta": {"key": "l4proto" | "nfproto"}}}}:
            return []
        case Mapping():
            named = [_leaf(key, one) for key, one in value.items()]
            return [leaf for found in named for leaf in found]
        case list() | tuple():
            return [leaf for one in value for leaf in _leaves(one)]
        case _:
            return [str(value)]


def _leaf(key: str, value: Any) -> list[str]:
    if key == "op" and value in ("==", "in"):
        return []
    return [key] if value is None else _leaves(value)
