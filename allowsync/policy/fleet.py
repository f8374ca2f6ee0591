"""Grants of a host that another machine decides about. Pure.

That machine's decision counts: a follower starts no clock of its own. Without a new document the
host is unavailable, and the clock of its last confirmation runs on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.answer import Unavailable
from allowsync.policy.decision import Decision, conclude, recall
from allowsync.policy.screening import UNHEARD, ScreenedAnswer
from allowsync.policy.tracking import last_known, lasting

if TYPE_CHECKING:
    from allowsync.model.memory import HostMemory
    from allowsync.model.types import Host
    from allowsync.policy.clock import Now


def follow(host: Host, memory: HostMemory, trouble: str, now: Now) -> Decision:
    """Adopt the decision of the deciding machine.

    Args:
        host: The host.
        memory: The known state of the host.
        trouble: The reason why no new document arrived; empty where one did.
        now: The instant of the run.
    """
    if not trouble:
        return recall(host, memory, now)
    silence = Unavailable(f"{UNHEARD}{trouble}")
    heard = (ScreenedAnswer(query, silence) for query in host.queries)
    return conclude(host, tuple(heard), memory, now)


def known_of(
    host: Host, published: HostMemory, remembered: HostMemory | None, now: Now, *, fresh: bool
) -> HostMemory:
    """The state that counts, of the published one and the one this machine remembers.

    Args:
        host: The host.
        published: The published state.
        remembered: The state this machine remembers; None where there is none.
        now: The instant of the run.
        fresh: Whether the deciding machine published it now.
    """
    if fresh:
        return published
    if remembered is not None and last_known(remembered) >= last_known(published):
        return remembered
    return lasting(published, host, now)
