"""Packet answers at the ports that targets guard, from a copy of the packet filter.

Imported where needed, never by an idle run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.inspect.guarded_packets import PacketAnswers
from allowsync.inspect.guarded_target import GuardedTarget
from allowsync.inspect.other_ports import about_other_ports, other_openings
from allowsync.inspect.reachability import about_strangers, openings
from allowsync.model.outcome import ExitCode, Notice
from allowsync.model.value import replace
from allowsync.packetpath import ask
from allowsync.packetpath.question import is_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from allowsync.config.settings import Config, Target
    from allowsync.inspect.status import TargetStatus
    from allowsync.model.types import Entry, Network
    from allowsync.packetpath.question import Answer, Question


def guarded(config: Config, held: Iterable[TargetStatus]) -> tuple[GuardedTarget, ...]:
    """The readable targets that guard ports of this machine's packet filter."""
    known = {one.target: one for one in held if one.readable}
    return tuple(
        replace(
            one,
            others=known[one.name].others,
            flaws=known[one.name].flaws,
            obstacles=known[one.name].obstacles,
        )
        for one in holding(config, {name: one.entries for name, one in known.items()})
    )


def holding(config: Config, held: Mapping[str, Sequence[Entry]]) -> tuple[GuardedTarget, ...]:
    """The targets that guard ports of this machine's packet filter, with the given entries."""
    targets = (one for one in config.targets if one.name in held)
    return tuple(one for target in targets for one in _guarded(target, tuple(held[target.name])))


def _guarded(target: Target, entries: tuple[Entry, ...]) -> Iterator[GuardedTarget]:
    try:
        guard = target.guard
    except BackendError:
        return  # reported by the other checks of the target
    if guard is not None:
        yield GuardedTarget(target.name, guard, entries)


def open_ports(targets: Sequence[GuardedTarget], code: ExitCode) -> Iterator[Notice]:
    """Guarded ports that strangers reach all the same: the target is enforced in name only."""
    answers = answered((*about_strangers(targets), *about_other_ports(targets)))
    seen = (*openings(targets, answers), *other_openings(targets, answers))
    yield from (Notice(name, found.what, code) for name, found in seen)


def answered(asked: Iterable[Question], known: Iterable[Network] = ()) -> PacketAnswers:
    """The answers to packets.

    Args:
        asked: The questions.
        known: Networks that targets hold: they are no strangers, though a rule may name them.
    """
    each = tuple(dict.fromkeys(asked))
    if not each:
        return PacketAnswers()
    given = ask(each, known=known)
    found: dict[Question, list[Answer]] = {one: [] for one in each}
    by_vpn: dict[Question, list[Answer]] = {one: [] for one in each}
    for answer in given.answers:
        asked_at = answer.question
        beside = asked_at.interface in given.machine.vpns and not is_private(asked_at.source)
        for position in answer.asked:
            (by_vpn if beside else found)[each[position]].append(answer)
    return PacketAnswers(
        {one: tuple(several) for one, several in found.items()},
        {one: tuple(several) for one, several in by_vpn.items() if several},
        given.machine.uplinks,
        given.machine.caveats,
        given.unknown,
        given.machine.neighbours,
        given.machine.served_twice,
        given.machine.named,
        given.machine.undiscovered,
    )
