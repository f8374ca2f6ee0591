"""Ports guarded by the administrator's rules with the sets of targets that have no ports."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from allowsync.backend.api import BackendError
from allowsync.inspect.guarded_target import GuardedTarget
from allowsync.model.target import Effect, Guard, PortRange
from allowsync.packetpath.question import PacketsUnavailable
from allowsync.packetpath.set_rules import ports_of_sets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.config.settings import Config, Target
    from allowsync.inspect.status import TargetStatus
    from allowsync.packetpath.set_rules import SetPort

_SETS: Final = ("nftables set", "ipset")


def guarded_by_rules(config: Config, held: Iterable[TargetStatus]) -> tuple[GuardedTarget, ...]:
    """Guards formed by rules that match the targets' sets, as far as the rules can be read."""
    known = {one.target: one for one in held if one.readable}
    names = {one.name: _sets(one) for one in config.targets if one.name in known}
    every = {name for several in names.values() for name in several}
    try:
        ports = ports_of_sets(every) if every else {}
    except PacketsUnavailable:
        return ()  # packets cannot be tried then either, and that is reported
    return tuple(
        GuardedTarget(target, guard, known[target].entries, known[target].others, assumed=True)
        for target, several in names.items()
        for guard in _guards({port for name in several for port in ports.get(name, ())})
    )


def _sets(target: Target) -> tuple[tuple[str, ...], ...]:
    """The sets of a target without a guard of its own."""
    with suppress(BackendError):  # reported by the other checks of the target
        if target.guard is None and target.effect is Effect.ALLOW:
            return tuple(one.name for one in target.places if one.kind in _SETS)
    return ()


def _guards(ports: Iterable[SetPort]) -> Iterator[Guard]:
    """Guards for ports of this machine and for forwarded ports."""
    ordered = sorted(ports)
    for forwarded in (False, True):
        here = [one for one in ordered if one.forwarded is forwarded]
        if here:
            ranges = tuple(PortRange(one.port, one.port, one.protocol) for one in here)
            yield Guard(ranges, forwarded=forwarded)
