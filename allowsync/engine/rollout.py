"""Order of changes to the targets of one run. Pure.

A service may have several layers: a packet filter, a proxy, a list at Cloudflare. A host that moved
has to pass all of them. So additions are made everywhere before any removal.

the plan of a target                              first      between    last
only adds, or repairs                             whole
adds and removes                                  adds                  removes
the same, the last of these targets                          whole
the same, but it cannot hold old and new at once             whole, or removes, then adds
only removes                                                          whole

Within a phase, gates to repair come first: a target that is slow or hangs leaves no port open.

The last target with both needs no halves: by then all others have the additions. So a run that
changes a single target does that in one step.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from allowsync.engine.former_guards import guard_of_kind
from allowsync.model.networks import Coverage
from allowsync.model.plan import Plan, sorted_entries
from allowsync.model.value import Value, replace
from allowsync.plan.claims import Situation, merged, owners
from allowsync.plan.planner import make_plan, planned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allowsync.engine.prepare import Draft


class Part(Enum):
    """The part of a target's plan that is applied in one step."""

    WHOLE = auto()
    FIRST = auto()  # that of `first_part`
    REST = auto()  # all of the rest, by a fresh read


class Step(Value):
    """One change of one target: the target's index among the drafts, and the part of its plan."""

    number: int
    part: Part


class _Course(Enum):
    """The course of a target's changes."""

    NOTHING = "nothing"
    AT_FIRST = "at first"
    IN_HALVES = "in halves"
    BETWEEN = "between"
    MAKING_ROOM = "making room"
    AT_LAST = "at last"


# The steps of each course, each with its phase. Not the values of the members: Python 3.11.2,
# Debian's, misreads an empty tuple there.
_STEPS: Final[dict[_Course, tuple[tuple[int, Part], ...]]] = {
    _Course.NOTHING: (),
    _Course.AT_FIRST: ((0, Part.WHOLE),),
    _Course.IN_HALVES: ((0, Part.FIRST), (2, Part.REST)),
    _Course.BETWEEN: ((1, Part.WHOLE),),
    _Course.MAKING_ROOM: ((1, Part.FIRST), (1, Part.REST)),
    _Course.AT_LAST: ((2, Part.WHOLE),),
}


def steps(drafts: Sequence[Draft]) -> tuple[Step, ...]:
    """The steps to apply, in order. Targets without changes have none."""
    courses = [_course(one) for one in drafts]
    halves = [number for number, one in enumerate(courses) if one is _Course.IN_HALVES]
    if halves and not {_Course.BETWEEN, _Course.MAKING_ROOM}.intersection(courses):
        courses[halves[-1]] = _Course.BETWEEN
    phases = [
        (phase, not _is_open(drafts[number]), Step(number, part))
        for number, course in enumerate(courses)
        for phase, part in _STEPS[course]
    ]
    return tuple(step for *_, step in sorted(phases, key=lambda one: one[:2]))


def _is_open(one: Draft) -> bool:
    """Whether ports may be open until this target is repaired: no slow target delays that."""
    plan, target = one.report.plan, one.target
    repairs = plan is not None and bool(plan.repair)
    return repairs and guard_of_kind(target.backend, target.options) is not None


def uncovered(done: Sequence[Draft]) -> list[int]:
    """The drafts of targets that omitted entries which another target held, and then removed.

    This happens where several allowlists share one set without overlapping entries.
    """
    gone = {
        entry.network
        for one in done
        if one.report.plan is not None
        for entry in one.report.plan.remove
    }
    return [
        number
        for number, one in enumerate(done)
        if one.situation is not None and not gone.isdisjoint(one.situation.current.others)
    ]


def first_part(one: Draft) -> Plan | None:
    """The part of a draft's plan to apply before the rest; None where there is no plan.

    These are its additions and repairs. Where the target is too full for them, they are the
    removals that make room.
    """
    plan, situation = one.report.plan, one.situation
    if plan is None or situation is None or not plan.remove:
        return plan
    more = additive(situation, plan)
    return more if _fits(more, situation) else replace(plan, add=())


def additive(situation: Situation, plan: Plan) -> Plan:
    """A plan that ends no access: it keeps the entries that another one removes.

    Where entries may not overlap, an addition covered by a kept entry is left out, and an entry
    covered by an addition is removed: the addition admits its hosts.

    Args:
        situation: The input of both.
        plan: The plan with removals.
    """
    held = owners(situation.held, situation.claims)
    more = make_plan(replace(situation, held_back=merged(situation.held_back, held)))
    leaving = {entry.network for entry in plan.remove}
    return replace(
        more,
        keep=sorted_entries(
            (*more.keep, *(entry for entry in more.withheld if entry.network in leaving))
        ),
        withheld=tuple(entry for entry in more.withheld if entry.network not in leaving),
    )


def ending(situation: Situation) -> Plan | None:
    """A plan that only ends the access of hosts that may have none any more.

    An addition that fails for another host does not extend the access of a host whose `until` has
    passed, or that was removed from the allowlist. None where there is no such host, or no other;
    and where the target cannot be full: there both fail alike.
    """
    if not situation.capabilities.bounded:
        return None
    held = owners(situation.held, situation.claims)
    over = Coverage(one for one, hosts in held.items() if _no_trusted_host(hosts, situation))
    stays = {one: hosts for one, hosts in held.items() if not _no_trusted_host(hosts, situation)}
    inside = {
        one: hosts
        for one, hosts in planned(situation).claims.items()
        if over.covering(one) is not None
    }
    held_back = merged(stays, inside)
    plan = make_plan(replace(situation, wanted={}, undecided=frozenset(), held_back=held_back))
    fits = plan.remove and plan.final and not plan.repair and _fits(plan, situation)
    return plan if fits else None


def joined(first: Plan, second: Plan) -> Plan:
    """The combined changes of two plans that are applied one after the other.

    An entry added and removed, or removed and added, is not reported.
    """
    before = {entry.network for entry in (*first.keep, *first.withheld, *first.remove)}
    added = {entry.network for entry in (*first.add, *second.add)} - before
    there = {entry.network for entry in second.final} | added
    gone = {entry.network: entry for entry in (*first.remove, *second.remove)}
    return Plan(
        second.target,
        add=sorted_entries(entry for entry in second.final if entry.network in added),
        remove=sorted_entries(gone[network] for network in gone.keys() - there),
        keep=sorted_entries(
            entry for entry in second.keep + second.add if entry.network not in added
        ),
        withheld=tuple(entry for entry in second.withheld if entry.network not in added),
        repair=tuple(dict.fromkeys((*first.repair, *second.repair))),
    )


def _course(one: Draft) -> _Course:
    plan, situation = one.report.plan, one.situation
    if plan is None or plan.idle:
        return _Course.NOTHING
    if situation is None or not plan.remove:
        return _Course.AT_FIRST
    more = additive(situation, plan)
    if not (more.add or situation.current.flaws):
        return _Course.AT_LAST
    if _fits(more, situation):
        return _Course.IN_HALVES
    return _Course.BETWEEN if situation.capabilities.atomic else _Course.MAKING_ROOM


def _no_trusted_host(hosts: tuple[str, ...], situation: Situation) -> bool:
    return bool(hosts) and situation.trusted.isdisjoint(hosts)


def _fits(plan: Plan, situation: Situation) -> bool:
    return not situation.capabilities.excess([one.network for one in plan.final])
