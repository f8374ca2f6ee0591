"""Lists of networks published by third parties: location, format, and maximum age."""

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
    """The format of a list."""

    TEXT = "text"
    JSON = "json"
    JSONLINES = "jsonlines"
    CSV = "csv"


class ListSource(Value):
    """A list as the configuration describes it.

    Attributes:
        url: The URL to fetch; None for a file.
        file: The file that holds it; None for one that is fetched.
        format: Its format.
        field: The position of the networks in that format; None where the format has no fields.
        refresh: The interval of fetching, or of the file's updates by others.
        keep: The life of a list without a newer one.
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
        """Check combinations of keys. Raises ValueError."""
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
        """The interval at which a newer list is expected; None for a file without `refresh`."""
        return self.refresh or (None if self.url is None else EVERY)

    @property
    def place(self) -> str:
        """Its location as text."""
        return self.url or str(self.file)
