"""Whether a configuration would cut off the SSH session in which it is edited."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from allowsync.cli.common import Invocation
    from allowsync.config.settings import Config
    from allowsync.engine.prepare import Draft
    from allowsync.model.outcome import Notice

KEPT = "not changed: the next run would cut off your own session; --force changes it all the same"


def cut_off_by(config: Config) -> list[Notice]:
    """The targets that the next run with a configuration would cut off this session by.

    Found by a dry run, where there is a session and a target guards its port.
    """
    from allowsync.engine.lockout import current, cut_offs, guard_at

    session = current()
    if session is None or not any(guard_at(one, session.port) for one in config.targets):
        return []
    from allowsync.dns.process import ResolverProcess
    from allowsync.engine.options import Request
    from allowsync.engine.run import run
    from allowsync.system.clock import pulse

    found: list[Notice] = []

    def foresee(drafts: Sequence[Draft]) -> None:
        found.extend(cut_offs(drafts, session))

    with ResolverProcess() as dns:
        dns.start()
        dns.use(config.resolver)
        run(config, Request(dry_run=True), dns, pulse(), foresee)
    return found


def warn(invocation: Invocation, found: Iterable[Notice]) -> None:
    """Say what would cut it off."""
    from allowsync.text import Line

    lines = (Line(f"{one.where}: warning: {one.what}", "yellow") for one in found)
    invocation.echo(lines, err=True)
