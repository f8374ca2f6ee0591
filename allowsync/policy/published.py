"""Published networks: a CDN's, for an origin that only the CDN may reach. Pure.

A host may name a source beside its literal networks. What the source said last is kept in the state
and stands until the source says something else that can be believed.

    the source says     kept before        what becomes of it
    plausible           anything           kept instead, for a day
    not plausible       networks           what was kept stays; asked again in an hour
    nothing             networks           what was kept stays; asked again in an hour
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
OLD: Final = timedelta(days=3)  # from then on it is said that nothing newer could be had

# All of Cloudflare is 1.5 million IPv4 addresses and 14 IPv6 networks of /32.
MOST_NETWORKS: Final = 1000
MOST_ADDRESSES: Final = {Family.IPV4: 2**23, Family.IPV6: 2 ** (128 - 24)}


class SourceError(Exception):
    """A source gave no networks. Its text says what is known about it."""


class NetworkSource(Value):
    """Who publishes networks: what an entry point of `allowsync.model.networks` stands for.

    Attributes:
        name: The name of its entry point.
        summary: What its networks are, in half a sentence.
        url: Where it is asked, unless `sources.NAME.url` says otherwise.
        ask: Takes that URL and gives every network, within a few seconds. Raises SourceError.
        headers: Those in which a server behind them finds the address of a client, and which the
            client cannot forge by itself: set anew or appended to. None where that is not known.
    """

    name: str
    summary: str
    url: str
    ask: Callable[[str], Iterable[Network]]
    headers: tuple[str, ...] = ()


class SourceRecord(Value):
    """What is remembered of a source.

    Attributes:
        networks: What it said last that could be believed, sorted; empty when it never did.
        fetched: When that was; None when it never was.
        tried: When it was asked last.
        url: Where it was asked last.
        trouble: What was wrong then; empty when nothing was.
    """

    networks: tuple[Network, ...]
    fetched: datetime | None
    tried: datetime
    url: str = ""
    trouble: str = ""

    @property
    def due(self) -> datetime:
        """When to ask again."""
        if self.fetched is None:
            return self.tried
        return self.tried + RETRY if self.trouble else self.fetched + FRESH


def is_due(kept: SourceRecord | None, url: str, now: datetime) -> bool:
    """Whether to ask a source: never asked, asked elsewhere, its time is over, the clock is odd."""
    return kept is None or kept.url != url or now >= kept.due or now < kept.tried


def implausible(networks: Iterable[Network], before: Iterable[Network]) -> str:
    """Why networks that a source gives are rejected; an empty string when they are.

    Args:
        networks: What it gives.
        before: What it gave before.
    """
    new, old = list(networks), list(before)
    if not new:
        return "it is empty"
    if len(new) > MOST_NETWORKS:
        return f"{len(new)} networks, more than {MOST_NETWORKS}"
    for network in new:
        if reason := special_within(network):
            return f"{network} holds what no source can have: {reason}"
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
    """Whether less than half of what was there in a family is there still."""
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
    """A host with what its sources are known to publish.

    `Host.sources` of the result holds those of which nothing is known.
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
    """What is known of a source, in words."""
    if kept.fetched is None:
        return f"its networks are not known: {kept.trouble}"
    what = counted(len(kept.networks), "network", "networks")
    said = f"{what} of {kept.fetched:%Y-%m-%d %H:%M} UTC"
    return f"{said}, which stay: {kept.trouble}" if kept.trouble else said


def worth_saying(kept: SourceRecord, now: datetime) -> bool:
    """Whether it is worth a warning: nothing is known, what it said is odd, or nothing new is."""
    if not kept.trouble:
        return False
    return kept.fetched is None or kept.trouble.startswith(ODD) or now - kept.fetched > OLD


ODD: Final = "rejected: "
