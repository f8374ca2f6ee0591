"""The part of Jellyfin's API for its network settings, over HTTP.

Each request has a connection of its own, as a restart lies between some. No text of the server is
ever shown: its document holds a password.
"""

from __future__ import annotations

import json
from errno import EINVAL
from typing import TYPE_CHECKING, Any, Final

from allowsync.model.value import Value, field
from allowsync_backends.jellyfin.errors import (
    REFUSALS,
    JellyfinError,
    JellyfinNoReply,
    JellyfinOddReply,
    JellyfinRefused,
    JellyfinUnreachable,
)
from allowsync_backends.jellyfin.pauses import Pauses

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from ssl import SSLContext

    from allowsync.config.secrets import Secret
    from allowsync.system.http_client import Response

NETWORK: Final = "/System/Configuration/network"
RESTART: Final = "/System/Restart"
REPLY_TIMEOUT: Final = 20.0  # seconds, from the request to the last byte of its reply
# Ten thousand entries with their marks are less than a megabyte.
LARGEST_BODY: Final = 8 << 20  # bytes


class JellyfinApi(Value):
    """One server.

    Attributes:
        url: Its URL, without a slash at the end.
        key: An API key.
        ca_file: Certificates (PEM) that are trusted instead of the system's.
        pauses: The clock for waiting.
    """

    url: str
    key: Secret
    ca_file: Path | None = None
    pauses: Pauses = field(default_factory=Pauses)

    def network(self) -> dict[str, Any]:
        """Return the network settings: the whole document.

        Raises:
            JellyfinError: They could not be read.
        """
        document = self._json("GET", NETWORK)
        if not isinstance(document, dict):
            raise JellyfinOddReply(f"{self.url} did not give its network settings as documented")
        return document

    def put_network(self, document: Mapping[str, Any]) -> None:
        """Replace the network settings.

        Raises:
            JellyfinError: They were not replaced; or, for `JellyfinNoReply` and `JellyfinOddReply`,
                they may have been.
        """
        if self._sent("POST", NETWORK, document).body:
            raise JellyfinOddReply(f"{self.url} answered to a change with more than Jellyfin says")

    def restart(self) -> None:
        """Ask the server to restart, which it does a moment later."""
        self._sent("POST", RESTART)

    def endpoint(self) -> tuple[bool, bool]:
        """Return how it classifies us: whether as its own machine, and whether as in its LAN."""
        said = self._json("GET", "/System/Endpoint")
        match said:
            case {"IsLocal": bool(local), "IsInNetwork": bool(inside)}:
                return local, inside
            case _:
                raise JellyfinOddReply(
                    f"{self.url} did not say how it sees this machine as documented"
                )

    def version(self) -> str:
        """Return the version of Jellyfin: `10.11.6`. Needs no key."""
        match self._json("GET", "/System/Info/Public"):
            case {"Version": str(version)} if version.replace(".", "").isalnum():
                return version
            case _:
                raise JellyfinOddReply(f"{self.url} did not tell its version as documented")

    def clients(self) -> list[tuple[str, str]]:
        """Return the devices with a session, each with its address as Jellyfin sees it."""
        said = self._json("GET", "/Sessions")
        found = (one for one in said if isinstance(one, dict)) if isinstance(said, list) else ()
        named = ((one.get("DeviceId"), one.get("RemoteEndPoint")) for one in found)
        return [(one, at) for one, at in named if isinstance(one, str) and isinstance(at, str)]

    def elevated(self) -> None:
        """Send a request that only an administrator may, to find out whether the key may write.

        Raises:
            JellyfinError: It may not.
        """
        self._sent("GET", "/System/Configuration/MetadataOptions/Default")

    def _json(self, method: str, path: str) -> Any:
        response = self._sent(method, path)
        body = response.body
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            what = "a page of HTML" if body.lstrip()[:1] == b"<" else "something that is no JSON"
            raise JellyfinOddReply(
                f"{self.url} answered with {what} (HTTP {response.status})"
            ) from None

    def _sent(self, method: str, path: str, document: Any = None) -> Response:
        """Send a request; return a successful response."""
        from contextlib import closing

        from allowsync.system.http_client import (
            HttpClient,
            HttpRequest,
            NoResponse,
            NotSent,
            TooLarge,
        )

        body = b"" if document is None else json.dumps(document).encode()
        request = HttpRequest(method, self.url + path, self._headers, body)
        try:
            with closing(HttpClient(self._trust(), LARGEST_BODY, self.pauses.now)) as client:
                response = client.ask(request, REPLY_TIMEOUT)
        except NotSent as error:
            raise JellyfinUnreachable(f"no connection to Jellyfin at {self.url}: {error}") from None
        except NoResponse as error:
            raise JellyfinNoReply(f"no reply from Jellyfin at {self.url}: {error}") from None
        except TooLarge:
            raise JellyfinOddReply(
                f"{self.url} answered with more than can be its settings"
            ) from None
        if not 200 <= response.status < 300:
            raise self._refusal(response.status)
        return response

    def _trust(self) -> SSLContext | None:
        from ssl import create_default_context

        if self.url.startswith("http:"):
            return None
        try:
            if self.ca_file is not None and not self.ca_file.is_file():
                raise OSError(EINVAL, "not a file")  # reading a pipe would block
            return create_default_context(cafile=self.ca_file)
        except OSError as error:
            why = error.strerror or type(error).__name__
            what = f"ca_file {self.ca_file} gives no certificate: {why}"
            raise JellyfinUnreachable(f"{what}; nothing was sent to Jellyfin") from None

    def _refusal(self, status: int) -> JellyfinError:
        what = REFUSALS.get(status, f"HTTP {status}")
        if 300 <= status < 400:
            what = f"it redirects elsewhere (HTTP {status}), where the API key is not sent: "
            what += "write the URL that it redirects to"
        kind = JellyfinOddReply if status >= 500 else JellyfinRefused
        return kind(f"{self.url}: {what}")

    @property
    def _headers(self) -> dict[str, str]:
        from allowsync import __version__

        said = f'Client="allowsync", Version="{__version__}", Token="{self.key.value}"'
        return {
            "Accept": "application/json",
            "Authorization": f"MediaBrowser {said}",
            "Content-Type": "application/json",
        }
