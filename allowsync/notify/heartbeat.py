"""The heartbeat: one request to a monitor after each run, with the run's result.

A missing heartbeat raises the alarm, so a machine that is off, or cannot read its configuration,
needs no message. Nothing is sent at the start of a run: the firewall does not wait for a monitor.
The request itself is in `allowsync.notify.http_ping`, imported only if a heartbeat is configured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.model.outcome import ExitCode, Outcome
from allowsync.model.value import Value
from allowsync.text import counted

if TYPE_CHECKING:
    from allowsync.config.channels import Heartbeat
    from allowsync.plan.result import RunReport


def summary(report: RunReport) -> str:
    """The result of a run, in lines without host names: a monitor may belong to others."""
    targets = report.every_target
    wrong = [one for one in targets if one.outcome not in (Outcome.UNCHANGED, Outcome.APPLIED)]
    old = sum(one.rests_on_old_knowledge for one in report.decisions.values())
    lines = [f"{one.target}: {one.outcome.value}" for one in wrong]
    if not wrong:
        lines.append(f"{counted(len(targets), 'target')} in sync")
    if old:
        lines.append(f"{counted(old, 'host')} using the last known address")
    if report.notices:
        lines.append(f"{counted(len(report.notices), 'problem')}; see the log")
    return "\n".join(lines)


GOOD: Final = (ExitCode.IN_STEP, ExitCode.OLD_KNOWLEDGE)


class RunResult(Value):
    """The result of a run: its exit code, its duration in seconds, its summary."""

    code: ExitCode
    seconds: float
    said: str

    @property
    def status(self) -> int:
        """The status for a monitor that treats everything but 0 as a failure.

        A last known address is no failure: every target is in sync, and its retention is limited.
        """
        return 0 if self.code in GOOD else int(self.code)


class Ping(Value):
    """One HTTP request. `url` may hold a secret."""

    method: str
    url: str
    body: bytes = b""


def ping(heartbeat: Heartbeat, ended: RunResult) -> Ping | None:
    """The request after a run; None for none."""
    from allowsync.notify.http_ping import composed

    url, kind = heartbeat.secret.value, heartbeat.kind.value
    request = composed(url, kind, ended.status, ended.seconds, ended.said)
    return None if request is None else Ping(*request)


def deliver(request: Ping, patience: float | None = None) -> str:
    """Make the request. Returns the reason of a failure, without the URL; empty on success.

    Takes no longer than `patience`, in seconds, including name resolution.
    """
    from allowsync.notify import http_ping

    return http_ping.deliver(
        request.method, request.url, request.body, patience or http_ping.PATIENCE
    )
