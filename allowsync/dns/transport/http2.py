"""DNS over HTTP/2 (RFC 9113), by h2: all questions side by side over one connection.

h2 is given one frame at a time. What was whole before a frame that is wrong still counts, and
frames can be counted: a server has no reason to send many more than there are answers.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from allowsync.dns.failure import Failure, Kind
from allowsync.dns.query_state import WINDOW, Ask
from allowsync.dns.transport.doh_codec import (
    CUT_SHORT,
    ENDLESS,
    MAX_BODY,
    MAX_HEAD,
    MEDIA_TYPE,
    Answered,
    Cut,
    Ended,
    Outcome,
    Refused,
    Resource,
    wrong_head,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from allowsync.dns.transport.doh_codec import Headers

FRAMES: Final = 1000  # that a server may send over one connection …
FRAMES_PER_QUESTION: Final = 64  # … and so many more for each question

# RFC 9113 sections 4.1 and 6.8.
_FRAME_HEAD: Final = 9
_GOAWAY: Final = 0x07
_GOAWAY_HEAD: Final = 8
_STREAM: Final = 0x7FFF_FFFF
_NONSENSE: Final = "does not keep to HTTP/2"
_OURS: Final = {
    SettingCodes.ENABLE_PUSH: 0,
    SettingCodes.INITIAL_WINDOW_SIZE: MAX_BODY,
    SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEAD,
}


class _Reply:
    """What has come for one question."""

    __slots__ = ("ask", "body", "unsent")

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.body = b""
        self.unsent = ask.datagram


class Http2:
    """Implements `Speech`.

    Args:
        server: Who is asked, for messages.
        resource: What is asked of it.
    """

    def __init__(self, server: str, resource: Resource) -> None:
        self.useful = False
        self.closing = False
        self._server = server
        self._resource = resource
        self._replies: dict[int, _Reply] = {}
        self._received = b""
        self._frames_left = FRAMES
        self._http = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        # Without what h2 adds that RFC 9113 does not know.
        self._http.local_settings = Settings(client=True, initial_values=_OURS)
        del self._http.local_settings[SettingCodes.ENABLE_CONNECT_PROTOCOL]
        self._http.decoder.max_header_list_size = MAX_HEAD
        self._http.initiate_connection()

    @property
    def asks(self) -> Collection[Ask]:
        """What is under way."""
        return tuple(reply.ask for reply in self._replies.values())

    @property
    def has_room(self) -> bool:
        """Whether the server takes one more question now."""
        return not self.closing and len(self._replies) < min(WINDOW, self._theirs)

    @property
    def window(self) -> int:
        """As many as the server takes, but not more than others are asked."""
        return max(1, min(WINDOW, self._theirs))

    @property
    def repeatable(self) -> bool:
        """Yes: no question does anything to a server (RFC 8484 section 5)."""
        return True

    def put(self, ask: Ask) -> None:
        """Ask a question by POST (RFC 8484 section 4.1)."""
        stream = self._http.get_next_available_stream_id()
        headers = [
            (b":method", b"POST"),
            (b":scheme", b"https"),
            (b":authority", self._resource.host),
            (b":path", self._resource.path),
            (b"accept", MEDIA_TYPE),
            (b"content-type", MEDIA_TYPE),
            (b"content-length", str(len(ask.datagram)).encode()),
        ]
        self._http.send_headers(stream, headers)
        self._replies[stream] = _Reply(ask)
        self._frames_left += FRAMES_PER_QUESTION
        self._send_body(stream, self._replies[stream])

    def forget(self, ask: Ask) -> bool:
        """Yes: the others do not notice."""
        for stream, reply in tuple(self._replies.items()):
            if reply.ask is ask:
                self._drop(stream)
        return not self.closing or bool(self._replies)

    def receive(self, data: bytes) -> Sequence[Outcome]:
        """What each frame means, up to the first that makes no sense."""
        self._received += data
        outcomes: list[Outcome] = []
        try:
            for frame in self._frames():
                self._frames_left -= 1
                if self._frames_left < 0:
                    raise ProtocolError
                if frame[3] == _GOAWAY:
                    outcomes += self._told_to_go(frame[_FRAME_HEAD:])
                    continue
                for event in self._http.receive_data(frame):
                    outcomes += self._take(event)
        except ProtocolError:
            self.closing = True
            outcomes.append(Ended(self._failure(Kind.STREAM, _NONSENSE)))
        return outcomes

    def to_send(self) -> bytes:
        """What is to be sent, once."""
        return self._http.data_to_send()

    @property
    def _theirs(self) -> int:
        return self._http.remote_settings.max_concurrent_streams

    def _frames(self) -> Iterator[bytes]:
        """Take every whole frame off what was received. One that is too long ends it.

        Raises:
            ProtocolError: A frame is longer than was ever allowed.
        """
        data, start = self._received, 0
        while len(data) >= start + _FRAME_HEAD:
            length = int.from_bytes(data[start : start + 3], "big")
            if length > self._http.max_inbound_frame_size:
                raise ProtocolError
            end = start + _FRAME_HEAD + length
            if end > len(data):
                break
            yield data[start:end]
            start = end
        self._received = data[start:]

    def _take(self, event: Event) -> Iterator[Outcome]:
        """What an event means. Those about questions that were given up mean nothing."""
        match event:
            case RemoteSettingsChanged() | WindowUpdated():
                for stream, reply in self._replies.items():
                    self._send_body(stream, reply)
            case ResponseReceived(stream_id=int(stream), headers=list(headers)):
                if wrong := wrong_head(_status(headers), headers):
                    yield from self._refused(stream, *wrong)
            case DataReceived(stream_id=int(stream), data=bytes(data)):
                self._http.acknowledge_received_data(event.flow_controlled_length or 0, stream)
                yield from self._more(stream, data)
            case StreamEnded(stream_id=int(stream)) if whole := self._replies.pop(stream, None):
                self.useful = True
                if whole.unsent:
                    self._reset(stream)
                yield Answered(whole.ask, whole.body)
            case StreamReset(stream_id=int(stream)) if broken := self._replies.pop(stream, None):
                # What was refused was not looked at (RFC 9113 section 8.7): there was no room.
                self.closing |= event.error_code != ErrorCodes.REFUSED_STREAM
                yield Cut(broken.ask, self._failure(Kind.STREAM, "broke off its answer"))
            case _:
                pass

    def _more(self, stream: int, data: bytes) -> Iterator[Outcome]:
        """A piece of an answer."""
        reply = self._replies.get(stream)
        if reply is None:
            return
        reply.body += data
        if len(reply.body) > MAX_BODY:
            yield from self._refused(stream, Kind.STREAM, ENDLESS)

    def _refused(self, stream: int, kind: Kind, what: str) -> Iterator[Outcome]:
        """Something else came for an answer; the rest of it is not waited for."""
        reply = self._replies.get(stream)
        if reply is not None:
            self._drop(stream)
            yield Refused(reply.ask, self._failure(kind, what))

    def _told_to_go(self, payload: bytes) -> Iterator[Outcome]:
        """No more questions. After an orderly farewell, what was taken on is still answered.

        h2 takes every GOAWAY for the end, so it is not told (RFC 9113 section 6.8).

        Raises:
            ProtocolError: The farewell is too short to be one.
        """
        if len(payload) < _GOAWAY_HEAD:
            raise ProtocolError
        self.closing = True
        last = int.from_bytes(payload[:4], "big") & _STREAM
        orderly = int.from_bytes(payload[4:8], "big") == ErrorCodes.NO_ERROR
        gone = [one for one in self._replies if one > last or not orderly]
        self.useful |= len(gone) < len(self._replies)
        for stream in gone:
            yield Cut(self._replies.pop(stream).ask, self._failure(Kind.STREAM, CUT_SHORT))

    def _drop(self, stream: int) -> None:
        del self._replies[stream]
        self._reset(stream)

    def _reset(self, stream: int) -> None:
        with suppress(ProtocolError):  # over already, or everything is
            self._http.reset_stream(stream, ErrorCodes.CANCEL)

    def _send_body(self, stream: int, reply: _Reply) -> None:
        """Send as much of a question as the server takes now (RFC 9113 section 5.2)."""
        while reply.unsent:
            room = self._http.local_flow_control_window(stream)
            size = min(room, self._http.max_outbound_frame_size, len(reply.unsent))
            if size <= 0:
                return
            last = size == len(reply.unsent)
            self._http.send_data(stream, reply.unsent[:size], end_stream=last)
            reply.unsent = reply.unsent[size:]

    def _failure(self, kind: Kind, what: str) -> Failure:
        return Failure(kind, f"{self._server} {what}")


def _status(headers: Headers) -> int:
    """The status of a response.

    Raises:
        ProtocolError: It is no number of three digits (RFC 9110 section 15).
    """
    text = dict(headers).get(b":status", b"")
    if len(text) != 3 or not text.isdigit():
        raise ProtocolError
    return int(text)
