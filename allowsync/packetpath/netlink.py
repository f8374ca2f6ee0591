"""Netlink: the kernel's interface to list and change links, routes and nftables rules."""

from __future__ import annotations

import os
import select
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Attributes: TypeAlias = list[tuple[int, bytes]]

ROUTE: Final = 0
SOCKETS: Final = 4
XFRM: Final = 6
NETFILTER: Final = 12

REQUEST, MULTI_ACK, ACK, ROOT_DUMP = 1, 4, 4, 0x300
CREATE, EXCLUSIVE, APPEND, REPLACE = 0x400, 0x200, 0x800, 0x100
_ERROR, _DONE, _INTERRUPTED = 2, 3, 0x10
_CAPPED = 0x100  # an error repeats only the header of the request
_TYPE: Final = 0x3FFF  # without the flags for nested and for network order
_HEAD: Final = struct.Struct("=HH")  # of an attribute: length and kind
_LARGEST: Final = 1 << 20  # bytes read at once
_SOL_NETLINK, _EXT_ACK = 270, 11
_SNDBUF, _RCVBUF, _SNDBUFFORCE, _RCVBUFFORCE = 7, 8, 32, 33
_FORCED, _ASKED = 64 << 20, 4 << 20


def attributes(data: bytes) -> Attributes:
    """Parse consecutive attributes, leaving nested ones packed."""
    found, at, last = [], 0, len(data) - _HEAD.size
    while at <= last:
        length, kind = _HEAD.unpack_from(data, at)
        if length < _HEAD.size:
            break
        found.append((kind, data[at + 4 : at + length]))
        at += (length + 3) & ~3
    return found


def attribute(kind: int, value: bytes) -> bytes:
    """Return one attribute, padded."""
    return _HEAD.pack(_HEAD.size + len(value), kind) + value + b"\0" * (-len(value) % 4)


def packed(items: Attributes) -> bytes:
    """Return attributes, packed one after the other."""
    return b"".join(attribute(kind, value) for kind, value in items)


def first(items: Attributes, kind: int) -> bytes | None:
    """Return the value of the first attribute of a kind."""
    for one, value in items:  # called ten thousand times: a generator costs twice that
        if one & _TYPE == kind:
            return value
    return None


def given(items: Attributes, kind: int, default: bytes = b"") -> bytes:
    """Return the value of the first attribute of a kind, or a default."""
    found = first(items, kind)
    return default if found is None else found


def without(items: Attributes, *kinds: int) -> Attributes:
    """Return all attributes but those of some kinds."""
    return [(kind, value) for kind, value in items if kind & _TYPE not in kinds]


def text(value: bytes | None) -> str:
    """Decode a zero-terminated string; "" for none."""
    return (value or b"").split(b"\0")[0].decode(errors="replace")


def number(value: bytes | None) -> int:
    """Decode a number in network order; 0 for none."""
    return int.from_bytes(value or b"", "big")


def native(value: bytes | None) -> int:
    """Decode a number in the machine's order; 0 for none."""
    return int.from_bytes(value or b"", "little" if struct.pack("=H", 1)[0] else "big")


class NetlinkMessage(NamedTuple):
    """One message from the kernel."""

    kind: int
    flags: int
    sequence: int
    body: bytes


class RefusedRequest(NamedTuple):
    """A refused request of a batch: its position, the error, and the kernel's message."""

    position: int
    errno: int
    said: str


class ListingInterrupted(Exception):
    """The listed objects changed during the dump."""


class Netlink:
    """A socket to one part of the kernel, in the current network namespace."""

    def __init__(self, protocol: int, groups: int = 0, *, blocking: bool = True) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        for force, ask in ((_SNDBUFFORCE, _SNDBUF), (_RCVBUFFORCE, _RCVBUF)):
            try:
                self.socket.setsockopt(socket.SOL_SOCKET, force, _FORCED)
            except OSError:
                self.socket.setsockopt(socket.SOL_SOCKET, ask, _ASKED)
        with suppress(OSError):
            self.socket.setsockopt(_SOL_NETLINK, _EXT_ACK, 1)
        self.socket.bind((0, groups))
        self.socket.setblocking(blocking)
        self._sequence = 1
        self._buffer = memoryview(bytearray(_LARGEST))
        self.largest_batch = self.socket.getsockopt(socket.SOL_SOCKET, _SNDBUF) // 2 - 4096

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def messages(self) -> Iterator[NetlinkMessage]:
        """Yield the messages of one packet, waiting for it if need be."""
        last, at = self.socket.recv_into(self._buffer) - 16, 0
        data = bytes(self._buffer[: last + 16])
        while at <= last:
            length, kind, flags, sequence, _ = struct.unpack_from("=IHHII", data, at)
            yield NetlinkMessage(kind, flags, sequence, data[at + 16 : at + length])
            at += (length + 3) & ~3

    def waiting(self) -> Iterator[NetlinkMessage]:
        """Yield the messages received so far, without waiting."""
        while True:
            try:
                yield from self.messages()
            except BlockingIOError:
                return

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """Return every object of a kind.

        Raises:
            OSError: The kernel refuses.
            ListingInterrupted: The objects changed during the dump.
        """
        return self._listed(kind, REQUEST | ROOT_DUMP, body)

    def get(self, kind: int, body: bytes) -> list[bytes]:
        """Return the objects that one request selects.

        Raises:
            OSError: The kernel refuses.
        """
        return self._listed(kind, REQUEST | ACK, body)

    def _listed(self, kind: int, flags: int, body: bytes) -> list[bytes]:
        self._send(kind, flags, body)
        found: list[bytes] = []
        while True:
            for message in self.messages():
                if message.sequence != self._sequence:
                    continue
                if message.flags & _INTERRUPTED:
                    raise ListingInterrupted
                if message.kind == _DONE:
                    return found
                if message.kind == _ERROR:
                    _raise(_errno(message))
                    return found
                found.append(message.body)

    def request(self, kind: int, flags: int, body: bytes) -> int:
        """Request a change. Returns the error number, 0 for none."""
        self._send(kind, REQUEST | ACK | flags, body)
        while True:
            for message in self.messages():
                if message.sequence == self._sequence and message.kind == _ERROR:
                    return _errno(message)

    def batch(self, requests: Sequence[tuple[int, int, bytes]]) -> list[RefusedRequest]:
        """Request several nftables changes at once: (message, flags, body). All or none happen."""
        edge = struct.pack(">BBH", 0, 0, 10)
        parts = [(0x10, REQUEST, edge)]
        parts += [(0xA00 | kind, REQUEST | flags, body) for kind, flags, body in requests]
        kind, flags, body = parts[-1]
        parts[-1] = (kind, flags | ACK, body)
        parts.append((0x11, REQUEST, edge))
        start = self._sequence + 1
        data = bytearray()
        for kind, flags, body in parts:
            self._sequence += 1
            data += _header(kind, flags, self._sequence, body) + b"\0" * (-len(body) % 4)
        self.socket.send(data)
        return self._failures(start)

    def _failures(self, start: int) -> list[RefusedRequest]:
        failures: list[RefusedRequest] = []
        done = False
        while not done or (failures and select.select([self.socket], [], [], 0)[0]):
            for message in self.messages():
                if message.kind != _ERROR or message.sequence < start:
                    continue
                errno = _errno(message)
                done = done or bool(errno) or message.sequence == self._sequence - 1
                if errno:
                    more = message.body[20:] if message.flags & _CAPPED else b""
                    said = text(first(attributes(more), 1))
                    failures.append(RefusedRequest(message.sequence - start - 1, errno, said))
        return failures

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        self._sequence += 1
        self.socket.send(_header(kind, flags, self._sequence, body))


def _header(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body


def _errno(message: NetlinkMessage) -> int:
    return -int(struct.unpack_from("=i", message.body)[0])


def _raise(errno: int) -> None:
    if errno:
        raise OSError(errno, os.strerror(errno))
