"""One HTTP/1.1 connection to a DoH server, and the one question that is under way on it.

h11 reads and writes the protocol; it does no input or output of its own, so that HTTPS runs in the
same loop, under the same deadline and with the same look at certificates as everything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import h11

from allowsync.resolve.failures import Failure, Kind
from allowsync.resolve.secure import Endpoint, SecureStream

if TYPE_CHECKING:
    from selectors import BaseSelector

    from allowsync.resolve.inquiry import Ask

MEDIA_TYPE: Final = b"application/dns-message"  # RFC 8484 section 6
MAX_HEAD: Final = 16384  # octets of a response's status and headers
MAX_BODY: Final = 65535  # octets of a DNS message


class Asker(Protocol):
    """Who is told what comes of an exchange."""

    def answered(self, ask: Ask, wire: bytes) -> None:
        """The server answered with a DNS message."""
        ...

    def lost(self, exchange: Exchange, failure: Failure) -> None:
        """The connection is closed, whether or not a question was under way."""
        ...


@dataclass(frozen=True, slots=True)
class Resource:
    """What is asked of the server: the `Host` header and the path of the URL."""

    host: bytes
    path: bytes


class Exchange:
    """A connection that is asked one question at a time. Never blocks, never raises.

    Attributes:
        ask: What is under way.
        answers: How many questions it has answered.
        stirred: Whether some of the answer to `ask` has come.
    """

    def __init__(
        self, endpoint: Endpoint, resource: Resource, selector: BaseSelector, asker: Asker
    ) -> None:
        self.endpoint = endpoint
        self.ask: Ask | None = None
        self.answers = 0
        self.stirred = False
        self._resource = resource
        self._asker = asker
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._stream = SecureStream(endpoint, selector, self)
        self._body = b""

    @property
    def ready(self) -> bool:
        """Whether the server has proven who it is."""
        return self._stream.ready

    def start(self) -> None:
        """Begin to connect."""
        self._stream.start()

    def put(self, ask: Ask) -> None:
        """Ask the question that the ask holds as a datagram. None may be under way."""
        self.ask, self._body, self.stirred = ask, b"", False
        headers = [
            (b"host", self._resource.host),
            (b"accept", MEDIA_TYPE),
            (b"content-type", MEDIA_TYPE),
            (b"content-length", str(len(ask.datagram)).encode()),
        ]
        request = h11.Request(method=b"POST", target=self._resource.path, headers=headers)
        events = (request, h11.Data(data=ask.datagram), h11.EndOfMessage())
        self._stream.write(b"".join(self._http.send(event) or b"" for event in events))

    def close(self) -> None:
        """Close the connection; nothing is told any more."""
        self._stream.close()

    def received(self, _stream: SecureStream, data: bytes) -> None:
        """Take in what came."""
        self.stirred = True
        try:
            self._http.receive_data(data)
            while (event := self._http.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                if failure := self._take(event):
                    self._give_up(failure)
                    return
        except h11.RemoteProtocolError:
            self._give_up(self._failure(Kind.STREAM, "does not speak HTTP/1.1"))

    def ended(self, _stream: SecureStream, failure: Failure) -> None:
        """Tell that the connection is closed."""
        self._asker.lost(self, failure)

    def _take(self, event: object) -> Failure | None:
        """Take in one event; a failure ends the exchange."""
        match event:
            case h11.Response():
                return self._about(event)
            case h11.Data():
                self._body += bytes(event.data)
                if len(self._body) > MAX_BODY:
                    return self._failure(Kind.STREAM, "sent more than a DNS message can hold")
            case h11.EndOfMessage():
                self._finish()
            case _:  # an interim response (RFC 9110 section 15.2)
                pass
        return None

    def _about(self, response: h11.Response) -> Failure | None:
        """What is wrong with the head of a response, if anything is."""
        if 300 <= response.status_code < 400:
            what = "redirects elsewhere, which is not followed: configure the URL it moved to"
            return self._failure(Kind.UNTRUSTED, what)
        if response.status_code != 200:
            return self._failure(Kind.ERROR, f"answered with HTTP status {response.status_code}")
        kinds = [value for name, value in response.headers if name == b"content-type"]
        if [one.partition(b";")[0].strip().lower() for one in kinds] != [MEDIA_TYPE]:
            return self._failure(Kind.STREAM, "did not answer with a DNS message: check the path")
        return None

    def _finish(self) -> None:
        """Hand on a whole answer; the connection may be used again or not."""
        ask, self.ask = self.ask, None
        self.answers += 1
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            if ask is not None:
                self._asker.answered(ask, self._body)
            return
        if ask is not None:
            self._asker.answered(ask, self._body)
        self._give_up(self._failure(Kind.STREAM, "closed the connection before the answer came"))

    def _give_up(self, failure: Failure) -> None:
        self._stream.close()
        self._asker.lost(self, failure)

    def _failure(self, kind: Kind, what: str) -> Failure:
        return Failure(kind, f"{self.endpoint.nameserver} {what}")
