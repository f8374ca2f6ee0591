"""Findings about denylists: their sync state, coverage, cost and effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.backend.api import BackendError
from allowsync.backend.declared import guard_of
from allowsync.inspect.diagnostics import Located
from allowsync.inspect.layers import gates
from allowsync.model.networks import overlap, short
from allowsync.model.target import Effect, Finding, Severity, remedy
from allowsync.model.types import BOTH_FAMILIES, Family, by_network
from allowsync.policy.denylist import spans_of, touches
from allowsync.state.lists import read_list
from allowsync.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.config.settings import Config, Denylist, Target
    from allowsync.inspect.block_status import BlockStatus
    from allowsync.model.target import PortRange
    from allowsync.model.types import Network

SLOW: Final = 1.0  # seconds that each run may spend on reading one target


def about_blocked(found: Iterable[BlockStatus], *, ran: bool) -> Iterator[Located]:
    """Findings about the status of denylist targets.

    Args:
        found: The status of each.
        ran: Whether anything was ever applied.
    """
    for one in found:
        if ran and one.readable and not one.in_step:
            what, advice = f"it is out of sync: {one.reason}", remedy({})
            yield Located(one.target, Finding(Severity.ERROR, what, advice))
        families = {Family.of(network) for network in one.held}
        if len(families) == 1:
            (lacking,) = set(BOTH_FAMILIES) - families
            what = f"it blocks nothing that comes over {_said(lacking)}"
            advice = f"add a list of {_said(lacking)} networks if others can connect over it"
            yield Located(one.target, Finding(Severity.INFO, what, advice))
        if one.seconds > SLOW:
            networks = counted(len(one.held), "network")
            what = f"reading it takes {one.seconds:.1f} s in each run ({networks})"
            yield Located(one.target, Finding(Severity.WARNING, what, "a shorter list is faster"))


def about_denylists(config: Config) -> Iterator[Located]:
    """Denylists without effect: a gate at their ports admits only hosts anyway."""
    for denylist in config.denylists.values():
        for target in denylist.targets:
            ports = tuple(_ports(target))
            by = {name for port in ports for name in _guarded_by(config, port)}
            if ports and all(any(_guarded_by(config, port)) for port in ports):
                what = (
                    f"it has no effect: {', '.join(map(str, ports))} "
                    f"{'are' if len(ports) > 1 else 'is'} guarded by {', '.join(sorted(by))}, "
                    "which admit only hosts anyway"
                )
                advice = "remove it, or name ports that are open to everyone"
                yield Located(target.name, Finding(Severity.WARNING, what, advice))


def _ports(target: Target) -> Iterator[PortRange]:
    """The ports of this machine at which a denylist target drops packets."""
    if target.options is None or target.effect is not Effect.DENY:
        return
    try:
        guard = guard_of(target.backend, target.options)
    except BackendError:
        return
    yield from () if guard is None else guard.ports


def _guarded_by(config: Config, port: PortRange) -> Iterator[str]:
    """The gates of allowlists that guard the whole of a port range."""
    for _, target, guard in gates(config):
        if any(one.shared(port) == port for one in guard.ports):
            yield target.name


def about_asked(asked: Network, found: Iterable[BlockStatus], config: Config) -> Iterator[str]:
    """Whether denylists block a network: a sentence for each target that blocks or exempts it."""
    for one in found:
        hits = [network for network in one.held if overlap(network, asked)]
        if hits:
            named = ", ".join(map(short, sorted(hits, key=by_network)[:3]))
            by = " and ".join(_listing(asked, config.denylists[one.denylist], config))
            yield f"{one.target} blocks it: {named}" + (f" (by {by})" if by else "")
        for each in one.spared:
            if overlap(each.network, asked):
                what = f"though listed, {short(each.network)} is never blocked ({each.why})"
                yield f"{one.target}: {what}"


def _listing(asked: Network, denylist: Denylist, config: Config) -> Iterator[str]:
    """The parts of a denylist that contain a network."""
    if touches(spans_of(denylist.networks), asked):
        yield f"{denylist.name}.networks"
    for name in denylist.lists:
        kept = read_list(config.state, name)
        spans = None if kept is None else kept.spans()
        if spans is not None and touches(spans, asked):
            yield f"lists.{name}"


def _said(family: Family) -> str:
    return family.value.replace("ip", "IP")
