"""The parts of Jellyfin's API that deal with its network settings, over HTTP.

Each request has a connection of its own. Redirects are not followed and no proxy is asked, so the
key goes nowhere but to the URL of the configuration. No text of the server is ever shown: its
document holds a password.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from allowsync.model.value import Value, field
from allowsync_backends.jellyfin.errors import (
    REFUSALS,
    JellyfinError,
    NoReply,
    OddReply,
    Refused,
    Unreachable,
)
from allowsync_backends.jellyfin.pauses import Pauses

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http.client import HTTPConnection, HTTPResponse
    from pathlib import Path
    from ssl import SSLContext

    from allowsync.config.secrets import Secret

NETWORK: Final = "/System/Configuration/network"
RESTART: Final = "/System/Restart"
CONNECT_TIMEOUT: Final = 5.0  # seconds
REPLY_TIMEOUT: Final = 20.0  # seconds, from the request to the last byte of its reply
# Ten thousand entries with their marks are less than a megabyte.
LARGEST_BODY: Final = 8 << 20  # bytes
_PART: Final = 1 << 16  # bytes


class JellyfinApi(Value):
    """One server.

    Attributes:
        url: Where it is, without a slash at the end.
        key: An API key.
        ca_file: Certificates (PEM) that are trusted instead of the system's.
        pauses: What waiting goes by.
    """

    url: str
    key: Secret
    ca_file: Path | None = None
    pauses: Pauses = field(default_factory=Pauses)

    def network(self) -> dict[str, Any]:
        """The network settings: the whole document.

        Raises:
            JellyfinError: It was not given.
        """
        document = self._json("GET", NETWORK)
        if not isinstance(document, dict):
            raise OddReply(f"{self.url} did not give its network settings as documented")
        return document

    def put_network(self, document: Mapping[str, Any]) -> None:
        """Replace the network settings.

        Raises:
            JellyfinError: They were not; or, for `NoReply` and `OddReply`, they may have been.
        """
        if self._sent("POST", NETWORK, document)[1]:
            raise OddReply(f"{self.url} answered to a change with more than Jellyfin says")

    def restart(self) -> None:
        """Ask the server to restart, which it does a moment later."""
        self._sent("POST", RESTART)

    def endpoint(self) -> tuple[bool, bool]:
        """How it sees us: whether as the machine it runs on, and whether as one of its LAN."""
        said = self._json("GET", "/System/Endpoint")
        match said:
            case {"IsLocal": bool(local), "IsInNetwork": bool(inside)}:
                return local, inside
            case _:
                raise OddReply(f"{self.url} did not say how it sees this machine as documented")

    def version(self) -> str:
        """Which Jellyfin it is: `10.11.6`. No key is needed for that."""
        match self._json("GET", "/System/Info/Public"):
            case {"Version": str(version)} if version.replace(".", "").isalnum():
                return version
            case _:
                raise OddReply(f"{self.url} did not tell its version as documented")

    def clients(self) -> list[tuple[str, str]]:
        """The devices with a session, and the address that Jellyfin takes for theirs."""
        said = self._json("GET", "/Sessions")
        found = (one for one in said if isinstance(one, dict)) if isinstance(said, list) else ()
        named = ((one.get("DeviceId"), one.get("RemoteEndPoint")) for one in found)
        return [(one, at) for one, at in named if isinstance(one, str) and isinstance(at, str)]

    def elevated(self) -> None:
        """Ask for something that an administrator alone gets: whether the key may write.

        Raises:
            JellyfinError: It may not.
        """
        self._sent("GET", "/System/Configuration/MetadataOptions/Default")

    def _json(self, method: str, path: str) -> Any:
        status, body = self._sent(method, path)
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            what = "a page of HTML" if body.lstrip()[:1] == b"<" else "something that is no JSON"
            raise OddReply(f"{self.url} answered with {what} (HTTP {status})") from None

    def _sent(self, method: str, path: str, document: Any = None) -> tuple[int, bytes]:
        """The status and the body of a reply that says it went well."""
        from http.client import HTTPException

        connection = self._connected()
        until = self.pauses.now() + REPLY_TIMEOUT
        try:
            connection.request(method, self._path + path, _encoded(document), self._headers)
            with connection.getresponse() as response:
                status, body = response.status, self._body(response, until)
        except (OSError, HTTPException, ValueError) as error:
            raise NoReply(f"no reply from Jellyfin at {self.url}: {_named(error)}") from None
        finally:
            connection.close()
        if not 200 <= status < 300:
            raise self._refusal(status)
        return status, body

    def _connected(self) -> HTTPConnection:
        from http.client import HTTPException

        try:
            connection = self._connection()
            connection.connect()
            connection.sock.settimeout(REPLY_TIMEOUT)
        except (OSError, HTTPException, ValueError) as error:
            why = _named(error)
            raise Unreachable(f"no connection to Jellyfin at {self.url}: {why}") from None
        return connection

    def _connection(self) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection
        from urllib.parse import urlsplit

        parts = urlsplit(self.url)
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "http":
            return HTTPConnection(host, port, timeout=CONNECT_TIMEOUT)
        return HTTPSConnection(host, port, timeout=CONNECT_TIMEOUT, context=self._trust())

    def _trust(self) -> SSLContext:
        from ssl import create_default_context

        try:
            return create_default_context(cafile=self.ca_file)
        except OSError as error:
            what = f"ca_file {self.ca_file} gives no certificate: {_named(error)}"
            raise Unreachable(f"{what}; nothing was sent to Jellyfin") from None

    def _body(self, response: HTTPResponse, until: float) -> bytes:
        parts, size = [], 0
        while part := response.read1(_PART):
            parts.append(part)
            size += len(part)
            if size > LARGEST_BODY:
                raise OddReply(f"{self.url} answered with more than can be its settings")
            if self.pauses.now() > until:
                raise TimeoutError("too slow")
        if response.length:
            raise ConnectionError("cut short")
        return b"".join(parts)

    def _refusal(self, status: int) -> JellyfinError:
        what = REFUSALS.get(status, f"HTTP {status}")
        if 300 <= status < 400:
            what = f"it redirects elsewhere (HTTP {status}), where the API key is not sent: "
            what += "write the URL that it redirects to"
        kind = OddReply if status >= 500 else Refused
        return kind(f"{self.url}: {what}")

    @property
    def _path(self) -> str:
        from urllib.parse import urlsplit

        return urlsplit(self.url).path.rstrip("/")

    @property
    def _headers(self) -> dict[str, str]:
        from allowsync import __version__

        said = f'Client="allowsync", Version="{__version__}", Token="{self.key.value}"'
        return {
            "Accept": "application/json",
            "Authorization": f"MediaBrowser {said}",
            "Content-Type": "application/json",
            "User-Agent": f"allowsync/{__version__}",
        }


def _encoded(document: Any) -> bytes | None:
    return None if document is None else json.dumps(document).encode()


def _named(error: BaseException) -> str:
    """An error in words that quote nothing of what was sent."""
    if isinstance(error, TimeoutError):
        return "it did not come in time"
    return getattr(error, "strerror", None) or type(error).__name__
