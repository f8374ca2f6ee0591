"""Documents as files of a folder, for a web server, a bucket or rsync to distribute."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from allowsync.config.secure_file import FileRequirements, MissingError, RefusedError, read_checked
from allowsync.fleet.envelope import LARGEST
from allowsync.fleet.store import (
    Fetched,
    Lead,
    Leadership,
    Look,
    Seen,
    StoreError,
    Unreadable,
)
from allowsync.system.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path


def file_name(allowlist: str) -> str:
    """The file name of an allowlist's document."""
    return f"{allowlist}.json"


class FileStore:
    """A folder. Its permissions decide the leader: one machine, by configuration.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def look(self, marks: Mapping[str, str]) -> Mapping[str, Seen]:
        """Look at the files; a file whose mark is held is not read."""
        return {name: self._look(name, mark) for name, mark in marks.items()}

    def lead(self, held: Lead | None, now: datetime) -> Leadership:  # noqa: ARG002 - it does not end
        """Lead: no other machine can ask for it here."""
        return Leadership(Lead("", "", now), "")

    def leader(self) -> str:
        """Unknown in a folder."""
        return ""

    def publish(self, envelopes: Mapping[str, bytes], lead: Lead) -> Iterator[tuple[str, str]]:  # noqa: ARG002
        """Replace the files, each atomically."""
        try:
            for name, envelope in envelopes.items():
                replace_file(self._folder / file_name(name), envelope, durable=True)
                yield name, self._mark(name)
        except OSError as error:
            raise StoreError(f"{self._folder}: {error.strerror}") from None

    def _look(self, name: str, mark: str) -> Seen:
        path = self._folder / file_name(name)
        try:
            found = self._mark(name)
            if found == mark:
                return Look.UNCHANGED
            # Write permission does not count: the signature does.
            demands = FileRequirements(os.geteuid(), LARGEST, vouched=True)
            return Fetched(read_checked(path, demands), found)
        except (FileNotFoundError, MissingError):
            return Look.MISSING
        except OSError as error:
            return Unreadable(f"{path}: {error.strerror}")
        except RefusedError as error:
            return Unreadable(f"{path}: {error}")

    def _mark(self, name: str) -> str:
        """The identity of a file version, unlike that of every other under its name."""
        found = os.stat(self._folder / file_name(name))  # noqa: PTH116 - in every run
        return f"{found.st_ctime_ns}.{found.st_ino}.{found.st_size}"
