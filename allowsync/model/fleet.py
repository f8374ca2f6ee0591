"""What a run knows of its fleet, as values."""

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
        epoch: That of the document that is held; None where none is.
        sequence: Its number within the epoch.
        decided: When it was decided.
        trouble: Why nothing new is known; empty where it is.
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
        leader: Which machine leads, and since when, in words; empty where that is not known.
        lists: Its lists, in configured order.
        heard: Whether the store was asked, and answered.
    """

    name: str
    leads: bool
    leader: str
    lists: tuple[SharedList, ...]
    heard: bool = True
