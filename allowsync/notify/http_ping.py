"""One request to a monitor: its conventions and its execution.

    kind           good run                          bad run
    healthchecks   POST URL/0                        POST URL/<exit code>
    uptime_kuma    GET URL?status=up&msg=&ping=      GET URL?status=down&msg=&ping=
    plain          GET URL                           nothing

The first follows https://healthchecks.io/docs/http_api/, the second what an Uptime Kuma push
monitor shows as its URL; `ping` is in milliseconds.

Redirects are not followed, and proxies named by the environment are not used.
"""

from __future__ import annotations

import re
import threading
from base64 import b64encode
from contextlib import closing
from http.client import (
    BadStatusLine,
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    InvalidURL,
)
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlencode, urlsplit

from allowsync import __version__

if TYPE_CHECKING:
    from urllib.parse import SplitResult

PATIENCE = 5.0  # seconds, from name resolution to the status of the response
LARGEST_BODY = 10_000  # bytes; Healthchecks keeps at least as many
LONGEST_WORD = 200  # characters of a message in a URL
_MOST_INTERIM = 10

_HEALTHCHECKS = (
    r"https?://(?:hc-ping\.com/.+|.+/ping/.+|.+/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/*"
)


class FinalResponse(HTTPResponse):
    """The first final response to a request (RFC 9110 section 15.2)."""

    def begin(self) -> None:
        """Read the head of a response, skipping interim ones."""
        for _ in range(_MOST_INTERIM):
            super().begin()
            if self.status >= 200:
                return
            self.headers = None  # type: ignore[assignment]  # as before the first: read again
        raise BadStatusLine(str(self.status))


def kind_of(url: str) -> str:
    """The conventions that a URL seems to follow."""
    path = url.partition("?")[0]
    if "/api/push/" in path:
        return "uptime_kuma"
    return "healthchecks" if re.fullmatch(_HEALTHCHECKS, path, re.IGNORECASE) else "plain"


def composed(
    url: str, kind: str, status: int, seconds: float, said: str
) -> tuple[str, str, bytes] | None:
    """The request after a run: method, URL and body. None for none.

    Args:
        url: The monitor's URL.
        kind: The conventions to follow, or `auto`.
        status: 0 after a good run, else its exit code.
        seconds: Its duration.
        said: Its summary.
    """
    url = url.partition("#")[0]
    kind = kind_of(url) if kind == "auto" else kind
    if kind == "healthchecks":
        path, mark, query = url.partition("?")
        body = said.encode(errors="replace")[:LARGEST_BODY]
        return "POST", f"{path.rstrip('/')}/{status}{mark}{query}", body
    if kind == "uptime_kuma":
        return "GET", _pushed(url, status, seconds, said), b""
    return None if status else ("GET", url, b"")


def _pushed(url: str, status: int, seconds: float, said: str) -> str:
    """The push URL. Its query part is an example, and is replaced."""
    wanted = {
        "status": "down" if status else "up",
        "msg": said.partition("\n")[0][:LONGEST_WORD] or "OK",
        "ping": round(seconds * 1000),
    }
    return f"{url.partition('?')[0]}?{urlencode(wanted)}"


def deliver(method: str, url: str, body: bytes, patience: float = PATIENCE) -> str:
    """Make a request. Returns the reason of a failure, without the URL; empty on success.

    Takes no longer than `patience`, in seconds, including name resolution.
    """
    outcome = [f"no answer within {patience:g} s"]

    def attempt() -> None:
        outcome[0] = _attempted(method, url, body, patience)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(patience)
    return outcome[0]


def _attempted(method: str, url: str, body: bytes, patience: float) -> str:
    try:
        status = _status(method, url, body, patience)
    except TimeoutError:
        return "no answer in time"
    except (InvalidURL, ValueError) as error:
        return f"it cannot be asked ({type(error).__name__})"
    except HTTPException:
        return "no proper answer"
    except OSError as error:
        return error.strerror or type(error).__name__
    return "" if 200 <= status < 300 else f"the answer was HTTP status {status}"


def _status(method: str, url: str, body: bytes, patience: float) -> int:
    """The status of the final response. Redirects and the environment's proxies are ignored.

    Raises:
        ValueError: The URL has no host.
    """
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError(method)
    secure = parts.scheme.lower() == "https"
    connection = (HTTPSConnection if secure else HTTPConnection)(
        parts.hostname, parts.port, timeout=patience
    )
    connection.response_class = FinalResponse
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with closing(connection):
        connection.request(method, target, body or None, _headers(parts, body))
        return connection.getresponse().status


def _headers(parts: SplitResult, body: bytes) -> dict[str, str]:
    headers = {"User-Agent": f"allowsync/{__version__}", "Connection": "close"}
    if body:
        headers["Content-Type"] = "text/plain; charset=utf-8"
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {b64encode(credentials.encode()).decode()}"
    return headers
