"""Published networks: a CDN's, for an origin that only the CDN may reach. Pure.

A host may name a source beside its literal networks. The last credible networks of the source are
kept in the state until there are other credible ones.

    the source gives    kept before        outcome
    plausible ones      anything           kept instead, for a day
    implausible ones    networks           the kept ones stay; asked again in an hour
    nothing             networks           the kept ones stay; asked again in an hour
    either of these     nothing            the host is undecided; asked again by the next run
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from allowsync.model.networks import Coverage, without
from allowsync.model.special_purpose import special_within
from allowsync.model.types import Family, Host, Network
from allowsync.model.value import Value, replace
from allowsync.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

FRESH: Final = timedelta(days=1)
RETRY: Final = timedelta(hours=1)
OLD: Final = timedelta(days=3)  # the age from which a warning is given

# All of Cloudflare is 1.5 million IPv4 addresses and 14 IPv6 networks of /32.
MOST_NETWORKS: Final = 1000
MOST_ADDRESSES: Final = {Family.IPV4: 2**23, Family.IPV6: 2 ** (128 - 24)}


class SourceError(Exception):
    """A source gave no networks. Its text gives the reason."""


class NetworkSource(Value):
    """A publisher of networks: the value of an entry point of `allowsync.model.networks`.

    Attributes:
        name: The name of its entry point.
        summary: A short description of its networks.
        url: Its URL, unless `sources.NAME.url` replaces it.
        ask: Takes that URL and returns every network, within a few seconds. Raises SourceError.
        headers: The headers with a client's address for a server behind them, which the client
            cannot forge: set anew or appended to. None where unknown.
    """

    name: str
    summary: str
    url: str
    ask: Callable[[str], Iterable[Network]]
    headers: tuple[str, ...] = ()


class SourceRecord(Value):
    """The memory of a source.

    Attributes:
        networks: Its last credible networks, sorted; empty when it never gave any.
        fetched: The time of these; None when there were none.
        tried: The time of the last query.
        url: The URL of the last query.
        trouble: The problem with the last query; empty when there was none.
    """

    networks: tuple[Network, ...]
    fetched: datetime | None
    tried: datetime
    url: str = ""
    trouble: str = ""

    @property
    def due(self) -> datetime:
        """The time of the next query."""
        if self.fetched is None:
            return self.tried
        return self.tried + RETRY if self.trouble else self.fetched + FRESH


def is_due(kept: SourceRecord | None, url: str, now: datetime) -> bool:
    """Whether a source is due: never asked, another URL, its time is over, the clock is wrong."""
    return kept is None or kept.url != url or now >= kept.due or now < kept.tried


def implausible(networks: Iterable[Network], before: Iterable[Network]) -> str:
    """The reason why a source's networks are rejected; an empty string where they are accepted.

    Args:
        networks: Its new networks.
        before: Its networks before.
    """
    new, old = list(networks), list(before)
    if not new:
        return "it is empty"
    if len(new) > MOST_NETWORKS:
        return f"{len(new)} networks, more than {MOST_NETWORKS}"
    for network in new:
        if reason := special_within(network):
            return f"{network} contains addresses that no source can have: {reason}"
    return _too_large(new) or _too_little_left(new, old)


def _too_large(new: list[Network]) -> str:
    for family, most in MOST_ADDRESSES.items():
        size = _size(Coverage(one for one in new if Family.of(one) is family))
        if size > most:
            width = family.bits - most.bit_length() + 1
            label = "IPv4" if family is Family.IPV4 else "IPv6"
            return f"its {label} networks are larger than a /{width} together"
    return ""


def _too_little_left(new: list[Network], old: list[Network]) -> str:
    """The complaint that less than half of a family's former addresses remain; else empty."""
    now = Coverage(new)
    for family, label in ((Family.IPV4, "IPv4"), (Family.IPV6, "IPv6")):
        before = Coverage(one for one in old if Family.of(one) is family)
        gone = _size(piece for one in before for piece in without(one, now))
        if 2 * gone > _size(before):
            return f"less than half of the {label} addresses it had before are in it"
    return ""


def _size(networks: Iterable[Network]) -> int:
    return sum(one.num_addresses for one in networks)


def filled(host: Host, kept: Mapping[str, SourceRecord]) -> Host:
    """A host with the known networks of its sources.

    `Host.sources` of the result holds the sources of unknown networks.
    """
    if not host.sources or host.followed:
        return host
    known = [name for name in host.sources if name in kept and kept[name].networks]
    published = tuple(
        (name, tuple(one for one in kept[name].networks if Family.of(one) in host.families))
        for name in known
    )
    unknown = tuple(name for name in host.sources if name not in known)
    return replace(host, published=published, sources=unknown)


def said_of(kept: SourceRecord) -> str:
    """The known state of a source, as text."""
    if kept.fetched is None:
        return f"its networks are unknown: {kept.trouble}"
    what = counted(len(kept.networks), "network", "networks")
    said = f"{what} of {kept.fetched:%Y-%m-%d %H:%M} UTC"
    return f"{said}, which stay: {kept.trouble}" if kept.trouble else said


def worth_saying(kept: SourceRecord, now: datetime) -> bool:
    """Whether a source deserves a warning: no networks, rejected ones, or outdated ones."""
    if not kept.trouble:
        return False
    return kept.fetched is None or kept.trouble.startswith(ODD) or now - kept.fetched > OLD


ODD: Final = "rejected: "
