"""The new and the ended conditions of a run. Pure.

A lasting condition is reported once, and again when it gets worse. Its end is reported, too, if
there is a text for it. A condition that ends without a report and returns within the hour is the
same: an answer that is odd every other time is reported once.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from allowsync.model.notification import Event, Key, ReportedCondition
from allowsync.model.value import Value, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from allowsync.notify.events import Condition

CALM: Final = timedelta(hours=1)


class Notification(Value):
    """A notification to send. `good` marks the end of a bad condition."""

    event: Event
    text: str
    good: bool = False


class Scope(Value):
    """The scope of a run: the subjects it can report on.

    Attributes:
        looked_at: The hosts and targets it looked at.
        known: The existing ones. Reports on others are forgotten.
        names: Each host's label with each of its hostnames; likewise.
        whole: Whether it looked at the installation as a whole.
    """

    looked_at: frozenset[str]
    known: frozenset[str]
    names: frozenset[tuple[str, str]]
    whole: bool

    def reaches(self, told: ReportedCondition) -> bool:
        """Whether the run would have found the condition if it still lasted."""
        return self.whole if told.event is Event.PROBLEM else told.subject in self.looked_at

    def forgets(self, told: ReportedCondition) -> bool:
        """Whether its subject no longer exists."""
        if told.event is Event.STALE:
            return (told.subject, told.about) not in self.names
        return told.event is not Event.PROBLEM and told.subject not in self.known


def tell(
    found: Iterable[Condition], remembered: Iterable[ReportedCondition], scope: Scope, now: datetime
) -> tuple[tuple[Notification, ...], tuple[ReportedCondition, ...]]:
    """The notifications to send now, and the conditions to remember.

    Args:
        found: The conditions of this run.
        remembered: The conditions reported before.
        scope: The scope of the run.
        now: The instant of the run.
    """
    before = {one.key: one for one in remembered if not scope.forgets(one)}
    after = dict(before)
    news: list[Notification] = []
    seen: set[Key] = set()
    for matter in found:
        key = (matter.event, matter.subject, matter.about)
        seen.add(key)
        known = before.get(key)
        if not matter.lasting or _is_news(matter, known):
            news.append(Notification(matter.event, matter.text))
        if matter.lasting and (matter.level or known is not None):
            after[key] = _remembered(matter, known, now)
    for told in before.values():
        if told.key not in seen and scope.reaches(told):
            news += _ended(told)
            after[told.key] = replace(told, open=False, at=now if told.open else told.at)
    return tuple(news), tuple(one for one in after.values() if not _forgotten(one, now))


def _is_news(matter: Condition, known: ReportedCondition | None) -> bool:
    return matter.level > (0 if known is None else known.level)


def _remembered(
    matter: Condition, known: ReportedCondition | None, now: datetime
) -> ReportedCondition:
    if known is not None and known.open and known.level >= matter.level:
        return known
    level = matter.level if known is None else max(matter.level, known.level)
    return ReportedCondition(matter.event, matter.subject, matter.about, level, now, matter.over)


def _ended(told: ReportedCondition) -> Iterator[Notification]:
    if told.open and told.over:
        yield Notification(told.event, told.over, good=True)


def _forgotten(told: ReportedCondition, now: datetime) -> bool:
    """Whether an ended condition is forgotten: after a while; at once if its end was reported."""
    if told.open:
        return False
    return bool(told.over) or not timedelta() <= now - told.at < CALM
