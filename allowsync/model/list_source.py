"""Lists of networks that others keep: where each is, how it is written, how old it may be."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Final

from allowsync.model.value import Value

if TYPE_CHECKING:
    from pathlib import Path

EVERY: Final = timedelta(hours=12)  # unless `refresh` says otherwise
LEAST: Final = timedelta(hours=1)


class ListFormat(Enum):
    """How a list is written."""

    TEXT = "text"
    JSON = "json"
    JSONLINES = "jsonlines"
    CSV = "csv"


class ListSource(Value):
    """A list as the configuration describes it.

    Attributes:
        url: Where it is fetched; None for a file.
        file: The file that holds it; None for one that is fetched.
        format: How it is written.
        field: Where in that its networks are; None where that need not be said.
        refresh: How often it is fetched, or how often its file is written anew by others.
        keep: How long it counts when nothing newer can be had.
        max_networks: The most networks it may hold.
        sha256: The digest of its content; None where it may change.
    """

    url: str | None = None
    file: Path | None = None
    format: ListFormat = ListFormat.TEXT
    field: str | None = None
    refresh: timedelta | None = None
    keep: timedelta = timedelta(days=14)
    max_networks: int = 50_000
    sha256: str | None = None

    def __post_init__(self) -> None:
        """Check what no single key shows. Raises ValueError."""
        if (self.url is None) is (self.file is None):
            raise ValueError("needs either a url or a file")
        if self.url is not None and self.url.startswith("http:") and self.sha256 is None:
            raise ValueError("http:// can be changed on its way: use https://, or add sha256")
        if self.refresh is not None and self.refresh < LEAST:
            raise ValueError("refresh: at least an hour")
        if self.every is not None and self.keep < self.every:
            raise ValueError("keep is shorter than refresh: the list would end between two of them")
        if self.format is ListFormat.TEXT and self.field is not None:
            raise ValueError("field: a list of format text has none")
        if self.format in (ListFormat.JSONLINES, ListFormat.CSV) and self.field is None:
            raise ValueError(f"'field' is missing: format {self.format.value} needs it")

    @property
    def every(self) -> timedelta | None:
        """How often something newer is expected; None for a file of which that is not said."""
        return self.refresh or (None if self.url is None else EVERY)

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return self.url or str(self.file)
