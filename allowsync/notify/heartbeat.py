"""The heartbeat: one request to a monitor after each run, which says how the run ended.

A missing heartbeat raises the alarm, so a machine that is off, or cannot read its configuration,
needs no message. Nothing is sent at the start of a run: the firewall does not wait for a monitor.
The request itself is in `allowsync.notify.http_ping`, imported where a heartbeat is configured.
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
    """How a run ended, in lines that name no friend: a monitor may belong to others."""
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
    """How a run ended: its exit code, how long it took in seconds, what there is to say."""

    code: ExitCode
    seconds: float
    said: str

    @property
    def status(self) -> int:
        """The status for a monitor that takes everything but 0 for a failure.

        A last known address is no failure: every target is in sync, and a clock is running.
        """
        return 0 if self.code in GOOD else int(self.code)


class Ping(Value):
    """One HTTP request. `url` may hold a secret."""

    method: str
    url: str
    body: bytes = b""


def ping(heartbeat: Heartbeat, ended: RunResult) -> Ping | None:
    """What to request after a run; None for nothing."""
    from allowsync.notify.http_ping import composed

    url, kind = heartbeat.secret.value, heartbeat.kind.value
    request = composed(url, kind, ended.status, ended.seconds, ended.said)
    return None if request is None else Ping(*request)


def deliver(request: Ping, patience: float | None = None) -> str:
    """Make the request. Returns why it failed, without the URL; empty if it did not.

    Takes no longer than `patience`, in seconds, lookup of the name included.
    """
    from allowsync.notify import http_ping

    return http_ping.deliver(
        request.method, request.url, request.body, patience or http_ping.PATIENCE
    )
