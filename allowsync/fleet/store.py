"""Stores that carry documents from the deciding machine to the machines that follow."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime


class StoreError(Exception):
    """A store could not be reached, or refused. Its text gives the reason."""


class NoConnection(StoreError):
    """There is no lasting connection; the outcome of a request is unknown."""


class NoWholeAnswer(NoConnection):
    """A request got no whole answer in time; another request may get one."""


class Superseded(StoreError):
    """Another resolver leads by now: this machine's publication was refused."""


class Look(Enum):
    """The state of a document that a store does not return."""

    UNCHANGED = "unchanged"
    MISSING = "missing"


class Fetched(NamedTuple):
    """An envelope, and the store's identifier of it."""

    envelope: bytes
    mark: str


class Unreadable(NamedTuple):
    """The reason why one document cannot be read, which says nothing of the others."""

    why: str


Seen: TypeAlias = Fetched | Look | Unreadable


class Lead(NamedTuple):
    """The lead of this machine in a fleet.

    Attributes:
        lease: The lease that bounds the lead unless renewed; empty where it does not end.
        fence: The identifier that is unique to this lead.
        ends: The earliest end.
    """

    lease: str
    fence: str
    ends: datetime


class Leadership(NamedTuple):
    """The leader of a fleet.

    Attributes:
        own: The lead of this machine; None where it does not lead.
        leader: The machine that leads, and since when, by its own report.
    """

    own: Lead | None
    leader: str


class DecisionStore(Protocol):
    """A store to read documents from. Every method raises StoreError where none can be read."""

    def look(self, marks: Mapping[str, str]) -> Mapping[str, Seen]:
        """Look at documents.

        Args:
            marks: By allowlist, the store's identifier of the held document; empty where none
                is held.
        """


class WritableStore(DecisionStore, Protocol):
    """A store to publish documents into, too."""

    def lead(self, held: Lead | None, now: datetime) -> Leadership:
        """Keep the lead, or take it where no machine has it.

        Args:
            held: The former lead of this machine.
            now: The instant.
        """

    def leader(self) -> str:
        """The machine that leads, and since when; empty where none does, or where unknown."""

    def publish(self, envelopes: Mapping[str, bytes], lead: Lead) -> Iterator[tuple[str, str]]:
        """Put documents into the store, one group at a time; yielded documents are stored.

        Args:
            envelopes: The envelopes by allowlist.
            lead: The lead of this machine.

        Yields:
            The name of each stored document, and the store's identifier of it.

        Raises:
            Superseded: Another machine leads.
        """
