"""Which answers, as they came, can be told again by comparing bytes (see `allowsync.glance`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.answers import Unavailable
from allowsync.config.settings import Transport
from allowsync.glance.writing import Reply
from allowsync.resolve.failures import Kind

if TYPE_CHECKING:
    from allowsync.resolve.inquiry import Inquiry


def comparable(inquiry: Inquiry, *, alone: bool) -> Reply | None:
    """The answer that settled an inquiry, if the same bytes would settle it again.

    Args:
        inquiry: A settled inquiry.
        alone: Whether there is one nameserver only, so that its answer is all there is to know.
    """
    if inquiry.reply is None:
        return None
    ask, wire = inquiry.reply
    nameserver = ask.server.nameserver
    proves_nothing = isinstance(inquiry.answer, Unavailable)
    odd_alone = alone and {one.kind for one in inquiry.failures} == {Kind.ODD}
    if nameserver.transport is not Transport.DNS or "%" in nameserver.address:
        return None
    if proves_nothing and not odd_alone:
        return None
    return Reply(
        nameserver.address,
        nameserver.port,
        inquiry.question.section,
        mixes=ask.server.echoes_case,
        wire=wire,
    )
