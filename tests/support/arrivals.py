"""What becomes of real packets: who answers, or how they are refused, many at once."""

from __future__ import annotations

import ctypes
import errno
import selectors
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from tests.support.netns import Namespace

_libc: Final = ctypes.CDLL(None)
IN_VAIN: Final = 0.3  # seconds in which answers come that are not expected
PATIENCE: Final = 30.0  # seconds that expected ones may take on a busy machine
_ERRORS: Final = {
    socket.AF_INET: (socket.IPPROTO_IP, 11),  # IP_RECVERR
    socket.AF_INET6: (socket.IPPROTO_IPV6, 25),
}


class Arrival(NamedTuple):
    """A packet to send."""

    source: str
    destination: str
    protocol: str
    port: int


class Named:
    """A server that answers everything with its name and port, until it is left.

    Args:
        inside: Where.
        name: Its name.
        ports: Where it listens, by TCP and UDP.
        owner: The user whose program it is.
    """

    def __init__(self, inside: Namespace, name: str, ports: Iterable[int], owner: int = 0) -> None:
        self._name = name
        self._selector = selectors.DefaultSelector()
        self._stop, self._stopped = socket.socketpair()
        self._selector.register(self._stopped, selectors.EVENT_READ)
        for port in ports:
            for family in _ERRORS:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    one = inside.run(_bound, family, kind, port, owner)
                    self._selector.register(one, selectors.EVENT_READ, (kind, port))
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Named:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.close()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._selector.close()

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._stopped:
                    return
                assert isinstance(key.fileobj, socket.socket)
                kind, port = key.data
                with suppress(OSError):  # the rules may forbid the answer
                    _answer(key.fileobj, kind, f"{self._name}:{port}".encode())


def _bound(
    family: socket.AddressFamily, kind: socket.SocketKind, port: int, owner: int
) -> socket.socket:
    own = _libc.setfsuid(owner)
    try:
        made = socket.socket(family, kind)
    finally:
        _libc.setfsuid(own)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family is socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind(("", port))
    if kind is socket.SOCK_STREAM:
        made.listen(128)
    made.setblocking(False)
    return made


def _answer(listening: socket.socket, kind: socket.SocketKind, name: bytes) -> None:
    if kind is socket.SOCK_STREAM:
        connection, _ = listening.accept()
        with connection:
            connection.sendall(name)
    else:
        _, sender = listening.recvfrom(64)
        listening.sendto(name, sender)


def outcomes(
    places: dict[str, Namespace], arrivals: Sequence[Arrival], expected: Collection[int]
) -> list[str]:
    """What becomes of each: `NAME:PORT` of who answers, `refused`, or `dropped`.

    Args:
        places: Where each source address is.
        arrivals: What is sent, all at once.
        expected: The numbers of those of which something should come back.
    """
    found: dict[int, str] = {}
    sent: list[socket.socket] = []
    with selectors.DefaultSelector() as selector:
        for number, one in enumerate(arrivals):
            started = places[one.source].run(_started, one)
            if isinstance(started, str):
                found[number] = started
                continue
            events = selectors.EVENT_READ
            selector.register(started, events, number)
            sent.append(started)
        began = time.monotonic()
        while selector.get_map():
            patience = IN_VAIN if found.keys() >= set(expected) else PATIENCE
            left = began + patience - time.monotonic()
            if left <= 0:
                break
            for key, _ in selector.select(left):
                assert isinstance(key.fileobj, socket.socket)
                found[key.data] = _received(key.fileobj)
                selector.unregister(key.fileobj)
    for one_sent in sent:
        one_sent.close()
    return [found.get(number, "dropped") for number in range(len(arrivals))]


def _started(one: Arrival) -> socket.socket | str:
    family = socket.AF_INET6 if ":" in one.source else socket.AF_INET
    kind = socket.SOCK_STREAM if one.protocol == "tcp" else socket.SOCK_DGRAM
    made = socket.socket(family, kind)
    made.setsockopt(*_ERRORS[family], 1)
    made.bind((one.source, 0))
    made.setblocking(False)
    code = made.connect_ex((one.destination, one.port))
    if code not in (0, errno.EINPROGRESS):
        made.close()
        return "refused"
    if kind is socket.SOCK_DGRAM:
        made.send(b"ask")
    return made


def _received(sent: socket.socket) -> str:
    try:
        return sent.recv(64).decode()
    except OSError:
        return "refused"


def each(
    sources: Iterable[str], destinations: dict[int, str], services: Sequence[tuple[str, int]]
) -> Iterator[Arrival]:
    """From each source to the destination of its family, each service."""
    for source in sources:
        for protocol, port in services:
            yield Arrival(source, destinations[6 if ":" in source else 4], protocol, port)
