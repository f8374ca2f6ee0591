"""HTTP replies, turned into results or errors. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from allowsync.model.value import Value
from allowsync_backends.cloudflare.errors import (
    ApiFault,
    NotFound,
    NotPermitted,
    RequestRefused,
    ServerTrouble,
    TokenRefused,
    TooMany,
    UnreadableReply,
    printable,
)

if TYPE_CHECKING:
    from allowsync.system.http_client import Response
    from allowsync_backends.cloudflare.errors import ApiCall

# Unusable or missing credentials, as the API's gateway numbers them, with HTTP 400 or 403; 10000 is
# a lacking permission with 403.
_BAD_CREDENTIALS: Final = frozenset({6003, 6111, 9106, 9107, 9109})
_LONGEST_WAIT: Final = 3600.0  # seconds; more than that means "not today"


class ApiReply(Value):
    """The result of a successful request. `cursor` leads to the next page; empty on the last."""

    result: Any
    cursor: str = ""


def understood(call: ApiCall, response: Response) -> ApiReply:
    """Return the result of a request.

    Raises:
        RequestRefused: The API refused it; a subclass where the status tells the reason.
        UnreadableReply: This is no reply of the API.
    """
    document = _document(response.body)
    if response.status >= 400 or (document is not None and document.get("success") is False):
        raise _refusal(call, response, document)
    if document is None:
        raise UnreadableReply(call, response.status, _looks_like(response.body))
    if document.get("success") is not True or not 200 <= response.status < 300:
        raise UnreadableReply(call, response.status, "a document that does not say it succeeded")
    return ApiReply(document.get("result"), _cursor(document))


def _document(body: bytes) -> Mapping[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, Mapping) else None


def _refusal(
    call: ApiCall, response: Response, document: Mapping[str, Any] | None
) -> RequestRefused | UnreadableReply:
    faults = _faults(document)
    status = response.status
    if status == 429:
        return TooMany(call, status, faults, seconds(response.headers.get("Retry-After", "")))
    unusable = bool(_BAD_CREDENTIALS & {one.code for one in faults})
    if status == 401 or (status in (400, 403) and unusable):
        return TokenRefused(call, status, faults)
    if status == 403:
        return NotPermitted(call, status, faults)
    if document is None:
        return UnreadableReply(call, status, _looks_like(response.body))
    if status == 404:
        return NotFound(call, status, faults)
    return (ServerTrouble if status >= 500 else RequestRefused)(call, status, faults)


def _faults(document: Mapping[str, Any] | None) -> tuple[ApiFault, ...]:
    """Return the errors, each before its causes (`error_chain`)."""
    listed = _errors(document, "errors") if document is not None else []
    chained = [each for one in listed for each in (one, *_errors(one, "error_chain"))]
    return tuple(
        ApiFault(_code(one.get("code")), printable(str(one.get("message", "")))) for one in chained
    )


def _errors(document: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    listed = document.get(key)
    return [one for one in (listed if isinstance(listed, list) else ()) if isinstance(one, Mapping)]


def _code(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _cursor(document: Mapping[str, Any]) -> str:
    """Return the cursor of the next page (`result_info.cursors.after`)."""
    info = document.get("result_info")
    cursors = info.get("cursors") if isinstance(info, Mapping) else None
    after = cursors.get("after") if isinstance(cursors, Mapping) else None
    return after if isinstance(after, str) else ""


def _looks_like(body: bytes) -> str:
    if not body:
        return "an empty body"
    start = body.lstrip()[:1]
    if start == b"<":
        return "a page of HTML"
    return "half a document" if start == b"{" else "something that is no document"


def seconds(retry_after: str) -> float | None:
    """Return the wait in seconds (RFC 9110, section 10.2.3: a number or a date); None without."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return min(float(text), _LONGEST_WAIT)
    if not text:
        return None
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime

    try:
        until = parsedate_to_datetime(text)
        wait = (until - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(wait, 0.0), _LONGEST_WAIT)
