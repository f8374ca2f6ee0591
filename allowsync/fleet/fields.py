"""Fields of untrusted JSON objects, read one by one within bounds. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allowsync.state.codec import EPOCH, MICROSECOND
from allowsync.text import quote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

LARGEST_NUMBER: Final = 2**53 - 1  # exact in every reader of JSON (RFC 8259 section 6)
_LATEST: Final = 253402300799 * 10**6  # the end of the year 9999


class DocumentError(ValueError):
    """A document is not acceptable. Its text gives the reason."""


class Fields:
    """The fields of one object.

    Args:
        plain: The object.
    """

    def __init__(self, plain: Any) -> None:
        if not isinstance(plain, dict):
            raise DocumentError("an object is expected in it")
        self._plain = plain

    def __contains__(self, name: str) -> bool:
        return name in self._plain

    def text(self, name: str, *, most: int, default: str | None = None) -> str:
        """A printable text of at most `most` characters."""
        found = self._plain.get(name, default)
        if not isinstance(found, str) or len(found) > most or not found.isprintable():
            raise self._odd(name)
        return found

    def whole(
        self, name: str, *, least: int = 0, most: int = LARGEST_NUMBER, default: Any = None
    ) -> int:
        """A whole number."""
        found = self._plain.get(name, default)
        if type(found) is not int or not least <= found <= most:
            raise self._odd(name)
        return found

    def truth(self, name: str) -> bool:
        """A boolean; false where it is missing."""
        found = self._plain.get(name, False)
        if not isinstance(found, bool):
            raise self._odd(name)
        return found

    def instant(self, name: str) -> datetime:
        """An instant."""
        return EPOCH + self.whole(name, most=_LATEST) * MICROSECOND

    def maybe_instant(self, name: str) -> datetime | None:
        """An instant; None where it is missing."""
        return self.instant(name) if name in self else None

    def span(self, name: str, most: timedelta, default: timedelta | None = None) -> timedelta:
        """A span of time."""
        given = None if default is None else default // MICROSECOND
        return self.whole(name, most=most // MICROSECOND, default=given) * MICROSECOND

    def texts(self, name: str, most: int, longest: int) -> tuple[str, ...]:
        """A list of printable texts; an empty one where it is missing."""
        found = tuple(self._items(name, most))
        if not all(
            isinstance(one, str) and len(one) <= longest and one.isprintable() for one in found
        ):
            raise self._odd(name)
        return found

    def objects(self, name: str, most: int) -> Iterator[Fields]:
        """A list of objects; an empty one where it is missing."""
        return map(Fields, self._items(name, most))

    def object(self, name: str) -> Fields:
        """An object; an empty one where it is missing."""
        return Fields(self._plain.get(name, {}))

    def _items(self, name: str, most: int) -> list[Any]:
        found = self._plain.get(name, [])
        if not isinstance(found, list) or len(found) > most:
            raise self._odd(name)
        return found

    def _odd(self, name: str) -> DocumentError:
        if name not in self._plain:
            return DocumentError(f"it lacks {quote(name)}")
        return DocumentError(f"its {quote(name)} is not what is expected there")
