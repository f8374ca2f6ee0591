"""Limits on plans that are too drastic to apply without --force. Pure.

A host that only moved keeps other claims, so it does not count; nor does one whose `until` passed
or that was removed from the configuration: it is not among the trusted hosts any more. Refuted
networks count for no host: packets from there are not that host's.
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
    """The reason why removals of a plan were not applied.

    Attributes:
        losing: The hosts that would have lost all access, sorted.
        allowed: The number of hosts that may lose it in one run.
        of: The number of hosts on the allowlist.
        emptied: Whether the allowlist would have been left empty.
        entries: The claims retained by it, each with its hosts.
    """

    losing: tuple[str, ...]
    allowed: int
    of: int
    emptied: bool
    entries: tuple[Entry, ...]

    @property
    def said(self) -> str:
        """The refused removals, the reason, and the command that applies them."""
        who = ", ".join(self.losing) or f"{len(self.entries)} entries of unknown origin"
        why = (
            "it would leave the allowlist empty (limits.allow_empty)"
            if self.emptied
            else f"at most {self.allowed} of {self.of} hosts may lose access in one run (limits)"
        )
        return f"refused to remove {who}: {why}; --force applies it"


def limit(situation: Situation, claims: Claims, limits: Limits, hosts: int) -> LimitRefusal | None:
    """The removals of a plan that limits refuse; None where they refuse none.

    Args:
        situation: The input of the plan.
        claims: The claims it leaves in force.
        limits: The limits.
        hosts: The number of hosts on the allowlist.
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
    """The refusal of every removal except ended and revoked access: nothing extends `until`."""
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
    """Whether a plan would have removed claims that a limit refused to remove.

    It would not where a wider network of another host still covers them, or where the target lost
    them already (a flush) and will hold them again.
    """
    before = Coverage(situation.held)
    after = Coverage(entry.network for entry in plan.final)
    return any(
        before.covering(one.network) is not None and after.covering(one.network) is None
        for one in refusal.entries
    )


def limited(situation: Situation, refusal: LimitRefusal) -> Situation:
    """The situation with the refused claims retained."""
    back: dict[Network, tuple[str, ...]] = {one.network: one.hosts for one in refusal.entries}
    return replace(situation, held_back=merged(situation.held_back, back))


def _lost(situation: Situation, claims: Claims) -> dict[Network, tuple[str, ...]]:
    """The lost claims of trusted hosts that are left without any claim."""
    leaving = without_claims(situation.claims, claims)
    if not leaving:
        return {}
    staying = {*hosts_of(claims), *hosts_of(situation.wanted_beside)}
    found = believed(replace(situation, claims=leaving), situation.trusted - staying)
    return dict(found)
