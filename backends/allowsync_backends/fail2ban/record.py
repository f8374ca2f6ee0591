"""The file that says what is ours: which networks, in which jails.

It is changed before anything that is new comes into force, and after all that is old has gone. So
whatever of ours is in force stands in it, whenever a run ends.
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
    """What stands in the file, and what is wrong with it.

    Attributes:
        networks: The networks.
        jails: The jails, sorted.
        flaws: What is wrong with the file, in words.
    """

    networks: frozenset[Network]
    jails: tuple[str, ...]
    flaws: tuple[str, ...] = ()


class Record(Value):
    """The file of one allowlist.

    Attributes:
        allowlist: Whose it is.
        path: The file.
        jails: The jails it is meant to name.
    """

    allowlist: str
    path: Path
    jails: tuple[str, ...]

    def file(self, jails: Iterable[str]) -> FileBackend:
        """The file as one that names some jails."""
        syntax = VariableSyntax(tuple(sorted(jails)))
        return FileBackend(self.allowlist, self.path, syntax, MODE, Commands())

    def read(self) -> Recorded:
        """What is recorded.

        Raises:
            BackendError: It is a foreign file, or cannot be read.
        """
        current = self.file(self.jails).read()
        # It is a file, and ours, or there is none.
        jails = jails_of(_text(self.path))
        flaws = current.flaws
        if jails and set(jails) != set(self.jails):
            other = f"{self.path} is for other jails: {', '.join(jails)}"
            flaws = (*self.file(jails).read().flaws, other)
        networks = frozenset(entry.network for entry in current.entries)
        return Recorded(networks, jails, flaws)

    def of_others(self, jail: str) -> frozenset[Network]:
        """What other files of ours beside this one have a jail ignore.

        Raises:
            BackendError: It could not be found out.
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
        """Remove the file. A stranger's stays.

        Raises:
            BackendError: It may be left.
        """
        self.file(self.jails).clear()


def _local_files(folder: Path) -> list[Path]:
    """The files of a folder that Fail2ban reads last; none where there is no folder."""
    try:
        return [path for path in folder.iterdir() if path.suffix == ".local"]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BackendError(f"{folder} cannot be listed: {error.strerror}") from error


def _text(path: Path) -> str:
    """What a file holds; nothing where there is none."""
    try:
        return path.read_text(errors="replace") if path.is_file() else ""
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise BackendError(f"{path} cannot be read: {error.strerror}") from error
