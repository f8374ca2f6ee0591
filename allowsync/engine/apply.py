"""Applying of plans to targets, and verification.

Targets are independent: a failure of one is an outcome of that one, never an exception that would
keep another from being repaired.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.engine.prepare import Draft, ineffective
from allowsync.engine.rollout import Part, ending, first_part, joined, steps, uncovered
from allowsync.model.networks import Coverage, without
from allowsync.model.outcome import Outcome
from allowsync.model.value import Value, replace
from allowsync.text import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tenacity import RetryCallState

    from allowsync.backend.driver import Driver
    from allowsync.model.plan import Plan
    from allowsync.model.target import Current
    from allowsync.plan.result import TargetReport

ATTEMPTS = 3
_WRONG = (Outcome.FAILED, Outcome.UNKNOWN)


def enforce(drafts: Sequence[Draft]) -> list[Draft]:
    """Apply drafts, all additions before any removal. Raises nothing.

    Returns:
        The result of each, in the order of the drafts.
    """
    done = list(drafts)
    for step in steps(drafts):
        number = step.number
        match step.part:
            case Part.WHOLE:
                done[number] = _carried_out(drafts[number])
            case Part.FIRST:
                done[number] = _carried_out(_only_first(drafts[number]))
            case Part.REST:
                done[number] = _completed(drafts[number], done[number])
            case _:
                assert_never(step.part)
    for number in uncovered(done):
        done[number] = _completed(drafts[number], done[number])
    return done


def _only_first(one: Draft) -> Draft:
    """The same with the first part of its plan alone, now and after a fresh read."""
    again = one.again
    return replace(
        one,
        report=replace(one.report, plan=first_part(one)),
        again=None if again is None else lambda: _only_first(again()),
    )


def _completed(one: Draft, first: Draft) -> Draft:
    """Apply the rest of a draft after its first part, and report both as one.

    Removals of a plan may only follow its additions: a limit lets a host lose an address because it
    has another one.
    """
    done = first.report
    if done.outcome is Outcome.FAILED:
        return replace(first, report=replace(done, plan=one.report.plan))
    if done.outcome is Outcome.UNKNOWN or done.plan is None:
        return first
    second = _carried_out(one if one.again is None else one.again())
    return replace(second, report=_sum(one.report, done, done.plan, second.report))


def _sum(
    meant: TargetReport, first: TargetReport, halfway: Plan, second: TargetReport
) -> TargetReport:
    """The report of a target that was changed in two steps, as if it had been one.

    Args:
        meant: The report before both.
        first: The report of the first step.
        halfway: The changes of the first step.
        second: The report of the second step.
    """
    plan = meant.plan if second.plan is None else joined(halfway, second.plan)
    report = replace(second, plan=plan, current=first.current)
    if second.outcome in _WRONG:
        came, went = len(halfway.add), len(halfway.remove)
        done = f"done in part ({came} added, {went} removed): "
        return replace(report, reason=done + second.reason)
    changed = second.outcome is Outcome.UNCHANGED and not halfway.idle
    return replace(report, outcome=Outcome.APPLIED) if changed else report


class _Interfered(Value):
    """The target was changed concurrently, between reading and applying."""

    reason: str


def _carried_out(one: Draft) -> Draft:
    """Apply a draft and verify the result. Raises nothing."""
    first = _attempt(one)
    done = first if isinstance(first, Draft) else _enforce_again(one)
    return _ended(one, done) if done.report.outcome is Outcome.FAILED else done


def _ended(one: Draft, failed: Draft) -> Draft:
    """Remove at least entries of ended access where an addition fails.

    Nothing extends `until`: not even a list that is full for good.
    """
    plan = one.report.plan
    if plan is None or not plan.add or one.again is None or _ending(one) is None:
        return failed
    fresh = one.again()
    rest = _ending(fresh)
    if rest is None:
        return failed
    tried = _attempt(replace(fresh, report=replace(fresh.report, plan=rest)))
    if isinstance(tried, _Interfered) or tried.report.outcome is Outcome.FAILED:
        return failed
    if tried.report.outcome is Outcome.UNKNOWN:
        unknown = replace(failed.report, outcome=Outcome.UNKNOWN, reason=tried.report.reason)
        return replace(failed, report=unknown)
    out = f"revoked or expired access was removed ({len(rest.remove)} removed), the rest failed: "
    return replace(failed, report=replace(failed.report, reason=out + failed.report.reason))


def _ending(one: Draft) -> Plan | None:
    """The unconditional removals; none while the target waits for a confirmation."""
    return None if one.situation is None or one.unconfirmed else ending(one.situation)


def _attempt(one: Draft) -> Draft | _Interfered:
    if one.backend is None or one.report.plan is None or one.report.plan.idle:
        return one
    try:
        return _applied(one, one.backend, one.report.plan)
    except OutcomeUnknown as error:
        return replace(one, report=_unknown(one.report, str(error)))
    except BackendError as error:
        if error.again:
            return _Interfered(str(error))
        return replace(one, report=_not_applied(one.report, str(error)))


def _enforce_again(one: Draft) -> Draft:
    """Read, plan and apply anew, a few times with a growing random pause."""
    from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

    def attempt() -> Draft | _Interfered:
        return _attempt(one if one.again is None else one.again())

    def give_up(state: RetryCallState) -> Draft:
        last = state.outcome.result() if state.outcome is not None else None
        why = last.reason if isinstance(last, _Interfered) else ""
        reason = f"changed concurrently; gave up after {ATTEMPTS} attempts: {why}"
        return replace(one, report=_not_applied(one.report, reason))

    patiently = Retrying(
        stop=stop_after_attempt(ATTEMPTS - 1),
        wait=wait_random_exponential(multiplier=0.05, max=1),
        retry=retry_if_result(lambda result: isinstance(result, _Interfered)),
        retry_error_callback=give_up,
    )
    result = patiently(attempt)
    return result if isinstance(result, Draft) else one


def _applied(one: Draft, backend: Driver, plan: Plan) -> Draft:
    backend.apply(plan)
    try:
        after = backend.read()
    except BackendError as error:
        return replace(one, report=_unknown(one.report, f"it could not be read back: {error}"))
    difference = _difference(plan, after)
    if difference:
        return replace(one, report=_unknown(one.report, difference))
    outcome = Outcome.REFUSED if one.report.refusal is not None else Outcome.APPLIED
    lacking = ineffective(plan, after)
    return replace(one, report=replace(one.report, outcome=outcome, ineffective=lacking))


def _difference(plan: Plan, after: Current) -> str:
    """The difference between a plan and the entries afterwards; empty when there is none."""
    meant = {entry.network for entry in plan.final}
    there = {entry.network for entry in after.entries}
    others = Coverage(after.others)  # as another allowlist's, which came first in this run
    missing = [one for one in meant - there if without(one, others)]
    parts = [
        f"missing: {counted(len(missing), 'entry', 'entries')}" if missing else "",
        f"not meant: {counted(len(there - meant), 'entry', 'entries')}" if there - meant else "",
        *after.flaws,
    ]
    return "; ".join(part for part in parts if part)


def _not_applied(report: TargetReport, reason: str) -> TargetReport:
    return replace(report, outcome=Outcome.FAILED, reason=reason)


def _unknown(report: TargetReport, reason: str) -> TargetReport:
    what = f"could not confirm the update; it may hold old or new entries: {reason}"
    return replace(report, outcome=Outcome.UNKNOWN, reason=what)
