"""Conflicts between layers of one configuration: a CDN in front of this machine. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from allowsync.backend.api import BackendError
from allowsync.inspect.diagnostics import Located
from allowsync.inspect.explain import AccessVerdict
from allowsync.model.special_purpose import CLOUDFLARE_SOURCE, proxied
from allowsync.model.target import Finding, Severity
from allowsync.model.types import LISTS
from allowsync.model.value import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from allowsync.config.settings import Allowlist, Config, Target
    from allowsync.inspect.explain import Explanation, TargetAnswer
    from allowsync.model.target import Front, Guard, PortRange
    from allowsync.model.types import Host

T = TypeVar("T")

_IN: Final = (AccessVerdict.YES, AccessVerdict.PARTLY)

# The narrowest networks that Cloudflare publishes, by the version of IP.
_NARROWEST: Final = {4: 22, 6: 32}


def about_layers(config: Config) -> Iterator[Located]:
    """Conflicts between layers, each of which is correct by itself."""
    yield from _edges_among_friends(config)
    yield from _gates_behind_lists(config)


def by_layers(config: Config, answer: Explanation) -> Explanation:
    """An explanation in which hosts admitted by a list at a CDN pass the gate for that CDN.

    The list is one at the CDN, or that of a server behind the gate.
    """
    asked = {answer.host} if answer.host else {one.host for one in answer.accesses}
    let_in = {one.target for one in answer.places if one.verdict in _IN}
    guarding = {gate.name: (allowlist, gate) for allowlist, gate, _ in gates(config)}
    fronts = {target.name: front.source for _, target, front in _fronts(config)}
    by_source = {fronts.get(name, "") for name in let_in if name not in guarding}

    def passed(place: TargetAnswer) -> TargetAnswer:
        if place.verdict is not AccessVerdict.NO or place.target not in guarding:
            return place
        hosts = set(guarding[place.target][0].hosts)
        named = [one for name in sorted(hosts - asked) for one in sources_of(config.hosts[name])]
        through = next((one for one in named if by_source & {one, ""}), "")
        if not through or not asked or asked & hosts:
            return place
        said = f"it admits {through}, which {', '.join(sorted(asked))} can come through"
        return replace(place, through=through, said=said)

    dropped = (f"{gate} {what}" for gate, front, what in _shut_to_fronts(config) if front in let_in)
    reasons = (*answer.reasons, *dropped)
    return replace(answer, places=tuple(map(passed, answer.places)), reasons=reasons)


def sources_of(host: Host) -> tuple[str, ...]:
    """The sources that publish networks of a host, known yet or not.

    Lists do not count: their networks hold clients, and are not proxies that clients come through.
    Networks of Cloudflare's edge written in the configuration count as its source. Narrower ones
    may be the exit of a friend's VPN.
    """
    wide = (one for one in host.networks if one.prefixlen <= _NARROWEST[one.version])
    written = (CLOUDFLARE_SOURCE,) if any(map(proxied, wide)) else ()
    known = (name for name, _ in host.published if not name.startswith(LISTS))
    return tuple(dict.fromkeys((*host.publishers, *known, *written)))


def _edges_among_friends(config: Config) -> Iterator[Located]:
    """Allowlists of every host of which one is a network that others come through."""
    for allowlist in config.allowlists.values():
        edges = [name for name in allowlist.hosts if sources_of(config.hosts[name])]
        if allowlist.named or len(edges) == len(allowlist.hosts):
            continue
        for name in edges:
            published = ", ".join(sources_of(config.hosts[name]))
            what = (
                f"names no hosts, so {name} is on it, too: all clients behind the published "
                f"networks of {published} have access"
            )
            advice = f"list its hosts, and put {name} on an allowlist of its own"
            yield Located(f"allowlists.{allowlist.name}", Finding(Severity.WARNING, what, advice))


def _gates_behind_lists(config: Config) -> Iterator[Located]:
    """Gates that drop hosts admitted by a list in front: they arrive from the front's networks."""
    sources = {target.name: front.source for _, target, front in _fronts(config)}
    for gate, front, what in _shut_to_fronts(config):
        advice = (
            f"keep the hosts at {front} alone, and let the gate admit a host with "
            f"networks: [{sources[front]}]"
        )
        yield Located(gate, Finding(Severity.WARNING, what, advice))


def _shut_to_fronts(config: Config) -> Iterator[tuple[str, str, str]]:
    """Gates that drop packets from a front: the gate, the list at the front, and the fact."""
    for allowlist, target, front in _fronts(config):
        for other, gate, guard in gates(config):
            ports = [
                str(one)
                for one in guard.ports
                if one.protocol == "tcp" and any(one.first <= at <= one.last for at in front.ports)
            ]
            if not ports or not set(allowlist.hosts) & set(other.hosts):
                continue
            if not _admits(config, front, gate, guard):
                what = (
                    f"does not admit the networks of {front.source} at {', '.join(ports)}: hosts "
                    f"that {target.name} admits arrive from there, and are dropped"
                )
                yield gate.name, target.name, what


def declared(
    config: Config, ask: Callable[[Target], T | None]
) -> Iterator[tuple[Allowlist, Target, T]]:
    """The targets that declare a property, each with its value."""
    for allowlist in config.allowlists.values():
        for target in allowlist.targets:
            try:
                given = ask(target)
            except BackendError:
                continue  # reported by the other checks of the target
            if given is not None:
                yield allowlist, target, given


def _fronts(config: Config) -> Iterator[tuple[Allowlist, Target, Front]]:
    """The targets that enforce an allowlist at a network in front of machines."""
    return declared(config, lambda target: target.front)


def gates(config: Config) -> Iterator[tuple[Allowlist, Target, Guard]]:
    """The targets that guard ports of this machine."""
    return declared(config, lambda target: target.guard)


def elsewhere(config: Config, port: PortRange) -> set[str]:
    """The targets that stand at other ports alone: gates of this machine, and lists at fronts."""
    others = {
        gate.name for _, gate, guard in gates(config) if not any(map(port.shared, guard.ports))
    }
    return others | {
        target.name
        for _, target, front in _fronts(config)
        if not any(port.first <= one <= port.last for one in front.ports)
    }


def _admits(config: Config, front: Front, gate: Target, guard: Guard) -> bool:
    """Whether a gate admits a front's networks, itself or by another gate whose rules add up."""
    return any(
        front.source in sources_of(config.hosts[name])
        for other, one, _ in gates(config)
        if one is gate or (guard.adds_up and one.backend.name == gate.backend.name)
        for name in other.hosts
    )
