"""Trusted proxies of servers: whether servers learn client addresses, and clients reach servers.

A server that takes the connection's address for the client's refuses all clients of a CDN, and
one that reads a header the CDN passes on unchanged accepts any address a client writes there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.registry import NETWORKS, names
from allowsync.engine.published import known, load, with_known
from allowsync.inspect.diagnostics import Located
from allowsync.inspect.layers import declared, gates, sources_of
from allowsync.inspect.reachability import some
from allowsync.model.networks import Coverage, overlap, parsed, short, without
from allowsync.model.special_purpose import CLOUDFLARE, CLOUDFLARE_SOURCE, special_within
from allowsync.model.target import Finding, Severity
from allowsync.model.value import Value
from allowsync.policy.published import SourceError
from allowsync.text import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from allowsync.config.settings import Allowlist, Config, Target
    from allowsync.model.target import PortRange, TrustedProxies
    from allowsync.model.types import Host, Network


class PublishedEdge(Value):
    """A network that clients come through, as far as it is known.

    Attributes:
        networks: The networks it connects from; empty where unknown.
        headers: The headers of a `NetworkSource`.
    """

    networks: tuple[Network, ...]
    headers: tuple[str, ...]


def about_trusted_proxies(config: Config) -> Iterator[Located]:
    """Servers that refuse clients of a CDN, or accept forged headers."""
    edges = known_edges(config)
    known_config = with_known(config)
    for allowlist, target, proxies in declared(known_config, lambda one: one.trusted_proxies):
        yield from about_forgeable(target, proxies, edges)
        yield from about_shut_out(config, allowlist, target, proxies, edges)
        yield from about_dropped(config, allowlist, target, proxies)


def known_edges(config: Config) -> dict[str, PublishedEdge]:
    """The known networks and headers of every installed or named source."""
    published = known(config).published
    edges = {}
    for name in names(NETWORKS):
        kept = published.get(name)
        networks = () if kept is None else kept.networks
        if not networks and name == CLOUDFLARE_SOURCE:
            networks = tuple(map(parsed, CLOUDFLARE))
        try:
            edges[name] = PublishedEdge(networks, _names(load(name).headers))
        except SourceError:
            edges[name] = PublishedEdge(networks, ())
    return edges


def _names(headers: object) -> tuple[str, ...]:
    """The headers that a source names; none where the value is malformed."""
    given = headers if isinstance(headers, tuple) else ()
    return given if all(isinstance(one, str) and one for one in given) else ()


def about_forgeable(
    target: Target, proxies: TrustedProxies, edges: Mapping[str, PublishedEdge]
) -> Iterator[Located]:
    """Headers trusted from a CDN that passes them on as the client wrote them."""
    for name, edge in edges.items():
        told = {header.lower() for header in edge.headers}
        forgeable = [one for one in proxies.headers if one.lower() not in told]
        believed = any(overlap(one, other) for one in proxies.networks for other in edge.networks)
        if told and forgeable and believed:
            what = (
                f"believes {', '.join(forgeable)} of the networks of {name}, which passes on what "
                "a client writes there: a stranger who comes through it gets in with the address "
                "of a host"
            )
            advice = f"take the address from {edge.headers[0]}, which {name} sets itself"
            yield Located(target.name, Finding(Severity.WARNING, what, advice))


def about_shut_out(
    config: Config,
    allowlist: Allowlist,
    target: Target,
    proxies: TrustedProxies,
    edges: Mapping[str, PublishedEdge],
) -> Iterator[Located]:
    """Hosts that a gate drops when they come directly, and a server when they come by a CDN."""
    told = {source for name in allowlist.hosts for source in sources_of(config.hosts[name])}
    doors = tuple(_gates_at(config, proxies))
    for other, gate, ports in doors:
        sources = {one: None for name in other.hosts for one in sources_of(config.hosts[name])}
        direct = {name for one, _, its in doors if _meet(ports, its) for name in one.hosts}
        hosts = [
            name
            for name in allowlist.hosts
            if name not in direct and not _is_near(config.hosts[name])
        ]
        for source in (one for one in sources if hosts and one not in told):
            edge = edges.get(source, PublishedEdge((), ()))
            if fact := _not_believed(source, proxies, edge):
                told.add(source)
                what = (
                    f"{fact}, and {gate.name} admits {source}, but not {', '.join(hosts)}, at "
                    f"{', '.join(map(str, ports))}: they cannot get in"
                )
                header = f" ({source} sets {edge.headers[0]})" if edge.headers else ""
                finding = Finding(Severity.WARNING, what, f"{proxies.advice}{header}")
                yield Located(target.name, finding)


def about_dropped(
    config: Config, allowlist: Allowlist, target: Target, proxies: TrustedProxies
) -> Iterator[Located]:
    """Hosts that reach a server directly, and that gates drop at each of its ports."""
    if proxies.networks or not proxies.ports:
        return  # they may come through a proxy, or at an unknown port
    dropped = dropped_by_gates(config, allowlist.hosts, proxies.ports)
    if dropped:
        closed = dict.fromkeys(one for found in dropped.values() for one in found)
        at = some([f"{port}/tcp" for port in proxies.ports])
        what = (
            f"lets in {', '.join(dropped)}, but {', '.join(closed)} in front of it does not, "
            f"at {at}: they cannot get in"
        )
        advice = "let both have the same hosts, or take the gate away"
        yield Located(target.name, Finding(Severity.WARNING, what, advice))


def dropped_by_gates(
    config: Config, hosts: Iterable[str], ports: Collection[int]
) -> dict[str, tuple[str, ...]]:
    """The hosts that gates drop at each of some TCP ports, with these gates."""
    doors = {
        name: tuple(_dropping(config, port, name) for port in ports)
        for name in hosts
        if not _is_near(config.hosts[name])
    }
    return {name: closed for name, closed in doors.items() if all(closed)}


def _dropping(config: Config, port: int, host: str) -> str:
    """A gate that drops a host at a TCP port; empty where none does for certain."""
    for allowlist, gate, guard in gates(config):
        passed = guard.adds_up or guard.forwarded or set(guard.open_interfaces) - {"lo"}
        if passed or not any(
            one.protocol == "tcp" and one.first <= port <= one.last for one in guard.ports
        ):
            continue
        if not any(one == host or sources_of(config.hosts[one]) for one in allowlist.hosts):
            return gate.name
    return ""


def _is_near(host: Host) -> bool:
    """Whether a host comes from the LAN or a VPN alone: by an interface that may be open."""
    return not host.hostnames and all(map(special_within, host.networks))


def _not_believed(source: str, proxies: TrustedProxies, edge: PublishedEdge) -> str:
    """The fact that a server does not trust a CDN's client addresses, or not for all networks."""
    if not proxies.networks:
        return f"takes the addresses of {source} for client addresses"
    held = Coverage(proxies.networks)
    lacking = [one for one in edge.networks if without(one, held)]
    if not lacking:
        return ""
    count = counted(len(lacking), "network")
    return f"does not trust {count} of {source}, {short(lacking[0])} among them"


def _gates_at(
    config: Config, proxies: TrustedProxies
) -> Iterator[tuple[Allowlist, Target, tuple[PortRange, ...]]]:
    """The gates at a server's ports, with these ports; all TCP ports where unknown."""
    for allowlist, gate, guard in gates(config):
        ports = tuple(
            one
            for one in guard.ports
            if one.protocol == "tcp"
            and (not proxies.ports or any(one.first <= at <= one.last for at in proxies.ports))
        )
        if ports:
            yield allowlist, gate, ports


def _meet(ports: Iterable[PortRange], others: Iterable[PortRange]) -> bool:
    """Whether some TCP ports are among others."""
    return any(a.first <= b.last and b.first <= a.last for a in ports for b in others)
