"""Events, and notifications pending delivery."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from allowsync.model.value import Value

if TYPE_CHECKING:
    from datetime import datetime


class Event(Enum):
    """The event of a notification."""

    MOVED = "moved"  # a friend has a new address
    STALE = "stale"  # a name gives no usable answer, and a good part of its time has passed
    ENDED = "ended"  # access was withdrawn by a clock, or `until` has passed
    REFUSED = "refused"  # a limit refused a removal
    SUSPICIOUS = "suspicious"  # an answer was rejected
    FAILED = "failed"  # a target failed, or is in sync again
    PROBLEM = "problem"  # something about the installation: the state, the clock


TOLD_UNASKED = tuple(one for one in Event if one is not Event.MOVED)


class HeartbeatKind(Enum):
    """The conventions of a heartbeat's receiver."""

    AUTO = "auto"  # as the URL looks
    HEALTHCHECKS = "healthchecks"
    UPTIME_KUMA = "uptime_kuma"
    PLAIN = "plain"  # a request after each good run, and nothing else


class QueuedNotification(Value):
    """One notification for one channel.

    Attributes:
        channel: An identifier of the channel that does not disclose it (see `address`).
        event: The event's name.
        text: Its text.
        good: Whether it reports the end of a problem.
        at: The time of the event.
        tries: The number of failed deliveries.
        due: The time of the next attempt.
    """

    channel: str
    event: str
    text: str
    good: bool
    at: datetime
    tries: int
    due: datetime


Key: TypeAlias = tuple[Event, str, str]


class ReportedCondition(Value):
    """A condition that was reported.

    Attributes:
        event: Its kind.
        subject: The host, target or other subject.
        about: The identifier among conditions of the same subject.
        level: The severity reported last.
        at: The time of the report; once it is over, the time of its end.
        over: The text for its end.
        open: Whether it still lasts.
    """

    event: Event
    subject: str
    about: str
    level: int
    at: datetime
    over: str = ""
    open: bool = True

    @property
    def key(self) -> Key:
        """The identifier of the condition."""
        return (self.event, self.subject, self.about)
