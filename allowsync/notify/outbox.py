"""Pending notifications by channel, and the times of their retries. Pure."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from allowsync.model.notification import QueuedNotification
from allowsync.model.value import Value, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from allowsync.config.channels import NotifyChannel
    from allowsync.notify.deduplicate import Notification

GIVEN_UP_AFTER: Final = timedelta(days=1)
LONGEST_WAIT: Final = timedelta(hours=1)
MOST_LINES: Final = 20


class Message(Value):
    """One message to a channel: a title, lines of text, and its severity."""

    title: str
    body: str
    mood: str


def address(channel: NotifyChannel) -> str:
    """The identifier of a channel in the state, which must not hold secrets.

    For a URL that is kept elsewhere it is derived from that place: pending notifications outlive
    a URL that is changed, or cannot be read for a while.
    """
    kept = channel.kept
    return hashlib.sha256((kept.origin or channel.secret.value).encode()).hexdigest()[:16]


def addressed(
    news: Iterable[Notification], channels: Iterable[NotifyChannel], now: datetime
) -> tuple[QueuedNotification, ...]:
    """A pending notification for each channel and each piece of news it subscribes to."""
    pieces = list(news)
    return tuple(
        QueuedNotification(to, one.event.value, one.text, one.good, now, 0, now)
        for to, channel in by_address(channels).items()
        for one in pieces
        if one.event in channel.events
    )


def by_address(channels: Iterable[NotifyChannel]) -> dict[str, NotifyChannel]:
    """The channels by their identifiers in the state."""
    return {address(channel): channel for channel in channels}


def due(
    letters: Iterable[QueuedNotification], now: datetime
) -> dict[str, list[QueuedNotification]]:
    """The notifications of channels with one that is due, by channel.

    All that is pending for a channel is sent with the due one. A clock that was set back delays
    nothing for longer than the longest wait.
    """
    waiting: dict[str, list[QueuedNotification]] = {}
    for one in letters:
        waiting.setdefault(one.channel, []).append(one)
    return {
        channel: mine
        for channel, mine in waiting.items()
        if any(not now < one.due <= now + LONGEST_WAIT for one in mine)
    }


def after_failure(letter: QueuedNotification, now: datetime) -> QueuedNotification | None:
    """The notification with the time of its next try; None once its tries are used up."""
    if now - letter.at >= GIVEN_UP_AFTER:
        return None
    tries = letter.tries + 1
    wait = min(LONGEST_WAIT, timedelta(minutes=2 ** min(tries, 10)))
    return replace(letter, tries=tries, due=now + wait)


def message(letters: Iterable[QueuedNotification], machine: str) -> Message:
    """One message of several notifications, oldest first, without duplicates."""
    in_order = sorted(letters, key=lambda one: one.at)
    lines = list(dict.fromkeys(one.text for one in in_order))
    left_out = len(lines) - MOST_LINES
    if left_out > 0:
        lines = [*lines[:MOST_LINES], f"and {left_out} more: see allowsync status"]
    count = len(lines) if left_out <= 0 else left_out + MOST_LINES
    about = in_order[0].event if count == 1 else f"{count} notices"
    return Message(f"allowsync on {machine}: {about}", "\n".join(lines), _mood(in_order))


_MOODS: Final[Mapping[str, str]] = {"failed": "failure", "moved": "info"}
_WORST_FIRST: Final = ("failure", "warning", "info", "success")


def _mood(letters: Iterable[QueuedNotification]) -> str:
    """The worst severity, as Apprise's notification type."""
    moods = ("success" if one.good else _MOODS.get(one.event, "warning") for one in letters)
    return min(moods, key=_WORST_FIRST.index)
