"""One request to a monitor: by whose conventions, and how it is made.

    kind           good run                          bad run
    healthchecks   POST URL/0                        POST URL/<exit code>
    uptime_kuma    GET URL?status=up&msg=&ping=      GET URL?status=down&msg=&ping=
    plain          GET URL                           nothing

The first follows https://healthchecks.io/docs/http_api/, the second what an Uptime Kuma push
monitor shows as its URL; `ping` is in milliseconds.

Imports next to nothing, since a glance pings, too; for the same reason the few lines of HTTP/1.1
(RFC 9112) that it takes stand here, where the standard library would parse mail to read a status.
"""

import socket
from typing import TYPE_CHECKING

from allowsync import __version__

if TYPE_CHECKING:
    from urllib.parse import SplitResult

PATIENCE = 5.0  # seconds, from looking up the name to the status of the answer
LARGEST_BODY = 10_000  # bytes; Healthchecks keeps at least as many
LONGEST_WORD = 200  # characters of a message that becomes a part of a URL
_LONGEST_LINE = 65_536  # bytes of an answer
_MOST_INTERIM = 10

_HEALTHCHECKS = (
    r"https?://(?:hc-ping\.com/.+|.+/ping/.+|.+/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/*"
)


class NotHttpError(ValueError):
    """What came is no answer of a web server."""


def kind_of(url: str) -> str:
    """Whose conventions a URL seems to follow."""
    import re

    path = url.partition("?")[0]
    if "/api/push/" in path:
        return "uptime_kuma"
    return "healthchecks" if re.fullmatch(_HEALTHCHECKS, path, re.IGNORECASE) else "plain"


def composed(
    url: str, kind: str, status: int, seconds: float, said: str
) -> "tuple[str, str, bytes] | None":
    """What to request after a run: method, URL and body. None for nothing.

    Args:
        url: The monitor's URL.
        kind: Whose conventions to follow, or `auto`.
        status: 0 after a good run, else how it ended.
        seconds: How long it took.
        said: What there is to say about it.
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
    """The push URL. What is written behind its question mark is an example, to be replaced."""
    from urllib.parse import urlencode

    wanted = {
        "status": "down" if status else "up",
        "msg": said.partition("\n")[0][:LONGEST_WORD] or "OK",
        "ping": round(seconds * 1000),
    }
    return f"{url.partition('?')[0]}?{urlencode(wanted)}"


def deliver(method: str, url: str, body: bytes, patience: float = PATIENCE) -> str:
    """Make a request. Returns why it failed, without the URL; empty if it did not.

    Takes no longer than `patience`, in seconds, not even where a name is looked up in vain.
    """
    import threading

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
    except OSError as error:
        return error.strerror or type(error).__name__
    except NotHttpError:
        return "no proper answer"
    except ValueError as error:
        return f"it cannot be asked ({type(error).__name__})"
    return "" if 200 <= status < 300 else f"the answer was HTTP status {status}"


def _status(method: str, url: str, body: bytes, patience: float) -> int:
    """The status of the answer. A redirection is none that counts: it is not followed."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    secure = parts.scheme.lower() == "https"
    request = _head(method, parts, len(body)) + body
    place = (parts.hostname or "", parts.port or (443 if secure else 80))
    with socket.create_connection(place, patience) as plain:
        if not secure:
            return _answered(plain, request)
        with _encrypted(plain, place[0]) as encrypted:
            return _answered(encrypted, request)


def _encrypted(plain: socket.socket, host: str) -> socket.socket:
    import ssl

    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context.wrap_socket(plain, server_hostname=host)


def _head(method: str, parts: "SplitResult", size: int) -> bytes:
    """The head of a request.

    Raises:
        ValueError: The URL has no host, or something in it that cannot be asked for.
    """
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not parts.hostname or not target.isprintable() or " " in target:
        raise ValueError(method)
    host = parts.hostname.encode("ascii" if parts.hostname.isascii() else "idna").decode()
    host = f"[{host}]" if ":" in host else host
    lines = [
        f"{method} {target} HTTP/1.1",
        f"Host: {host}" + ("" if parts.port is None else f":{parts.port}"),
        f"User-Agent: allowsync/{__version__}",
        "Accept-Encoding: identity",
        "Connection: close",
    ]
    if parts.username is not None:
        lines.append(f"Authorization: {_basic(parts.username, parts.password or '')}")
    if size:
        lines += ["Content-Type: text/plain; charset=utf-8", f"Content-Length: {size}"]
    elif method == "POST":
        lines.append("Content-Length: 0")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _basic(user: str, password: str) -> str:
    from base64 import b64encode
    from urllib.parse import unquote

    return "Basic " + b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()


def _answered(connection: socket.socket, request: bytes) -> int:
    """Send a request; the status of the final answer to it.

    Raises:
        NotHttpError: What came is none.
    """
    connection.sendall(request)
    with connection.makefile("rb") as answer:
        for _ in range(_MOST_INTERIM):
            status = _status_in(answer.readline(_LONGEST_LINE))
            if status >= 200:
                return status
            # An interim answer (RFC 9110 section 15.2): its fields end with an empty line.
            while answer.readline(_LONGEST_LINE).strip():
                pass
    raise NotHttpError


def _status_in(line: bytes) -> int:
    version, _, rest = line.partition(b" ")
    code = rest[:3]
    if not version.startswith(b"HTTP/1.") or len(code) < 3 or not code.isdigit():
        raise NotHttpError
    return int(code)
