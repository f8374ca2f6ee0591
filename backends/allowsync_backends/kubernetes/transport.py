"""Sends requests and returns documents or errors; retries where that is safe."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from allowsync.system.http_client import HttpClient, HttpRequest, NoResponse, NotSent, TooLarge
from allowsync.text import abridge
from allowsync_backends.kubernetes.errors import (
    ApiStatus,
    KubernetesError,
    KubernetesNoReply,
    KubernetesOddReply,
    KubernetesRefused,
    KubernetesUnreachable,
    MissingApi,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from tenacity import RetryCallState

    from allowsync_backends.kubernetes.credentials import ClusterAccess

# etcd takes no object above 1.5 MiB, and with managedFields none is twice that.
LARGEST_BODY: Final = 8 << 20  # bytes
REPLY_TIMEOUT: Final = 20.0  # seconds, from the request to the last byte of its reply
PAUSES = (0.5, 2.0)  # seconds before each further attempt
LONGEST_PAUSE: Final = 10.0  # seconds, whatever the server asks for
_APPLY: Final = "application/apply-patch+yaml"  # JSON is YAML
_LONGEST_MESSAGE: Final = 300  # characters


class ClusterTransport:
    """Sends requests, one after the other, over a kept-alive connection; a context manager."""

    def __init__(self, access: ClusterAccess) -> None:
        self._access = access
        self._client = HttpClient(access.trust, LARGEST_BODY)

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
        """Return an object.

        Raises:
            KubernetesError: It could not be read.
        """
        return self._patiently("GET", path)

    def apply(
        self, path: str, document: Mapping[str, Any], manager: str, *, force: bool, dry: bool
    ) -> dict[str, Any]:
        """Apply the fields of a document as ours, with these values, and no others.

        Args:
            path: The path of the object, present or new.
            document: Our part of it.
            manager: Our name as a field manager.
            force: Whether to take fields over from other managers.
            dry: Whether to try it only.

        Raises:
            KubernetesError: It was not done; or, for `KubernetesNoReply` and `KubernetesOddReply`,
                it may have been.
        """
        params = {"fieldManager": manager, "fieldValidation": "Strict"}
        params["force"] = "true" if force else "false"
        return self._patiently(
            "PATCH", path, document, params | ({"dryRun": "All"} if dry else {}), _APPLY
        )

    def delete(self, path: str, preconditions: Mapping[str, str]) -> None:
        """Delete an object, if it is unchanged."""
        self._patiently("DELETE", path, {"preconditions": preconditions})

    def _patiently(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        kind: str = "application/json",
    ) -> dict[str, Any]:
        """Send a request, again where that cannot change anything twice."""
        from tenacity import Retrying, retry_if_exception, stop_after_attempt

        patiently = Retrying(
            retry=retry_if_exception(_may_look_again if method == "GET" else _may_change_again),
            wait=_pause,
            stop=stop_after_attempt(len(PAUSES) + 1),
            reraise=True,
        )
        return patiently(lambda: self._exchange(method, path, document, params, kind))

    def _exchange(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any] | None,
        params: Mapping[str, str] | None,
        kind: str,
    ) -> dict[str, Any]:
        server, content = self._access.server, b""
        headers = {"Accept": "application/json"}
        if self._access.token is not None:
            headers["Authorization"] = f"Bearer {self._access.token.value}"
        if document is not None:
            headers["Content-Type"], content = kind, json.dumps(document).encode()
        request = HttpRequest(method, server + path, headers, content, params, self._access.name)
        try:
            response = self._client.ask(request, REPLY_TIMEOUT)
        except NotSent as error:
            raise KubernetesUnreachable(f"no connection to {server}: {error}") from None
        except NoResponse as error:
            raise KubernetesNoReply(f"no reply from {server}: {error}") from None
        except TooLarge:
            raise KubernetesOddReply(f"{server} answered with more than an object can be") from None
        return self._understood(response.status, response.body)

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
            raise KubernetesOddReply(
                f"{self._access.server} redirects elsewhere (HTTP {code}), where nothing is sent; "
                "write the URL of the API itself"
            )
        if 400 <= code < 500:
            raise KubernetesRefused(_status(code, document))
        if code >= 500 and isinstance(document, dict):
            said = abridge(str(document.get("message") or ""), _LONGEST_MESSAGE)
            raise KubernetesOddReply(f"{self._access.server} is in trouble (HTTP {code}): {said}")
        what = "a page of HTML" if body.lstrip()[:1] == b"<" else "something that is no object"
        raise KubernetesOddReply(f"{self._access.server} answered with {what} (HTTP {code})")


def _names_object(document: Any) -> bool:
    """Whether a refusal names the missing object: an unknown kind has no name in it."""
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


def _may_look_again(error: BaseException) -> bool:
    return isinstance(error, KubernetesError) and error.look_again


def _may_change_again(error: BaseException) -> bool:
    return isinstance(error, KubernetesError) and error.change_again


def _pause(state: RetryCallState) -> float:
    """Return the pause before the next attempt, in seconds."""
    failure = state.outcome.exception() if state.outcome is not None else None
    asked = failure.after if isinstance(failure, KubernetesError) else 0.0
    return min(max(PAUSES[min(state.attempt_number, len(PAUSES)) - 1], asked), LONGEST_PAUSE)
