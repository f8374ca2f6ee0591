"""Whether an edit, a run or an order would cut off the SSH session it is made in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import NoReturn

    from allowsync.cli.common import Invocation
    from allowsync.config.settings import Config
    from allowsync.engine.lockout import Session
    from allowsync.engine.options import Request
    from allowsync.engine.prepare import Draft
    from allowsync.model.outcome import Notice
    from allowsync.model.types import Entry

KEPT = "not changed: the next run would cut off your own session; --force changes it all the same"
_NOT_DONE = "nothing was changed: it would cut off your own session; --force does it all the same"


def cut_off_by(config: Config) -> list[Notice]:
    """The targets that the next run with a configuration would cut off this session by.

    Found by a dry run, where there is a session and a target guards its port.
    """
    from allowsync.engine.lockout import cut_offs
    from allowsync.engine.options import Request

    return _foreseen(config, Request(dry_run=True), cut_offs)


def ended_by(config: Config, over: Callable[[Entry], bool]) -> list[Notice]:
    """The targets that let this session in by entries alone that are to go.

    Args:
        config: The configuration.
        over: Whether an entry goes.
    """
    from allowsync.engine.lockout import ends
    from allowsync.engine.options import Request

    request = Request(dry_run=True, offline=True)
    return _foreseen(config, request, lambda drafts, session: ends(drafts, session, over))


def _foreseen(
    config: Config,
    request: Request,
    look: Callable[[Sequence[Draft], Session], Iterable[Notice]],
) -> list[Notice]:
    """What a look at the drafts of a dry run finds, where a target guards this session's port."""
    from allowsync.engine.lockout import current, guard_at

    session = current()
    if session is None or not any(guard_at(one, session.port) for one in config.targets):
        return []
    from allowsync.dns.process import ResolverProcess
    from allowsync.engine.run import run
    from allowsync.system.clock import pulse

    found: list[Notice] = []
    with ResolverProcess() as dns:
        if not request.offline:
            dns.start()
            dns.use(config.resolver)
        run(config, request, dns, pulse(), lambda drafts: found.extend(look(drafts, session)))
    return found


def refuse(invocation: Invocation, schema: str, found: Iterable[Notice]) -> NoReturn:
    """End the command before it changes anything, with what would cut the session off."""
    from allowsync.model.outcome import ExitCode, Notice

    command = schema.removeprefix("allowsync.").partition("/")[0].replace("run", "apply")
    invocation.stop(schema, ExitCode.USAGE, [*found, Notice(command, _NOT_DONE)])


def warn(invocation: Invocation, found: Iterable[Notice]) -> None:
    """Say what would cut it off."""
    from allowsync.text import Line

    lines = (Line(f"{one.where}: warning: {one.what}", "yellow") for one in found)
    invocation.echo(lines, err=True)
