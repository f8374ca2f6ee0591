"""`allowsync apply --confirm`: apply, ask for confirmation, else roll back."""

from __future__ import annotations

import os
import termios
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from allowsync.cli.common import instant
from allowsync.model.outcome import ExitCode, Notice, worst

if TYPE_CHECKING:
    from collections.abc import Callable

    from allowsync.cli.common import Invocation
    from allowsync.config.settings import Config
    from allowsync.engine.rollback.watchdog import ConfirmResult, Watch
    from allowsync.plan.result import RunReport

    Tell = Callable[[Invocation, RunReport, ExitCode], None]

SCHEMA = "allowsync.run/1"
STDIN = 0
SHORTEST, LONGEST = timedelta(seconds=1), timedelta(hours=1)


def span(context: click.Context, parameter: click.Parameter, value: str | None) -> timedelta | None:
    """The time limit to confirm, written like a configured duration: a second to an hour."""
    if value is None:
        return None
    from allowsync.config.kinds import Duration, UnfitError
    from allowsync.config.schema.nodes import Scalar, ScalarType

    try:
        found = Duration().read(Scalar(value, ScalarType.TEXT, 0))
    except UnfitError:
        found = timedelta()
    if not SHORTEST <= found <= LONGEST:
        from allowsync.text import quote

        raise click.BadParameter(f"expected a time from 1s to 1h such as 60s, got {quote(value)}")
    return found


def may_confirm(*, dry_run: bool, machine: bool) -> None:
    """Refuse runs that cannot be confirmed.

    Raises:
        UsageError: There is nothing to confirm, or no terminal to ask at.
    """
    if dry_run:
        raise click.UsageError("--confirm and --dry-run exclude each other")
    if machine:
        raise click.UsageError("--confirm asks a question, so it excludes JSON")
    if not os.isatty(STDIN):
        raise click.UsageError("--confirm needs a terminal for the question")


def apply_and_ask(
    invocation: Invocation,
    config: Config,
    only: tuple[str, ...],
    wait: timedelta,
    carry_out: Callable[[], RunReport],
    tell: Tell,
) -> int:
    """One run that is rolled back unless it is confirmed in time.

    Raises:
        Busy: Another run holds the lock; nothing was touched.
        Stop: Something could not be rolled back, so nothing was touched; exit code 1.
    """
    from allowsync.engine.options import Request
    from allowsync.engine.rollback.snapshot import put_state_back
    from allowsync.engine.rollback.watchdog import CannotConfirm, look, start
    from allowsync.state import Lock, StateError

    asked = Request(only)
    chosen = tuple(
        one
        for one in config.targets
        # A broken target is skipped, and the run reports it.
        if asked.covers(one.allowlist, one.name) and not one.broken
    )
    try:
        with Lock(config.state, config.path) as lock:
            before = look(config, chosen, instant())
            try:
                watch = start(before, wait, lock)
            except OSError:
                put_state_back(before.state, {})
                raise
            return _watched(invocation, watch, wait, carry_out, tell)
    except CannotConfirm as error:
        what = f"{error.why}; nothing was touched. A run without --confirm repairs it"
        invocation.stop(SCHEMA, ExitCode.FAILED, [Notice(error.target, what)])
    except StateError as error:
        invocation.stop(SCHEMA, ExitCode.FAILED, [Notice(str(error.path), error.why)])
    except OSError as error:
        what = f"nothing was touched: {error}"
        invocation.stop(SCHEMA, ExitCode.FAILED, [Notice("--confirm", what)])


def _watched(
    invocation: Invocation,
    watch: Watch,
    wait: timedelta,
    carry_out: Callable[[], RunReport],
    tell: Tell,
) -> int:
    """The run, and its confirmation or rollback."""
    try:
        report = carry_out()
        watch.applied()
        tell(invocation, report, report.exit_code)
    except BaseException:
        _end(invocation, watch.revert())
        raise
    # A failed target may have been changed in part.
    touched = report.has_changes or report.exit_code is ExitCode.FAILED
    if not touched:
        return worst((report.exit_code, _end(invocation, watch.keep(), quiet=True)))
    return worst((report.exit_code, _end(invocation, _asked(watch, wait))))


def _asked(watch: Watch, wait: timedelta) -> ConfirmResult:
    """Ask for confirmation. Any answer but yes, and no answer, roll back."""
    from select import select

    from allowsync.text import said

    ends = time.monotonic() + wait.total_seconds()
    _say(f"Applied. Open a new connection to check that you have access.\n"
         f"Type yes within {said(wait)} to keep it; otherwise it is rolled back.")  # fmt: skip
    if select([STDIN], [], [], 0)[0]:
        _say("Input before this line is ignored: type it again.")
    termios.tcflush(STDIN, termios.TCIFLUSH)  # earlier input does not confirm
    try:
        while True:
            left = timedelta(seconds=max(0.0, ends - time.monotonic()))
            click.echo(f"Keep it? [yes/no, {said(left)} left] ", nl=False, err=True)
            if watch.fileno() in select([watch.fileno(), STDIN], [], [])[0]:
                click.echo(err=True)
                return watch.verdict()
            answer = os.read(STDIN, 1024)
            said_so = answer.decode(errors="replace").strip().lower()
            if said_so == "yes":
                return watch.keep()
            # An empty read is Ctrl-D, or a lost terminal.
            if not answer or said_so in ("no", "n"):
                return watch.revert()
    except KeyboardInterrupt:
        click.echo(err=True)
        return watch.revert()


def _end(invocation: Invocation, verdict: ConfirmResult, *, quiet: bool = False) -> ExitCode:
    """Report the result, and return the exit code."""
    from allowsync.text import Line

    if verdict.problem:
        invocation.echo([Line(verdict.problem, "red")], err=True)
    for one in verdict.targets:
        if one.reason:
            what = f"{one.target}: could not be rolled back: {one.reason}"
            invocation.echo([Line(what, "red")], err=True)
        elif one.differed:
            invocation.echo([Line(f"{one.target}: rolled back")], err=True)
    if verdict.kept:
        if not quiet:
            _say("Kept.")
        return ExitCode.FAILED if verdict.problem else ExitCode.IN_STEP
    if any(one.differed and not one.reason for one in verdict.targets):
        _say("Not confirmed: until it is, scheduled runs remove nothing there and report it.")
    return ExitCode.FAILED


def _say(text: str) -> None:
    click.echo(text, err=True)
