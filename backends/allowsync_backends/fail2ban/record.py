"""The file that records our networks and jails.

It is changed before any new network comes into force, and after all old ones are gone. So it lists
every network of ours in force, whenever a run ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.backend.api import BackendError
from allowsync.model.plan import Plan
from allowsync.model.types import Entry, Network, by_network
from allowsync.model.value import Value
from allowsync_backends.fail2ban.syntax import VariableSyntax, jails_of
from allowsync_backends.file.backend import FileBackend
from allowsync_backends.file.reader import Commands

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MODE: Final = 0o644


class Recorded(Value):
    """The content of the file, and its faults.

    Attributes:
        networks: The networks.
        jails: The jails, sorted.
        flaws: The faults of the file, in words.
    """

    networks: frozenset[Network]
    jails: tuple[str, ...]
    flaws: tuple[str, ...] = ()


class Record(Value):
    """The file of one allowlist.

    Attributes:
        allowlist: Its allowlist.
        path: The file.
        jails: The jails it should name.
    """

    allowlist: str
    path: Path
    jails: tuple[str, ...]

    def file(self, jails: Iterable[str]) -> FileBackend:
        """Return the file backend for some jails."""
        syntax = VariableSyntax(tuple(sorted(jails)))
        return FileBackend(self.allowlist, self.path, syntax, MODE, Commands())

    def read(self) -> Recorded:
        """Return the recorded networks and jails.

        Raises:
            BackendError: It is a foreign file, or cannot be read.
        """
        current = self.file(self.jails).read()
        # The file exists and is ours, or there is none.
        jails = jails_of(_text(self.path))
        flaws = current.flaws
        if jails and set(jails) != set(self.jails):
            other = f"{self.path} is for other jails: {', '.join(jails)}"
            flaws = (*self.file(jails).read().flaws, other)
        networks = frozenset(entry.network for entry in current.entries)
        return Recorded(networks, jails, flaws)

    def of_others(self, jail: str) -> frozenset[Network]:
        """Return the networks that a jail ignores by other files of ours.

        Raises:
            BackendError: They could not be read.
        """
        found: set[Network] = set()
        for path in set(_local_files(self.path.parent)) - {self.path}:
            text = _text(path)
            held = VariableSyntax(()).parse(text)
            if held is not None and jail in jails_of(text):
                found |= held.networks
        return frozenset(found)

    def write(self, networks: Iterable[Network], jails: Iterable[str]) -> None:
        """Replace the file in one step.

        Raises:
            BackendError: The old file is in place.
            OutcomeUnknown: The new file is in place, but may not be on the disk.
        """
        entries = tuple(Entry(network) for network in sorted(networks, key=by_network))
        self.file(jails).apply(Plan("", keep=entries, repair=("it is written anew",)))

    def remove(self) -> None:
        """Remove the file. A foreign one stays.

        Raises:
            BackendError: It may be left.
        """
        self.file(self.jails).clear()


def _local_files(folder: Path) -> list[Path]:
    """Return the files of a folder that Fail2ban reads last; none where there is no folder."""
    try:
        return [path for path in folder.iterdir() if path.suffix == ".local"]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BackendError(f"{folder} cannot be listed: {error.strerror}") from error


def _text(path: Path) -> str:
    """Return the content of a file; empty where there is none."""
    try:
        return path.read_text(errors="replace") if path.is_file() else ""
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise BackendError(f"{path} cannot be read: {error.strerror}") from error
