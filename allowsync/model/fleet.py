"""A run's knowledge of its fleet, as values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.value import Value

if TYPE_CHECKING:
    from datetime import datetime


class SharedList(Value):
    """A list that is published or followed.

    Attributes:
        name: The allowlist.
        publishes: Whether this machine could publish it.
        epoch: The epoch of the held document; None where none is held.
        sequence: Its number within the epoch.
        decided: The time of its decision.
        trouble: The reason why no new document arrived; empty where one did.
    """

    name: str
    publishes: bool
    epoch: int | None = None
    sequence: int | None = None
    decided: datetime | None = None
    trouble: str = ""


class FleetReport(Value):
    """A fleet, as one machine knows it.

    Attributes:
        name: Its name.
        leads: Whether this machine leads.
        leader: The machine that leads, and since when, as text; empty where unknown.
        lists: Its lists, in configured order.
        heard: Whether the store was asked, and answered.
    """

    name: str
    leads: bool
    leader: str
    lists: tuple[SharedList, ...]
    heard: bool = True
