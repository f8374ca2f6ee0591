"""Executes `allowsync apply` once its arguments are parsed: one run, and its output."""

from __future__ import annotations

import os
import sys

from allowsync.cli.common import Progress, Stop, choose, echo_json, instant, say
from allowsync.config import ConfigError, state_of_unread
from allowsync.dns.process import ResolverProcess
from allowsync.engine.options import Request
from allowsync.model.outcome import ExitCode, Notice, worst
from allowsync.model.value import replace
from allowsync.text import Line
from allowsync.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import timedelta

    from allowsync.cli.apply_arguments import ApplyArguments
    from allowsync.cli.common import Invocation
    from allowsync.config.settings import Config
    from allowsync.dns.interface import Resolve
    from allowsync.engine.prepare import Draft
    from allowsync.plan.result import RunReport

    Tell = Callable[[Invocation, RunReport, ExitCode], None]

SCHEMA = "allowsync.run/1"


def apply_once(
    wanted: ApplyArguments,
    confirm: timedelta | None = None,
    tell: Tell | None = None,
    *,
    careful: bool = True,
) -> int:
    """Carry out one run, and report its result.

    Args:
        wanted: The arguments, without conflicts.
        confirm: The time within which the run must be confirmed, if so.
        tell: The reporter, instead of the output of `allowsync apply`.
        careful: Refuse to cut off the user's own session, unless confirmation or a dry run makes
            that harmless, or the caller passed the user's consent.

    Raises:
        Stop: The configuration is not valid, a name is unknown, the run would cut off the user's
            own session, or another run is in progress.
    """
    invocation = wanted.invocation
    progress = Progress("resolving", wanted=not invocation.json and not invocation.quiet)
    with ResolverProcess(progress) as dns:
        if not wanted.offline:
            dns.start()
        careful = careful and not (wanted.dry_run or confirm)
        return _apply_with(dns, wanted, confirm, tell or tell_run, careful=careful)


def _apply_with(
    dns: ResolverProcess,
    wanted: ApplyArguments,
    confirm: timedelta | None,
    tell: Tell,
    *,
    careful: bool,
) -> int:
    """Carry out one run, with a resolver process."""
    invocation, only = wanted.invocation, wanted.only
    config = _loaded(wanted)
    known = [*config.allowlists, *config.denylists, *(one.name for one in config.targets)]
    choose(invocation, SCHEMA, only, known, "allowlist or target")
    request = Request(
        only,
        force=wanted.force,
        offline=wanted.offline,
        dry_run=wanted.dry_run,
        confirming=confirm is not None,
    )
    if not wanted.offline:
        dns.use(config.resolver, len(config.hosts)).ahead(request.foreseen(config))
    # The answers arrive while the modules that judge them are imported.
    from allowsync.state import Busy

    def at_work() -> RunReport:
        report = carried_out(invocation, config, request, dns, careful=careful)
        return _fetched(config, request, dns, report) if config.lists else report

    try:
        if confirm is not None:
            from allowsync.cli.confirm_prompt import apply_and_ask

            return apply_and_ask(invocation, config, only, confirm, at_work, tell)
        report = at_work()
    except Busy as error:
        invocation.stop(SCHEMA, error.code, [Notice(str(error.path), str(error))])
    if dns.lacking and invocation.verbosity > 1:
        what = f"resolver: its process could not drop all privileges: {dns.lacking}"
        invocation.echo([Line(what)], err=True)
    code = report.exit_code
    if wanted.detailed_exitcode and report.has_changes:
        code = worst((code, ExitCode.CHANGES))
    if wanted.log == "json":
        _log(invocation, report, code)
    else:
        tell(invocation, report, code)
    return int(code)


def _loaded(wanted: ApplyArguments) -> Config:
    """The configuration. An invalid one is not applied, but gates are restored.

    Raises:
        Stop: It is not valid.
    """
    invocation = wanted.invocation
    try:
        return invocation.read(keep=not wanted.dry_run)
    except ConfigError as error:
        said = [*invocation.refused(error), *_put_up_again(wanted)]
        invocation.stop(SCHEMA, ExitCode.USAGE, said)


def _put_up_again(wanted: ApplyArguments) -> list[Notice]:
    """Restore missing gates from the state, for an invalid or missing configuration."""
    invocation, uid = wanted.invocation, os.geteuid()
    path = invocation.place
    state = state_of_unread(path, environ=os.environ, uid=uid, state=invocation.state)
    if wanted.dry_run or state is None:
        return []
    from allowsync.engine.recorded_gates import put_up_again
    from allowsync.system.clock import pulse

    return put_up_again(state, path, pulse(), wanted.only)


def _fetched(
    config: Config, request: Request, dns: ResolverProcess, report: RunReport
) -> RunReport:
    """Fetch the lists that are due, now that all targets are in sync."""
    if request.offline or request.dry_run or request.confirming:
        return report
    from allowsync.engine.lists.in_force import due

    if not due(config, report.started, force=request.force):
        return report
    from allowsync.engine.lists.download import fetch_due

    dns.renew()
    said = fetch_due(config, dns, report.started, force=request.force)
    return replace(report, notices=(*report.notices, *said))


def carried_out(
    invocation: Invocation,
    config: Config,
    request: Request,
    resolve: Resolve,
    *,
    careful: bool = False,
) -> RunReport:
    """The run, with its exports: metrics, heartbeat, fleet report, status page.

    Raises:
        Stop: It is careful, and would cut off the user's own session.
    """
    from allowsync.engine.run import run
    from allowsync.state import Busy
    from allowsync.system.clock import pulse

    def foresee(drafts: Sequence[Draft]) -> None:
        _heed_session(invocation, drafts, careful=careful)

    watched = request.watched and (config.metrics is not None or config.heartbeat is not None)
    try:
        report = run(config, request, resolve, pulse(), foresee)
    except (Busy, Stop):
        raise
    except Exception:
        if watched:
            from allowsync.engine.after_run import broke

            broke(config)
        raise
    undone: list[Notice] = []
    if report.has_changes and not request.dry_run:
        undone += _open_ports(config, report)
        if request.only and not request.confirming:
            undone += _put_back(config, report, resolve)
    if watched:
        from allowsync.engine.after_run import leave

        undone += leave(config, report, report.exit_code)
    if report.fleet is not None and request.watched:
        from allowsync.engine.fleet.machine_report import tell

        tell(config, report.fleet, report.exit_code, report.started)
    if config.report is not None and not request.dry_run:
        from allowsync.cli.full_status import full_status
        from allowsync.report.html_publish import keep_current

        undone += keep_current(config, full_status(config, instant()))
    return replace(report, notices=(*report.notices, *undone))


def _put_back(config: Config, report: RunReport, resolve: Resolve) -> Iterator[Notice]:
    """Add entries to other targets that relied on those removed by this run."""
    from allowsync.engine.shared_rules import put_back

    gone = {
        one.target: [entry.network for entry in one.plan.remove]
        for one in report.targets
        if one.plan is not None
    }
    yield from put_back(config, gone, resolve)


def _open_ports(config: Config, report: RunReport) -> Iterator[Notice]:
    """Ports of this machine that are open to strangers though a changed target guards them."""
    held = {one.target: one.plan.final for one in report.targets if one.plan is not None}
    changed = {one.target for one in report.targets if one.plan is not None and not one.plan.idle}
    from allowsync.backend.api import no_guard

    guards = (one.backend.guards for one in config.targets if one.name in changed)
    if all(one is no_guard for one in guards):
        return
    from allowsync.inspect.packets import holding, open_ports

    for one in open_ports(holding(config, held), ExitCode.IN_STEP):
        if one.where in changed:
            yield one


def _heed_session(invocation: Invocation, drafts: Sequence[Draft], *, careful: bool) -> None:
    """Stop users before they lock themselves out, or warn them; also with --quiet."""
    from allowsync.backend.api import no_guard

    at_work = [one for one in drafts if one.report.plan is not None and not one.report.plan.idle]
    if all(one.target.backend.guards is no_guard for one in at_work):
        return
    from allowsync.engine.lockout import current, cut_offs

    session = current()
    if session is None or not (found := list(cut_offs(at_work, session))):
        return
    from allowsync.cli.own_session import refuse, warn

    if careful:
        refuse(invocation, SCHEMA, found)
    warn(invocation, found)


def tell_run(invocation: Invocation, report: RunReport, code: ExitCode) -> None:
    """Print changes and problems, or the JSON document.

    If all is in sync, a terminal gets a line; a pipe, a log or cron's mail nothing.
    """
    if invocation.json:
        from allowsync.report.json import run_document

        echo_json(run_document(report, code))
        return
    every = report.dry_run or invocation.verbosity > 0
    greets = code is ExitCode.IN_STEP and sys.stdout.isatty()
    if report.uneventful and (invocation.quiet or not (every or greets)):
        return  # without output, its modules are not imported
    from allowsync.report.text import run_lines

    if not invocation.quiet:
        said = list(run_lines(report, every_target=every))
        if not said and greets:
            said = [Line("in sync: nothing to do", "green")]
        invocation.echo(said)
    invocation.echo(wrong_lines(invocation, report, code), err=True)


def _log(invocation: Invocation, report: RunReport, code: ExitCode) -> None:
    """Print the same as lines of JSON, escaped, so that no text in them ends a line."""
    from json import dumps

    from allowsync.report.jsonl import change_records, problem_records

    if not invocation.quiet:
        for record in change_records(report):
            say(dumps(record))
    for record in problem_records(report, wrong_lines(invocation, report, code)):
        say(dumps(record), err=True)


def wrong_lines(invocation: Invocation, report: RunReport, code: ExitCode) -> Iterator[Line]:
    """The problems to print, with --quiet only the failures."""
    from allowsync.report.text import notices, warnings

    if not invocation.quiet or code in (ExitCode.FAILED, ExitCode.REFUSED):
        return warnings(report)
    return notices(report)
