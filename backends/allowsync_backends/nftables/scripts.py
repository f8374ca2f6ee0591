"""Plans as scripts of elements to add and delete. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.networks import Coverage
from allowsync.model.types import BOTH_FAMILIES, Family
from allowsync_backends.nftables.gate import joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from allowsync.model.plan import Plan
    from allowsync.model.types import Entry, Network


def networks(entries: Iterable[Entry], family: Family) -> list[Network]:
    """Return the networks of one family, in order."""
    return [entry.network for entry in entries if Family.of(entry.network) is family]


def update_script(table: str, plan: Plan) -> str:
    """Return the script that brings our own sets in sync with the plan."""
    parts = (
        _family_update(f"inet {table} {family.value}", plan, family) for family in BOTH_FAMILIES
    )
    return "".join(parts)


def _family_update(target: str, plan: Plan, family: Family) -> str:
    add, remove = networks(plan.add, family), networks(plan.remove, family)
    if overlapping(add, remove):
        # nft compares new intervals with those present at the start, even with those that the same
        # script deletes. Refilled in the same transaction, they do not clash.
        return f"flush set {target}\n" + added(target, networks(plan.final, family))
    return deleted(target, remove) + added(target, add)


def added(target: str, members: Sequence[Network]) -> str:
    """Return the command that adds elements; empty for none."""
    return f"add element {target} {{ {joined(members)} }}\n" if members else ""


def deleted(target: str, members: Sequence[Network]) -> str:
    """Return the commands that delete elements, present or not; empty for none."""
    if not members:
        return ""
    # Deleting a missing element would abort the whole script, so it is added first.
    return added(target, members) + f"delete element {target} {{ {joined(members)} }}\n"


def overlapping(some: Iterable[Network], others: Iterable[Network]) -> bool:
    """Whether a network of the one covers a network of the other."""
    coverage = Coverage(others)
    return any(coverage.covering(one) is not None or bool(coverage.inside(one)) for one in some)
