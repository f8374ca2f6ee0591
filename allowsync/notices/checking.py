"""Whether the channels can be used at all: the facts behind `check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.backend import Finding, Severity
from allowsync.notices.outbox import Message
from allowsync.notices.sending import WHY, Sent, machine, send
from allowsync.survey import Located

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.config.settings import Config

_TEST: Final = "This is a test of allowsync's notices, sent by allowsync check --notify."


def about_channels(config: Config, *, tell: bool) -> Iterator[Located]:
    """Channels that Apprise cannot use.

    Args:
        config: The configuration.
        tell: Send a test notice to each, and say what came of it.
    """
    if not config.notify:
        return
    body = _TEST if tell else ""
    message = Message(f"allowsync on {machine()}: test", body, "info")
    outcomes = send([(one, message) for one in config.notify])
    for number, (channel, outcome) in enumerate(zip(config.notify, outcomes, strict=True), start=1):
        where = f"notify, item {number} ({channel.said})"
        if outcome is not Sent.TOLD:
            yield Located(where, Finding(Severity.ERROR, WHY[outcome]))
        elif tell:
            yield Located(where, Finding(Severity.INFO, "took the test notice"))
