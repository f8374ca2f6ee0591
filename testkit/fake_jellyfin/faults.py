"""What goes wrong on the way from and to the fake server, when a test orders it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_HTML: Final = b"<!DOCTYPE html><html><body><h1>Bad gateway</h1></body></html>"
_LISTS: Final = ("KnownProxies", "LocalNetworkSubnets", "RemoteIPFilter")


class JellyfinFault(Enum):
    """What becomes of one request."""

    CUT_BEFORE = "the connection breaks, and nothing was done"
    CUT_AFTER = "the connection breaks, and it was done"
    ERROR_BEFORE = "HTTP 500, and nothing was done"
    ERROR_AFTER = "HTTP 500, and it was done"
    STARTING = "HTTP 503 with an empty body"
    HTML_BEFORE = "a page of a proxy, and nothing was done"
    HTML_AFTER = "a page of a proxy, and it was done"
    SHORTER = "a body that ends before its length"
    UNENDED = "a body whose last piece lacks"
    HALF = "half a document"
    REDIRECT = "HTTP 302 to another host"
    LIST = "a document that is a list"
    RENAMED = "a document whose fields have other names"
    WRONG_TYPE = "a document whose lists are texts"
    LARGE = "more than can be"

    @property
    def done(self) -> bool:
        """Whether the request is carried out all the same."""
        return self in _DONE


_DONE = frozenset(
    {JellyfinFault.CUT_AFTER, JellyfinFault.ERROR_AFTER, JellyfinFault.HTML_AFTER}
    | {JellyfinFault.SHORTER, JellyfinFault.UNENDED, JellyfinFault.HALF, JellyfinFault.LARGE}
)


@dataclass(frozen=True)
class JellyfinAnswer:
    """What goes back: a status, a body, its type, headers beside these; whether its end lacks."""

    status: int
    body: bytes = b""
    kind: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


def json_answer(document: object) -> JellyfinAnswer:
    """A document."""
    return JellyfinAnswer(200, json.dumps(document).encode())


def spoilt(fault: JellyfinFault, answer: JellyfinAnswer) -> JellyfinAnswer | None:
    """An answer after something went wrong with it; None where the connection is cut."""
    return _SPOILT[fault](answer.body)


_ERROR: Final = JellyfinAnswer(500, b"Error processing request.", "text/plain")
_ELSEWHERE: Final = {"Location": "http://127.0.0.2:1/elsewhere"}
_RENAMED: Final[dict[str, object]] = {one[0].lower() + one[1:]: [] for one in _LISTS}
_WRONG: Final = {**dict.fromkeys(_LISTS, ""), "IsRemoteIPFilterBlacklist": 0}
_SPOILT: Final[dict[JellyfinFault, Callable[[bytes], JellyfinAnswer | None]]] = {
    JellyfinFault.CUT_BEFORE: lambda _: None,
    JellyfinFault.CUT_AFTER: lambda _: None,
    JellyfinFault.ERROR_BEFORE: lambda _: _ERROR,
    JellyfinFault.ERROR_AFTER: lambda _: _ERROR,
    JellyfinFault.STARTING: lambda _: JellyfinAnswer(503, kind=""),
    JellyfinFault.HTML_BEFORE: lambda _: JellyfinAnswer(200, _HTML, "text/html"),
    JellyfinFault.HTML_AFTER: lambda _: JellyfinAnswer(502, _HTML, "text/html"),
    JellyfinFault.SHORTER: lambda body: JellyfinAnswer(
        200, body, headers={"Content-Length": str(len(body) + 10)}
    ),
    JellyfinFault.UNENDED: lambda body: JellyfinAnswer(200, body, cut=True),
    JellyfinFault.HALF: lambda body: JellyfinAnswer(200, body[: len(body) // 2]),
    JellyfinFault.REDIRECT: lambda _: JellyfinAnswer(302, kind="", headers=_ELSEWHERE),
    JellyfinFault.LIST: lambda _: json_answer([]),
    JellyfinFault.RENAMED: lambda _: json_answer(_RENAMED),
    JellyfinFault.WRONG_TYPE: lambda _: json_answer(_WRONG),
    JellyfinFault.LARGE: lambda body: JellyfinAnswer(200, body + b" " * (9 << 20)),
}
