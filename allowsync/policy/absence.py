"""Absence that the DNS proves: what removes access needs agreement, too. Pure.

One nameserver that lies, filters or lags must not end a friend's access. So with several of them a
name is absent in a run only if at least two prove it (or `agreement`, if that is more) and none
gives an address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.answer import Absent, Answer, Found, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allowsync.model.memory import RetentionState

TWO = 2


def unproven(answer: Answer, track: RetentionState) -> bool:
    """Whether an absence has to be agreed upon before it counts.

    One that was agreed upon already, of a name by which nothing is held, changes nothing.
    """
    return isinstance(answer, Absent) and not (track.absent_runs and not track.held)


def agreed(answer: Answer, everyone: Mapping[str, Answer], agreement: int) -> Answer:
    """An absence in the light of what each nameserver says.

    Args:
        answer: The absence that one nameserver proved.
        everyone: What each nameserver answered, that one included.
        agreement: How many have to agree on a new address.
    """
    if len(everyone) < TWO:
        return answer
    giving = [name for name, one in everyone.items() if isinstance(one, Found)]
    if giving:
        return Unavailable(f"nameservers disagree: {giving[0]} gives an address")
    proving = sum(isinstance(one, Absent) for one in everyone.values())
    needed = max(TWO, agreement)
    if proving < needed:
        return Unavailable(f"{proving} of {len(everyone)} nameservers prove it, {needed} have to")
    return answer
