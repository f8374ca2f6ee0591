"""Somebody who reads every notice, without anything being sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from allowsync.notify.deduplicate import Notification, tell
from allowsync.notify.dispatch import scope
from allowsync.notify.events import matters
from allowsync.state import Store

if TYPE_CHECKING:
    from allowsync.model.notification import Event, ReportedCondition
    from tests.support.world import World


@dataclass
class NoticeReader:
    """Runs a world, and is told its news as a program with its state would tell them."""

    world: World
    told: tuple[ReportedCondition, ...] = ()
    read: list[Notification] = field(default_factory=list)

    def run(self, *only: str, **options: Any) -> list[str]:
        """One run; the news of it."""
        with Store.reading(self.world.state) as store:
            before = store.hosts()
        report = self.world.run(*only, **options)
        reach = scope(self.world.config, report, whole=not only)
        news, self.told = tell(matters(report, before), self.told, reach, report.started)
        self.read += news
        return [one.text for one in news]

    def runs(self, count: int, **options: Any) -> list[str]:
        """Several runs alike; the news of all of them."""
        return [text for _ in range(count) for text in self.run(**options)]

    @property
    def events(self) -> list[Event]:
        """The kinds of all news so far."""
        return [one.event for one in self.read]
