"""What a hostname was granted, when any clock may have run out on it, and what a backup knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from allowsync.model.types import Network

DAY, HOUR, QUARTER = timedelta(days=1), timedelta(hours=1), timedelta(minutes=15)
THREE_DAYS = timedelta(days=3)


@dataclass(slots=True)
class Holding:
    """A network that a hostname was given and granted, and what came since against it.

    Attributes:
        given: When an answer contained it last.
        without: When good answers came that did not.
        absent: When nameservers agreed that there is no address.
        boots: How often the machine started since.
        former: Whether a hostname gave it that was edited away, and no answer came since.
        only: The firewalls that alone know it since the state was lost; None if the state does.
    """

    given: datetime
    without: list[datetime] = field(default_factory=list)
    absent: list[datetime] = field(default_factory=list)
    boots: int = 0
    former: bool = False
    only: frozenset[str] | None = None

    def may_end(self, now: datetime) -> bool:
        """Whether a clock may have run out: between two boots, only the wall clock counts time."""
        slack = self.boots * DAY
        return (
            now - self.given >= THREE_DAYS - slack
            or (len(self.absent) >= 6 and now - self.absent[0] >= HOUR - slack)
            or (len(self.without) >= 3 and now - self.without[0] >= QUARTER - slack)
        )


@dataclass(frozen=True, slots=True)
class Backup:
    """What the state knew when it was copied.

    Attributes:
        known: What hostnames had been granted.
        unknown: The entries of unknown origin.
        latest: The latest instant that the wall clock ever showed.
        names: The hostnames of the configuration.
    """

    known: frozenset[tuple[str, Network]] = frozenset()
    unknown: frozenset[Network] = frozenset()
    latest: datetime | None = None
    names: frozenset[str] = frozenset()
