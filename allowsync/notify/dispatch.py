"""The notifications of one run: new ones enter the outbox, and due ones are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.outcome import Notice
from allowsync.model.value import Value
from allowsync.notify.apprise_client import WHY, Sent, machine, send
from allowsync.notify.deduplicate import Scope, tell
from allowsync.notify.events import matters
from allowsync.notify.outbox import addressed, after_failure, by_address, due, message
from allowsync.state import StateDamaged, StateError
from allowsync.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from allowsync.config.settings import Config
    from allowsync.model.memory import HostMemory
    from allowsync.model.notification import QueuedNotification, ReportedCondition
    from allowsync.plan.result import RunReport
    from allowsync.state import Store


def scope(config: Config, report: RunReport, *, whole: bool) -> Scope:
    """The scope of a run.

    An offline run cannot report on hosts, nor can any run on those whose access has ended.
    """
    decisions = () if report.offline else report.decisions.values()
    hosts = (one.host.name for one in decisions if not one.ended)
    return Scope(
        frozenset((*hosts, *(one.target for one in report.targets))),
        frozenset((*config.hosts, *(one.name for one in config.targets))),
        frozenset((host.name, name) for host in config.hosts.values() for name in host.hostnames),
        whole,
    )


class Post(Value):
    """The pending notifications after a run.

    Attributes:
        config: The configuration, with the channels.
        store: The state that keeps them.
        letters: Everything in the outbox.
        unkept: The reason why the outbox could not be written; empty if it could.
    """

    config: Config
    store: Store
    letters: tuple[QueuedNotification, ...] = ()
    unkept: str = ""

    def deliver(self, now: datetime) -> list[Notice]:
        """Send due notifications, and keep failed ones for a later run.

        Returns first failures, notifications that were given up, and a failure to write the
        state.
        """
        if self.unkept:
            return [Notice("notify", f"notifications are not sent: {self.unkept}")]
        wanted = due(self.letters, now)
        if not wanted:
            return []
        channels = by_address(self.config.notify)
        sent = send([(channels[to], message(mine, machine())) for to, mine in wanted.items()])
        left: dict[QueuedNotification, QueuedNotification | None] = {
            one: one for one in self.letters
        }
        undelivered: list[Notice] = []
        for (to, mine), outcome in zip(wanted.items(), sent, strict=True):
            later = {one: None if outcome is Sent.TOLD else after_failure(one, now) for one in mine}
            left.update(later)
            if outcome is not Sent.TOLD:
                undelivered += _said(channels[to].said, outcome, later)
        try:
            self.store.keep_post(None, [one for one in left.values() if one is not None])
        except StateError as error:
            undelivered.append(Notice("notify", f"may be sent again: {error}"))
        return undelivered


def collected(
    config: Config,
    store: Store,
    report: RunReport,
    before: Mapping[str, HostMemory],
    *,
    whole: bool,
) -> Post:
    """Put the new notifications of a run into the outbox. Durable.

    If that cannot be written, nothing may be sent: conditions that are not remembered would be
    reported again in every run.

    Args:
        config: The configuration.
        store: The state.
        report: The run.
        before: The memory of each host before it.
        whole: Whether the run looked at the installation as a whole.
    """
    remembered, waiting = _kept(store)
    found = matters(report, before)
    news, after = tell(found, remembered, scope(config, report, whole=whole), report.started)
    here = by_address(config.notify)
    letters = tuple(one for one in waiting if one.channel in here)
    letters += addressed(news, config.notify, report.started)
    if (after, letters) == (remembered, waiting):
        return Post(config, store, letters)
    try:
        store.keep_post(after, letters)
    except StateError as error:
        return Post(config, store, unkept=str(error))
    return Post(config, store, letters)


def _kept(store: Store) -> tuple[tuple[ReportedCondition, ...], tuple[QueuedNotification, ...]]:
    """Reported and pending ones. Damaged data is dropped: a duplicate is better than a loss."""
    try:
        return store.told(), store.outbox()
    except StateDamaged:
        return (), ()


def _said(
    channel: str, outcome: Sent, later: Mapping[QueuedNotification, QueuedNotification | None]
) -> Iterator[Notice]:
    where = f"notify ({channel})"
    if any(one.tries == 0 for one in later):
        yield Notice(where, f"notification failed: {WHY[outcome]}; will retry")
    given_up = sum(one is None for one in later.values())
    if given_up:
        yield Notice(where, f"gave up on {counted(given_up, 'notification')}: {WHY[outcome]}")
