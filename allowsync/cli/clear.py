"""`allowsync clear`: remove everything allowsync owns."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from allowsync.cli.common import Invocation, agreed, choose, common, echo_json, instant
from allowsync.cli.scope import only_targets
from allowsync.model.outcome import ExitCode, Notice
from allowsync.model.value import Value, field, replace
from allowsync.text import Line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from allowsync.config.settings import Config
    from allowsync.engine.clear import Cleared, Owned
    from allowsync.model.types import Network
    from allowsync.schedule.active import ActiveSchedule
    from allowsync.state import Store

SCHEMA = "allowsync.clear/1"


@click.command()
@only_targets(help="Only this allowlist, or this target. May be repeated.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--stop-schedule/--keep-schedule",
    default=None,
    help="Stop a schedule that is active, or keep it. Default: asked; with --yes, it is kept.",
)
@common
def clear(
    invocation: Invocation, only: tuple[str, ...], yes: bool, stop_schedule: bool | None
) -> int:
    """Remove everything allowsync owns, after a question.

    That includes targets that are configured no more. What others put beside it stays. With a gate
    gone, its ports are as open as the rest of your firewall leaves them. A schedule that is active
    puts back what is configured: stop it, too, to stay without.
    """
    from allowsync.state import Busy, Lock, StateUnwritable

    config = invocation.load(SCHEMA)
    wish = ClearRequest(only, yes, stop_schedule)
    try:
        try:
            with Lock(config.state, config.path):
                done = _cleared(invocation, config, wish)
        except StateUnwritable:
            # Access must not depend on a writable disk; if no lock can be made, no run has one.
            done = _cleared(invocation, config, wish)
    except Busy as error:
        invocation.stop(SCHEMA, error.code, [Notice(str(error.path), str(error))])
    return _tell(invocation, _put_back(config, done))


class ClearRequest(Value):
    """The request. `stop_schedule` is None if the user is to be asked."""

    only: tuple[str, ...]
    yes: bool
    stop_schedule: bool | None


class ClearOutcome(Value):
    """The result for each target and for the schedule.

    `unstopped`: the reason why the schedule was not stopped. `gone`: the networks of each target,
    by the state and by marks in the firewall. `unknown`: the targets not known to the state.
    `lacking`: entries that other targets relied on and could not restore.
    """

    owned: list[Owned]
    cleared: list[Cleared]
    schedule: ActiveSchedule | None
    stopped: bool = False
    unstopped: str = ""
    gone: Mapping[str, Collection[Network]] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()
    lacking: tuple[Notice, ...] = ()

    @property
    def coming_back(self) -> list[str]:
        """The targets that the next scheduled run puts back."""
        if self.schedule is None or self.stopped:
            return []
        return [one.name for one in self.owned if one.configured]


def _cleared(invocation: Invocation, config: Config, wish: ClearRequest) -> ClearOutcome:
    from allowsync.engine.clear import clear_all, opened
    from allowsync.schedule.active import active_schedule
    from allowsync.schedule.files import Disk

    with opened(config.state) as store:
        owned = _choose(invocation, config, store, wish.only)
        schedule = active_schedule(config.path.absolute(), Disk(Path("/")))
        stop = wish.stop_schedule
        if not wish.yes:
            stop = _ask(invocation, owned, schedule, wish)
        done = ClearOutcome(owned, [], schedule)
        if schedule is not None and stop:
            done = _stopped(done, schedule)
        known = {one.name: _known(store, one) for one in owned}
        gone = {one.name: {*(known[one.name] or ()), *one.held()} for one in owned}
        unknown = frozenset(one.name for one in owned if one.configured and known[one.name] is None)
        cleared = clear_all(owned, store, instant(), config.path)
        return replace(done, cleared=cleared, gone=gone, unknown=unknown)


def _known(store: Store, one: Owned) -> tuple[Network, ...] | None:
    """The networks of a target by the state; None for a target that it does not know."""
    from allowsync.state import StateError

    try:
        known = store.target(one.remembered or one.name)
    except StateError:
        return ()
    if known is None:
        return () if store.unwritable else None
    return tuple(entry.network for entry in known.claimed)


def _put_back(config: Config, done: ClearOutcome) -> ClearOutcome:
    """Add entries to targets that were not cleared and relied on those, without a lock."""
    from allowsync.dns.process import ResolverProcess
    from allowsync.engine.shared_rules import put_back

    with ResolverProcess() as dns:  # never started: there are no queries
        said = put_back(config, done.gone, dns)
        return replace(done, lacking=tuple(one for one in said if one.code is ExitCode.FAILED))


def _stopped(done: ClearOutcome, schedule: ActiveSchedule) -> ClearOutcome:
    """Stop the schedule first, so that no run begins in between."""
    from allowsync.schedule.install import InstallFailed

    try:
        schedule.stop()
    except InstallFailed as error:
        return replace(done, unstopped=str(error))
    return replace(done, stopped=True)


def _choose(
    invocation: Invocation, config: Config, store: Store, only: tuple[str, ...]
) -> list[Owned]:
    from allowsync.engine.clear import everything

    owned = everything(config, store)
    mine = [name for one in owned for name in (one.allowlist, one.name)]
    known = dict.fromkeys([*config.allowlists, *config.denylists, *mine])
    choose(invocation, SCHEMA, only, known, "allowlist or target")
    return [one for one in owned if not only or not {one.allowlist, one.name}.isdisjoint(only)]


def _ask(
    invocation: Invocation, owned: list[Owned], schedule: ActiveSchedule | None, wish: ClearRequest
) -> bool | None:
    """Show the effects, and ask. Returns whether to stop the schedule, too."""
    names = ", ".join(one.name for one in owned)
    if not sys.stdin.isatty():
        told = [Notice(one.name, _outlook(one)) for one in owned]
        what = f"would clear {names}; without a terminal for the question, pass --yes"
        told += [] if schedule is None else [Notice("schedule", _about(schedule))]
        invocation.stop(SCHEMA, ExitCode.USAGE, [*told, Notice("command line", what)])
    invocation.echo([Line(f"{one.name}: {_outlook(one)}") for one in owned], err=True)
    if schedule is not None:
        invocation.echo([Line(f"schedule: {_about(schedule)}", "yellow")], err=True)
    agreed(f"Remove everything that allowsync owns in {names}?")
    if schedule is None or wish.stop_schedule is not None:
        return wish.stop_schedule
    return click.confirm("Stop the schedule, too?", default=not wish.only, err=True)


def _outlook(one: Owned) -> str:
    """The effect of clearing a target."""
    if one.denies:
        return "its networks will no longer be blocked"
    if one.opened:
        ports = ", ".join(map(str, one.opened))
        them = "it" if len(one.opened) == 1 else "them"
        return f"{ports} will be open to everyone, unless another rule closes {them}"
    if one.guard is not None:
        return f"hosts lose access to {', '.join(map(str, one.guard.ports))}"
    return "its entries will be removed; rules that admit only these then admit no host"


def _about(schedule: ActiveSchedule) -> str:
    return f"active ({schedule}): its next run restores them"


def _unforgotten(name: str, done: ClearOutcome) -> str:
    """The consequence for a target that is still in the state."""
    if any(one.configured for one in done.owned if one.name == name):
        return "an active schedule restores it"
    return "clear it again once the state can be written"


def _tell(invocation: Invocation, done: ClearOutcome) -> int:
    wrong = (
        done.unstopped or done.lacking or any(one.reason or one.unrecorded for one in done.cleared)
    )
    code = ExitCode.FAILED if wrong else ExitCode.IN_STEP
    if invocation.json:
        echo_json(_document(done, code))
        return int(code)
    for one in done.cleared:
        if one.reason:
            invocation.echo([Line(f"{one.name}: could not be cleared: {one.reason}")], err=True)
        elif one.unrecorded:
            what = f"{one.name}: cleared, but {one.unrecorded}"
            invocation.echo([Line(f"{what}; {_unforgotten(one.name, done)}")], err=True)
        elif not invocation.quiet:
            invocation.echo([Line(f"{one.name}: cleared{_aftermath(one.name, done)}")])
    invocation.echo([Line(f"{one.where}: {one.what}") for one in done.lacking], err=True)
    invocation.echo(_about_schedule(done, quiet=invocation.quiet), err=True)
    return int(code)


def _aftermath(name: str, done: ClearOutcome) -> str:
    """The effect of clearing a target, if the user was not asked and shown it before."""
    if name in done.unknown:
        return "; nothing was recorded there"
    emptied = (one.name for one in done.owned if one.guard is None and not one.denies)
    return "; rules that admit only its entries admit no host now" if name in emptied else ""


def _about_schedule(done: ClearOutcome, *, quiet: bool) -> Iterator[Line]:
    if done.unstopped:
        yield Line(f"schedule: could not be stopped: {done.unstopped}", "red")
    elif done.stopped and not quiet:
        yield Line("schedule: stopped; 'allowsync schedule install' starts it again")
    if done.coming_back:
        names = ", ".join(done.coming_back)
        what = f"still active ({done.schedule}): its next run restores {names}"
        yield Line(f"schedule: {what}; to stop it: allowsync schedule remove", "yellow")


def _document(done: ClearOutcome, code: ExitCode) -> dict[str, Any]:
    from allowsync.report.json import problems

    opened = {one.name: [str(port) for port in one.opened] for one in done.owned}
    schedule = done.schedule and {
        "scheduler": done.schedule.scheduler.value,
        "next_run": done.schedule.next_run or None,
        "stopped": done.stopped,
        "reason": done.unstopped or None,
        "puts_back": done.coming_back,
    }
    targets = [
        {
            "target": one.name,
            "outcome": "failed" if one.reason else "cleared",
            "reason": one.reason or one.unrecorded or None,
            "opened_ports": [] if one.reason else opened[one.name],
        }
        for one in done.cleared
    ]
    return {
        "schema": SCHEMA,
        "exit_code": int(code),
        "targets": targets,
        "schedule": schedule,
        "problems": problems(done.lacking),
    }
