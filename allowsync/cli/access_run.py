"""The common part of `grant` and `revoke`: waiting for a run in progress, and enforcement."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from allowsync.cli.common import echo_json
from allowsync.model.outcome import ExitCode, Notice, Outcome
from allowsync.text import Line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from allowsync.cli.common import Invocation
    from allowsync.config.settings import Config
    from allowsync.plan.result import RunReport

T = TypeVar("T")

WAIT: Final = 60.0  # longer than a run whose nameservers are silent


def patiently(invocation: Invocation, schema: str, work: Callable[[], T]) -> T:
    """Do work that needs the run lock, once the run that holds it has ended.

    Raises:
        Stop: It did not end, or the state is that of another configuration; nothing was done.
    """
    from allowsync.state import Busy

    until, told = time.monotonic() + WAIT, False
    while True:
        try:
            return work()
        except Busy as error:
            if error.code is not ExitCode.BUSY or time.monotonic() > until:
                invocation.stop(schema, error.code, [Notice(str(error.path), str(error))])
        if not (told or invocation.quiet):
            invocation.echo([Line("waiting for another run to end")], err=True)
            told = True
        time.sleep(0.2)


def enforced(invocation: Invocation, schema: str, config: Config) -> RunReport:
    """Enforce the known decisions without DNS queries, which could delay it.

    A service out of reach must not delay it either: targets outside this machine, and publication
    to a fleet, come after the targets on it.

    Raises:
        Stop: Another run does not end. It enforces the order, too, if it began after it.
    """
    from allowsync.cli.apply_run import carried_out
    from allowsync.dns.process import ResolverProcess
    from allowsync.engine.options import Request

    far = tuple(one.name for one in config.targets if one.elsewhere)
    far += tuple(name for name, one in config.allowlists.items() if one.publish)
    requests = [Request(offline=True)]
    if far:
        requests.append(Request(far, offline=True, ordered=True))
    with ResolverProcess() as dns:  # never started: there are no queries

        def run(request: Request) -> RunReport:
            return patiently(
                invocation, schema, lambda: carried_out(invocation, config, request, dns)
            )

        first, *others = map(run, requests)
    return _together(first, *others)


def _together(first: RunReport, *others: RunReport) -> RunReport:
    """Merge several runs for one order into one report."""
    from allowsync.model.value import replace

    for one in others:
        done = {target.target for target in first.targets}
        first = replace(
            first,
            seconds=first.seconds + one.seconds,
            decisions={**first.decisions, **one.decisions},
            targets=(*first.targets, *(two for two in one.targets if two.target not in done)),
            notices=tuple(dict.fromkeys((*first.notices, *one.notices))),
        )
    return first


def not_yet(report: RunReport, where: Collection[str] = ()) -> str:
    """The targets where an order is not confirmed in force, as text; empty if it is in force.

    Args:
        report: The run that was to enforce it.
        where: The allowlists that it concerns; empty for all.
    """
    about = [one for one in report.targets if not where or one.allowlist in where]
    late = [one.target for one in about if one.outcome in (Outcome.FAILED, Outcome.UNKNOWN)]
    return f"; not in force yet at {', '.join(late)}: the next run tries again" if late else ""


def told(
    invocation: Invocation,
    report: RunReport,
    document: dict[str, Any],
    lines: Sequence[Line],
    notices: Sequence[Notice] = (),
) -> int:
    """Report the result of an order. Returns the exit code."""
    from allowsync.cli.apply_run import wrong_lines
    from allowsync.model.outcome import worst
    from allowsync.report.json import problems, run_document
    from allowsync.report.text import change_lines

    code = worst((report.exit_code, *(one.code for one in notices)))
    if invocation.json:
        run, wrong = run_document(report, report.exit_code), problems(notices)
        echo_json({**document, "exit_code": int(code), "run": run, "problems": wrong})
        return int(code)
    if not invocation.quiet:
        invocation.echo(change_lines(report))
    invocation.echo(wrong_lines(invocation, report, code), err=True)
    invocation.echo([Line(f"{one.where}: {one.what}", "yellow") for one in notices], err=True)
    if not invocation.quiet:
        invocation.echo(lines)
    return int(code)
