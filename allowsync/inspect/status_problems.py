"""Problems in a status, their severity, and the exit code. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from allowsync.model.networks import short, touching
from allowsync.model.outcome import ExitCode, worst
from allowsync.model.target import Severity
from allowsync.model.types import Basis, by_network
from allowsync.model.value import Value
from allowsync.text import said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from allowsync.inspect.status import AccessStatus
    from allowsync.policy.decision import Decision

# The longest interval of any schedule that keeps friends in, unless installed otherwise.
LONGEST_SILENCE: Final = timedelta(hours=3)


class StatusProblem(Value):
    """A problem: an error where access is broken, a warning where it still works."""

    where: str
    what: str
    severity: Severity = Severity.WARNING

    @property
    def broken(self) -> bool:
        """Whether something has to be repaired."""
        return self.severity is Severity.ERROR


def problems(status: AccessStatus) -> list[StatusProblem]:
    """The problems, the worst first: targets, the installation, then hosts."""
    found = [*_of_targets(status), *_of_installation(status), *_of_runs(status), *_of_hosts(status)]
    return sorted(dict.fromkeys(found), key=lambda one: not one.broken)


def exit_code(status: AccessStatus) -> ExitCode:
    """1 where something is broken, 3 where a host uses its last known address."""
    broken = any(one.broken for one in problems(status))
    old = any(one.rests_on_old_knowledge for one in status.decisions.values())
    return worst(
        (
            ExitCode.FAILED if broken else ExitCode.IN_STEP,
            ExitCode.OLD_KNOWLEDGE if old else ExitCode.IN_STEP,
            *(one.code for one in status.notices),
        )
    )


def locked_out(status: AccessStatus) -> tuple[str, ...]:
    """Hosts that should have access and have none, as far as known."""
    return tuple(
        name
        for name, decision in status.decisions.items()
        if not (decision.grants or decision.ended)
        and name not in status.retained
        and name not in status.unclear
    )


def _of_targets(status: AccessStatus) -> Iterator[StatusProblem]:
    for target in status.targets:
        if not target.in_step:
            how = "out of sync" if target.readable else "failed"
            yield StatusProblem(target.target, f"{how}: {target.reason}", Severity.ERROR)
        for one in target.openings:
            yield StatusProblem(target.target, one, Severity.ERROR)
    for blocked in status.blocked:
        if not blocked.in_step:
            what = f"{blocked.state}: {blocked.reason}"
            yield StatusProblem(blocked.target, what, Severity.ERROR)
        elif blocked.reason:
            yield StatusProblem(blocked.target, blocked.reason)


def _of_installation(status: AccessStatus) -> Iterator[StatusProblem]:
    for one in status.notices:
        broken = one.code is ExitCode.FAILED
        yield StatusProblem(one.where, one.what, Severity.ERROR if broken else Severity.WARNING)
    for one in status.findings:
        yield StatusProblem(one.where, one.what, Severity.ERROR)


def _of_runs(status: AccessStatus) -> Iterator[StatusProblem]:
    schedule, latest = status.schedule, status.latest
    if schedule is not None and schedule.trouble and schedule.scheduler:
        yield StatusProblem("schedule", schedule.trouble, Severity.ERROR)
    if latest is not None and latest.exit_code in (ExitCode.FAILED, ExitCode.USAGE):
        what = f"the last one failed (exit code {latest.exit_code}): see allowsync history"
        yield StatusProblem("runs", what, Severity.ERROR)
    interval = None if schedule is None else schedule.interval
    longest = max(LONGEST_SILENCE, 2 * (interval or timedelta()))
    if status.last_run is not None and status.now - status.last_run > longest:
        ago = said(status.now - status.last_run)
        what = f"the last one was {ago} ago: see allowsync schedule show"
        yield StatusProblem("runs", what, Severity.ERROR)


def last_known(status: AccessStatus) -> list[StatusProblem]:
    """Problems of hosts that use their last known address; a list of hosts shows them anyway."""
    found = (_stale(name, one, status.now) for name, one in status.decisions.items())
    return [one for one in found if one is not None]


def _stale(name: str, decision: Decision, now: datetime) -> StatusProblem | None:
    stale = [one for one in decision.grants if one.basis is Basis.STALE]
    if not stale:
        return None
    why = next((one.why for one in stale if one.why), "not asked")
    ends = min((one.ends for one in stale if one.ends is not None), default=None)
    left = "" if ends is None else f"; expires in {said(ends - now)}"
    return StatusProblem(name, f"using the last known address ({why}){left}")


def _of_hosts(status: AccessStatus) -> Iterator[StatusProblem]:
    for name, decision in status.decisions.items():
        if stale := _stale(name, decision, status.now):
            yield stale
        elif decision.undecided and name not in status.retained:
            access = "its access is unknown" if name in status.unclear else "no access"
            yield StatusProblem(name, f"no answer yet: {access}")
        if name in status.retained:
            yield StatusProblem(name, f"{not_withdrawn(decision)}, not withdrawn yet")
        yield from (StatusProblem(name, what) for what in doubts(decision, status.now))


def revoked_here(decision: Decision) -> str:
    """The message that the networks a host comes from are revoked; empty if none is."""
    taken = sorted(touching(decision.refuted, decision.host.revoked_networks), key=by_network)
    if not taken:
        return ""
    several = "is" if len(taken) == 1 else "are"
    orders = [one for one in decision.host.revoked_networks if touching((one,), taken)]
    remedy = f"allowsync approve {' '.join(map(short, dict.fromkeys(orders)))}"
    return f"{', '.join(map(short, taken))} {several} revoked; to let it in again: {remedy}"


def not_withdrawn(decision: Decision) -> str:
    """The reason why a network that a host still has is not granted to it."""
    if decision.ended:
        return "access ended"
    return "no answer yet" if decision.undecided else "no longer granted"


def doubts(decision: Decision, now: datetime) -> Iterator[str]:
    """Addresses that guards reject, names pending approval, and an early end, with the remedies."""
    host = decision.host
    if decision.ended and host.revoked is None and host.until is not None and host.until > now:
        yield (
            "`until` is to come, but the clock has shown a later time once: access stays ended; "
            "set an `until` after that time, or none"
        )
    spoken_of = {hostname for hostname, _ in decision.held_back}
    for hostname in decision.latched:
        if hostname not in spoken_of:
            yield (
                f"{hostname}: gone from DNS for longer than latch_absent; when it comes back: "
                f"allowsync approve {decision.host.name}"
            )
    yield from (f"{hostname}: {what}" for hostname, what in decision.held_back)
