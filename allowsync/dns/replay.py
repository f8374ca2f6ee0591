"""Which answers, as they came, can be told again by comparing bytes (see `allowsync.fastpath`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.dns.failure import Kind
from allowsync.model.answer import Unavailable
from allowsync.model.fingerprint import Reply
from allowsync.model.nameserver import Transport

if TYPE_CHECKING:
    from allowsync.dns.query_state import Inquiry


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
