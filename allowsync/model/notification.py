"""Events, and notifications that are to be delivered."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from allowsync.model.value import Value

if TYPE_CHECKING:
    from datetime import datetime


class Event(Enum):
    """What a notice can be about."""

    MOVED = "moved"  # a friend has a new address
    STALE = "stale"  # a name gives no usable answer, and a good part of its time has passed
    ENDED = "ended"  # access was withdrawn by a clock, or `until` has passed
    REFUSED = "refused"  # a limit refused a removal
    SUSPICIOUS = "suspicious"  # an answer was rejected
    FAILED = "failed"  # a target failed, or is in sync again
    PROBLEM = "problem"  # something about the installation: the state, the clock


TOLD_UNASKED = tuple(one for one in Event if one is not Event.MOVED)


class HeartbeatKind(Enum):
    """Whose conventions a heartbeat follows."""

    AUTO = "auto"  # as the URL looks
    HEALTHCHECKS = "healthchecks"
    UPTIME_KUMA = "uptime_kuma"
    PLAIN = "plain"  # a request after each good run, and nothing else


class QueuedNotification(Value):
    """One piece of news for one channel.

    Attributes:
        channel: Which channel, without giving it away (see `address`).
        event: The event's name.
        text: What to say.
        good: Whether it is the end of something bad.
        at: When it happened.
        tries: How often it could not be delivered.
        due: When it is to be tried.
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
        subject: Whom or what it is about.
        about: What tells it from others.
        level: How far it had come.
        at: When it was told; once it is over, since when.
        over: What to say when it is over.
        open: Whether it still goes on.
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
        """What tells it from every other matter."""
        return (self.event, self.subject, self.about)
