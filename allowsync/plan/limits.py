"""Is this plan too drastic to be applied without --force? Pure.

A host that only moved keeps other claims, so it does not count; nor does one whose `until` passed
or that was taken out of the configuration: it is not among the trusted hosts any more. What the
policy took back counts for no host: what comes from there is not that host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.networks import Coverage
from allowsync.model.value import Value, replace
from allowsync.plan.claims import (
    Claims,
    Situation,
    as_entries,
    believed,
    hosts_of,
    merged,
    owners,
    without_claims,
)

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
        entries: The claims that stay because of it, each with the hosts it stays for.
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


def limit(situation: Situation, claims: Claims, limits: Limits, hosts: int) -> LimitRefusal | None:
    """What limits refuse of a plan; None where they let it be.

    Args:
        situation: What the plan was made from.
        claims: What it leaves in force.
        limits: How much one run may take away.
        hosts: How many hosts the allowlist has.
    """
    emptied = not (claims or situation.wanted_beside or limits.allow_empty)
    back: Claims = _lost(situation, claims)
    losing = frozenset(hosts_of(back))
    if emptied and situation.trusted:
        # An entry of unknown origin stays only where nothing else would be left, and only while
        # there is a host it could belong to.
        back = merged(dict.fromkeys(situation.inherited, ()), back)
    allowed = max(limits.always_allow_hosts, int(limits.max_remove_hosts * hosts))
    if not back or (len(losing) <= allowed and not emptied):
        return None
    return LimitRefusal(tuple(sorted(losing)), allowed, hosts, emptied, as_entries(back))


def keep_all(
    situation: Situation, claims: Claims, why: LimitRefusal, ended: frozenset[str]
) -> LimitRefusal:
    """The refusal of every removal but what ended or was revoked: nothing extends `until`."""
    before = owners(situation.held, situation.claims)
    back: dict[Network, tuple[str, ...]] = {one: () for one, hosts in before.items() if not hosts}
    back = {one: () for one in back if one not in situation.revoked}
    for network, hosts in situation.claims.items():
        if network in situation.revoked:
            continue
        if left := tuple(host for host in hosts if host not in ended):
            back[network] = left
    return replace(why, entries=as_entries(without_claims(back, claims)))


def blocks(refusal: LimitRefusal, plan: Plan, situation: Situation) -> bool:
    """Whether a plan would have taken out what a limit refused.

    It would not where a wider network of another host lets it in still, or where the target holds
    it no longer (a flush) and is to hold it again.
    """
    before = Coverage(situation.held)
    after = Coverage(entry.network for entry in plan.final)
    return any(
        before.covering(one.network) is not None and after.covering(one.network) is None
        for one in refusal.entries
    )


def limited(situation: Situation, refusal: LimitRefusal) -> Situation:
    """The situation in which what a limit refused no longer applies."""
    back: dict[Network, tuple[str, ...]] = {one.network: one.hosts for one in refusal.entries}
    return replace(situation, held_back=merged(situation.held_back, back))


def _lost(situation: Situation, claims: Claims) -> dict[Network, tuple[str, ...]]:
    """What trusted hosts claim no longer that are left without any claim."""
    leaving = without_claims(situation.claims, claims)
    if not leaving:
        return {}
    staying = {*hosts_of(claims), *hosts_of(situation.wanted_beside)}
    found = believed(replace(situation, claims=leaving), situation.trusted - staying)
    return dict(found)
