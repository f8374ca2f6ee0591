"""What carries documents from the machine that decides to those that follow."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime


class StoreError(Exception):
    """A store could not be asked, or refused. Its text says why."""


class NoConnection(StoreError):
    """There is no connection, or none that lasts: nothing is known of what was asked."""


class NoAnswer(NoConnection):
    """What was asked got no whole answer in time; another question may get one."""


class Superseded(StoreError):
    """Another resolver leads by now: what this one decided was refused."""


class Look(Enum):
    """What a store says of a document that it does not hand out."""

    UNCHANGED = "unchanged"
    MISSING = "missing"


class Fetched(NamedTuple):
    """An envelope, and what the store knows it by."""

    envelope: bytes
    mark: str


class Unreadable(NamedTuple):
    """Why a document cannot be had, where that says nothing of the others."""

    why: str


Seen: TypeAlias = Fetched | Look | Unreadable


class Lead(NamedTuple):
    """That this machine leads a fleet.

    Attributes:
        lease: What the lead ends with, where nothing renews it; empty where it does not end.
        fence: What tells this lead from every other.
        ends: When it ends at the earliest.
    """

    lease: str
    fence: str
    ends: datetime


class Leadership(NamedTuple):
    """Who leads.

    Attributes:
        own: The lead of this machine; None where it does not lead.
        leader: The machine that leads, and since when, as it says itself.
    """

    own: Lead | None
    leader: str


class DecisionStore(Protocol):
    """Where documents are read. Every method raises StoreError where none can be."""

    def look(self, marks: Mapping[str, str]) -> Mapping[str, Seen]:
        """Look at documents.

        Args:
            marks: By allowlist, what the store knows the document by that is held; empty where none
                is held.
        """


class WritableStore(DecisionStore, Protocol):
    """Where documents are published, too."""

    def lead(self, held: Lead | None, now: datetime) -> Leadership:
        """Keep the lead, or take it where no machine has it.

        Args:
            held: The lead that this machine had.
            now: The instant.
        """

    def leader(self) -> str:
        """The machine that leads, and since when; empty where none does, or that is not kept."""

    def publish(self, envelopes: Mapping[str, bytes], lead: Lead) -> Iterator[tuple[str, str]]:
        """Put documents into the store, some at a time: those that were handed out stay there.

        Args:
            envelopes: By allowlist.
            lead: That of this machine.

        Yields:
            The name of each that is there, and what the store knows it by.

        Raises:
            Superseded: Another machine leads.
        """
