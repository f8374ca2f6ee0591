"""Parsing of third parties' lists of networks: text, JSON, JSON lines, CSV. Pure.

A list is hostile input. Lines that are no network are counted, never guessed at;
`allowsync.policy.lists` judges whether the rest is credible.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_pton
from typing import TYPE_CHECKING, Any, Final

from allowsync.model.list_source import ListFormat
from allowsync.model.spans import BITS
from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

LARGEST: Final = 8 * 1024 * 1024  # octets
MOST_ENTRIES: Final = 1_000_000
_LONGEST_ENTRY: Final = 64
_COMMENTS: Final = ("#", ";")
_BOM: Final = b"\xef\xbb\xbf"

Entry = tuple[int, int, int]  # version, number of the first address, width


class ListError(Exception):
    """A content that is no list. Its text gives the reason."""


class ListContent(Value):
    """The parsed content of a list.

    Attributes:
        entries: Its networks as written, each once, sorted.
        count: The number of its networks as written.
        unread: The number of lines or values that are no networks.
        sample: The first of those.
        promised: The number of networks that the list claims to have; None where it claims none.
    """

    entries: tuple[Entry, ...]
    count: int
    unread: int = 0
    sample: str = ""
    promised: int | None = None


def read_list_content(content: bytes, form: ListFormat, field: str | None) -> ListContent:
    """Parse a list.

    Args:
        content: The whole content.
        form: Its format.
        field: The position of its networks.

    Raises:
        ListError: It is no list, or not in this format.
    """
    if len(content) > LARGEST:
        raise ListError(f"it is larger than {LARGEST // 2**20} MiB")
    content = content.removeprefix(_BOM)
    if not content.strip():
        raise ListError("it is empty")
    if content.lstrip()[:1] == b"<":
        raise ListError("it is a web page (HTML), not a list")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ListError("it is not written in UTF-8") from None
    if "\0" in text:
        raise ListError("it is not text: it holds a zero byte")
    try:
        return _counted(*_READERS[form](text, field))
    except RecursionError:
        raise ListError("it is nested too deeply") from None


def check_digest(content: bytes, demanded: str | None) -> None:
    """Raise ListError where the content has another SHA-256 than the required one."""
    if demanded is not None:
        from hashlib import sha256

        if sha256(content).hexdigest() != demanded:
            raise ListError("its content has another sha256")


def entry(text: str) -> Entry | None:
    """A network or an address from its text; None where it is none, or has host bits."""
    if len(text) > _LONGEST_ENTRY:
        return None
    start, slash, width = text.partition("/")
    version, kind = (6, AF_INET6) if ":" in start else (4, AF_INET)
    bits = BITS[version]
    if slash and not (width.isascii() and width.isdecimal() and len(width) <= 3):
        return None
    wide = int(width) if slash else bits
    try:
        number = int.from_bytes(inet_pton(kind, start), "big")
    except (OSError, ValueError):
        return None
    if wide > bits or number & ((1 << (bits - wide)) - 1):
        return None
    return version, number, wide


def _counted(texts: Iterable[str], promised: int | None) -> ListContent:
    entries: list[Entry] = []
    unread, sample = 0, ""
    for text in texts:
        if len(entries) + unread >= MOST_ENTRIES:
            raise ListError(f"it has more than {MOST_ENTRIES:,} entries")
        if (found := entry(text)) is not None:
            entries.append(found)
        else:
            sample = sample or text
            unread += 1
    return ListContent(tuple(sorted(set(entries))), len(entries), unread, sample[:80], promised)


def _text(text: str, _field: str | None) -> tuple[Iterator[str], None]:
    def lines() -> Iterator[str]:
        for line in text.splitlines():
            for mark in _COMMENTS:
                line = line.partition(mark)[0]
            if line := line.strip():
                yield line

    return lines(), None


def _json(text: str, field: str | None) -> tuple[Iterable[str], None]:
    return _at(_parsed(text), _path(field)), None


def _jsonlines(text: str, field: str | None) -> tuple[list[str], int | None]:
    """Parse a value a line. The last one may describe the list instead, as Spamhaus' does."""
    path, found, promised = _path(field), [], None
    lines = [line for line in text.splitlines() if line.strip()]
    for number, line in enumerate(lines, start=1):
        try:
            value = _parsed(line)
        except ListError:
            found.append(line)
            continue
        texts = list(_at(value, path))
        if not texts and isinstance(value, dict) and number == len(lines):
            records = value.get("records")
            promised = records if isinstance(records, int) else None
            continue
        found += texts or [line]
    return found, promised


def _csv(text: str, field: str | None) -> tuple[list[str], None]:
    import csv

    lines = [line for line in text.splitlines() if line.strip() and line[0] not in _COMMENTS]
    first = lines[0] if lines else ""
    separator = next((one for one in ",;\t" if one in first), ",")
    try:
        rows = list(csv.reader(lines, delimiter=separator, skipinitialspace=True))
    except csv.Error as error:
        raise ListError(f"it is not CSV: {error}") from None
    wanted = field or "1"
    column = _column(rows[0] if rows else [], wanted)
    found = [row[column].strip() if column < len(row) else "" for row in rows]
    found += [""] * (len(lines) - len(rows))  # lines swallowed by an unterminated quote
    is_header = not (wanted.isdecimal() and found and entry(found[0]) is not None)
    return found[1:] if is_header else found, None


def _column(header: list[str], wanted: str) -> int:
    """The index of a column by its name, or else by its number from one."""
    names = [one.strip() for one in header]
    if wanted in names:
        return names.index(wanted)
    if wanted.isdecimal() and 1 <= int(wanted[:6]) <= len(names):
        return int(wanted) - 1
    raise ListError(f"its first line has no column {wanted!r}")


def _parsed(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except ValueError as error:
        raise ListError(f"it is not JSON: {error}") from None


def _path(field: str | None) -> tuple[str, ...]:
    return tuple(field.split(".")) if field else ()


def _at(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    """Yield every text at a path, through arrays. Objects without the field have none."""
    if isinstance(value, list):
        for one in value:
            yield from _at(one, path)
    elif path:
        if isinstance(value, dict) and path[0] in value:
            yield from _at(value[path[0]], path[1:])
    elif value is not None:
        yield value if isinstance(value, str) else str(value)[:_LONGEST_ENTRY]


_READERS: Final[dict[ListFormat, Callable[[str, str | None], tuple[Iterable[str], int | None]]]] = {
    ListFormat.TEXT: _text,
    ListFormat.JSON: _json,
    ListFormat.JSONLINES: _jsonlines,
    ListFormat.CSV: _csv,
}
