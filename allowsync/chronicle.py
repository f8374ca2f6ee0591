"""What a run adds to the history beside the entries it changed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model import Entry
from allowsync.networks import parsed
from allowsync.outcome import Outcome
from allowsync.state.past import Turn
from allowsync.state.stays import RECOVERED, REPAIRED, Began, Ended

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import datetime

    from allowsync.decide import Decision
    from allowsync.outcome import TargetReport
    from allowsync.reasons import Reasons

_WRONG = {
    Outcome.REFUSED: "refused",
    Outcome.FAILED: "failed",
    Outcome.UNKNOWN: "unknown",
}


def began(
    decisions: Mapping[str, Decision], known: Mapping[str, Collection[str]]
) -> Iterator[Began]:
    """Which access begins.

    Args:
        decisions: What was decided about each host of the run.
        known: Which networks each host could come from by what is written down, in CIDR form.
    """
    for name, decision in decisions.items():
        before = known.get(name, ())
        for grant in decision.grants:
            if str(grant.network) not in before:
                yield Began(name, grant.network, grant.hostname)


def ended(
    decisions: Mapping[str, Decision],
    known: Mapping[str, Collection[str]],
    configured: Collection[str],
    reasons: Reasons,
) -> Iterator[Ended]:
    """Which access ends, and why. A host that the run was not about keeps what it has.

    Args:
        decisions: What was decided about each host of the run.
        known: Which networks each host could come from by what is written down, in CIDR form.
        configured: Every host there is.
        reasons: Explains the run.
    """
    for name, before in known.items():
        decision = decisions.get(name)
        if decision is None and name in configured:
            continue
        now = set() if decision is None else {str(one.network) for one in decision.grants}
        for text in sorted(set(before) - now):
            network = parsed(text)
            gone = f"{name} is no longer in the configuration"
            why = gone if decision is None else reasons.lost(Entry(network, (name,)), name)
            yield Ended(name, network, why)


def turns(reports: Iterable[TargetReport], at: datetime) -> Iterator[Turn]:
    """How each target came out of the run, as far as that may be worth a line."""
    for one in reports:
        wrong = _WRONG.get(one.outcome, "failed" if one.unfit else RECOVERED)
        if one.plan is not None and one.plan.repair and one.outcome is Outcome.APPLIED:
            yield Turn(at, one.target, REPAIRED, "; ".join(one.plan.repair))
        yield Turn(at, one.target, wrong, "" if wrong == RECOVERED else one.said)
