"""One run's post: what is news goes into the outbox, and what is due goes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.notices.matters import matters
from allowsync.notices.outbox import addressed, after_failure, by_address, due, message
from allowsync.notices.sending import WHY, Sent, machine, send
from allowsync.notices.telling import Scope, tell
from allowsync.outcome import Notice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from allowsync.config.settings import Config
    from allowsync.memory import HostMemory
    from allowsync.notices.outbox import Letter
    from allowsync.outcome import RunReport
    from allowsync.state import Store


def scope(config: Config, report: RunReport, *, whole: bool) -> Scope:
    """What a run can tell about.

    A run that asked no DNS cannot tell about hosts, and of one whose access has ended nobody asks.
    """
    decisions = () if report.offline else report.decisions.values()
    hosts = (one.host.name for one in decisions if not one.ended)
    return Scope(
        frozenset((*hosts, *(one.target for one in report.targets))),
        frozenset((*config.hosts, *(one.name for one in config.targets))),
        frozenset((host.name, name) for host in config.hosts.values() for name in host.hostnames),
        whole,
    )


def collect(
    config: Config,
    store: Store,
    report: RunReport,
    before: Mapping[str, HostMemory],
    *,
    whole: bool,
) -> tuple[Letter, ...]:
    """Put what is news of a run into the outbox. Returns all that is in it. Durable.

    Args:
        config: The configuration.
        store: The state; told of nothing else.
        report: The run.
        before: What was remembered of each host before it.
        whole: Whether the run looked at the installation as a whole.

    Raises:
        StateError: The state cannot be written. Nothing is to be sent then: what is not
            remembered would be told again in every run.
    """
    remembered, waiting = store.told(), store.outbox()
    found = matters(report, before)
    news, after = tell(found, remembered, scope(config, report, whole=whole), report.started)
    here = by_address(config.notify)
    letters = tuple(one for one in waiting if one.channel in here)
    letters += addressed(news, config.notify, report.started)
    if after != remembered or letters != waiting:
        store.keep_post(after, letters)
    return letters


def deliver(
    config: Config, store: Store, letters: tuple[Letter, ...], now: datetime
) -> Iterator[Notice]:
    """Send what is due, and keep what could not be sent for the next run.

    Yields:
        What failed for the first time, and what is given up.

    Raises:
        StateError: The state cannot be written; what was sent may be sent again.
    """
    channels = by_address(config.notify)
    wanted = due(letters, now)
    if not wanted:
        return
    sent = send([(channels[to], message(mine, machine())) for to, mine in wanted.items()])
    left: dict[Letter, Letter | None] = {one: one for one in letters}
    for (to, mine), outcome in zip(wanted.items(), sent, strict=True):
        later = {one: None if outcome is Sent.TOLD else after_failure(one, now) for one in mine}
        left.update(later)
        if outcome is not Sent.TOLD:
            yield from _said(channels[to].said, outcome, later)
    store.keep_post(None, [one for one in left.values() if one is not None])


def _said(channel: str, outcome: Sent, later: Mapping[Letter, Letter | None]) -> Iterator[Notice]:
    where = f"notify ({channel})"
    if any(one.tries == 0 for one in later):
        yield Notice(where, f"nobody was told: {WHY[outcome]}; it is tried again")
    given_up = sum(one is None for one in later.values())
    if given_up:
        yield Notice(where, f"given up on {given_up} of the messages: {WHY[outcome]}")
