"""Where a host may come from that another machine decides about. Pure.

That machine's word stands: who follows starts no clock of its own. Where nothing new can be had of
it, that is no answer of the DNS, and the clock of what was confirmed last runs on.
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
    """Decide as the machine did that decides.

    Args:
        host: The host.
        memory: What is known of it.
        trouble: Why nothing new is known; empty where it is.
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
    """What counts of what was published about a host and of what this machine remembers.

    Args:
        host: The host.
        published: What was published.
        remembered: What this machine remembers; None where that is nothing.
        now: The instant of the run.
        fresh: Whether the machine that decides says so now.
    """
    if fresh:
        return published
    if remembered is not None and last_known(remembered) >= last_known(published):
        return remembered
    return lasting(published, host, now)
