"""The one user of httpx: a request goes out, a document or an error comes back.

Nothing of the environment is heeded (`trust_env=False`): no proxy, no other certificates, no
`.netrc`. Redirects are not followed, so credentials go nowhere but to the cluster's own URL.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

import httpx

from allowsync import __version__
from allowsync.text import abridge
from allowsync_backends.kubernetes.errors import (
    ApiStatus,
    KubernetesError,
    MissingApi,
    NoReply,
    OddReply,
    Refused,
    Unreachable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from allowsync_backends.kubernetes.credentials import Access

# etcd takes no object above 1.5 MiB, and with managedFields none is twice that.
LARGEST_BODY: Final = 8 << 20  # bytes
CONNECT_TIMEOUT: Final = 5.0  # seconds
REPLY_TIMEOUT: Final = 20.0  # seconds, from the request to the last byte of its reply
PAUSES = (0.5, 2.0)  # seconds before each further attempt
LONGEST_PAUSE: Final = 10.0  # seconds, whatever the server asks for
_APPLY: Final = "application/apply-patch+yaml"  # JSON is YAML
_LONGEST_MESSAGE: Final = 300  # characters


class ClusterTransport:
    """Sends requests, one after the other, over a connection that is kept; a context manager."""

    def __init__(self, access: Access) -> None:
        headers = {"User-Agent": f"allowsync/{__version__}", "Accept": "application/json"}
        if access.token is not None:
            headers["Authorization"] = f"Bearer {access.token.value}"
        self._server = access.server
        self._extensions = {"sni_hostname": access.name} if access.name else {}
        self._client = httpx.Client(
            verify=access.trust if access.trust is not None else False,
            trust_env=False,
            headers=headers,
            timeout=httpx.Timeout(REPLY_TIMEOUT, connect=CONNECT_TIMEOUT),
        )

    def __enter__(self) -> ClusterTransport:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def get(self, path: str) -> dict[str, Any]:
        """An object.

        Raises:
            KubernetesError: It was not given.
        """
        return self._patiently("GET", path)

    def apply(
        self, path: str, document: Mapping[str, Any], manager: str, *, force: bool, dry: bool
    ) -> dict[str, Any]:
        """Let the fields of a document be ours, with these values, and no others.

        Args:
            path: Where the object is, or will be.
            document: Our part of it.
            manager: Our name as a field manager.
            force: Whether to take fields over from other managers.
            dry: Whether to try it only.

        Raises:
            KubernetesError: It was not; or, for `NoReply` and `OddReply`, it may have been.
        """
        params = {"fieldManager": manager, "fieldValidation": "Strict"}
        params["force"] = "true" if force else "false"
        return self._patiently(
            "PATCH", path, document, params | ({"dryRun": "All"} if dry else {}), _APPLY
        )

    def delete(self, path: str, preconditions: Mapping[str, str]) -> None:
        """Delete an object, if it is still as it was."""
        self._patiently("DELETE", path, {"preconditions": preconditions})

    def _patiently(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        kind: str = "application/json",
    ) -> dict[str, Any]:
        """One request, sent again where that can change nothing twice."""
        for pause in PAUSES:
            try:
                return self._exchange(method, path, document, params, kind)
            except KubernetesError as error:
                if not (error.look_again if method == "GET" else error.change_again):
                    raise
                time.sleep(min(max(pause, error.after), LONGEST_PAUSE))
        return self._exchange(method, path, document, params, kind)

    def _exchange(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any] | None,
        params: Mapping[str, str] | None,
        kind: str,
    ) -> dict[str, Any]:
        try:
            with self._client.stream(
                method,
                self._server + path,
                params=params,
                content=None if document is None else json.dumps(document).encode(),
                headers={} if document is None else {"Content-Type": kind},
                extensions=self._extensions,
            ) as response:
                return self._understood(response.status_code, self._body(response))
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            why = abridge(str(error) or type(error).__name__, _LONGEST_MESSAGE)
            raise Unreachable(f"no connection to {self._server}: {why}") from None
        except httpx.RequestError as error:
            # Their texts may quote what was sent; their names say enough.
            raise NoReply(f"no reply from {self._server}: {_named(error)}") from None
        except (httpx.InvalidURL, ValueError, OverflowError):
            raise Unreachable(f"{self._server} cannot be a URL") from None

    def _body(self, response: httpx.Response) -> bytes:
        parts, size, until = [], 0, time.monotonic() + REPLY_TIMEOUT
        for part in response.iter_bytes():
            parts.append(part)
            size += len(part)
            if size > LARGEST_BODY:
                raise OddReply(f"{self._server} answered with more than an object can be")
            if time.monotonic() > until:
                raise NoReply(f"no reply from {self._server}: it came too slowly")
        return b"".join(parts)

    def _understood(self, code: int, body: bytes) -> dict[str, Any]:
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if 200 <= code < 300 and isinstance(document, dict):
            return document
        if code == 404 and not _names_object(document):
            raise MissingApi("the cluster has no such API")
        if 300 <= code < 400:
            raise OddReply(
                f"{self._server} redirects elsewhere (HTTP {code}), where nothing is sent; "
                "write the URL of the API itself"
            )
        if 400 <= code < 500:
            raise Refused(_status(code, document))
        if code >= 500 and isinstance(document, dict):
            said = abridge(str(document.get("message") or ""), _LONGEST_MESSAGE)
            raise OddReply(f"{self._server} is in trouble (HTTP {code}): {said}")
        what = "a page of HTML" if body.lstrip()[:1] == b"<" else "something that is no object"
        raise OddReply(f"{self._server} answered with {what} (HTTP {code})")


def _names_object(document: Any) -> bool:
    """Whether a refusal names what is not there: an unknown kind of object has no name to it."""
    match document:
        case {"kind": "Status", "details": {"name": str(name)}} if name:
            return True
        case _:
            return False


def _status(code: int, document: Any) -> ApiStatus:
    if not isinstance(document, dict):
        return ApiStatus(code)
    details = document.get("details")
    return ApiStatus(
        code,
        str(document.get("reason") or ""),
        abridge(str(document.get("message") or ""), _LONGEST_MESSAGE),
        details if isinstance(details, dict) else {},
    )


def _named(error: httpx.RequestError) -> str:
    match error:
        case httpx.TimeoutException():
            return "it did not come in time"
        case httpx.RemoteProtocolError() | httpx.ReadError() | httpx.WriteError():
            return "the connection broke"
        case _:
            return type(error).__name__
