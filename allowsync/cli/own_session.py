"""Whether an edit, a run or an order would cut off the SSH session it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

    from allowsync.cli.common import Invocation
    from allowsync.config.settings import Config
    from allowsync.engine.options import Request
    from allowsync.model.access_order import Order
    from allowsync.model.outcome import Notice

KEPT = "not changed: the next run would cut off your own session; --force changes it nevertheless"
_NOT_DONE = "nothing was changed: it would cut off your own session"
_ELSEWHERE = "Connect from another address first"


def cut_off_by(config: Config) -> list[Notice]:
    """The targets by which the next run with a configuration would cut off this session.

    Found by a dry run, if there is a session and a target guards its port.
    """
    from allowsync.engine.options import Request

    return _foreseen(config, Request(dry_run=True))


def ended_by(config: Config, order: Order) -> list[Notice]:
    """The targets by which an order would cut off this session."""
    from allowsync.engine.options import Request

    request = Request(dry_run=True, offline=True, ordered=True, assumed=(order,))
    return _foreseen(config, request, _ELSEWHERE)


def _foreseen(config: Config, request: Request, *advice: str) -> list[Notice]:
    """The findings of a dry run, if a target guards this session's port."""
    from allowsync.engine.lockout import current, cut_offs, guard_at

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
        run(
            *(config, request, dns, pulse()),
            lambda drafts: found.extend(cut_offs(drafts, session, *advice)),
        )
    return found


def refuse(invocation: Invocation, schema: str, found: Iterable[Notice], how: str = "") -> NoReturn:
    """End the command before it changes anything, with the reasons of the cut-off.

    Args:
        invocation: The command.
        schema: Of its JSON document.
        found: The targets that would cut off the session.
        how: How to do it nevertheless, if the notices do not say that.
    """
    from allowsync.model.outcome import ExitCode, Notice

    command = schema.removeprefix("allowsync.").partition("/")[0].replace("run", "apply")
    notice = Notice(command, f"{_NOT_DONE}{how}")
    invocation.stop(schema, ExitCode.USAGE, [*found, notice])


def warn(invocation: Invocation, found: Iterable[Notice]) -> None:
    """Warn of the targets that would cut off the session."""
    from allowsync.text import Line

    lines = (Line(f"{one.where}: warning: {one.what}", "yellow") for one in found)
    invocation.echo(lines, err=True)
