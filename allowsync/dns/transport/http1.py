"""DNS over HTTP/1.1 (RFC 9112), by h11: one question at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import h11

from allowsync.dns.failure import Failure, Kind
from allowsync.dns.transport.doh_codec import (
    CONNECTIONS,
    ENDLESS,
    MAX_BODY,
    MAX_HEAD,
    MEDIA_TYPE,
    NEEDS_HTTP2,
    Answered,
    Ended,
    Outcome,
    Resource,
    wrong_head,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from allowsync.dns.query_state import Ask

# Bad Request, Upgrade Required, HTTP Version Not Supported (RFC 9110 section 15): what servers say
# that would rather speak HTTP/2.
_OTHER_VERSION: Final = (400, 426, 505)


class Http1:
    """Implements `Speech`.

    Args:
        server: Who is asked, for messages.
        resource: What is asked of it.
        alone: Whether nothing but HTTP/1.1 could be offered to the server.
    """

    def __init__(self, server: str, resource: Resource, *, alone: bool) -> None:
        self.useful = False
        self.closing = False
        self._server = server
        self._resource = resource
        self._alone = alone
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._ask: Ask | None = None
        self._stirred = False
        self._body = b""
        self._outgoing = b""

    @property
    def asks(self) -> Collection[Ask]:
        """What is under way: one question or none."""
        return () if self._ask is None else (self._ask,)

    @property
    def has_room(self) -> bool:
        """Whether nothing is under way."""
        return self._ask is None and not self.closing

    @property
    def window(self) -> int:
        """One question per connection."""
        return CONNECTIONS

    @property
    def repeatable(self) -> bool:
        """Whether the connection was just idle for too long, or so it seems."""
        return self.useful and not self._stirred

    def put(self, ask: Ask) -> None:
        """Ask a question by POST (RFC 8484 section 4.1)."""
        self._ask, self._body, self._stirred = ask, b"", False
        headers = [
            (b"host", self._resource.host),
            (b"accept", MEDIA_TYPE),
            (b"content-type", MEDIA_TYPE),
            (b"content-length", str(len(ask.datagram)).encode()),
        ]
        request = h11.Request(method=b"POST", target=self._resource.path, headers=headers)
        events = (request, h11.Data(data=ask.datagram), h11.EndOfMessage())
        self._outgoing += b"".join(self._http.send(event) or b"" for event in events)

    def forget(self, ask: Ask) -> bool:
        """No: nothing else can be asked before the answer has come."""
        return ask is not self._ask

    def receive(self, data: bytes) -> Sequence[Outcome]:
        """At most one answer."""
        self._stirred = True
        outcomes: list[Outcome] = []
        try:
            self._http.receive_data(data)
            while (event := self._http.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                if outcome := self._take(event):
                    outcomes.append(outcome)
                if isinstance(outcome, Ended):
                    return outcomes
        except h11.RemoteProtocolError:
            outcomes.append(self._ended(Kind.STREAM, "does not speak HTTP/1.1" + self._hint))
        return outcomes

    def to_send(self) -> bytes:
        """What is to be sent, once."""
        outgoing, self._outgoing = self._outgoing, b""
        return outgoing

    def _take(self, event: object) -> Outcome | None:
        match event:
            case h11.Response():
                return self._about(event)
            case h11.Data():
                self._body += bytes(event.data)
                if len(self._body) > MAX_BODY:
                    return self._ended(Kind.STREAM, ENDLESS)
            case h11.EndOfMessage():
                return self._finish()
            case _:  # an interim response (RFC 9110 section 15.2)
                pass
        return None

    def _about(self, response: h11.Response) -> Ended | None:
        wrong = wrong_head(response.status_code, response.headers)
        if wrong is None:
            return None
        kind, what = wrong
        hint = self._hint if response.status_code in _OTHER_VERSION else ""
        return self._ended(kind, what + hint)

    def _finish(self) -> Answered | None:
        """A whole answer; the connection may be used again or not."""
        ask, self._ask = self._ask, None
        self.useful = True
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        else:
            self.closing = True
        return None if ask is None else Answered(ask, self._body)

    @property
    def _hint(self) -> str:
        return NEEDS_HTTP2 if self._alone else ""

    def _ended(self, kind: Kind, what: str) -> Ended:
        return Ended(Failure(kind, f"{self._server} {what}"))
