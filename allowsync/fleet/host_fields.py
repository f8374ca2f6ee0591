"""A host and its remembered state as fields of a document, and back. Pure."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

from allowsync.config.networks import AcceptedNetwork, FixedNetwork, too_wide
from allowsync.config.schema.kind import UnfitError
from allowsync.fleet.fields import DocumentError
from allowsync.model.memory import HeldAddress, HostMemory, RetentionState
from allowsync.model.networks import cidr, parsed_address
from allowsync.model.types import BOTH_FAMILIES, FLEET, Family, Host, Policy, Query
from allowsync.state.codec import MICROSECOND, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from allowsync.fleet.fields import Fields
    from allowsync.model.types import Address, Network

_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
_HOSTNAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_TEN_YEARS: Final = timedelta(days=3650)
_MOST_NAMES: Final = 64
_MOST_NETWORKS: Final = 100_000
_MOST_HELD: Final = 1000
_MOST_RUNS: Final = 10**9
# The parts of a policy that count without DNS queries.
_SPANS: Final = ("keep_unavailable", "keep_absent", "keep_replaced", "latch_absent", "guard_window")
_DEFAULT: Final = Policy()
_FIXED, _ACCEPTED = FixedNetwork(), AcceptedNetwork()


def written_host(host: Host, memory: HostMemory) -> dict[str, Any]:
    """The fields of a host."""
    return {
        "name": host.name,
        **_if("hostnames", list(host.hostnames)),
        **_if("families", [] if host.families == BOTH_FAMILIES else _words(host.families)),
        **({} if host.ipv4_prefix == 32 else {"ipv4_prefix": host.ipv4_prefix}),
        **({} if host.ipv6_prefix == 64 else {"ipv6_prefix": host.ipv6_prefix}),
        **_instants(until=host.until, revoked=host.revoked),
        **_if("granted", host.granted),
        **_if("revoked_networks", list(map(cidr, host.revoked_networks))),
        **_if("unknown", [one.removeprefix(FLEET) for one in host.sources]),
        **_if("networks", list(_written_networks(host, memory))),
        **_if("policy", _written_policy(host.policy)),
        **_if("queries", list(_written_tracks(memory.tracks))),
        **_if("former", list(_written_tracks(memory.former))),
        **_if("arrivals", list(_written_arrivals(memory.arrivals))),
    }


def read_host(fields: Fields) -> tuple[Host, HostMemory]:
    """The host of some fields, and its remembered state. Raises DocumentError."""
    fixed = [_read_network(one) for one in fields.objects("networks", _MOST_NETWORKS)]
    own = tuple(network for network, _, source in fixed if not source)
    published: dict[str, tuple[Network, ...]] = {}
    for network, _, source in fixed:
        if source:
            published[source] = (*published.get(source, ()), network)
    host = Host(
        _matching(_LABEL, fields.text("name", most=40)),
        tuple(_matching(_HOSTNAME, one) for one in fields.texts("hostnames", _MOST_NAMES, 253)),
        own,
        _read_families(fields),
        _read_width(fields, "ipv4_prefix", Family.IPV4, 32),
        _read_width(fields, "ipv6_prefix", Family.IPV6, 64),
        fields.maybe_instant("until"),
        _read_policy(fields.object("policy")),
        tuple(FLEET + one for one in fields.texts("unknown", _MOST_NAMES, 64)),
        tuple(published.items()),
        fields.truth("granted"),
        fields.maybe_instant("revoked"),
        tuple(_network(one) for one in fields.texts("revoked_networks", _MOST_NETWORKS, 64)),
    )
    return host, HostMemory(
        _read_tracks(fields.objects("queries", _MOST_NAMES * 2)),
        {network: since for network, since, _ in fixed if since is not None},
        {
            _network(one.text("network", most=64)): one.instant("at")
            for one in fields.objects("arrivals", _MOST_HELD)
        },
        _read_tracks(fields.objects("former", _MOST_NAMES * 2)),
    )


def _if(name: str, value: Any) -> dict[str, Any]:
    return {name: value} if value else {}


def _instants(**given: datetime | None) -> dict[str, int]:
    return {name: number(at) for name, at in given.items() if at is not None}


def _words(families: Iterable[Family]) -> list[str]:
    return [one.value for one in families]


def _written_networks(host: Host, memory: HostMemory) -> Iterator[dict[str, Any]]:
    whose = dict.fromkeys(host.networks, "")
    whose |= {
        one: name for name, networks in host.published for one in networks if one not in whose
    }
    for network, source in whose.items():
        yield {
            "network": cidr(network),
            **_instants(since=memory.fixed.get(network)),
            **_if("source", source),
        }


def _read_network(fields: Fields) -> tuple[Network, datetime | None, str]:
    network = _network(fields.text("network", most=64), _FIXED)
    return network, fields.maybe_instant("since"), fields.text("source", most=64, default="")


def _written_policy(policy: Policy) -> dict[str, Any]:
    spans = {name: getattr(policy, name) for name in _SPANS}
    return {
        **{
            name: one // MICROSECOND
            for name, one in spans.items()
            if one != getattr(_DEFAULT, name)
        },
        **_if("accept", list(map(cidr, policy.accept))),
    }


def _read_policy(fields: Fields) -> Policy:
    spans: dict[str, Any] = {
        name: fields.span(name, _TEN_YEARS, getattr(_DEFAULT, name)) for name in _SPANS
    }
    accept = tuple(_network(one, _ACCEPTED) for one in fields.texts("accept", _MOST_NAMES, 64))
    return Policy(**spans, accept=accept)


def _written_tracks(tracks: Mapping[Query, RetentionState]) -> Iterator[dict[str, Any]]:
    for query, track in tracks.items():
        yield {
            "hostname": query.hostname,
            "family": query.family.value,
            **_if("held", list(map(_written_held, track.held))),
            **_instants(last_found=track.last_found, absent_since=track.absent_since),
            **_if("absent_runs", track.absent_runs),
            **_if("unavailable_runs", track.unavailable_runs),
            **_if("summary", track.summary),
            **_if("reason", track.reason),
            **_if("latched", track.latched),
            **_if("held_back", list(track.held_back)),
            **_if("past", list(map(_written_held, track.past))),
        }


def _read_tracks(given: Iterable[Fields]) -> dict[Query, RetentionState]:
    return {
        _read_query(fields): RetentionState(
            _read_held(fields.objects("held", _MOST_HELD)),
            fields.maybe_instant("last_found"),
            fields.maybe_instant("absent_since"),
            fields.whole("absent_runs", most=_MOST_RUNS, default=0),
            fields.whole("unavailable_runs", most=_MOST_RUNS, default=0),
            fields.text("summary", most=100_000, default=""),
            fields.text("reason", most=10_000, default=""),
            fields.truth("latched"),
            fields.texts("held_back", _MOST_HELD, 1000),
            _read_held(fields.objects("past", _MOST_HELD)),
        )
        for fields in given
    }


def _read_query(fields: Fields) -> Query:
    name = _matching(_HOSTNAME, fields.text("hostname", most=253))
    return Query(name, _family(fields.text("family", most=8)))


def _written_held(held: HeldAddress) -> dict[str, Any]:
    return {
        "address": str(held.address),
        **_instants(since=held.since, confirmed=held.confirmed, replaced=held.replaced),
        **_if("replaced_runs", held.replaced_runs),
    }


def _read_held(given: Iterable[Fields]) -> tuple[HeldAddress, ...]:
    return tuple(
        HeldAddress(
            _address(one.text("address", most=45)),
            one.instant("since"),
            one.instant("confirmed"),
            one.maybe_instant("replaced"),
            one.whole("replaced_runs", most=_MOST_RUNS, default=0),
        )
        for one in given
    )


def _written_arrivals(arrivals: Mapping[Network, datetime]) -> Iterator[dict[str, Any]]:
    for network, at in arrivals.items():
        yield {"network": cidr(network), "at": number(at)}


def _read_families(fields: Fields) -> tuple[Family, ...]:
    words = fields.texts("families", 2, 8)
    return tuple(map(_family, words)) if words else BOTH_FAMILIES


def _read_width(fields: Fields, name: str, family: Family, default: int) -> int:
    width = fields.whole(name, least=1, most=family.bits, default=default)
    if why := too_wide(family, width):
        raise DocumentError(why)
    return width


def _family(word: str) -> Family:
    try:
        return Family(word)
    except ValueError:
        raise DocumentError(f"{word!r} is no family of addresses") from None


def _address(text: str) -> Address:
    try:
        if "%" not in text:  # a zone (RFC 4007) has a meaning on one machine alone
            return parsed_address(text)
    except ValueError:
        pass
    raise DocumentError(f"{text!r} is no address")


def _network(text: str, kind: FixedNetwork | AcceptedNetwork | None = None) -> Network:
    try:
        network = ip_network(text)
        if kind is not None:
            kind.judge(network)
    except (ValueError, UnfitError) as error:
        raise DocumentError(f"{text!r} is no network to be granted: {error}") from None
    return network


def _matching(form: re.Pattern[str], text: str) -> str:
    if not form.fullmatch(text):
        raise DocumentError(f"{text!r} is no name")
    return text
