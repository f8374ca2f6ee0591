"""Is this plan too drastic to be applied unasked? Pure.

A host that only moved keeps other entries, so it does not count; nor does one whose `until` passed
or that was taken out of the configuration: it is not among the trusted hosts any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.value import Value, replace
from allowsync.plan.planner import Situation, make_plan

if TYPE_CHECKING:
    from allowsync.model.plan import Plan
    from allowsync.model.types import Entry, Limits, Network


class LimitRefusal(Value):
    """Why removals of a plan were not applied.

    Attributes:
        losing: The hosts that would have lost all their access, sorted.
        allowed: How many may, in one run.
        of: How many hosts the allowlist has.
        emptied: Whether the allowlist would have been left empty.
        entries: The entries that stay because of it.
    """

    losing: tuple[str, ...]
    allowed: int
    of: int
    emptied: bool
    entries: tuple[Entry, ...]

    @property
    def said(self) -> str:
        """What was refused and why, and what applies it."""
        who = ", ".join(self.losing) or f"{len(self.entries)} entries of unknown origin"
        why = (
            "it would leave the allowlist empty (limits.allow_empty)"
            if self.emptied
            else f"at most {self.allowed} of {self.of} hosts may lose access in one run (limits)"
        )
        return f"refused to remove {who}: {why}; --force applies it"


def limit(
    situation: Situation, plan: Plan, limits: Limits, hosts: int
) -> tuple[Plan, LimitRefusal | None]:
    """The plan as far as limits allow it, and what they refused.

    Args:
        situation: What the plan was made from.
        plan: A plan made by `make_plan`.
        limits: How much one run may take away.
        hosts: How many hosts the allowlist has.
    """
    beside = situation.wanted_beside
    elsewhere = {label for labels in beside.values() for label in labels}
    losing = (_losing(plan) & situation.trusted) - elsewhere
    allowed = max(limits.always_allow_hosts, int(limits.max_remove_hosts * hosts))
    emptied = not plan.final and not beside and not limits.allow_empty
    back = tuple(
        entry for entry in plan.remove if _holds_back(entry, losing, situation, emptied=emptied)
    )
    if not back or (len(losing) <= allowed and not emptied):
        return plan, None
    held_back: frozenset[Network] = frozenset(entry.network for entry in back)
    limited = make_plan(replace(situation, held_back=situation.held_back | held_back))
    return limited, LimitRefusal(tuple(sorted(losing)), allowed, hosts, emptied, back)


def keep_all(
    situation: Situation, plan: Plan, why: LimitRefusal, ended: frozenset[str]
) -> tuple[Plan, LimitRefusal]:
    """The plan without removals but those of hosts that ended, and what stays because of that.

    Nothing extends `until`.
    """
    held = {entry.network for entry in situation.current.entries}
    over = {entry.network for entry in plan.remove if entry.hosts and ended.issuperset(entry.hosts)}
    back = tuple(entry for entry in plan.remove if entry.network not in over)
    kept = make_plan(replace(situation, held_back=frozenset(held - over)))
    return kept, replace(why, entries=back)


def _losing(plan: Plan) -> frozenset[str]:
    """The hosts that have an entry now and would have none afterwards."""
    after = {label for entry in plan.final for label in entry.hosts}
    before = {label for entry in plan.remove for label in entry.hosts}
    return frozenset(before - after)


def _holds_back(
    entry: Entry, losing: frozenset[str], situation: Situation, *, emptied: bool
) -> bool:
    """Whether an entry is what a refused plan must not remove.

    An entry of unknown origin is held back only where nothing else would be left, and only while
    there is a host it could belong to.
    """
    if entry.hosts:
        return not losing.isdisjoint(entry.hosts)
    return emptied and bool(situation.trusted) and entry.network in situation.inherited
