"""Telling a monitor at the end of a run that there was one, and how it ended.

Silence is what raises the alarm, so a machine that is off, or that cannot even read its
configuration, needs no words of its own.

    kind           good run                          bad run
    healthchecks   POST URL/0                        POST URL/<exit code>
    uptime_kuma    GET URL?status=up&msg=&ping=      GET URL?status=down&msg=&ping=
    plain          GET URL                           nothing

The first follows https://healthchecks.io/docs/http_api/, the second what an Uptime Kuma push
monitor shows as its URL; `ping` is in milliseconds. Nothing is sent at the start of a run: the
firewall does not wait for a monitor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

from allowsync.config.settings import Pinged
from allowsync.outcome import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.client import HTTPConnection

    from allowsync.config.channels import Heartbeat

PATIENCE: Final = 5.0  # seconds, from looking up the name to the status of the answer
LARGEST_BODY: Final = 10_000  # bytes; Healthchecks keeps at least as many
LONGEST_WORD: Final = 200  # characters of a message that becomes a part of a URL

GOOD: Final = (ExitCode.IN_STEP, ExitCode.OLD_KNOWLEDGE)

_HEALTHCHECKS: Final = re.compile(
    r"https?://(?:hc-ping\.com/.+|.+/ping/.+|.+/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: its exit code, how long it took in seconds, what there is to say."""

    code: ExitCode
    seconds: float
    said: str

    @property
    def good(self) -> bool:
        """Whether every target is in step. Old knowledge is no failure; its clock is running."""
        return self.code in GOOD


@dataclass(frozen=True, slots=True)
class Ping:
    """One HTTP request. `url` may hold a secret."""

    method: str
    url: str
    body: bytes = b""


def kind_of(url: str) -> Pinged:
    """Whose conventions a URL seems to follow."""
    path = url.partition("?")[0]
    if "/api/push/" in path:
        return Pinged.UPTIME_KUMA
    return Pinged.HEALTHCHECKS if _HEALTHCHECKS.fullmatch(path) else Pinged.PLAIN


def ping(heartbeat: Heartbeat, ended: Ended) -> Ping | None:
    """What to request after a run; None for nothing."""
    url = heartbeat.secret.value.partition("#")[0]
    kind = kind_of(url) if heartbeat.kind is Pinged.AUTO else heartbeat.kind
    match kind:
        case Pinged.HEALTHCHECKS:
            path, mark, query = url.partition("?")
            body = ended.said.encode(errors="replace")[:LARGEST_BODY]
            return Ping("POST", f"{path.rstrip('/')}/{_status_told(ended)}{mark}{query}", body)
        case Pinged.UPTIME_KUMA:
            return Ping("GET", _pushed(url, ended))
        case Pinged.PLAIN | Pinged.AUTO:
            return Ping("GET", url) if ended.good else None
        case _:
            assert_never(kind)


def _status_told(ended: Ended) -> int:
    """The exit status for a monitor that takes everything but 0 for a failure."""
    return 0 if ended.good else int(ended.code)


def _pushed(url: str, ended: Ended) -> str:
    """The push URL. What is written behind its question mark is an example, to be replaced."""
    from urllib.parse import urlencode

    said = ended.said.partition("\n")[0][:LONGEST_WORD] or "OK"
    wanted = {
        "status": "up" if ended.good else "down",
        "msg": said,
        "ping": round(ended.seconds * 1000),
    }
    return f"{url.partition('?')[0]}?{urlencode(wanted)}"


def deliver(request: Ping, patience: float = PATIENCE) -> str:
    """Make the request. Returns why it failed, without the URL; empty if it did not.

    Takes no longer than `patience`, in seconds, not even where a name is looked up in vain.
    """
    import threading

    outcome = [f"no answer within {patience:g} s"]

    def attempt() -> None:
        outcome[0] = _attempted(lambda: _status(request, patience))

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(patience)
    return outcome[0]


def _attempted(request: Callable[[], int]) -> str:
    from http.client import HTTPException

    try:
        status = request()
    except TimeoutError:
        return "no answer in time"
    except OSError as error:
        return error.strerror or type(error).__name__
    except (HTTPException, ValueError) as error:
        return f"no proper answer ({type(error).__name__})"
    return "" if 200 <= status < 300 else f"the answer was HTTP status {status}"


def _status(request: Ping, patience: float) -> int:
    """The status of the answer. A redirection is none that counts: it is not followed."""
    from urllib.parse import urlsplit

    from allowsync import __version__

    parts = urlsplit(request.url)
    connection = _connection(parts.scheme.lower(), parts.hostname or "", parts.port, patience)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"User-Agent": f"allowsync/{__version__}", "Connection": "close"}
    if parts.username is not None:
        headers["Authorization"] = _basic(parts.username, parts.password or "")
    if request.body:
        headers["Content-Type"] = "text/plain; charset=utf-8"
    try:
        connection.request(request.method, target, request.body or None, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def _connection(scheme: str, host: str, port: int | None, patience: float) -> HTTPConnection:
    from http.client import HTTPConnection, HTTPSConnection

    if scheme == "http":
        return HTTPConnection(host, port, timeout=patience)
    return HTTPSConnection(host, port, timeout=patience)


def _basic(user: str, password: str) -> str:
    from base64 import b64encode
    from urllib.parse import unquote

    return "Basic " + b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
