"""The HTTP/2 side of an `HttpsFront`. Needs `h2`."""

from __future__ import annotations

import select
import socket
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import ProtocolError, StreamClosedError
from h2.settings import SettingCodes

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    Step = Callable[[H2Connection], None]

MEDIA_TYPE: Final = "application/dns-message"

_CHUNK: Final = 65536
_PATIENCE: Final = 60.0  # seconds that a connection may stand still


class Front(Protocol):
    """What a connection needs of an `HttpsFront`."""

    asked: list[tuple[str, dict[str, str]]]
    complaints: list[str]
    settings: dict[int, int]
    reaction: Callable[[Any, bytes], None]
    reacting: list[threading.Thread]


class HungUpError(Exception):
    """The connection is to be closed."""


class Http2Stream:
    """One question, for a reaction to deal with in a thread of its own.

    Attributes:
        front: Where it came to.
        number: That of the stream.
    """

    def __init__(self, connection: Http2Connection, number: int) -> None:
        self.front: Any = connection.front
        self.number = number
        self._connection = connection

    def reply(self, body: bytes, kind: str = MEDIA_TYPE, status: int = 200) -> None:
        """Send a whole response."""
        headers = [(":status", str(status)), ("content-type", kind), ("content-length", len(body))]
        self.send([(name, str(value)) for name, value in headers], body)

    def send(self, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send a response with headers of one's own."""

        def step(http: H2Connection) -> None:
            http.send_headers(self.number, headers)
            self._connection.bodies[self.number] = body

        self.act(step)

    def act(self, step: Step) -> None:
        """Do anything else to the connection, in its own thread."""
        self._connection.do(step)

    def raw(self, *parts: bytes) -> None:
        """Send bytes that need not be frames."""

        def step(_http: H2Connection) -> None:
            for part in parts:
                self._connection.write(part)

        self.act(step)

    def reset(self, code: int = ErrorCodes.INTERNAL_ERROR) -> None:
        """Break the answer off."""
        self.act(lambda http: http.reset_stream(self.number, code))

    def hang_up(self) -> None:
        """Close the connection, once what was said before has been sent."""

        def step(_http: H2Connection) -> None:
            self._connection.flush()
            raise HungUpError

        self.act(step)


class Http2Connection:
    """One connection, served until either side closes it.

    Attributes:
        front: Where it came to.
        bodies: What is still to be sent, by stream.
    """

    def __init__(self, secure: ssl.SSLSocket, front: Front) -> None:
        self.front = front
        self.bodies: dict[int, bytes] = {}
        self._secure = secure
        self._http = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._asked: dict[int, bytes] = {}
        self._steps: deque[Step] = deque()
        self._waker, self._woken = socket.socketpair()

    def do(self, step: Step) -> None:
        """Let the connection's thread take a step soon."""
        self._steps.append(step)
        with suppress(OSError):  # it is closed already
            self._waker.send(b".")

    def write(self, data: bytes) -> None:
        """Send what is waiting, and these bytes after it. From the connection's thread."""
        self._secure.sendall(self._http.data_to_send() + data)

    def flush(self) -> None:
        """Send what can be sent. From the connection's thread."""
        self._send_bodies()
        self.write(b"")

    def serve(self) -> None:
        """Answer questions until the other side closes, or a reaction does."""
        with self._waker, self._woken, suppress(OSError):
            self._http.initiate_connection()
            if self.front.settings:
                self._http.update_settings(dict(self.front.settings))
            try:
                while self._turn():
                    pass
            except ProtocolError as error:
                self.front.complaints.append(repr(error))
                self.write(b"")
            except HungUpError:
                self._linger()

    def _linger(self) -> None:
        """Close so that what was sent arrives: unread questions would make it a reset."""
        self._secure.shutdown(socket.SHUT_WR)
        while self._secure.recv(_CHUNK):
            pass

    def _turn(self) -> bool:
        """Take in what there is; whether to go on."""
        self.flush()
        ready: list[socket.socket] = [self._secure] if self._secure.pending() else []
        if not ready:
            ready, _, _ = select.select([self._secure, self._woken], [], [], _PATIENCE)
        if self._secure in ready:
            data = self._secure.recv(_CHUNK)
            for event in self._http.receive_data(data) if data else ():
                self._take(event)
            if not data:
                return False
        if self._woken in ready:
            self._woken.recv(_CHUNK)
        while self._steps:
            with suppress(StreamClosedError):  # the other side gave the question up
                self._steps.popleft()(self._http)
        return bool(ready)

    def _take(self, event: Event) -> None:
        match event:
            case RequestReceived(stream_id=int(stream)):
                self._begin(stream, {str(name): str(value) for name, value in event.headers})
            case DataReceived(stream_id=int(stream)):
                self._http.acknowledge_received_data(event.flow_controlled_length or 0, stream)
                if stream in self._asked:
                    self._asked[stream] += event.data or b""
            case StreamEnded(stream_id=int(stream)) if stream in self._asked:
                wire = self._asked.pop(stream)
                arguments = (Http2Stream(self, stream), wire)
                thread = threading.Thread(target=self._react, args=arguments, daemon=True)
                self.front.reacting.append(thread)
                thread.start()
            case StreamReset(stream_id=int(stream)):
                self._asked.pop(stream, None)
                self.bodies.pop(stream, None)
            case _:
                pass

    def _react(self, stream: Http2Stream, wire: bytes) -> None:
        with suppress(OSError):  # the front ends: there is no answer any more
            self.front.reaction(stream, wire)

    def _begin(self, stream: int, headers: dict[str, str]) -> None:
        """Note a question; one too many is refused (RFC 9113 section 5.1.2)."""
        most = self.front.settings.get(SettingCodes.MAX_CONCURRENT_STREAMS)
        if most is not None and self._http.open_inbound_streams > most:
            self._http.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
            return
        self._asked[stream] = b""
        self.front.asked.append((headers[":path"], headers))

    def _send_bodies(self) -> None:
        """Send as much of the answers as the other side takes now."""
        for stream, body in tuple(self.bodies.items()):
            rest, ended = body, False
            while not ended:
                room = self._http.local_flow_control_window(stream)
                size = min(room, self._http.max_outbound_frame_size, len(rest))
                if rest and size <= 0:
                    break
                ended = size == len(rest)
                self._http.send_data(stream, rest[:size], end_stream=ended)
                rest = rest[size:]
            if ended:
                del self.bodies[stream]
            else:
                self.bodies[stream] = rest
