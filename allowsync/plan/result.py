"""Results of a run as values; the report formats them, the CLI derives the exit code."""

from __future__ import annotations

from allowsync.model.networks import short
from allowsync.model.outcome import WRONG, ExitCode, Notice, Outcome, worst
from allowsync.model.types import Basis
from allowsync.model.value import Value, field
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from allowsync.model.fleet import FleetReport
    from allowsync.model.memory import Inherited
    from allowsync.model.plan import Plan
    from allowsync.model.target import Current
    from allowsync.model.types import Entry, Network
    from allowsync.plan.limits import LimitRefusal
    from allowsync.policy.decision import Decision
    from allowsync.policy.denylist import NeverBlocked


class TargetReport(Value):
    """One target in a run.

    Attributes:
        target: Its full name.
        allowlist: The allowlist enforced there.
        outcome: Its outcome.
        plan: Its plan; None when the target could not be read.
        current: Its contents before; None when it could not be read.
        refusal: The removals refused by a limit.
        unfit: Wanted entries that it cannot hold.
        inherited: Entries of unknown origin, as remembered from now on.
        reason: The reason why it failed or is unknown, or an empty string.
        ineffective: Its entries that admit no packet, each with the reason.
        claims: The claims per host; None where every entry is exactly its own claim.
        closed: Whether it is restored without entries: no address of any host is known.
        undecided: The undecided hosts that may have access there.
    """

    target: str
    allowlist: str
    outcome: Outcome
    plan: Plan | None = None
    current: Current | None = None
    refusal: LimitRefusal | None = None
    unfit: tuple[Entry, ...] = ()
    inherited: tuple[Inherited, ...] = ()
    reason: str = ""
    ineffective: Mapping[Network, str] = field(default_factory=dict)
    claims: tuple[Entry, ...] | None = None
    closed: bool = False
    undecided: frozenset[str] = frozenset()

    @property
    def lacking(self) -> bool:
        """Whether not every host that should be is admitted, though nothing failed."""
        return bool(self.unfit or self.ineffective or self.closed)

    @property
    def said(self) -> str:
        """All problems of the target, as text; empty when there are none."""
        unfit = ", ".join(str(entry.network) for entry in self.unfit)
        parts = (
            self.reason,
            _CLOSED if self.closed else "",
            "" if self.refusal is None else self.refusal.said,
            f"cannot hold {unfit}" if unfit else "",
            *(f"{short(one)} has no effect: {why}" for one, why in self.ineffective.items()),
        )
        return "; ".join(part for part in parts if part)


class BlockReport(Value):
    """One target of a denylist in a run.

    Attributes:
        report: Its report; the entries are the blocked networks.
        spared: Listed networks that are never blocked.
    """

    report: TargetReport
    spared: tuple[NeverBlocked, ...] = ()


class RunReport(Value):
    """One run.

    Attributes:
        started: Its instant, in UTC.
        seconds: Its duration.
        dry_run: Whether nothing was written.
        offline: Whether the DNS was not asked.
        decisions: Each host of the run by name, in configured order.
        targets: Each target of the run, in configured order.
        notices: Further warnings.
        blocked: Each target of a denylist, in configured order.
        fleet: The known state of the fleet; None where the machine belongs to none.
    """

    started: datetime
    seconds: float
    dry_run: bool
    offline: bool
    decisions: Mapping[str, Decision]
    targets: tuple[TargetReport, ...]
    notices: tuple[Notice, ...] = field(default=())
    blocked: tuple[BlockReport, ...] = field(default=())
    fleet: FleetReport | None = None

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the process, except `CHANGES`."""
        told = (one.code for one in self.notices)
        return worst((*map(_code, self.every_target), self._knowledge, *told))

    @property
    def has_changes(self) -> bool:
        """Whether a target was, or would be, changed."""
        return any(one.plan is not None and not one.plan.idle for one in self.every_target)

    @property
    def every_target(self) -> tuple[TargetReport, ...]:
        """The targets of allowlists, and then those of denylists."""
        return (*self.targets, *(one.report for one in self.blocked))

    @property
    def uneventful(self) -> bool:
        """Whether there is certainly nothing to report but numbers."""
        return not self.notices and all(
            (*map(_is_confirmed, self.decisions.values()), *map(_is_in_sync, self.every_target))
        )

    @property
    def _knowledge(self) -> ExitCode:
        """An offline run lacks no answers by itself; it does when a host is undecided."""
        lacking = (
            one.undecided or (one.rests_on_old_knowledge and not self.offline)
            for one in self.decisions.values()
        )
        return ExitCode.OLD_KNOWLEDGE if any(lacking) else ExitCode.IN_STEP


_CLOSED: Final = (
    "recreated without entries: no host's address is known; the next run with an answer adds it"
)


def _is_confirmed(decision: Decision) -> bool:
    """Whether all access of a host rests on answers of this run, and none was rejected."""
    return not (
        decision.undecided
        or decision.host.sources
        or any(one.rejected for one in decision.judged)
        or any(grant.basis is Basis.STALE for grant in decision.grants)
    )


def _is_in_sync(report: TargetReport) -> bool:
    """Whether a target holds exactly the desired entries, and has no problem."""
    plan = report.plan
    return not report.said and (plan is None or (plan.idle and not plan.withheld))


def _code(report: TargetReport) -> ExitCode:
    if report.outcome in WRONG or report.lacking:
        return ExitCode.FAILED
    return ExitCode.REFUSED if report.refusal is not None else ExitCode.IN_STEP
