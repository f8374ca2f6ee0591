"""What the two versions of HTTP have in common: questions in, bytes out, bytes in, outcomes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from allowsync.dns.failure import Failure, Kind
from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from allowsync.dns.query_state import Ask

    Headers: TypeAlias = Iterable[tuple[bytes, bytes]]

MEDIA_TYPE: Final = b"application/dns-message"  # RFC 8484 section 6
MAX_HEAD: Final = 16384  # octets of a response's status and headers
MAX_BODY: Final = 65535  # octets of a DNS message
CONNECTIONS: Final = 8  # with one server: HTTP/1.1 carries one question at a time

ENDLESS: Final = "sent more than a DNS message can hold"
CUT_SHORT: Final = "closed the connection before the answer came"
NEEDS_HTTP2: Final = "; if it speaks HTTP/2 alone: pip install 'allowsync[doh]'"


class Resource(Value):
    """What is asked of the server: the `Host` header and the path of the URL."""

    host: bytes
    path: bytes


class Answered(Value):
    """A question has its whole answer."""

    ask: Ask
    wire: bytes


class Refused(Value):
    """The server gave something else for an answer."""

    ask: Ask
    failure: Failure


class Cut(Value):
    """The server will not answer a question it was asked, and may answer it if asked again."""

    ask: Ask
    failure: Failure


class Ended(Value):
    """Nothing that comes over this connection can be made sense of any more."""

    failure: Failure


Outcome: TypeAlias = Answered | Refused | Cut | Ended


class Speech(Protocol):
    """One side of a connection in one version of HTTP. Does no input or output; never raises.

    Attributes:
        useful: Whether any question was answered, or was promised an answer.
        closing: Whether no more questions may be put.
    """

    useful: bool
    closing: bool

    @property
    def asks(self) -> Collection[Ask]:
        """What is under way."""
        ...

    @property
    def has_room(self) -> bool:
        """Whether one more question can be put."""
        ...

    @property
    def window(self) -> int:
        """How many questions make sense to have under way with this server. At least one."""
        ...

    @property
    def repeatable(self) -> bool:
        """Whether what is under way may be asked again if the connection ends now."""
        ...

    def put(self, ask: Ask) -> None:
        """Ask the question that the ask holds as a datagram. There has to be room."""
        ...

    def forget(self, ask: Ask) -> bool:
        """Give up a question that is under way; whether the connection is still of use."""
        ...

    def receive(self, data: bytes) -> Sequence[Outcome]:
        """What it means that these bytes came."""
        ...

    def to_send(self) -> bytes:
        """What is to be sent, once."""
        ...


def wrong_head(status: int, headers: Headers) -> tuple[Kind, str] | None:
    """What is wrong with the head of a response, if anything is."""
    if 300 <= status < 400:
        what = "redirects elsewhere, which is not followed: configure the URL it moved to"
        return Kind.UNTRUSTED, what
    if status != 200:
        return Kind.ERROR, f"answered with HTTP status {status}"
    kinds = [value for name, value in headers if name == b"content-type"]
    if [one.partition(b";")[0].strip().lower() for one in kinds] != [MEDIA_TYPE]:
        return Kind.STREAM, "did not answer with a DNS message: check the path"
    return None
