"""Warnings of `check` about the effects and limits of the next `allowsync apply`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.engine.lockout import current, cut_off
from allowsync.inspect.diagnostics import Located
from allowsync.model.plan import Plan
from allowsync.model.target import REPAIRS, Finding, Severity
from allowsync.model.value import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.config.settings import Config
    from allowsync.inspect.status import AccessStatus, TargetStatus

_WAITS: Final = "no run repairs it before its change is confirmed"


def about_session(config: Config, standing: AccessStatus) -> Iterator[Located]:
    """Targets that would cut off the user's own SSH session with the next applying run.

    A scheduled run applies them without asking.
    """
    session = current()
    if session is None:
        return
    targets = {one.name: one for one in config.targets}
    for one in standing.targets:
        if what := cut_off(targets[one.target], _plan(one), session):
            yield Located(one.target, Finding(Severity.WARNING, what))


def _plan(standing: TargetStatus) -> Plan | None:
    """The changes of the next run to a target."""
    if standing.in_step or not standing.readable:
        return None
    gone = {one.network for one in standing.unwanted}
    keep = tuple(one for one in standing.entries if one.network not in gone)
    return Plan(standing.target, standing.lacking, standing.unwanted, keep, repair=standing.flaws)


def held_back(found: Iterable[Located], standing: AccessStatus) -> Iterator[Located]:
    """Findings without the promise of a repair for targets that wait for a confirmation."""
    waits = {one.where for one in standing.unconfirmed}
    for one in found:
        finding = one.finding
        if one.where in waits:
            what, advice = (
                text.replace(REPAIRS, _WAITS) for text in (finding.what, finding.advice)
            )
            yield Located(one.where, replace(finding, what=what, advice=advice))
        else:
            yield one
    for notice in standing.unconfirmed:
        yield Located(notice.where, Finding(Severity.WARNING, notice.what))


def told_once(found: Iterable[Located]) -> Iterator[Located]:
    """Findings without those that another finding at the same place gives as its reason."""
    every = list(found)
    for one in every:
        finding = one.finding
        again = (
            each.where == one.where
            and finding.what in each.finding.advice
            and finding.advice in each.finding.advice
            for each in every
            if each is not one
        )
        if not any(again):
            yield one
