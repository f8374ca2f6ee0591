"""Documents from a web server, each requested by its ETag (RFC 9110 section 8.8.3); read only."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from allowsync.fleet.envelope import LARGEST
from allowsync.fleet.file_store import file_name
from allowsync.fleet.http import Client
from allowsync.fleet.store import (
    Fetched,
    Look,
    NoConnection,
    NoWholeAnswer,
    Seen,
    StoreError,
    Unreadable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_TAG: Final = 200


class HttpsStore:
    """A folder of a web server.

    Args:
        url: The folder.
        authority: A file of certificates to verify the server with; None for the system's.
    """

    def __init__(self, url: str, authority: str | None) -> None:
        self._url = url.rstrip("/")
        self._authority = authority

    def look(self, marks: Mapping[str, str]) -> Mapping[str, Seen]:
        """Request the files; a file whose tag is held is not sent.

        A truncated or late file is unreadable alone, unless all are.
        """
        client = Client(self._authority, LARGEST)
        try:
            return self._seen(client, marks)
        except NoConnection as error:
            raise NoConnection(f"{self._url}: {error}") from None
        finally:
            client.close()

    def _seen(self, client: Client, marks: Mapping[str, str]) -> dict[str, Seen]:
        seen: dict[str, Seen] = {}
        lost: dict[str, NoWholeAnswer] = {}
        waiting = sorted(marks, key=lambda _: os.urandom(4))  # no list always waits for silent ones
        while waiting and (client.left or not lost):
            name = waiting.pop()
            seconds = client.left / 2 if waiting else client.left
            try:
                seen[name] = self._look(client, name, marks[name], seconds)
            except NoWholeAnswer as error:
                lost[name] = error
        if lost and not seen:
            raise next(iter(lost.values()))
        late = NoWholeAnswer("there was no time left")
        for name in (*lost, *waiting):
            seen[name] = Unreadable(f"{self._of(name)}: {lost.get(name, late)}")
        return seen

    def _of(self, name: str) -> str:
        return f"{self._url}/{file_name(name)}"

    def _look(self, client: Client, name: str, mark: str, seconds: float) -> Seen:
        url, held = self._of(name), {"If-None-Match": mark} if mark else {}
        try:
            response = client.ask("GET", url, held, seconds=seconds)
        except NoConnection:
            raise
        except StoreError as error:
            return Unreadable(f"{url}: {error}")
        match response.status:
            case 200:
                return Fetched(response.body, _tag(response.headers))
            case 304 if mark:
                return Look.UNCHANGED
            case 404 | 410:
                return Look.MISSING
            case other:
                return Unreadable(f"{url}: HTTP status {other}")


def _tag(headers: Mapping[str, str]) -> str:
    """The tag for the next request; empty where the answer has none that can be sent back."""
    tag = headers.get("ETag", "")
    return tag if tag.isascii() and tag.isprintable() and len(tag) <= _LONGEST_TAG else ""
