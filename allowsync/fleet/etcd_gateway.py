"""etcd's version 3 API as JSON over HTTP (etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/).

By httpx, which the program has anyway: etcd3gw would need requests for these few calls alone, and
does not renew its token. Keys, values and numbers of 64 bits are texts.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, Final

from allowsync.fleet.store import NoConnection, StoreError
from allowsync.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from allowsync.fleet.http import Client
    from allowsync.system.http_client import Response

LARGEST: Final = 16 * 2**20  # octets of an answer; a value is 1.5 MiB at most (--max-request-bytes)
_OK: Final = 200
# Codes of gRPC (google.golang.org/grpc/codes).
_INVALID, _DEADLINE, _PERMISSION, _EXHAUSTED, _UNAVAILABLE, _UNAUTHENTICATED = 3, 4, 7, 8, 14, 16
# Another member may have a leader, disk space or a connection that this one lacks.
_ELSEWHERE: Final = (_DEADLINE, _UNAVAILABLE)
# Metadata of gRPC (etcd's `WithRequireLeader`): without it a partitioned member stays silent.
_NEEDS_LEADER: Final = {"Grpc-Metadata-hasleader": "true"}
_TOKEN_LOST: Final = "invalid auth token"  # noqa: S105 - an error message of etcd


class CallError(StoreError):
    """A call that etcd refused. `code` is that of gRPC."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(f"etcd: {printable(said)[:200]}")
        self.code = code
        self.said = said


class Gateway:
    """Calls to a cluster, through any member that answers.

    Args:
        endpoints: The members' URLs.
        client: The HTTP client.
        user: Name and password; None for no authentication.
        token: The token of an earlier authentication.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        client: Client,
        user: tuple[str, str] | None,
        token: str = "",
    ) -> None:
        self._endpoints = list(endpoints)
        self._client = client
        self._user = user
        self._token = token

    @property
    def token(self) -> str:
        """The token; empty where none is held."""
        return self._token

    def stream(
        self, method: str, message: Mapping[str, Any], idle: float
    ) -> Iterator[dict[str, Any]]:
        """Make a call with a stream of answers, at the first member.

        A member without a leader refuses it, or ends it.

        Args:
            method: The call.
            message: Its message.
            idle: The seconds without a whole answer after which the stream ends.

        Raises:
            NoConnection: No answer came at all, or the connection broke.
            StoreError: The call was refused.
        """
        if self._user is not None and not self._token:
            self._authenticate()
        endpoint, heard = self._endpoints[0], False
        headers = {"Authorization": self._token} if self._token else {}
        url, body = f"{endpoint.rstrip('/')}/v3/{method}", json.dumps(message).encode()
        for one in self._client.lines(url, {**headers, **_NEEDS_LEADER}, body, idle):
            heard = True
            yield _understood(one)
        if not heard:
            raise NoConnection(f"{endpoint}: no answer in time")

    def call(self, method: str, message: Mapping[str, Any]) -> dict[str, Any]:
        """Make a call, with a new token where the present one has expired. Raises StoreError."""
        if self._user is not None and not self._token:
            self._authenticate()
        try:
            return self._anywhere(method, message)
        except CallError as error:
            if self._user is None or _TOKEN_LOST not in error.said:
                raise
        self._authenticate()
        return self._anywhere(method, message)

    def _authenticate(self) -> None:
        assert self._user is not None  # noqa: S101 - both callers looked
        name, password = self._user
        self._token = ""
        answer = self._anywhere("auth/authenticate", {"name": name, "password": password})
        self._token = str(answer.get("token", ""))

    def _anywhere(self, method: str, message: Mapping[str, Any]) -> dict[str, Any]:
        """Make a call at the first member that can carry it out; prefer that member from then on.

        A silent member leaves the others their share of the time.
        """
        failed: StoreError | None = None
        members = list(self._endpoints)
        for turn, endpoint in enumerate(members):
            try:
                answer = self._at(endpoint, method, message, 1 / (len(members) - turn))
            except NoConnection as error:
                failed = NoConnection(f"{endpoint}: {error}")
            except CallError as error:
                if error.code not in _ELSEWHERE:
                    raise
                failed = error
            else:
                self._endpoints.remove(endpoint)
                self._endpoints.insert(0, endpoint)
                return answer
        assert failed is not None  # noqa: S101 - there is at least one endpoint
        raise failed

    def _at(
        self, endpoint: str, method: str, message: Mapping[str, Any], share: float
    ) -> dict[str, Any]:
        headers = {"Authorization": self._token} if self._token else {}
        body = json.dumps(message).encode()
        url = f"{endpoint.rstrip('/')}/v3/{method}"
        return _understood(self._client.ask("POST", url, headers, body, share))


def _understood(response: Response) -> dict[str, Any]:
    """The answer of etcd, parsed. Raises CallError."""
    try:
        answer = json.loads(response.body)
    except (ValueError, RecursionError):
        raise NoConnection(f"HTTP status {response.status}, and no JSON") from None
    if not isinstance(answer, dict):
        raise NoConnection("its answer is no object")
    # A streaming call wraps each of its answers.
    error = answer.get("error")
    if response.status != _OK or error:
        inner = error if isinstance(error, dict) else answer
        code = inner.get("code", inner.get("grpc_code"))
        said = str(inner.get("message", inner.get("error", "")))
        raise CallError(code if isinstance(code, int) else 0, said or f"HTTP {response.status}")
    found = answer.get("result", answer)
    return found if isinstance(found, dict) else {}


def text_of(octets: bytes) -> str:
    """Octets in the encoding of a message."""
    return b64encode(octets).decode()


def octets_of(text: Any) -> bytes:
    """Octets from a message. Raises StoreError."""
    try:
        return b64decode(text or "", validate=True)
    except (ValueError, TypeError):
        raise StoreError("etcd: its answer is not understood") from None
