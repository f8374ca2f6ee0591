"""Delivery to notification channels, within a time limit; it never raises."""

from __future__ import annotations

import json
import os
from enum import Enum
from typing import TYPE_CHECKING, Final

from allowsync.system.interpreter import python_module
from allowsync.system.process import Command, CommandError, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allowsync.config.channels import NotifyChannel
    from allowsync.notify.outbox import Message

PATIENCE: Final = 15.0  # seconds for all channels together
STARTING: Final = 15.0  # seconds more, for a slow machine to start the process at all


class Sent(Enum):
    """The result of a delivery."""

    TOLD = "told"
    FAILED = "failed"
    UNFIT = "unfit"  # Apprise knows no service of that kind, or the URL is incomplete
    MISSING = "missing"  # Apprise is not installed
    BROKEN = "broken"  # the URL cannot be read


WHY: Final = {
    Sent.FAILED: "it could not be reached, or did not take the message",
    Sent.UNFIT: "Apprise does not understand this URL",
    Sent.MISSING: "Apprise is not installed; docs/install.md says how to add it",
    Sent.BROKEN: "its URL cannot be read",
}


def send(
    messages: Sequence[tuple[NotifyChannel, Message]], seconds: float = PATIENCE
) -> list[Sent]:
    """Send each channel its message, all at once. A channel that takes too long has failed.

    Args:
        messages: Pairs of channel and message. An empty body is not sent; the URL is only checked.
        seconds: The time limit for all of it, in seconds, once the process has started.
    """
    usable = [one for one in messages if not one[0].kept.unreadable]
    outcomes = iter(_send(usable, seconds) if usable else ())
    return [Sent.BROKEN if one.kept.unreadable else next(outcomes) for one, _ in messages]


def _send(messages: Sequence[tuple[NotifyChannel, Message]], seconds: float) -> list[Sent]:
    wanted = {
        "seconds": seconds,
        "messages": [
            {
                "url": channel.secret.value,
                "title": message.title,
                "body": message.body,
                "mood": message.mood,
            }
            for channel, message in messages
        ],
    }
    argv = python_module("allowsync.notify.apprise_worker")
    command = Command(argv, stdin=json.dumps(wanted), timeout=seconds + STARTING)
    try:
        outcomes = json.loads(run(command).stdout)
        return [Sent(one) for one in outcomes]
    except (CommandError, ValueError):
        return [Sent.FAILED] * len(messages)


def machine() -> str:
    """The name of this machine."""
    return os.uname().nodename
