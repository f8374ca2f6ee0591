"""What goes wrong on the way from and to the API, when a test orders it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from testkit.fake_kubernetes.statuses import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_HTML: Final = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"
LARGE: Final = 9 << 20  # bytes


class KubernetesFault(Enum):
    """What becomes of one request."""

    CUT_BEFORE = "the connection breaks, and nothing was done"
    CUT_AFTER = "the connection breaks, and it was done"
    ERROR_BEFORE = "HTTP 500, and nothing was done"
    ERROR_AFTER = "HTTP 504 of a slow etcd, and it was done"
    BUSY = "HTTP 429, and nothing was done"
    HTML_BEFORE = "a page of a proxy, and nothing was done"
    HTML_AFTER = "a page of a proxy, and it was done"
    HALF = "half a document, and it was done"
    SHORTER = "a body that ends before its length, and it was done"
    REDIRECT = "HTTP 302 to another host"
    LIST = "a document that is a list"
    OTHER_KIND = "an object of another kind"
    LARGE = "more than can be, and it was done"

    @property
    def done(self) -> bool:
        """Whether the request is carried out all the same."""
        return self.name.endswith("_AFTER") or self.value.endswith("it was done")


@dataclass(frozen=True)
class ApiAnswer:
    """What goes back."""

    status: int
    body: bytes
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def document_answer(document: object, status: int = 200) -> ApiAnswer:
    """A document."""
    return ApiAnswer(status, json.dumps(document).encode())


def refused_answer(refusal: Refusal) -> ApiAnswer:
    """A refusal."""
    return document_answer(refusal.document, refusal.code)


def spoilt(fault: KubernetesFault, body: bytes) -> ApiAnswer | None:
    """An answer after something went wrong with it; None where the connection is cut."""
    return _SPOILT[fault](body)


_PAGE: Final = ApiAnswer(502, _HTML, "text/html")
_OTHER: Final = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "x"}}
_ELSEWHERE: Final = {"Location": "http://127.0.0.2:1/elsewhere"}
_SPOILT: Final[dict[KubernetesFault, Callable[[bytes], ApiAnswer | None]]] = {
    KubernetesFault.CUT_BEFORE: lambda _: None,
    KubernetesFault.CUT_AFTER: lambda _: None,
    KubernetesFault.ERROR_BEFORE: lambda _: refused_answer(
        Refusal(500, "etcdserver: leader changed")
    ),
    KubernetesFault.ERROR_AFTER: lambda _: refused_answer(
        Refusal(503, "etcdserver: request timed out")
    ),
    KubernetesFault.BUSY: lambda _: refused_answer(
        Refusal(429, "Too many requests", retryAfterSeconds=1)
    ),
    KubernetesFault.HTML_BEFORE: lambda _: _PAGE,
    KubernetesFault.HTML_AFTER: lambda _: _PAGE,
    KubernetesFault.HALF: lambda body: ApiAnswer(200, body[: len(body) // 2]),
    KubernetesFault.SHORTER: lambda body: ApiAnswer(
        200, body, headers={"Content-Length": str(len(body) + 10)}
    ),
    KubernetesFault.REDIRECT: lambda _: ApiAnswer(302, b"", headers=_ELSEWHERE),
    KubernetesFault.LIST: lambda _: document_answer([]),
    KubernetesFault.OTHER_KIND: lambda _: document_answer(_OTHER),
    KubernetesFault.LARGE: lambda body: ApiAnswer(200, body + b" " * LARGE),
}
