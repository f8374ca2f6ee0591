"""Lists of networks in force, each in a file beside the state.

The heading holds the list's time, source and later problems. The body has one network a line,
sorted and merged. A run with nothing to do reads the heading alone.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from allowsync.config.secure_file import digest_of
from allowsync.model.networks import network
from allowsync.model.value import Value, replace
from allowsync.policy.list_formats import entry
from allowsync.policy.lists import cidrs, ranges, spelt
from allowsync.state.errors import StateError
from allowsync.state.files import as_owner
from allowsync.state.kept_files import read_body, read_heading, write_kept

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from allowsync.model.list_source import ListSource
    from allowsync.model.spans import Span
    from allowsync.model.types import Network
    from allowsync.policy.list_formats import Entry

# As JSON at most 6 times as many octets: all together fit into the heading.
_LONGEST: Final = {"trouble": 300, "etag": 200, "modified": 60, "unfit": 80}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class KeptList(Value):
    """The kept state of a list.

    Attributes:
        name: Its name in the configuration.
        tried: The time of the last fetch, or of the last reading of its file.
        asked: The identifier of the source at that time, to compare with the configured one.
        source: The identifier of the source of the content in force.
        fetched: The last time that the source confirmed the content in force; None where nothing
            ever was.
        trouble: The problem since then; empty where there was none.
        failures: The number of consecutive failures to get credible content.
        etag: The server's identifier of the content.
        modified: The time of its last change by the server.
        stamp: The status of its file when it was read, beginning with the modification time.
        unfit: The reason why no host may have its networks; empty where one may.
        count: The number of its networks.
        digest: The digest of its networks.
        path: The file that holds the networks; None where they are in `text`.
        text: The networks, where they were not written yet.
    """

    name: str
    tried: datetime
    asked: str = ""
    source: str = ""
    fetched: datetime | None = None
    trouble: str = ""
    failures: int = 0
    etag: str = ""
    modified: str = ""
    stamp: tuple[int, ...] = ()
    unfit: str = ""
    count: int = 0
    digest: str = ""
    path: Path | None = None
    text: bytes = b""

    @property
    def is_known(self) -> bool:
        """Whether a content is in force."""
        return self.fetched is not None and self.count > 0

    @property
    def as_of(self) -> datetime | None:
        """The date of the content, for a file its last modification; None where unknown."""
        if self.fetched is None or self.trouble or not self.stamp:
            return self.fetched
        return datetime.fromtimestamp(self.stamp[0] / 1e9, UTC)

    def spans(self) -> tuple[list[Span], list[Span]] | None:
        """Its networks as ranges of addresses of either family; None where they are damaged."""
        lines = self._lines()
        if lines is None:
            return None
        held = ranges(one for line in lines if (one := entry(line)) is not None)
        return held[4], held[6]

    def networks(self) -> tuple[Network, ...] | None:
        """Its networks, sorted; None where they are damaged."""
        lines = self._lines()
        if lines is None:
            return None
        return tuple(network(*one) for line in lines if (one := entry(line)) is not None)

    def with_entries(self, entries: Iterable[Entry]) -> KeptList:
        """The same list with other networks, merged where they are adjacent."""
        held = cidrs(ranges(entries))
        lines = [spelt((version, *one)) for version in (4, 6) for one in held[version]]
        text = "".join(f"{line}\n" for line in lines).encode()
        return replace(self, count=len(lines), digest=digest_of(text), text=text, path=None)

    def body(self) -> bytes | None:
        """Its networks in the format of the file; None where they are damaged."""
        if self.path is None:
            return self.text
        return read_body(self.path, self.digest)

    def _lines(self) -> list[str] | None:
        body = self.body()
        return None if body is None else body.decode("ascii", "replace").splitlines()


def identity(source: ListSource) -> str:
    """The identifier of a list's source, unlike that of another under its name."""
    said = (source.place, source.format.value, source.field, source.sha256)
    return digest_of("|".join(map(str, said)).encode())


def list_path(state: Path, name: str) -> Path:
    """The path of a list's file."""
    return state.with_name(f"{state.name}.{name}.list")


def read_list(state: Path, name: str) -> KeptList | None:
    """The kept state of a list, by its heading; None where there is none."""
    path = list_path(state, name)
    heading = read_heading(path)
    try:
        return None if heading is None else _plain(name, path, heading)
    except (ValueError, TypeError, KeyError, OverflowError):
        return None


def write_list(state: Path, kept: KeptList) -> bool:
    """Write the state of a list. Return whether that succeeded."""
    body = kept.body()
    if body is None:
        return False
    return write_kept(list_path(state, kept.name), _heading(kept), body)


def forget_list(state: Path, name: str) -> None:
    """Delete a list's file, as it is damaged. The list is fetched anew."""
    path = list_path(state, name)
    with suppress(OSError, StateError), as_owner(path):
        path.unlink(missing_ok=True)


def _heading(kept: KeptList) -> Mapping[str, Any]:
    return {
        "tried": number_of(kept.tried),
        "asked": kept.asked,
        "source": kept.source,
        "fetched": None if kept.fetched is None else number_of(kept.fetched),
        "trouble": kept.trouble[: _LONGEST["trouble"]],
        "failures": kept.failures,
        "etag": kept.etag[: _LONGEST["etag"]],
        "modified": kept.modified[: _LONGEST["modified"]],
        "stamp": kept.stamp,
        "unfit": kept.unfit[: _LONGEST["unfit"]],
        "count": kept.count,
        "digest": kept.digest,
    }


def _plain(name: str, path: Path, held: Mapping[str, Any]) -> KeptList:
    fetched = held["fetched"]
    return KeptList(
        name,
        instant_of(held["tried"]),
        str(held["asked"]),
        str(held["source"]),
        None if fetched is None else instant_of(fetched),
        str(held["trouble"]),
        int(held["failures"]),
        str(held["etag"]),
        str(held["modified"]),
        tuple(map(int, held["stamp"])),
        str(held["unfit"]),
        int(held["count"]),
        str(held["digest"]),
        path,
    )


def number_of(instant: datetime) -> int:
    """An instant as microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def instant_of(number: int) -> datetime:
    """An instant from microseconds since 1970. Raises OverflowError: there is no such instant."""
    return _EPOCH + number * _MICROSECOND
